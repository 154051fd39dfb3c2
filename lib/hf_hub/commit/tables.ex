defmodule HfHub.Commit.Tables do
  # The option tables of `HfHub.Commit`: each checks the options of a function and documents them.
  @moduledoc false

  alias HfHub.Commit.Unwanted
  alias HfHub.Options

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
      aliases: [:max_workers, :num_threads],
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

  @hot_reload [
    hot_reload: [
      type: :boolean,
      default: false,
      doc:
        "Whether a running Space loads the commit without a restart; for Gradio 6.1 or newer, and experimental on the " <>
          "Hub. `HfHub.Spaces.get_runtime/2` then shows it as `:hot_reloading`."
    ]
  ]

  @doc "Returns the options of `HfHub.Commit.create/3`."
  @spec create() :: Options.table()
  def create do
    [commit_message: [type: :string, doc: "First line of the commit message. Required, and not empty."]] ++
      @target ++ @hot_reload ++ @verify ++ Options.transfer()
  end

  @doc "Returns the options of commits of one change."
  @spec one() :: Options.table()
  def one do
    @message ++ @target ++ @verify ++ Options.transfer()
  end

  @doc "Returns the options of `HfHub.Commit.upload_file/4`."
  @spec file() :: Options.table()
  def file, do: @hot_reload ++ one()

  @doc "Returns the options of `HfHub.Commit.upload_folder/3`."
  @spec folder() :: Options.table()
  def folder do
    @message ++
      [
        path_in_repo: [type: :string, doc: "Folder in the repository. Defaults to its root."],
        allow_patterns: [
          type: :patterns,
          default: [],
          doc:
            "Patterns of files to upload, matched against their paths in the folder. `*` also matches `/`, as in " <>
              "Python's `fnmatch`; a pattern that ends in `/` matches all files in that folder. An empty list stands " <>
              "for all files."
        ],
        ignore_patterns: [
          type: :patterns,
          default: [],
          doc: "Patterns of files not to upload. `.git` and `.cache` are never uploaded."
        ],
        ignore_defaults: [type: :boolean, default: true, doc: Unwanted.doc()],
        delete_patterns: [
          type: :patterns,
          default: [],
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
  end

  @doc "Returns the options that only `HfHub.Commit.upload_large_folder/3` has."
  @spec commits() :: Options.table()
  def commits do
    [
      multi_commits: [type: :boolean, default: true, no_effect: "the number of commits adapts to the folder"]
    ]
  end

  @doc "Returns the options of `HfHub.Commit.upload_large_folder/3`."
  @spec large() :: Options.table()
  def large do
    commits() ++ Keyword.update!(folder(), :progress, &([aliases: [:multi_commits_verbose]] ++ &1))
  end

  @doc "Returns the options of `HfHub.Commit.preupload_lfs_files/3`."
  @spec preupload() :: Options.table()
  def preupload, do: @target ++ Options.transfer()
end
