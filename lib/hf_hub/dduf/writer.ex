defmodule HfHub.DDUF.Writer do
  # Writes DDUF files beside their place, and renames them once they are complete.
  @moduledoc false

  alias HfHub.DDUF.{Rules, Zip}
  alias HfHub.{Error, Incomplete, Native, Options}
  alias HfHub.Error.Io

  @chunk 8 * 1024 * 1024

  @doc "Writes a file of these entries."
  @spec write(Path.t(), Enumerable.t()) :: {:ok, Path.t()} | {:error, Error.t()}
  def write(path, entries) do
    beside = Incomplete.beside(path)
    Incomplete.clean(Path.dirname(path), ~r/\A\.#{Regex.escape(Path.basename(path))}\.[\d.-]+\.incomplete\z/)

    try do
      fill(beside, entries, path)
      succeed!(:file.rename(beside, path), path)
      {:ok, path}
    catch
      {:failed, error} -> {:error, error}
    after
      # Of a failed call: it has been renamed otherwise.
      File.rm(beside)
    end
  end

  defp fill(beside, entries, path) do
    file = succeed!(:file.open(beside, [:read, :write, :exclusive, :raw, :binary]), path)

    try do
      put = fn at, bytes -> succeed!(:file.pwrite(file, at, bytes), path) end
      written = entries |> Stream.transform(MapSet.new(), &entry!(&1, &2, path)) |> Zip.write(put)
      names = for {name, _first, _length} <- written, do: name

      with {:error, why} <- Rules.check(names, index(file, List.keyfind(written, Rules.index(), 0), path)),
           do: refuse!(path, why)

      succeed!(:file.sync(file), path)
    after
      :file.close(file)
    end
  end

  defp index(_file, nil, _path), do: nil

  defp index(file, {_name, first, length}, path) do
    if why = Rules.too_long(length), do: refuse!(path, why)
    with {:ok, json} <- Native.run(:parse_json, text(file, first, length, path)), do: json
  end

  # Reading nothing is the end of the file.
  defp text(_file, _first, 0, _path), do: ""
  defp text(file, first, length, path), do: succeed!(:file.pread(file, first, length), path)

  defp entry!({name, content}, names, path) when is_binary(name) do
    cond do
      why = Rules.refused(name) ->
        refuse!(path, "the entry #{Rules.shown(name)} is not allowed: #{why}")

      MapSet.size(names) == Rules.most_entries() ->
        refuse!(path, "there are more than #{Rules.most_entries()} entries")

      name in names ->
        refuse!(path, "there are two entries #{Rules.shown(name)}")

      true ->
        {[{name, pieces!(content)}], MapSet.put(names, name)}
    end
  end

  defp entry!(other, _names, _path) do
    raise ArgumentError, "expected entries as {name, content}, got: #{Options.shown(other)}"
  end

  defp pieces!({:binary, bytes}) when is_binary(bytes), do: [bytes]

  defp pieces!({:path, path}) when is_binary(path) do
    Stream.resource(
      fn -> succeed!(:file.open(path, [:read, :raw, :binary]), path, "read") end,
      fn file ->
        case :file.read(file, @chunk) do
          :eof -> {:halt, file}
          read -> {[succeed!(read, path, "read")], file}
        end
      end,
      &:file.close/1
    )
  end

  defp pieces!(other) do
    raise ArgumentError, "expected content as {:path, path} or {:binary, bytes}, got: #{Options.sort(other)}"
  end

  defp succeed!(result, path, verb \\ "write")
  defp succeed!(:ok, _path, _verb), do: :ok
  defp succeed!({:ok, value}, _path, _verb), do: value

  defp succeed!({:error, reason}, path, verb), do: throw({:failed, Io.new(verb, path, reason)})

  @spec refuse!(Path.t(), String.t()) :: no_return()
  defp refuse!(path, why),
    do: throw({:failed, Error.new(:invalid_archive, "cannot write `#{path}`: #{why}", path: path)})
end
