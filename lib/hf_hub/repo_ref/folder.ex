defmodule HfHub.RepoRef.Folder do
  # The folder in the reference of a repository, which the names of files are relative to.
  @moduledoc false

  alias HfHub.{Error, RepoRef}

  @doc "Returns the path in the repository of a file. No name, and an empty one, stay as they are: they are errors."
  @spec join(RepoRef.t(), String.t() | nil) :: String.t() | nil
  def join(ref, name) when ref.path == nil or name in [nil, ""], do: name
  def join(ref, name), do: ref.path <> "/" <> String.trim_leading(name, "./")

  @doc "Resolves the reference of a file, as `HfHub.RepoRef.resolve/2`."
  @spec resolve(HfHub.repo(), String.t() | nil, keyword()) :: {:ok, RepoRef.t()} | {:error, Error.t()}
  def resolve(repo, name, opts) do
    with {:ok, ref} <- RepoRef.parse(repo, opts),
         :ok <- RepoRef.beside(ref, name),
         do: RepoRef.resolve(repo, [path: join(ref, name)] ++ opts)
  end
end
