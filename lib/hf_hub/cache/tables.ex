defmodule HfHub.Cache.Tables do
  # The option tables of `HfHub.Cache`: each checks the options of a function and documents them.
  @moduledoc false

  alias HfHub.Options

  def cache_dir do
    [cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."]]
  end

  def revision do
    [
      repo_type: [
        type: :repo_type,
        default: :model,
        doc: "Type of the repository, unless its reference contains one, as URIs and page URLs do."
      ],
      revision: [type: :string, doc: "Branch, tag or commit. Defaults to `\"main\"`."]
    ] ++ endpoint() ++ cache_dir()
  end

  def endpoint do
    [
      endpoint: [
        type: :string,
        doc:
          "Base URL of the Hub whose page URLs are accepted as a repository, in addition to those of the public Hub. " <>
            "Defaults to `HfHub.Config.endpoint/0`."
      ]
    ]
  end

  def look_up do
    [
      repo_id: [type: :any, required: true, doc: "Repository, in any form that `HfHub.Download` accepts."],
      filename: [type: :string, required: true, doc: "Path of the file in the repository."]
    ] ++ revision()
  end

  def deletion, do: dry_run() ++ force() ++ endpoint() ++ cache_dir()

  def clear do
    [
      repo_id: [type: :any, doc: "Repository to clear. Defaults to all."],
      repo_type: revision()[:repo_type],
      on_removed: [
        type: {:fun, 1},
        doc: "Function that is called with the `HfHub.Cache.Deletion`, which has the bytes that were freed."
      ]
    ] ++
      force() ++ endpoint() ++ cache_dir()
  end

  def prune do
    [
      older_than: [
        type: :non_neg_integer,
        default: 3600,
        doc:
          "Minimum age, in seconds, of partial files and unreferenced revisions to remove; another client may still be " <>
            "using younger ones."
      ]
    ] ++ dry_run() ++ cache_dir()
  end

  def evict_lru do
    [
      target_size: [
        type: :non_neg_integer,
        doc:
          "Maximum size of the cache afterwards, in bytes. Without `:max_age`, it defaults to `:max_cache_size` in " <>
            "`HfHub.Config`, if that is set."
      ],
      max_age: [type: :non_neg_integer, doc: "Maximum time since the last use of a revision, in seconds."]
    ] ++ cache_dir()
  end

  def evict, do: evict_lru() ++ dry_run()

  def integrity do
    [
      repo_id: [
        type: :any,
        doc: "Repository to check, in any form that `HfHub.Download` accepts. Defaults to all."
      ],
      repo_type: revision()[:repo_type],
      revision: [type: :string, doc: "Branch, tag or commit to check. Defaults to all cached revisions."],
      listings: [
        type: :boolean,
        default: false,
        doc:
          "Whether to request listings that are not cached from the Hub, to detect missing files and files that are not " <>
            "in the repository."
      ],
      repair: [type: :boolean, default: false, doc: "Whether to download corrupt and missing files again."],
      max_workers: [
        type: :pos_integer,
        doc: "Maximum number of files to check at a time. Defaults to the number of processors."
      ],
      progress: Options.progress()
    ] ++ cache_dir() ++ Options.common()
  end

  def folder do
    [
      repo_type: revision()[:repo_type],
      revision: [
        type: :string,
        doc: "Branch, tag, pull request or commit to compare with. Defaults to `\"main\"`."
      ],
      max_workers: integrity()[:max_workers]
    ] ++ Options.common()
  end

  def tree do
    [
      local_dir: [
        type: :path,
        doc:
          "Folder of a download with `:local_dir`, whose listing to return. Branches are those of the cache."
      ]
    ] ++ revision()
  end

  def adopt do
    dry_run = [type: :boolean, default: false, doc: "Whether to only compare the files, and change nothing."]

    [
      repo_id: [
        type: :any,
        doc: "Repository whose files to adopt, in any form that `HfHub.Download` accepts. Defaults to all."
      ],
      repo_type: revision()[:repo_type],
      dry_run: dry_run,
      progress: Options.progress()
    ] ++ cache_dir() ++ Options.common()
  end

  def move, do: [progress: Options.progress()] ++ cache_dir()

  def export do
    [
      targets: [
        type: {:list, :string},
        doc:
          "Repositories and revisions to export: `\"model/openai-community/gpt2\"`, `\"openai-community/gpt2\"`, " <>
            "`\"hf://datasets/org/name\"`, a page URL, or a commit. Defaults to everything."
      ]
    ] ++ endpoint() ++ move()
  end

  def import, do: move()

  def materialize do
    [
      method: [
        type: {:in, [:auto, :hard_link, :reflink, :copy]},
        default: :auto,
        doc:
          "`:reflink` shares blocks until either side is written to, where the file system supports it; `:hard_link` " <>
            "shares the file itself, so writing to it changes the cache; `:auto` is a reflink, or else a copy."
      ],
      overwrite: [
        type: :boolean,
        default: false,
        doc: "Whether to write into a folder that is not empty, replacing files with the same names."
      ]
    ] ++ revision()
  end

  defp dry_run do
    [dry_run: [type: :boolean, default: false, doc: "Whether to only report what would be removed."]]
  end

  defp force do
    [
      force: [
        type: :boolean,
        default: false,
        doc: "Whether to also remove pinned revisions. Leased ones are always kept."
      ]
    ]
  end
end
