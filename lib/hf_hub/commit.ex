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

  The repository must exist. Without write access to it, `create_pr: true` proposes the change in a pull request.
  """

  alias HfHub.{Decode, Error, Options}
  alias HfHub.Commit.{Arguments, CommitInfo, Engine, Operation}

  @target [
    repo_type: [
      type: :repo_type,
      default: :model,
      doc: "Type of the repository, unless its reference contains one, as URIs and page URLs do."
    ],
    revision: [type: :string, doc: "Branch to commit to. Defaults to `\"main\"`."],
    commit_description: [type: :string, default: "", doc: "Body of the commit message."],
    create_pr: [
      type: :boolean,
      default: false,
      doc: "Whether to open a pull request with the commit instead of committing to the branch."
    ],
    parent_commit: [
      type: :string,
      doc:
        "Commit that must be the head of the branch, as 5 to 64 hex digits. If it is not, nothing is committed and the " <>
          "error is of kind `:precondition` or `:conflict`."
    ],
    num_workers: [
      type: :pos_integer,
      default: 5,
      aliases: [:max_workers],
      doc: "Maximum number of files to upload at a time."
    ],
    upload_timeout: [
      type: :pos_integer,
      default: 60_000,
      aliases: [:lfs_upload_timeout],
      spellings: [{"infinity", 86_400_000}],
      doc:
        "Timeout between two writes of a request body and for its response, in milliseconds. Responses to commits and " <>
          "to the completion of multipart uploads may take ten times as long."
    ],
    progress: Options.progress(),
    preupload: [type: :boolean, default: true, no_effect: "the Hub always decides how each file is sent"],
    lfs_task_timeout: [type: :any, no_effect: "`:timeout` limits the whole call"],
    pool_timeout: [type: :any, no_effect: "calls do not wait for a pool of connections"]
  ]

  @verify [
    verify: [
      type: :boolean,
      default: false,
      doc: "Whether to check after the commit that the Hub's tree matches what was uploaded."
    ]
  ]

  @message [
    commit_message: [
      type: :string,
      doc: "First line of the commit message. Defaults to a text that names the operation."
    ]
  ]

  @create [commit_message: [type: :string, doc: "First line of the commit message. Required, and not empty."]] ++
            @target ++ @verify ++ Options.transfer()

  @one @message ++ @target ++ @verify ++ Options.transfer()

  @pattern {:or, [:string, {:list, :string}]}

  @folder @message ++
            [
              path_in_repo: [type: :string, doc: "Folder in the repository. Defaults to its root."],
              allow_patterns: [
                type: @pattern,
                doc:
                  "Patterns of files to upload, matched against their paths in the folder. `*` also matches `/`, as in " <>
                    "Python's `fnmatch`; a pattern that ends in `/` matches all files in that folder. Defaults to all."
              ],
              ignore_patterns: [
                type: @pattern,
                doc: "Patterns of files not to upload. `.git` and `.cache` are never uploaded."
              ],
              delete_patterns: [
                type: @pattern,
                doc:
                  "Patterns of files in the repository, relative to `:path_in_repo`, to delete in the same commit unless " <>
                    "they are uploaded again. `.gitattributes` is never deleted."
              ],
              resumable: [
                type: :boolean,
                default: true,
                doc:
                  "Whether to record progress in `.cache/huggingface/upload` of the folder. The next call then hashes only " <>
                    "changed files, sends only the missing parts of large files, and waits while another call uploads the " <>
                    "folder to the same branch."
              ]
            ] ++ @target ++ [verify: Keyword.put(@verify[:verify], :default, true)] ++ Options.transfer()

  @commits [
    multi_commits: [type: :boolean, default: true, no_effect: "the number of commits adapts to the folder"]
  ]

  @large @commits ++ Keyword.update!(@folder, :progress, &([aliases: [:multi_commits_verbose]] ++ &1))

  @doc """
  Makes one commit of a list of operations: all of them or, on an error, none.

  A commit without a message is an error of kind `:bad_request`.

  ## Options

  #{Options.docs(@create)}

  ## Examples

      iex> operations = [HfHub.Commit.Operation.add("notes.txt", {:binary, "hello"}), HfHub.Commit.Operation.delete("old/")]
      iex> {:ok, info} = HfHub.Commit.create("me/model", operations, commit_message: "Tidy up")
      iex> info.commit_message
      "Tidy up"
  """
  @doc python: "create_commit"
  @spec create(HfHub.repo(), [Operation.t()], keyword()) :: {:ok, CommitInfo.t()} | {:error, Error.t()}
  def create(repo_id, operations, opts \\ []) do
    with {:ok, opts} <- validate(opts, @create, ""), do: Engine.create(repo_id, operations, opts)
  end

  @doc "Same as `create/3`, but returns the commit or raises `HfHub.Error`."
  @spec create!(HfHub.repo(), [Operation.t()], keyword()) :: CommitInfo.t()
  def create!(repo_id, operations, opts \\ []), do: Error.unwrap!(create(repo_id, operations, opts))

  @doc """
  Uploads one file in a commit. Its content is `{:path, path}`, `{:binary, iodata}` or `{:stream, enumerable}`.

  ## Options

  #{Options.docs(@one)}

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
    with {:ok, opts} <- validate(opts, @one, message), do: Engine.create(repo_id, [change], opts)
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

  Files that match the `.gitignore` in the root of the repository are skipped. Links to files are followed, links to
  folders are not.

  ## Options

  #{Options.docs(@folder)}

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

  #{Options.docs(@commits)}

  ## Examples

      iex> {:ok, commits} = HfHub.Commit.upload_large_folder("dataset", "me/data", repo_type: :dataset)
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

  #{Options.docs(@one)}

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
    with {:ok, opts} <- validate(opts, @one, message), do: Engine.create(repo_id, [change], opts)
  end

  @doc "Same as `delete_file/3`, but returns the commit or raises `HfHub.Error`."
  @spec delete_file!(String.t(), HfHub.repo(), keyword()) :: CommitInfo.t()
  def delete_file!(path_in_repo, repo_id, opts \\ []),
    do: Error.unwrap!(delete_file(path_in_repo, repo_id, opts))

  @doc """
  Deletes the files that match one of the patterns, which have the syntax of Python's `fnmatch`.

  `.gitattributes` is never deleted. If no file matches, no commit is made and `info.committed?` is false.

  ## Options

  #{Options.docs(@one)}

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
    with {:ok, opts} <- validate(opts, @one, message), do: Engine.delete_files(repo_id, patterns, opts)
  end

  @doc "Same as `delete_files/3`, but returns the commit or raises `HfHub.Error`."
  @spec delete_files!(HfHub.repo(), String.t() | [String.t()], keyword()) :: CommitInfo.t()
  def delete_files!(repo_id, delete_patterns, opts \\ []),
    do: Error.unwrap!(delete_files(repo_id, delete_patterns, opts))

  @doc """
  Deletes a folder and all files in it in a commit.

  ## Options

  #{Options.docs(@one)}

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
    with {:ok, opts} <- validate(opts, @one, message), do: Engine.create(repo_id, [change], opts)
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

  #{Options.docs(@target ++ Options.transfer())}

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
    opts = Options.validate!(opts, @target ++ Options.transfer())

    unless Enum.all?(additions, &is_struct(&1, Operation.Add)),
      do: raise(ArgumentError, "expected only additions")

    Engine.preupload(repo_id, additions, Keyword.merge(opts, commit_message: "", verify: false))
  end

  @doc "Same as `preupload_lfs_files/3`, but returns the additions or raises `HfHub.Error`."
  @spec preupload_lfs_files!(HfHub.repo(), [Operation.Add.t()], keyword()) :: [Operation.Add.t()]
  def preupload_lfs_files!(repo_id, additions, opts \\ []),
    do: Error.unwrap!(preupload_lfs_files(repo_id, additions, opts))

  defp folder(folder, repo_id, opts, large?) do
    default = if large?, do: "Add files using upload-large-folder tool", else: "Upload folder using hf_hub"

    unless is_binary(folder) or is_list(folder) do
      raise ArgumentError, "expected the path of a folder, got: #{Options.shown(folder)}"
    end

    with {:ok, opts} <- validate(opts, if(large?, do: @large, else: @folder), default) do
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
