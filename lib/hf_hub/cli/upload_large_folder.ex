defmodule HfHub.CLI.UploadLargeFolder do
  # Uploads of folders that need many commits.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command, Flags, Target, Upload}
  alias HfHub.Commit

  @impl true
  def noun do
    [
      name: "upload_large_folder",
      aliases: ["upload-large-folder"],
      summary: "Uploads a large folder to a repository, in many commits"
    ]
  end

  @impl true
  def commands do
    [
      struct!(Command,
        words: [],
        summary: "Uploads a large folder to a repository, in many commits",
        details:
          "The same command continues an upload that was interrupted. The repository is created if it does not exist.",
        args: [
          repo_id: [doc: "Id of the repository, such as `me/my-model`, `datasets/me/data` or an `hf://` URI"],
          local_path: [complete: :file, doc: "Folder to upload"]
        ],
        flags:
          Flags.repo_type() ++
            [
              revision: [type: :string, doc: "Branch to commit to. Defaults to `main`"],
              private: [
                type: :boolean,
                negatable: true,
                doc: "Makes the repository private, if it is created"
              ],
              include: [type: {:list, :string}, doc: "Pattern of files to upload"],
              exclude: [type: {:list, :string}, doc: "Pattern of files not to upload"],
              num_workers: [type: :integer, doc: "Maximum number of files at the same time"]
            ],
        examples: ["me/my-data ./data --repo-type dataset"],
        run: &run/1
      )
    ]
  end

  defp run(call) do
    with {:ok, target} <- Target.of(call),
         {:ok, repo} <- Upload.prepare(call, target),
         names = [:num_workers, {:include, :allow_patterns}, {:exclude, :ignore_patterns}],
         opts = Target.options(target) ++ Call.options(call, names) ++ Call.progress(call, repo),
         place = {:hf, repo, subdir: target.path},
         {:ok, commits} <- Commit.upload_large_folder(call.args.local_path, place, opts) do
      url = with [_ | _] <- commits, do: List.last(commits).commit_url, else: ([] -> nil)
      {:done, "Uploaded", commits: length(commits), url: url}
    end
  end
end
