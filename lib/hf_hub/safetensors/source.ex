defmodule HfHub.Safetensors.Source do
  # Opens the files of a model: a file, a folder or a repository.
  @moduledoc false

  alias HfHub.{Error, Options, RandomAccess, RepoRef, StrictJson}
  alias HfHub.Safetensors.{Handle, Header, Names}

  @single "model.safetensors"
  @index "model.safetensors.index.json"
  @max_index 64 * 1_048_576
  # Maximum total size of the headers of a model, as for `HfHub.Safetensors.metadata/2`.
  @max_headers 256 * 1_048_576
  # Maximum number of files of a model, each of which stays open: a VM has a limited number of them.
  @max_files 1000
  # Number of files of a repository that are opened concurrently.
  @at_once 8

  @doc "Opens the files of a model on this machine. The options are those of `HfHub.Safetensors.open/2`."
  @spec on_disk(Path.t(), keyword()) :: {:ok, Handle.t()} | {:error, Error.t()}
  def on_disk(path, opts) do
    path = if opts[:filename], do: Path.join(path, opts[:filename]), else: path
    wanted = opts[:names]

    cond do
      not File.dir?(path) -> model(&at_path(Path.dirname(path), &1), Path.basename(path), wanted)
      File.exists?(Path.join(path, @single)) -> model(&at_path(path, &1), @single, wanted)
      File.exists?(Path.join(path, @index)) -> model(&at_path(path, &1), @index, wanted)
      true -> {:error, Error.new(:entry_not_found, nothing("`#{path}`"), path: path)}
    end
  end

  @doc "Opens the files of a model in a repository; its path is a file, or a folder."
  @spec on_the_hub(RepoRef.t(), keyword()) :: {:ok, Handle.t()} | {:error, Error.t()}
  def on_the_hub(ref, opts) do
    {wanted, opts} = Keyword.pop(opts, :names)
    opts = [repo_id: ref.repo_id, repo_type: ref.repo_type] ++ Keyword.drop(opts, [:filename, :repo_type])
    opts = Keyword.put(opts, :revision, ref.revision)
    path = ref.path || ""

    if String.ends_with?(path, [".safetensors", ".json"]) do
      model(&in_repo(folder(path), [&1], opts), Path.basename(path), wanted)
    else
      case in_repo(path, [@single, @index], opts) do
        {:ok, file, siblings} -> read(file, siblings, wanted)
        {:error, error} -> {:error, neither(ref, error)}
      end
    end
  end

  defp neither(ref, %{kind: :entry_not_found} = error), do: %{error | message: nothing(ref.repo_id)}

  # Of a revision that is not in the cache, no file is.
  defp neither(ref, %{kind: :not_cached, path: path} = error) when path != nil do
    message = "neither `#{@single}` nor `#{@index}` of #{inspect(ref.repo_id)} is in the cache"
    %{error | message: message, path: nil}
  end

  defp neither(_ref, error), do: error

  @doc "Returns the open file with the data of a tensor, and where that data begins."
  @spec file(Handle.t(), String.t()) :: {RandomAccess.t(), pos_integer()}
  def file(handle, name), do: Map.fetch!(handle.files, Map.fetch!(handle.weight_map, name))

  defp nothing(where), do: "#{where} has no safetensors model: neither #{@single} nor #{@index} exists"

  # `find` opens the file of a name, and returns the same for names next to it. The files of a sharded model that have none
  # of the wanted tensors are not opened.
  defp model(find, name, wanted) do
    with {:ok, file, siblings} <- find.(name), do: read(file, siblings, wanted)
  end

  defp read(file, siblings, wanted) do
    if Path.extname(file.name) == ".json",
      do: sharded(file, siblings, wanted),
      else: single(file, wanted)
  end

  defp single(file, wanted) do
    name = Path.basename(file.name)

    with {:ok, header} <- Header.read(file),
         {:ok, weight_map} <-
           Names.take(Map.new(header.tensors, fn {tensor, _} -> {tensor, name} end), wanted) do
      {:ok, handle(header.metadata, weight_map, %{name => {file, header}})}
    else
      error -> closed([file], error)
    end
  end

  # Without this, the files of an error would stay open until the next garbage collection.
  defp closed(files, error) do
    Enum.each(files, &RandomAccess.close/1)
    error
  end

  defp sharded(file, siblings, wanted) do
    with {:ok, index} <- index(file),
         {:ok, weight_map} <- Names.take(index["weight_map"], wanted),
         {:ok, names} <- names(weight_map),
         {:ok, files} <- all(names, siblings) do
      case complete(weight_map, files) do
        :ok -> {:ok, handle(index["metadata"] || %{}, weight_map, files)}
        error -> closed(opened(files), error)
      end
    end
  end

  defp opened(files), do: for({_name, {file, _header}} <- files, do: file)

  defp handle(metadata, weight_map, files) do
    tensors = Map.new(weight_map, fn {name, file} -> {name, tensor(files, file, name)} end)

    counts =
      Enum.reduce(tensors, %{}, fn {_name, tensor}, counts ->
        Map.update(counts, tensor.dtype, tensor.parameter_count, &(&1 + tensor.parameter_count))
      end)

    %Handle{
      tensors: tensors,
      metadata: metadata,
      weight_map: weight_map,
      parameter_count: counts,
      files: Map.new(files, fn {name, {file, header}} -> {name, {file, header.start}} end)
    }
  end

  defp tensor(files, file, name) do
    {_file, header} = files[file]
    header.tensors[name]
  end

  defp index(file) do
    result = parse_index(file)
    RandomAccess.close(file)
    with {:error, why} when is_binary(why) <- result, do: {:error, RandomAccess.invalid(file, "index", why)}
  end

  defp parse_index(%{size: size}) when size > @max_index,
    do: {:error, "it is larger than #{@max_index} bytes"}

  defp parse_index(file) do
    with {:ok, text} <- RandomAccess.read(file, 0, file.size),
         {:ok, json} <- StrictJson.parse(text) do
      case json do
        %{"weight_map" => %{} = map} ->
          if Enum.all?(map, fn {_name, file} -> is_binary(file) end),
            do: {:ok, json},
            else: {:error, "invalid weight_map"}

        _other ->
          {:error, "it has no weight_map"}
      end
    end
  end

  # A name in an index must not lead out of its folder; `./x` stands for `x`, as in URLs.
  defp names(map) do
    names = map |> Map.values() |> Enum.uniq()

    cond do
      name = Enum.find(names, &(not inside?(&1))) ->
        {:error, Error.new(:invalid_name, "the index names the file #{inspect(name)}, outside of its folder")}

      length(names) > @max_files ->
        message =
          "the index names #{length(names)} files, and at most #{@max_files} are opened; " <>
            "open those of the needed tensors with option :names"

        {:error, Error.new(:invalid_response, message)}

      true ->
        {:ok, names}
    end
  end

  defp inside?(name) do
    parts = String.split(name, "/")
    String.valid?(name) and not String.contains?(name, <<0>>) and not Enum.any?(parts, &(&1 in ["", ".."]))
  end

  # Headers are read concurrently, and parsed one after the other: each may have as many values as those before have left.
  defp all(names, find) do
    budget = :atomics.new(1, [])
    :atomics.put(budget, 1, @max_headers)

    names
    |> Task.async_stream(&shard(&1, find, budget), max_concurrency: @at_once, timeout: :infinity)
    |> Enum.reduce_while({:ok, %{}, nil}, fn {:ok, shard}, {:ok, all, left} ->
      case parsed(shard, left) do
        {:ok, name, entry, left} -> {:cont, {:ok, Map.put(all, name, entry), left}}
        error -> {:halt, closed(opened(all), error)}
      end
    end)
    |> case do
      {:ok, all, _left} -> {:ok, all}
      error -> error
    end
  end

  defp shard(name, find, budget) do
    with {:ok, file, _siblings} <- find.(name),
         {:ok, text} <- Header.text(file, &(:atomics.sub_get(budget, 1, &1) >= 0)),
         do: {:ok, name, file, text}
  end

  defp parsed({:ok, name, file, text}, left) do
    case Header.parse(file, text, left) do
      {:ok, header, left} -> {:ok, name, {file, header}, left}
      error -> closed([file], error)
    end
  end

  defp parsed(error, _left), do: error

  defp complete(weight_map, files) do
    case Enum.find(weight_map, fn {name, file} -> tensor(files, file, name) == nil end) do
      nil ->
        :ok

      {name, file} ->
        message = "the index names the tensor #{inspect(name)} in `#{file}`, which does not contain it"
        {:error, Error.new(:invalid_response, message, path: file)}
    end
  end

  defp at_path(folder, name) do
    with {:ok, file} <- RandomAccess.open(Path.join(folder, name)), do: {:ok, file, &at_path(folder, &1)}
  end

  defp in_repo(folder, names, opts) do
    paths = Enum.map(names, &below(folder, &1))

    with {:ok, file} <- RandomAccess.first(paths, Options.given(opts)) do
      path = Enum.find(paths, &String.ends_with?("/" <> file.name, "/" <> &1))
      {:ok, file, &in_repo(folder, [&1], Keyword.put(opts, :revision, commit(file, path)))}
    end
  end

  defp below(folder, name) do
    parts = for part <- String.split(folder <> "/" <> name, "/"), part not in ["", "."], do: part
    Enum.join(parts, "/")
  end

  # All files are of the commit of the first one.
  defp commit(%RandomAccess{from: {:hub, commit, _stream}}, _path), do: commit

  defp commit(cached, path), do: cached.name |> String.replace_suffix("/" <> path, "") |> Path.basename()

  defp folder(path) do
    case Path.dirname(path) do
      "." -> ""
      folder -> folder
    end
  end
end
