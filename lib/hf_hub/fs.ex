defmodule HfHub.FS do
  @moduledoc """
  Where things are on disk: the cache layout that all Hugging Face clients share.

      ~/.cache/huggingface/hub
      └── models--openai-community--gpt2
          ├── blobs/<etag>                        the contents
          ├── refs/main                           which commit a branch is
          ├── snapshots/<commit>/config.json      links to blobs
          └── trees/<commit>.json                 the listing of a commit
  """

  alias HfHub.Config
  alias HfHub.Native.Nif

  @type repo_type :: :model | :dataset | :space

  @doc """
  Returns the folder of a repository in the cache, whether or not it exists.

  ## Examples

      iex> HfHub.FS.repo_path("openai-community/gpt2", :model) |> Path.basename()
      "models--openai-community--gpt2"
  """
  @doc python: "repo_folder_name"
  @spec repo_path(String.t(), repo_type()) :: Path.t()
  def repo_path(repo_id, repo_type) when repo_type in [:model, :dataset, :space] do
    Path.join(Config.cache_dir(), "#{repo_type}s--" <> String.replace(repo_id, "/", "--"))
  end

  @doc """
  Returns the path a file has in the cache, whether or not it exists.

  A branch or tag is looked up in the cache's `refs`; one that is not known there stands for itself.
  Names that would lead out of the cache raise `ArgumentError`.

  ## Examples

      iex> commit = String.duplicate("a", 40)
      iex> HfHub.FS.file_path("gpt2", :model, "config.json", commit) |> Path.relative_to(HfHub.FS.cache_dir())
      "models--gpt2/snapshots/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/config.json"
  """
  @spec file_path(String.t(), repo_type(), String.t(), String.t()) :: Path.t()
  def file_path(repo_id, repo_type, filename, revision \\ "main") do
    repo = repo_path(repo_id, repo_type)
    check!(%{repo_type: to_string(repo_type), id: repo_id, revision: revision}, filename)

    commit =
      case File.read(Path.join([repo, "refs", revision])) do
        {:ok, commit} -> String.trim(commit)
        {:error, _unknown} -> revision
      end

    Path.join([repo, "snapshots", commit, filename])
  end

  @doc """
  Returns the cache folder; the same as `HfHub.Config.cache_dir/0`.

  ## Examples

      iex> HfHub.FS.cache_dir() == HfHub.Config.cache_dir()
      true
  """
  @spec cache_dir() :: Path.t()
  def cache_dir, do: Config.cache_dir()

  defp check!(repo, filename) do
    case Nif.check_names(%{repo: repo, filename: filename}) do
      nil -> :ok
      error -> raise ArgumentError, error.message
    end
  end
end
