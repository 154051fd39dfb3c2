defmodule HfHub.Repo.Existence do
  # Checks whether repositories, revisions and files exist and the token has access to them.
  @moduledoc false

  alias HfHub.Download.Metadata
  alias HfHub.{Decode, Error, Options, RepoRef, Request}
  alias HfHub.RepoRef.Folder

  @doc "Returns the options of checks for a repository or a revision."
  @spec options() :: Options.table()
  def options, do: Options.repo_type() ++ Options.common()

  @doc "Returns the options of checks for a file."
  @spec file_options() :: Options.table()
  def file_options, do: Options.repo_type() ++ Options.revision() ++ Options.common()

  @spec repo(HfHub.repo(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def repo(repo_id, opts) do
    opts = Options.validate!(opts, options())

    case id(repo_id, opts) do
      {:error, %Error{kind: :gated_repo}} -> {:ok, true}
      answer -> Request.exists(answer, [:repo_not_found])
    end
  end

  @spec revision(HfHub.repo(), String.t(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def revision(repo_id, revision, opts) do
    opts = Options.validate!(opts, options())

    id(repo_id, opts, "/revision/:revision", revision: revision || "")
    |> Request.exists([:repo_not_found, :revision_not_found])
  end

  @spec file(HfHub.repo(), String.t(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def file(repo_id, filename, opts) do
    opts = Options.validate!(opts, file_options())

    with {:ok, ref} <- Folder.resolve(repo_id, filename || "", opts) do
      Request.exists(Metadata.headers(ref, opts), [:repo_not_found, :revision_not_found, :entry_not_found])
    end
  end

  @doc "Returns the id in the Hub's response about a repository. A login page has status 200 too, but no id."
  @spec id(RepoRef.t() | HfHub.repo(), keyword(), String.t(), keyword()) ::
          {:ok, String.t()} | {:error, Error.t()}
  def id(repo, opts, route \\ "", more \\ []) do
    Request.repo(:get, "/api/:types/*repo" <> route, repo, opts, more)
    |> Request.plain()
    |> Request.run(&(&1 |> Decode.object() |> Map.get("id") |> Decode.text()))
  end
end
