defmodule HfHub.Repo do
  @moduledoc """
  Repositories: existence, creation, settings, renaming, duplication and deletion.

      true = HfHub.Repo.exists?("openai-community/gpt2")
      {:ok, url} = HfHub.Repo.create("me/my-model", private: true, exist_ok: true)

  Requests send the token, so private repositories are found if the token has access. A function whose name ends in `?`
  returns a boolean and raises on an error; its variant without `?` returns `{:ok, boolean}` or `{:error, error}`.
  """

  alias HfHub.{Account, Config, Error, Options, RepoRef, Request}
  alias HfHub.Repo.{Address, Existence, RepoUrl, Settings, Template}

  @access Options.repo_type() ++
            [
              write: [
                type: :boolean,
                default: false,
                doc: "Whether to check for write access instead of read access."
              ]
            ] ++ Options.common()

  @create Options.repo_type() ++ Settings.create() ++ Options.common()

  @delete Options.repo_type() ++
            [
              missing_ok: [
                type: :boolean,
                default: false,
                doc: "Whether to succeed if the repository does not exist."
              ]
            ] ++ Options.common()

  @move Options.repo_type() ++ Options.common()

  @update Options.repo_type() ++ Settings.update() ++ Options.common()

  @duplicate Options.repo_type() ++
               [
                 to: [
                   type: :string,
                   doc:
                     "Id of the copy. Defaults to the same name. Without a namespace, the copy belongs to the token's " <>
                       "account."
                 ]
               ] ++ Settings.duplicate() ++ Options.common()

  @full_name [organization: [type: :string, doc: "Namespace to use instead."]] ++ Options.common()

  @doc """
  Returns whether a repository exists and the token has access to it.

  The result is true for a gated repository, whether or not its terms have been accepted, and false for a private
  repository without access: the Hub does not reveal that it exists.

  ## Options

  #{Options.docs(Existence.options())}

  ## Examples

      {:ok, true} = HfHub.Repo.exists("rajpurkar/squad", repo_type: :dataset)
      {:ok, false} = HfHub.Repo.exists("nobody/nothing")
  """
  @doc python: "repo_exists"
  @spec exists(HfHub.repo(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def exists(repo_id, opts \\ []), do: Existence.repo(repo_id, opts)

  @doc """
  Same as `exists/2`, but returns a boolean or raises `HfHub.Error`. Options: those of `exists/2`.

  ## Examples

      if HfHub.Repo.exists?("openai-community/gpt2"), do: :load, else: :train
  """
  @spec exists?(HfHub.repo(), keyword()) :: boolean()
  def exists?(repo_id, opts \\ []), do: Error.unwrap!(exists(repo_id, opts))

  @doc """
  Returns whether a repository has a branch, tag or commit. Options: those of `exists/2`.

  ## Examples

      {:ok, true} = HfHub.Repo.revision_exists("openai-community/gpt2", "main")
      {:ok, false} = HfHub.Repo.revision_exists("openai-community/gpt2", "no-such-branch")
  """
  @doc python: "revision_exists"
  @spec revision_exists(HfHub.repo(), String.t(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def revision_exists(repo_id, revision, opts \\ []), do: Existence.revision(repo_id, revision, opts)

  @doc """
  Same as `revision_exists/3`, but returns a boolean or raises `HfHub.Error`. Options: those of `revision_exists/3`.

  ## Examples

      HfHub.Repo.revision_exists?("openai-community/gpt2", "main")
      #=> true
  """
  @spec revision_exists?(HfHub.repo(), String.t(), keyword()) :: boolean()
  def revision_exists?(repo_id, revision, opts \\ []),
    do: Error.unwrap!(revision_exists(repo_id, revision, opts))

  @doc """
  Returns whether a repository has a file. The file is not downloaded.

  A gated repository whose terms have not been accepted is an error of kind `:gated_repo`. A response that does not come
  from a Hub, such as a login page, is an error of kind `:invalid_response`.

  ## Options

  #{Options.docs(Existence.file_options())}

  ## Examples

      {:ok, true} = HfHub.Repo.file_exists("openai-community/gpt2", "config.json")
      {:ok, false} = HfHub.Repo.file_exists("openai-community/gpt2", "no-such-file")
  """
  @doc python: "file_exists"
  @spec file_exists(HfHub.repo(), String.t(), keyword()) :: {:ok, boolean()} | {:error, Error.t()}
  def file_exists(repo_id, filename, opts \\ []), do: Existence.file(repo_id, filename, opts)

  @doc """
  Same as `file_exists/3`, but returns a boolean or raises `HfHub.Error`. Options: those of `file_exists/3`.

  ## Examples

      HfHub.Repo.file_exists?("openai-community/gpt2", "config.json")
      #=> true
  """
  @spec file_exists?(HfHub.repo(), String.t(), keyword()) :: boolean()
  def file_exists?(repo_id, filename, opts \\ []), do: Error.unwrap!(file_exists(repo_id, filename, opts))

  @doc """
  Returns `:ok` if the token may read a repository's files or, with `write: true`, write to it; else an error with the
  reason.

  ## Options

  #{Options.docs(@access)}

  ## Examples

      case HfHub.Repo.check_access("meta-llama/Llama-3.1-8B") do
        :ok -> :go
        {:error, %HfHub.Error{kind: :gated_repo}} -> :ask_for_access
        {:error, %HfHub.Error{kind: :repo_not_found}} -> :none_or_private
      end
  """
  @doc python: "auth_check"
  @spec check_access(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def check_access(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @access)
    route = "/api/:types/*repo/auth-check" <> if(opts[:write], do: "/write", else: "")

    with {:ok, answer} <- Request.repo(:get, route, repo_id, opts, scope: :whole) |> Request.run(),
         # The Hub's own response is the text OK. Anything else but JSON may be another server's.
         {:ok, _found} <-
           if(is_map(answer) or answer == "OK", do: {:ok, answer}, else: Existence.id(repo_id, opts)),
         do: :ok
  end

  @doc "Same as `check_access/2`, but raises `HfHub.Error` without access."
  @spec check_access!(HfHub.repo(), keyword()) :: :ok
  def check_access!(repo_id, opts \\ []), do: Error.unwrap!(check_access(repo_id, opts))

  @doc """
  Creates a repository, and returns its URL and id.

  The new repository has one commit with the files that the Hub adds. An id without a namespace creates a repository of
  the token's account.

  ## Options

  #{Options.docs(@create)}

  ## Examples

      {:ok, url} = HfHub.Repo.create("me/my-model", private: true, exist_ok: true)
      url.repo_id
      #=> "me/my-model"

      HfHub.Repo.create("me/app",
        repo_type: :space,
        space_sdk: :gradio,
        space_secrets: %{"KEY" => "…"}
      )
  """
  @doc python: "create_repo"
  @spec create(HfHub.repo(), keyword()) :: {:ok, RepoUrl.t()} | {:error, Error.t()}
  def create(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @create)

    with {:ok, ref} <- RepoRef.whole(repo_id, opts),
         space = Settings.space!(opts, ref.repo_type),
         _valid = Settings.visibility!(opts, ref.repo_type),
         {:ok, opts} <- Template.apply(opts) do
      Request.repo(:post, "/api/repos/create", ref, opts)
      |> Request.json(Map.merge(space, Settings.new(ref, opts)))
      |> Request.hide(Settings.secrets(space))
      |> Request.run(&Address.answered(&1, ref, endpoint(opts)))
      |> unless_there(ref, opts)
    end
  end

  @doc "Same as `create/2`, but returns the `HfHub.Repo.RepoUrl` or raises `HfHub.Error`."
  @spec create!(HfHub.repo(), keyword()) :: RepoUrl.t()
  def create!(repo_id, opts \\ []), do: Error.unwrap!(create(repo_id, opts))

  @doc """
  Deletes a repository with all its files and history. This cannot be undone.

  ## Options

  #{Options.docs(@delete)}

  ## Examples

      HfHub.Repo.delete("me/my-model", missing_ok: true)
      #=> :ok
  """
  @doc python: "delete_repo"
  @spec delete(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def delete(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @delete)

    Request.repo(:delete, "/api/repos/delete", repo_id, opts, scope: :whole)
    |> Request.json(&Settings.named/1)
    |> Request.effect()
    |> unless_missing(opts[:missing_ok])
  end

  @doc "Same as `delete/2`, but raises `HfHub.Error` on failure."
  @spec delete!(HfHub.repo(), keyword()) :: :ok
  def delete!(repo_id, opts \\ []), do: Error.unwrap!(delete(repo_id, opts))

  @doc """
  Updates the settings of a repository, such as its visibility and its access requests.

  ## Options

  At least one setting is required:

  #{Options.docs(@update)}

  ## Examples

      HfHub.Repo.update_settings("me/my-model", private: false, gated: :manual)
      #=> :ok
  """
  @doc python: "update_repo_settings"
  @spec update_settings(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def update_settings(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @update)

    Request.repo(:put, "/api/:types/*repo/settings", repo_id, opts, scope: :owned)
    |> Request.json(&Settings.changes!(opts, &1.repo_type))
    |> Request.effect()
  end

  @doc "Same as `update_settings/2`, but raises `HfHub.Error` on failure."
  @spec update_settings!(HfHub.repo(), keyword()) :: :ok
  def update_settings!(repo_id, opts \\ []), do: Error.unwrap!(update_settings(repo_id, opts))

  @doc """
  Renames a repository or transfers it to another owner, and returns its new URL and id.

  The Hub redirects requests for the old name until another repository takes that name.

  ## Options

  #{Options.docs(@move)}

  ## Examples

      {:ok, url} = HfHub.Repo.move("me/draft", "my-org/model")
  """
  @doc python: "move_repo"
  @spec move(HfHub.repo(), HfHub.repo(), keyword()) :: {:ok, RepoUrl.t()} | {:error, Error.t()}
  def move(from, to, opts \\ []) do
    opts = Options.validate!(opts, @move)

    with {:ok, from} <- RepoRef.owned(from, opts),
         {:ok, to} <- RepoRef.owned(to, Keyword.put(opts, :repo_type, from.repo_type)) do
      moved =
        Request.repo(:post, "/api/repos/move", from, opts)
        |> Request.json(%{fromRepo: from.repo_id, toRepo: to.repo_id, type: from.repo_type})
        |> Request.effect()

      with :ok <- moved, do: {:ok, Address.of(to, endpoint(opts))}
    end
  end

  @doc "Same as `move/3`, but returns the `HfHub.Repo.RepoUrl` or raises `HfHub.Error`."
  @spec move!(HfHub.repo(), HfHub.repo(), keyword()) :: RepoUrl.t()
  def move!(from, to, opts \\ []), do: Error.unwrap!(move(from, to, opts))

  @doc """
  Copies a repository on the Hub, with its history and large files, and returns the URL and id of the copy.

  The Hub may copy large files later, in which case `:files_copy_pending` of the result is true.

  ## Options

  #{Options.docs(@duplicate)}

  ## Examples

      {:ok, copy} = HfHub.Repo.duplicate("openai-community/gpt2", to: "my-gpt2", private: true)
      copy.files_copy_pending
  """
  @doc python: "duplicate_repo"
  @spec duplicate(HfHub.repo(), keyword()) :: {:ok, RepoUrl.t()} | {:error, Error.t()}
  def duplicate(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @duplicate)

    with {:ok, from} <- RepoRef.whole(repo_id, opts),
         opts = RepoRef.network(from, opts),
         space = Settings.space!(opts, from.repo_type),
         visibility = Settings.visibility!(opts, from.repo_type),
         {:ok, to} <- copy_of(from, opts) do
      body = %{repository: to.repo_id, visibility: visibility, resourceGroupId: opts[:resource_group_id]}

      Request.repo(:post, "/api/:types/*repo/duplicate", from, opts)
      |> Request.json(Map.merge(space, body))
      |> Request.hide(Settings.secrets(space))
      |> Request.run(&Address.answered(&1, to, endpoint(opts)))
      |> unless_there(to, opts)
    end
  end

  @doc "Same as `duplicate/2`, but returns the `HfHub.Repo.RepoUrl` or raises `HfHub.Error`."
  @spec duplicate!(HfHub.repo(), keyword()) :: RepoUrl.t()
  def duplicate!(repo_id, opts \\ []), do: Error.unwrap!(duplicate(repo_id, opts))

  @doc """
  Returns the id of a repository with its namespace: by default the account of the token.

  An id that has a namespace is returned unchanged, without a request. The repository may or may not exist.

  ## Options

  #{Options.docs(@full_name)}

  ## Examples

      iex> HfHub.Repo.full_name("gpt2", organization: "openai-community")
      {:ok, "openai-community/gpt2"}
  """
  @doc python: "get_full_repo_name"
  @spec full_name(String.t(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def full_name(name, opts \\ []) do
    opts = Options.validate!(opts, @full_name)
    id = if opts[:organization] && is_binary(name), do: "#{opts[:organization]}/#{name}", else: name
    with {:ok, ref} <- RepoRef.whole(id, opts), {:ok, ref} <- owned(ref, opts), do: {:ok, ref.repo_id}
  end

  @doc "Same as `full_name/2`, but returns the id or raises `HfHub.Error`."
  @spec full_name!(String.t(), keyword()) :: String.t()
  def full_name!(name, opts \\ []), do: Error.unwrap!(full_name(name, opts))

  defp endpoint(opts), do: opts[:endpoint] || Config.endpoint()

  defp unless_missing({:error, %Error{kind: :repo_not_found}}, true), do: :ok
  defp unless_missing(result, _missing_ok), do: result

  # `exist_ok: true` accepts an existing repository. Only that conflict has a URL in its response.
  defp unless_there({:error, %Error{kind: :conflict, details: %{"url" => url} = details} = error}, ref, opts)
       when is_binary(url) do
    if opts[:exist_ok] do
      {:ok, Address.answered(details, ref, endpoint(opts))}
    else
      {:error, %{error | message: error.message <> "; pass exist_ok: true to use it"}}
    end
  end

  # Without permission to create the repository, or without a payment method, the caller may still use an existing one.
  defp unless_there({:error, %Error{status: status}} = refused, ref, opts)
       when status in [401, 402, 403, 409] do
    there? = opts[:exist_ok] && match?({:ok, _id}, Existence.id(ref, opts))
    if there?, do: {:ok, Address.of(ref, endpoint(opts))}, else: refused
  end

  defp unless_there(result, _ref, _opts), do: result

  defp copy_of(from, opts) do
    wanted = opts[:to] || from.repo_id |> String.split("/") |> List.last()

    with {:ok, to} <- RepoRef.whole(wanted, Keyword.put(opts, :repo_type, from.repo_type)),
         do: owned(to, opts)
  end

  # A repository without a namespace belongs to the account of the token.
  defp owned(ref, opts),
    do: if(String.contains?(ref.repo_id, "/"), do: {:ok, ref}, else: with_account(ref, opts))

  defp with_account(ref, opts) do
    with {:ok, name} <- Account.name(nil, opts), do: {:ok, %{ref | repo_id: "#{name}/#{ref.repo_id}"}}
  end
end
