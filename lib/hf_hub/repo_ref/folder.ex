defmodule HfHub.RepoRef.Folder do
  # The folder in the reference of a repository, which the names of files are relative to.
  @moduledoc false

  alias HfHub.{Error, RepoRef}

  @doc "Returns the path in the repository of a file. No name, and an empty one, stay as they are: they are errors."
  @spec join(RepoRef.t(), String.t() | nil) :: String.t() | nil
  def join(ref, name) when ref.path == nil or name in [nil, ""], do: name
  def join(ref, name), do: ref.path <> "/" <> String.trim_leading(name, "./")

  @doc "Returns the path in the repository of a folder; `nil` is the root."
  @spec below(RepoRef.t(), String.t() | nil) :: String.t() | nil
  def below(ref, folder) do
    case (folder || "") |> String.trim_leading("./") |> String.trim("/") do
      none when none in ["", "."] -> ref.path
      folder -> join(ref, folder)
    end
  end

  @doc "Returns whether a path is that of a folder, or of something in it; all paths are in `nil`."
  @spec within?(String.t(), String.t() | nil) :: boolean()
  def within?(_path, nil), do: true
  def within?(path, folder), do: path == folder or String.starts_with?(path, folder <> "/")

  @doc "Resolves the reference of a file, as `HfHub.RepoRef.resolve/2`."
  @spec resolve(HfHub.repo(), String.t() | nil, keyword()) :: {:ok, RepoRef.t()} | {:error, Error.t()}
  def resolve(repo, name, opts), do: resolve(repo, name, opts, &join/2)

  @doc "Resolves the reference of a folder, which is relative to that of the reference."
  @spec resolve_folder(HfHub.repo(), String.t() | nil, keyword()) :: {:ok, RepoRef.t()} | {:error, Error.t()}
  def resolve_folder(repo, folder, opts), do: resolve(repo, folder, opts, &below/2)

  defp resolve(repo, given, opts, path) do
    with {:ok, ref} <- RepoRef.parse(repo, opts),
         :ok <- RepoRef.beside(ref, given),
         do: RepoRef.resolve(repo, [path: path.(ref, given)] ++ opts)
  end
end
