defmodule HfHub.Cache.Tables do
  # The option tables of `HfHub.Cache`: each checks the options of a function and documents them.
  @moduledoc false

  alias HfHub.{Options, Progress}

  def cache_dir do
    [cache_dir: [type: :path, doc: "the cache folder. By default `HfHub.Config.cache_dir/0`."]]
  end

  def revision do
    [
      repo_type: [
        type: {:in, [:model, :dataset, :space]},
        default: :model,
        doc: "what an id alone stands for."
      ],
      revision: [type: :string, doc: "branch, tag or commit. By default `\"main\"`."]
    ] ++ endpoint() ++ cache_dir()
  end

  def endpoint do
    [
      endpoint: [
        type: :string,
        doc:
          "Base URL of the Hub whose page addresses are accepted as a repository, besides those of the public Hub. " <>
            "Defaults to `HfHub.Config.endpoint/0`."
      ]
    ]
  end

  def look_up do
    [
      repo_id: [type: :any, required: true, doc: "the repository, in any form that `HfHub.Download` takes."],
      filename: [type: :string, required: true, doc: "the file, as named in the repository."]
    ] ++ revision()
  end

  def deletion, do: dry_run() ++ force() ++ endpoint() ++ cache_dir()

  def clear do
    [repo_id: [type: :any, doc: "the repository. By default all of them."], repo_type: revision()[:repo_type]] ++
      force() ++ endpoint() ++ cache_dir()
  end

  def prune do
    [
      older_than: [
        type: :non_neg_integer,
        default: 3600,
        doc:
          "seconds for which leftovers and revisions without a branch must have been left alone; another client " <>
            "may be about to use younger ones."
      ]
    ] ++ dry_run() ++ cache_dir()
  end

  def evict_lru do
    [
      target_size: [type: :non_neg_integer, doc: "the most bytes the cache may have afterwards."],
      max_age: [type: :non_neg_integer, doc: "the most seconds a revision may have been unused."]
    ] ++ cache_dir()
  end

  def evict, do: evict_lru() ++ dry_run()

  def integrity do
    [
      repo_id: [type: :any, doc: "one repository, in any form that `HfHub.Download` takes. By default all."],
      repo_type: revision()[:repo_type],
      revision: [type: :string, doc: "one branch, tag or commit of it. By default all that are cached."],
      listings: [
        type: :boolean,
        default: false,
        doc:
          "ask the Hub for the listings that are not kept, so that files which are absent or not the Hub's " <>
            "can be told."
      ],
      repair: [type: :boolean, default: false, doc: "download again what is corrupt or missing."],
      max_workers: [type: :pos_integer, doc: "how many files at a time. By default one for each processor."],
      progress: Progress.option()
    ] ++ cache_dir() ++ Options.common()
  end

  def move, do: [progress: Progress.option()] ++ cache_dir()

  def export do
    [
      targets: [
        type: {:list, :string},
        doc:
          "what to export: `\"model/openai-community/gpt2\"`, `\"openai-community/gpt2\"`, " <>
            "`\"hf://datasets/org/name\"`, the address of a page, or a commit. By default everything."
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
          "`:reflink` shares blocks until one side is written to, where the file system can; `:hard_link` shares " <>
            "the file itself, so who writes to it writes to the cache; `:auto` is a reflink or else a copy."
      ],
      overwrite: [
        type: :boolean,
        default: false,
        doc: "fill a folder that is not empty, replacing files of the same names."
      ]
    ] ++ revision()
  end

  defp dry_run do
    [dry_run: [type: :boolean, default: false, doc: "remove nothing, only tell what would be."]]
  end

  defp force do
    [force: [type: :boolean, default: false, doc: "remove also what is pinned. Never what is leased."]]
  end
end
