defmodule HfHub.Commit do
  @moduledoc """
  Commits to repositories: uploads of files and folders, deletions, copies.

      {:ok, info} = HfHub.Commit.upload_folder("out", "me/model", commit_message: "First weights")
      info.commit_url

  Large files are uploaded to the Hub's object store before the commit, several at a time, in parts if the store requires
  it. Small files are sent in the commit. Files are read from disk as they are sent, so memory use does not grow with
  their size. Files that the repository already has are not sent. Without any change no commit is made: the result is the
  head of the branch with `committed?: false`, and a warning is logged.

  A commit is made at most once: if the response is lost, the call checks whether the commit exists before it sends it
  again. A file that changes during its upload is an error. An upload stops when the calling process exits.

  A folder in the reference of a repository, such as the `:subdir` of a tuple or the end of `hf://me/model/weights`, is the
  one that all paths and patterns are relative to.

  The repository must exist. Without write access to it, `create_pr: true` proposes the change in a pull request.
  """

  alias HfHub.{Decode, Error, Fnmatch, Options}
  alias HfHub.Commit.{Arguments, CommitInfo, Engine, Operation, Tables}

  @lfs_threshold 10_485_760

  @doc """
  Makes one commit of a list of operations: all of them or, on an error, none.

  A commit without a message is an error of kind `:bad_request`.

  ## Options

  #{Options.docs(Tables.create())}

  ## Examples

      iex> operations = [
      ...>   HfHub.Commit.Operation.add("notes.txt", {:binary, "hello"}),
      ...>   HfHub.Commit.Operation.delete("old/")
      ...> ]
      iex> {:ok, info} = HfHub.Commit.create("me/model", operations, commit_message: "Tidy up")
      iex> info.commit_message
      "Tidy up"
  """
  @doc python: "create_commit"
  @spec create(HfHub.repo(), [Operation.t()], keyword()) :: {:ok, CommitInfo.t()} | {:error, Error.t()}
  def create(repo_id, operations, opts \\ []) do
    operations = Arguments.operations!(operations)
    with {:ok, opts} <- validate(opts, Tables.create(), ""), do: Engine.create(repo_id, operations, opts)
  end

  @doc "Same as `create/3`, but returns the commit or raises `HfHub.Error`."
  @spec create!(HfHub.repo(), [Operation.t()], keyword()) :: CommitInfo.t()
  def create!(repo_id, operations, opts \\ []), do: Error.unwrap!(create(repo_id, operations, opts))

  @doc """
  Uploads one file in a commit. Its content is `{:path, path}`, `{:binary, iodata}` or `{:stream, enumerable}`.

  ## Options

  #{Options.docs(Tables.file())}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.upload_file({:binary, "hello"}, "notes.txt", "me/model")
      iex> info.commit_message
      "Upload notes.txt with hf_hub"
  """
  @doc python: "upload_file"
  @spec upload_file(Operation.content(), String.t(), HfHub.repo(), keyword()) ::
          {:ok, CommitInfo.t()} | {:error, Error.t()}
  def upload_file(content, path_in_repo, repo_id, opts \\ []) do
    change = %Operation.Add{path_in_repo: Arguments.text!(path_in_repo), content: Arguments.content!(content)}
    message = "Upload #{path_in_repo} with hf_hub"
    with {:ok, opts} <- validate(opts, Tables.file(), message), do: Engine.create(repo_id, [change], opts)
  end

  @doc "Same as `upload_file/4`, but returns the commit or raises `HfHub.Error`."
  @spec upload_file!(Operation.content(), String.t(), HfHub.repo(), keyword()) :: CommitInfo.t()
  def upload_file!(content, path_in_repo, repo_id, opts \\ []),
    do: Error.unwrap!(upload_file(content, path_in_repo, repo_id, opts))

  @doc """
  Uploads a folder, and returns the last commit.

  A commit contains at most 1,000 changed files and 100 MiB of small files; a larger folder takes several commits. To
  resume an interrupted upload, call the function again: files that the Hub already has are neither sent nor committed
  again.

  Files that match the `.gitignore` in the root of the repository are skipped, and so are files such as `.DS_Store` and
  `__pycache__/`, which are rarely meant to be published (see `:ignore_defaults`). Links to files are followed, links to
  folders are not.

  ## Options

  #{Options.docs(Tables.folder())}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.upload_folder("out", "me/model", ignore_patterns: "*.tmp")
      iex> info.pr_url
      nil
  """
  @doc python: "upload_folder"
  @spec upload_folder(Path.t(), HfHub.repo(), keyword()) :: {:ok, CommitInfo.t()} | {:error, Error.t()}
  def upload_folder(folder, repo_id, opts \\ []) do
    with {:ok, report} <- folder(folder, repo_id, opts, false), do: {:ok, Engine.info(report)}
  end

  @doc "Same as `upload_folder/3`, but returns the commit or raises `HfHub.Error`."
  @spec upload_folder!(Path.t(), HfHub.repo(), keyword()) :: CommitInfo.t()
  def upload_folder!(folder, repo_id, opts \\ []), do: Error.unwrap!(upload_folder(folder, repo_id, opts))

  @doc """
  Uploads a folder of very many or very large files in several commits, and returns these commits.

  Commits are made while other files are still being hashed and uploaded. The number of files per commit adapts to the
  Hub: it grows while commits are fast, and shrinks when they are slow or fail. The list is empty if the repository
  already has all files. Options: those of `upload_folder/3`.

  #{Options.docs(Tables.commits())}

  ## Examples

      iex> {:ok, commits} =
      ...>   HfHub.Commit.upload_large_folder("dataset", "me/data", repo_type: :dataset)
      iex> Enum.all?(commits, & &1.oid)
      true
  """
  @doc python: "upload_large_folder"
  @spec upload_large_folder(Path.t(), HfHub.repo(), keyword()) ::
          {:ok, [CommitInfo.t()]} | {:error, Error.t()}
  def upload_large_folder(folder, repo_id, opts \\ []) do
    with {:ok, report} <- folder(folder, repo_id, opts, true),
         do: {:ok, Enum.map(report.commits, Decode.to(CommitInfo))}
  end

  @doc "Same as `upload_large_folder/3`, but returns the commits or raises `HfHub.Error`."
  @spec upload_large_folder!(Path.t(), HfHub.repo(), keyword()) :: [CommitInfo.t()]
  def upload_large_folder!(folder, repo_id, opts \\ []),
    do: Error.unwrap!(upload_large_folder(folder, repo_id, opts))

  @doc """
  Deletes one file in a commit.

  ## Options

  #{Options.docs(Tables.one())}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.delete_file("old.bin", "me/model")
      iex> info.commit_message
      "Delete old.bin with hf_hub"
  """
  @doc python: "delete_file"
  @spec delete_file(String.t(), HfHub.repo(), keyword()) :: {:ok, CommitInfo.t()} | {:error, Error.t()}
  def delete_file(path_in_repo, repo_id, opts \\ []) do
    change = %Operation.Delete{path_in_repo: Arguments.text!(path_in_repo), is_folder: false}
    message = "Delete #{path_in_repo} with hf_hub"
    with {:ok, opts} <- validate(opts, Tables.one(), message), do: Engine.create(repo_id, [change], opts)
  end

  @doc "Same as `delete_file/3`, but returns the commit or raises `HfHub.Error`."
  @spec delete_file!(String.t(), HfHub.repo(), keyword()) :: CommitInfo.t()
  def delete_file!(path_in_repo, repo_id, opts \\ []),
    do: Error.unwrap!(delete_file(path_in_repo, repo_id, opts))

  @doc """
  Deletes the files that match one of the patterns, which have the syntax of Python's `fnmatch`.

  `.gitattributes` is never deleted. If no file matches, no commit is made and `info.committed?` is false.

  ## Options

  #{Options.docs(Tables.one())}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.delete_files("me/model", ["logs/", "*.tmp"])
      iex> info.commit_message
      "Delete files logs/ *.tmp with hf_hub"
  """
  @doc python: "delete_files"
  @spec delete_files(HfHub.repo(), String.t() | [String.t()], keyword()) ::
          {:ok, CommitInfo.t()} | {:error, Error.t()}
  def delete_files(repo_id, delete_patterns, opts \\ []) do
    patterns = Engine.patterns(delete_patterns)
    message = "Delete files #{Enum.join(patterns, " ")} with hf_hub"

    with {:ok, opts} <- validate(opts, Tables.one(), message),
         do: Engine.delete_files(repo_id, patterns, opts)
  end

  @doc "Same as `delete_files/3`, but returns the commit or raises `HfHub.Error`."
  @spec delete_files!(HfHub.repo(), String.t() | [String.t()], keyword()) :: CommitInfo.t()
  def delete_files!(repo_id, delete_patterns, opts \\ []),
    do: Error.unwrap!(delete_files(repo_id, delete_patterns, opts))

  @doc """
  Deletes a folder and all files in it in a commit.

  ## Options

  #{Options.docs(Tables.one())}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.delete_folder("checkpoints", "me/model")
      iex> info.commit_message
      "Delete folder checkpoints with hf_hub"
  """
  @doc python: "delete_folder"
  @spec delete_folder(String.t(), HfHub.repo(), keyword()) :: {:ok, CommitInfo.t()} | {:error, Error.t()}
  def delete_folder(path_in_repo, repo_id, opts \\ []) do
    change = %Operation.Delete{path_in_repo: Arguments.text!(path_in_repo), is_folder: true}
    message = "Delete folder #{path_in_repo} with hf_hub"
    with {:ok, opts} <- validate(opts, Tables.one(), message), do: Engine.create(repo_id, [change], opts)
  end

  @doc "Same as `delete_folder/3`, but returns the commit or raises `HfHub.Error`."
  @spec delete_folder!(String.t(), HfHub.repo(), keyword()) :: CommitInfo.t()
  def delete_folder!(path_in_repo, repo_id, opts \\ []),
    do: Error.unwrap!(delete_folder(path_in_repo, repo_id, opts))

  @doc """
  Uploads the large files among the additions before their commit, and returns the additions to commit.

  Use it for files that are generated one after the other: each can be uploaded and removed from the disk at once, and
  `create/3` then commits all of them together. Additions of small files keep their content. The Hub deletes uploaded
  files that are not committed within about a day.

  ## Options

  #{Options.docs(Tables.preupload())}

  ## Examples

      iex> add = HfHub.Commit.Operation.add("shard-1.safetensors", {:binary, "weights"})
      iex> {:ok, [add]} = HfHub.Commit.preupload_lfs_files("me/model", [add])
      iex> add.content
      :uploaded
  """
  @doc python: "preupload_lfs_files"
  @spec preupload_lfs_files(HfHub.repo(), [Operation.Add.t()], keyword()) ::
          {:ok, [Operation.Add.t()]} | {:error, Error.t()}
  def preupload_lfs_files(repo_id, additions, opts \\ []) do
    opts = Options.validate!(opts, Tables.preupload())

    additions = Arguments.additions!(additions)
    Engine.preupload(repo_id, additions, Keyword.merge(opts, commit_message: "", verify: false))
  end

  @doc "Same as `preupload_lfs_files/3`, but returns the additions or raises `HfHub.Error`."
  @spec preupload_lfs_files!(HfHub.repo(), [Operation.Add.t()], keyword()) :: [Operation.Add.t()]
  def preupload_lfs_files!(repo_id, additions, opts \\ []),
    do: Error.unwrap!(preupload_lfs_files(repo_id, additions, opts))

  @doc """
  Returns whether a path matches a pattern of `:allow_patterns`, `:ignore_patterns` and `:delete_patterns`.

  The patterns are those of the Python client: `*` matches any text, `/` included, `?` one character, `[a-c]` one of a
  set, `[!a-c]` one outside of it, and a pattern that ends in `/` all files in that folder.

  ## Examples

      iex> HfHub.Commit.matches_pattern?("onnx/model.onnx", "*.onnx")
      true
      iex> HfHub.Commit.matches_pattern?("onnx/model.onnx", "o?nx.onnx")
      false
  """
  @spec matches_pattern?(String.t(), String.t()) :: boolean()
  def matches_pattern?(path, pattern), do: Fnmatch.matches?(pattern, path)

  @doc """
  Returns the size from which the Hub stores files as large files (Git LFS) whatever their type, in bytes.

  ## Examples

      iex> HfHub.Commit.lfs_threshold()
      10_485_760
  """
  @spec lfs_threshold() :: pos_integer()
  def lfs_threshold, do: @lfs_threshold

  @doc """
  Returns whether an added file is at least as large as `lfs_threshold/0`, or known to be stored as a large file.

  The Hub decides for each commit, also by `.gitattributes`: `preupload_lfs_files/3` asks it, and returns additions with
  the `:upload_mode`. A stream and a file that cannot be read have no size, and are false.

  ## Examples

      iex> HfHub.Commit.needs_lfs?(HfHub.Commit.Operation.add("notes.txt", {:binary, "hello"}))
      false
  """
  @spec needs_lfs?(Operation.Add.t()) :: boolean()
  def needs_lfs?(%Operation.Add{upload_mode: :lfs}), do: true
  def needs_lfs?(%Operation.Add{upload_mode: :regular}), do: false
  def needs_lfs?(%Operation.Add{} = add), do: (Arguments.size(add.content) || add.size || 0) >= @lfs_threshold

  defp folder(folder, repo_id, opts, large?) do
    default = if large?, do: "Add files using upload-large-folder tool", else: "Upload folder using hf_hub"

    unless is_binary(folder) or is_list(folder) do
      raise ArgumentError, "expected the path of a folder, got: #{Options.shown(folder)}"
    end

    with {:ok, opts} <- validate(opts, if(large?, do: Tables.large(), else: Tables.folder()), default) do
      one_target!(opts)
      Engine.folder(folder, repo_id, opts, %{large: large?})
    end
  end

  defp one_target!(opts) do
    if opts[:create_pr] and opts[:revision] not in [nil, "main"] do
      raise ArgumentError,
            "create_pr: true cannot be combined with revision: #{inspect(opts[:revision])}; omit :revision to propose " <>
              "the folder to \"main\", or pass the revision of an open pull request without :create_pr"
    end
  end

  defp validate(opts, table, default) do
    opts = Options.validate!(opts, table)
    message = opts[:commit_message] || default

    if String.trim(message) == "",
      do: {:error, Error.new(:bad_request, "the commit has no message; pass it as :commit_message")},
      else: {:ok, Keyword.put(opts, :commit_message, message)}
  end
end
