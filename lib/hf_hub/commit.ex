defmodule HfHub.Commit do
  @moduledoc """
  Writes to repositories: files, folders and lists of changes, in commits.

      {:ok, info} = HfHub.Commit.upload_folder("out", "me/model", commit_message: "First weights")
      info.commit_url

  Large files go to the Hub's store before the commit, several at a time and in parts where it wants
  that; all others travel in the commit. Everything is read from disk as it is sent, so memory does
  not grow with it. What the repository has already is not sent: with nothing new there is no commit,
  the result is the head of the branch with `committed?: false`, and a warning in the log says why.

  A commit is made once, or not at all. Where the Hub does not answer, it is asked whether the commit
  is there before anything is sent again. A file that changes while it is uploaded is an error, never
  a commit of two halves. An upload belongs to the process that called and ends with it.

  The repository must exist. Who may not write to it can propose a change with `create_pr: true`.
  """

  alias HfHub.{Decode, Error, Options}
  alias HfHub.Commit.{Engine, Info, Operation}

  @target [
    repo_type: [
      type: :repo_type,
      default: :model,
      doc: "what an id alone stands for; URIs and page addresses say it themselves."
    ],
    revision: [type: :string, doc: "the branch to commit to. By default `\"main\"`."],
    commit_description: [type: :string, default: "", doc: "the message below its first line."],
    create_pr: [
      type: :boolean,
      default: false,
      doc: "open a pull request with the commit, instead of adding to the branch."
    ],
    parent_commit: [
      type: :string,
      doc:
        "the commit that the branch must be at, as 5 to 64 hex digits; if it is not, nothing is committed and the " <>
          "error is `:precondition` (or `:conflict`)."
    ],
    num_workers: [type: :pos_integer, default: 5, doc: "how many files are sent at a time."],
    upload_timeout: [
      type: :pos_integer,
      default: 60_000,
      doc:
        "the longest silence while something is sent, and the longest wait for an answer to it, in milliseconds. " <>
          "For commits and the joining of parts ten times that."
    ],
    progress: Options.progress()
  ]

  @verify [
    verify: [
      type: :boolean,
      default: false,
      doc: "ask the Hub afterwards whether the commit holds what was sent."
    ]
  ]

  @message [
    commit_message: [type: :string, doc: "the first line of the message. By default it names what is done."]
  ]

  @create [commit_message: [type: :string, required: true, doc: "the first line of the message."]] ++
            @target ++ @verify ++ Options.transfer()

  @one @message ++ @target ++ @verify ++ Options.transfer()

  @pattern {:or, [:string, {:list, :string}]}

  @folder @message ++
            [
              path_in_repo: [type: :string, doc: "the folder in the repository. By default its top."],
              allow_patterns: [
                type: @pattern,
                doc:
                  "only files that match one of these, by their names below the folder. `*` also matches `/`, as in " <>
                    "Python's `fnmatch`; a pattern that ends in `/` means all below."
              ],
              ignore_patterns: [
                type: @pattern,
                doc: "no files that match one of these. `.git` and `.cache` are never uploaded."
              ],
              delete_patterns: [
                type: @pattern,
                doc:
                  "files of the repository below `:path_in_repo` that match one of these are deleted in the same " <>
                    "commit, unless they are uploaded again. `.gitattributes` stays."
              ],
              resumable: [
                type: :boolean,
                default: true,
                doc:
                  "keep what was learned in `.cache/huggingface/upload` of the folder: the next call hashes only what has " <>
                    "changed, sends only the missing parts of large files, and waits for this one if both go to one branch."
              ]
            ] ++ @target ++ [verify: Keyword.put(@verify[:verify], :default, true)] ++ Options.transfer()

  @doc """
  Makes one commit of a list of changes, all of them or none.

  ## Options

  #{Options.docs(@create)}

  ## Examples

      iex> operations = [HfHub.Commit.Operation.add("notes.txt", {:binary, "hello"}), HfHub.Commit.Operation.delete("old/")]
      iex> {:ok, info} = HfHub.Commit.create("me/model", operations, commit_message: "Tidy up")
      iex> info.commit_message
      "Tidy up"
  """
  @doc python: "create_commit"
  @spec create(HfHub.repo(), [Operation.t()], keyword()) :: {:ok, Info.t()} | {:error, Error.t()}
  def create(repo_id, operations, opts) do
    opts = validate!(opts, @create)
    Engine.create(repo_id, operations, opts)
  end

  @doc "Same as `create/3`, but returns the commit or raises `HfHub.Error`."
  @spec create!(HfHub.repo(), [Operation.t()], keyword()) :: Info.t()
  def create!(repo_id, operations, opts), do: Error.unwrap!(create(repo_id, operations, opts))

  @doc """
  Uploads one file. Its content is `{:path, path}`, `{:binary, iodata}` or `{:stream, enumerable}`.

  ## Options

  #{Options.docs(@one)}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.upload_file({:binary, "hello"}, "notes.txt", "me/model")
      iex> info.commit_message
      "Upload notes.txt with hf_hub"
  """
  @doc python: "upload_file"
  @spec upload_file(Operation.content(), String.t(), HfHub.repo(), keyword()) ::
          {:ok, Info.t()} | {:error, Error.t()}
  def upload_file(content, path_in_repo, repo_id, opts \\ []) do
    change = Operation.add(path_in_repo, content)
    opts = validate!(opts, @one, "Upload #{path_in_repo} with hf_hub")
    Engine.create(repo_id, [change], opts)
  end

  @doc "Same as `upload_file/4`, but returns the commit or raises `HfHub.Error`."
  @spec upload_file!(Operation.content(), String.t(), HfHub.repo(), keyword()) :: Info.t()
  def upload_file!(content, path_in_repo, repo_id, opts \\ []),
    do: Error.unwrap!(upload_file(content, path_in_repo, repo_id, opts))

  @doc """
  Uploads a folder, and returns the last commit.

  All files go into one commit as long as that is sensible (up to 1,000 changed files and 100 MiB of content that
  travels in the commit); then more commits follow, each with a part of the files. A call that was
  interrupted is continued by calling again: what the Hub has is neither sent nor committed twice.

  A `.gitignore` at the top of the repository is obeyed. Links to files are followed, links to folders
  are not.

  ## Options

  #{Options.docs(@folder)}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.upload_folder("out", "me/model", ignore_patterns: "*.tmp")
      iex> info.pr_url
      nil
  """
  @doc python: "upload_folder"
  @spec upload_folder(Path.t(), HfHub.repo(), keyword()) :: {:ok, Info.t()} | {:error, Error.t()}
  def upload_folder(folder, repo_id, opts \\ []) do
    with {:ok, report} <- folder(folder, repo_id, opts, false), do: {:ok, Engine.info(report)}
  end

  @doc "Same as `upload_folder/3`, but returns the commit or raises `HfHub.Error`."
  @spec upload_folder!(Path.t(), HfHub.repo(), keyword()) :: Info.t()
  def upload_folder!(folder, repo_id, opts \\ []), do: Error.unwrap!(upload_folder(folder, repo_id, opts))

  @doc """
  Uploads a folder of very many or very large files in many commits, and returns those that were made.

  Commits are made while the rest is still being hashed and sent. Each takes as many files as the Hub
  digests well: more while commits are quick, fewer when they are slow or fail. With the options of
  `upload_folder/3`; the list is empty when the repository had everything.

  ## Examples

      iex> {:ok, commits} = HfHub.Commit.upload_large_folder("dataset", "me/data", repo_type: :dataset)
      iex> Enum.all?(commits, & &1.oid)
      true
  """
  @doc python: "upload_large_folder"
  @spec upload_large_folder(Path.t(), HfHub.repo(), keyword()) :: {:ok, [Info.t()]} | {:error, Error.t()}
  def upload_large_folder(folder, repo_id, opts \\ []) do
    with {:ok, report} <- folder(folder, repo_id, opts, true),
         do: {:ok, Enum.map(report.commits, Decode.to(Info))}
  end

  @doc "Same as `upload_large_folder/3`, but returns the commits or raises `HfHub.Error`."
  @spec upload_large_folder!(Path.t(), HfHub.repo(), keyword()) :: [Info.t()]
  def upload_large_folder!(folder, repo_id, opts \\ []),
    do: Error.unwrap!(upload_large_folder(folder, repo_id, opts))

  @doc """
  Deletes one file.

  ## Options

  #{Options.docs(@one)}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.delete_file("old.bin", "me/model")
      iex> info.commit_message
      "Delete old.bin with hf_hub"
  """
  @doc python: "delete_file"
  @spec delete_file(String.t(), HfHub.repo(), keyword()) :: {:ok, Info.t()} | {:error, Error.t()}
  def delete_file(path_in_repo, repo_id, opts \\ []) do
    change = Operation.delete(path_in_repo, is_folder: false)
    opts = validate!(opts, @one, "Delete #{path_in_repo} with hf_hub")
    Engine.create(repo_id, [change], opts)
  end

  @doc "Same as `delete_file/3`, but returns the commit or raises `HfHub.Error`."
  @spec delete_file!(String.t(), HfHub.repo(), keyword()) :: Info.t()
  def delete_file!(path_in_repo, repo_id, opts \\ []),
    do: Error.unwrap!(delete_file(path_in_repo, repo_id, opts))

  @doc """
  Deletes the files that match one of some patterns, as Python's `fnmatch` understands them.

  `.gitattributes` stays. Where nothing matches, nothing is committed, as `info.committed?` says.

  ## Options

  #{Options.docs(@one)}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.delete_files("me/model", ["logs/", "*.tmp"])
      iex> info.commit_message
      "Delete files logs/ *.tmp with hf_hub"
  """
  @doc python: "delete_files"
  @spec delete_files(HfHub.repo(), String.t() | [String.t()], keyword()) ::
          {:ok, Info.t()} | {:error, Error.t()}
  def delete_files(repo_id, delete_patterns, opts \\ []) do
    patterns = Engine.patterns(delete_patterns)
    opts = validate!(opts, @one, "Delete files #{Enum.join(patterns, " ")} with hf_hub")
    Engine.delete_files(repo_id, patterns, opts)
  end

  @doc "Same as `delete_files/3`, but returns the commit or raises `HfHub.Error`."
  @spec delete_files!(HfHub.repo(), String.t() | [String.t()], keyword()) :: Info.t()
  def delete_files!(repo_id, delete_patterns, opts \\ []),
    do: Error.unwrap!(delete_files(repo_id, delete_patterns, opts))

  @doc """
  Deletes a folder with all that is in it.

  ## Options

  #{Options.docs(@one)}

  ## Examples

      iex> {:ok, info} = HfHub.Commit.delete_folder("checkpoints", "me/model")
      iex> info.commit_message
      "Delete folder checkpoints with hf_hub"
  """
  @doc python: "delete_folder"
  @spec delete_folder(String.t(), HfHub.repo(), keyword()) :: {:ok, Info.t()} | {:error, Error.t()}
  def delete_folder(path_in_repo, repo_id, opts \\ []) do
    change = Operation.delete(path_in_repo, is_folder: true)
    opts = validate!(opts, @one, "Delete folder #{path_in_repo} with hf_hub")
    Engine.create(repo_id, [change], opts)
  end

  @doc "Same as `delete_folder/3`, but returns the commit or raises `HfHub.Error`."
  @spec delete_folder!(String.t(), HfHub.repo(), keyword()) :: Info.t()
  def delete_folder!(path_in_repo, repo_id, opts \\ []),
    do: Error.unwrap!(delete_folder(path_in_repo, repo_id, opts))

  @doc """
  Uploads the large files among some additions ahead of their commit, and returns the additions.

  For files that are made one after the other: each can be uploaded and forgotten as soon as it is
  there, and `create/3` then names all of them in one commit. Small files keep their content. What is
  not committed within a day or so, the Hub forgets.

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
    opts = validate!(opts, @folder, default)

    unless is_binary(folder) or is_list(folder) do
      raise ArgumentError, "expected the path of a folder, got: #{Options.shown(folder)}"
    end

    if opts[:create_pr] and opts[:revision] not in [nil, "main"] do
      raise ArgumentError,
            "create_pr: true always proposes a folder to \"main\"; leave :revision out, or commit to an open pull request with its revision"
    end

    Engine.folder(folder, repo_id, opts, %{large: large?})
  end

  defp validate!(opts, table, message \\ nil) do
    opts = Options.validate!(opts, table)
    message = opts[:commit_message] || message
    if String.trim(message) == "", do: raise(ArgumentError, "expected :commit_message not to be empty")
    Keyword.put(opts, :commit_message, message)
  end
end
