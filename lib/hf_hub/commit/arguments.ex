defmodule HfHub.Commit.Arguments do
  # Checks the operations, paths and contents that callers pass for a commit, and reads contents.
  @moduledoc false

  alias HfHub.Commit.Operation
  alias HfHub.Config.Source
  alias HfHub.{Error, Options}

  @doc "Returns a path in a repository without a leading `./`; a path that cannot be one raises `ArgumentError`."
  @spec path!(String.t()) :: String.t()
  def path!(path) do
    trimmed = trimmed(text!(path))

    if why = wrong_path(trimmed),
      do: raise(ArgumentError, "invalid path in the repository #{Options.shown(path)}: #{why}")

    trimmed
  end

  @doc "Returns a path unchanged, for functions that return the engine's error for an invalid one."
  @spec text!(String.t()) :: String.t()
  def text!(path) when is_binary(path), do: path

  def text!(other),
    do: raise(ArgumentError, "expected a path in the repository, got: #{Options.shown(other)}")

  defp trimmed("./" <> path), do: trimmed(path)
  defp trimmed(path), do: path

  # The path of a folder may end in a slash.
  defp wrong_path(path) do
    parts = path |> String.replace_suffix("/", "") |> String.split("/")

    cond do
      path == "" -> "it is empty"
      String.starts_with?(path, "/") -> "it begins with \"/\""
      Enum.any?(parts, &(&1 in ["", ".", ".."])) -> "a part of it is empty, \".\" or \"..\""
      true -> nil
    end
  end

  @doc """
  Returns a list of operations; any other value raises `ArgumentError`. Operations may be structs that the caller made,
  without the functions of `HfHub.Commit.Operation`.
  """
  @spec operations!([Operation.t()]) :: [Operation.t()]
  def operations!(operations) do
    known? =
      &(is_struct(&1, Operation.Add) or is_struct(&1, Operation.Delete) or is_struct(&1, Operation.Copy))

    unless is_list(operations) and Enum.all?(operations, known?) do
      raise ArgumentError,
            "expected a list of HfHub.Commit.Operation structs, got: #{Options.shown(operations)}"
    end

    Enum.each(operations, &parts!/1)
    operations
  end

  defp parts!(%Operation.Add{path_in_repo: path, content: :uploaded}), do: text!(path)
  defp parts!(%Operation.Add{path_in_repo: path, content: content}), do: {text!(path), content!(content)}
  defp parts!(%Operation.Delete{path_in_repo: path}), do: text!(path)
  defp parts!(%Operation.Copy{src_path: from, dst_path: to}), do: {text!(from), text!(to)}

  @doc "Returns a list of additions; any other value raises `ArgumentError`."
  @spec additions!([Operation.Add.t()]) :: [Operation.Add.t()]
  def additions!(additions) do
    additions = operations!(additions)

    if Enum.all?(additions, &is_struct(&1, Operation.Add)),
      do: additions,
      else: raise(ArgumentError, "expected only additions")
  end

  @doc "Returns content that is tagged as `t:HfHub.Commit.Operation.content/0`; any other raises `ArgumentError`."
  @spec content!(Operation.content()) :: Operation.content()
  def content!({:path, path} = content) when is_binary(path), do: content
  def content!({:binary, bytes} = content) when is_binary(bytes) or is_list(bytes), do: content

  def content!({:stream, stream} = content) do
    if Enumerable.impl_for(stream), do: content, else: wrong!(content)
  end

  def content!(other), do: wrong!(other)

  @doc "Returns content as text for `inspect/1`: without its bytes, which can be many, and must not appear in a log."
  @spec sketch(term()) :: String.t()
  def sketch({kind, _bytes}) when kind in [:binary, :stream], do: "{#{inspect(kind)}, ...}"
  def sketch(other), do: inspect(other)

  @doc "Returns content as one binary."
  @spec read(Operation.content() | :uploaded, String.t()) ::
          {:ok, binary()} | {:error, Error.t()}
  def read({:binary, bytes}, _path_in_repo) when is_binary(bytes) or is_list(bytes),
    do: {:ok, IO.iodata_to_binary(bytes)}

  def read({:stream, stream}, _path_in_repo), do: {:ok, stream |> Enum.to_list() |> IO.iodata_to_binary()}

  def read({:path, path}, _path_in_repo) do
    with {:error, reason} <- File.read(Source.expand(path)),
         do: {:error, Error.new(:io, "cannot read `#{path}`", reason: "#{:file.format_error(reason)}")}
  end

  def read(:uploaded, path_in_repo) do
    message = "the content of #{inspect(path_in_repo)} was uploaded and is no longer part of the operation"
    {:error, Error.new(:not_found, message, path: path_in_repo)}
  end

  def read(other, _path_in_repo), do: wrong!(other)

  @doc "Returns the size of content in bytes; `nil` if it is unknown without reading it."
  @spec size(Operation.content() | :uploaded) :: non_neg_integer() | nil
  def size({:binary, bytes}) when is_binary(bytes) or is_list(bytes), do: IO.iodata_length(bytes)

  def size({:path, path}) do
    case File.stat(Source.expand(path)) do
      {:ok, %{type: :regular, size: size}} -> size
      _other -> nil
    end
  end

  def size({:stream, _stream}), do: nil
  def size(:uploaded), do: nil
  def size(other), do: wrong!(other)

  # Without the content, which may be private.
  @spec wrong!(term()) :: no_return()
  defp wrong!(content) do
    hint =
      if is_binary(content),
        do:
          "; pass {:path, path} to upload a file of this machine, {:binary, bytes} to upload the string itself",
        else: ""

    raise ArgumentError,
          "expected content as {:path, path}, {:binary, iodata} or {:stream, enumerable}, " <>
            "got #{Options.sort(content)}#{hint}"
  end
end
