defmodule HfHub.Repo do
  @moduledoc """
  Repositories as such: whether they exist.

      {:ok, true} = HfHub.Repo.exists?("openai-community/gpt2")

  The questions go to the Hub with the token, so what is private is seen by those who may see it. A
  network can fail, hence the answers are results: `{:ok, true}`, `{:ok, false}` or an error.
  """

  alias HfHub.{Error, Options, RepoRef, Request}

  @existence Options.repo_type() ++ Options.common()

  @file_existence Options.repo_type() ++ Options.revision() ++ Options.common()

  @doc """
  Returns whether a repository exists and the token reaches it.

  One that is gated exists, whether or not its terms have been accepted. A private one of others does
  not: the Hub tells nobody that it is there.

  ## Options

  #{Options.docs(@existence)}

  ## Examples

      {:ok, true} = HfHub.Repo.exists?("rajpurkar/squad", repo_type: :dataset)
      {:ok, false} = HfHub.Repo.exists?("nobody/nothing")
  """
  @doc python: "repo_exists"
  @spec exists?(term(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def exists?(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @existence)

    with {:ok, ref} <- RepoRef.find(repo_id, opts) do
      case info("/api/:types/*repo", ref, opts) do
        {:error, %Error{kind: :gated_repo}} -> {:ok, true}
        answer -> Request.exists(answer, [:repo_not_found])
      end
    end
  end

  @doc "Same as `exists?/2`, but returns the boolean or raises `HfHub.Error`."
  @spec exists!(term(), keyword()) :: boolean()
  def exists!(repo_id, opts \\ []), do: Error.unwrap!(exists?(repo_id, opts))

  @doc """
  Returns whether a repository has a branch, tag or commit. Options: those of `exists?/2`.

  ## Examples

      {:ok, true} = HfHub.Repo.revision_exists?("openai-community/gpt2", "main")
      {:ok, false} = HfHub.Repo.revision_exists?("openai-community/gpt2", "no-such-branch")
  """
  @doc python: "revision_exists"
  @spec revision_exists?(term(), String.t(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def revision_exists?(repo_id, revision, opts \\ []) do
    opts = Options.validate!(opts, @existence)

    with {:ok, ref} <- RepoRef.find(repo_id, [revision: revision] ++ opts) do
      info("/api/:types/*repo/revision/:revision", ref, opts)
      |> Request.exists([:repo_not_found, :revision_not_found])
    end
  end

  @doc "Same as `revision_exists?/3`, but returns the boolean or raises `HfHub.Error`."
  @spec revision_exists!(term(), String.t(), keyword()) :: boolean()
  def revision_exists!(repo_id, revision, opts \\ []),
    do: Error.unwrap!(revision_exists?(repo_id, revision, opts))

  @doc """
  Returns whether a repository has a file. The file itself is not fetched.

  An error of kind `:gated_repo` says that the token may not look.

  ## Options

  #{Options.docs(@file_existence)}

  ## Examples

      {:ok, true} = HfHub.Repo.file_exists?("openai-community/gpt2", "config.json")
      {:ok, false} = HfHub.Repo.file_exists?("openai-community/gpt2", "no-such-file")
  """
  @doc python: "file_exists"
  @spec file_exists?(term(), String.t(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def file_exists?(repo_id, filename, opts \\ []) do
    opts = Options.validate!(opts, @file_existence)

    with {:ok, ref} <- RepoRef.find(repo_id, [path: filename] ++ opts) do
      Request.new(:head, RepoRef.web_route(ref) <> "/resolve/:revision/*path", RepoRef.params(ref), opts)
      |> Request.about(ref)
      |> Request.effect()
      |> Request.exists([:repo_not_found, :revision_not_found, :entry_not_found])
    end
  end

  @doc "Same as `file_exists?/3`, but returns the boolean or raises `HfHub.Error`."
  @spec file_exists!(term(), String.t(), keyword()) :: boolean()
  def file_exists!(repo_id, filename, opts \\ []), do: Error.unwrap!(file_exists?(repo_id, filename, opts))

  defp info(route, ref, opts) do
    Request.new(:get, route, RepoRef.params(ref), opts) |> Request.about(ref) |> Request.effect()
  end
end
