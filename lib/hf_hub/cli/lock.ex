defmodule HfHub.CLI.Lock do
  # Pins repositories in a lock file.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.Brief
  alias HfHub.CLI.{Call, Command, Flags}
  alias HfHub.Lock

  @impl true
  def noun, do: [name: "lock", summary: "Pins repositories in hf_hub.lock, by commit and hashes"]

  @impl true
  def commands do
    [
      %Command{
        words: [],
        summary: "Pins repositories in hf_hub.lock, by commit and hashes",
        details:
          "Adds the repositories, or pins the commits that their recorded revisions point to now. Without arguments, " <>
            "shows the pinned repositories. `get` downloads their files.",
        run: &run/1,
        args: [
          repo: [
            type: {:list, :string},
            required: false,
            doc: "Repositories, by id or as the lock file names them, such as `dataset/org/name`"
          ]
        ],
        flags:
          repo_type() ++
            [
              revision: [
                type: :string,
                doc: "Branch, tag or commit. Defaults to the recorded one, else `main`"
              ],
              include: [type: {:list, :string}, doc: "Pattern of files to pin. Defaults to all files"],
              exclude: [type: {:list, :string}, doc: "Pattern of files not to pin"],
              all: [
                type: :boolean,
                doc: "Pins the current commits of all repositories in the lock file again"
              ],
              remove: [type: :boolean, doc: "Removes the repositories from the lock file"],
              check: [
                type: :boolean,
                doc: "Compares the lock file with the Hub, for CI: the pinned files must be there"
              ]
            ] ++ lock_file(),
        examples: [
          "sentence-transformers/all-MiniLM-L6-v2 --include '*.safetensors'",
          "--check"
        ]
      }
    ]
  end

  defp repo_type do
    doc = "Type of the repository. Defaults to the one in the lock file, else `model`"
    [repo_type: Keyword.put(Flags.repo_type()[:repo_type], :doc, doc)]
  end

  @doc "Returns the flag for the path of a lock file."
  @spec lock_file() :: Command.rules()
  def lock_file, do: [lock: [type: :path, default: "hf_hub.lock", doc: "Path of the lock file"]]

  defp run(%{flags: flags, args: %{repo: repos}} = call) do
    case {for(mode <- [:all, :remove, :check], flags[mode], do: mode), repos} do
      {[], []} -> list(call)
      {[], repos} -> pin(repos, call)
      {[:all], []} -> pin_all(call)
      {[:all], _repos} -> {:usage, "--all takes no repositories"}
      {[:remove], [_ | _]} -> remove(repos, call)
      {[:remove], []} -> {:usage, "--remove requires repositories"}
      {[:check], repos} -> check(repos, call)
      {_several, _repos} -> {:usage, "--all, --remove and --check are mutually exclusive"}
    end
  end

  defp list(call) do
    with {:ok, entries} <- Lock.read(lock: call.flags.lock),
         do: table(entries, call)
  end

  defp table(entries, call), do: {:table, Enum.map(entries, &row(&1, call)), id: "repo", right: ["size"]}

  defp row(entry, call) do
    size = entry.files |> Enum.map(& &1.size) |> Enum.sum()

    [
      {"repo", Lock.Text.name(entry)},
      {"revision", entry.revision},
      {"commit", commit(entry.commit, call)},
      {"files", length(entry.files)},
      {"size", if(call.output.mode == :human, do: Brief.size(size), else: size)}
    ]
  end

  @doc "Returns a commit for a table, which is cut for people: other columns need the room."
  @spec commit(String.t(), Call.t()) :: String.t()
  def commit(commit, %{output: %{mode: :human, no_truncate: false}}), do: String.slice(commit, 0, 8)
  def commit(commit, _call), do: commit

  defp pin(repos, call) do
    opts =
      Call.options(call, [:lock, :repo_type, :revision, include: :allow_patterns, exclude: :ignore_patterns])

    repos |> Call.each(&Lock.pin(&1, opts)) |> shown(call)
  end

  defp pin_all(call) do
    opts = Call.options(call, [:lock])

    with {:ok, entries} <- Lock.read(lock: call.flags.lock) do
      entries |> Call.each(&Lock.pin(&1.repo_id, [repo_type: &1.repo_type] ++ opts)) |> shown(call)
    end
  end

  defp remove(repos, call) do
    # Removing sends no request, so there is no token.
    opts = Keyword.delete(Call.options(call, [:lock, :repo_type]), :token)

    with {:ok, _removed} <- Call.each(repos, &removed(&1, opts)),
         do: {:done, "Removed from #{call.flags.lock}", [repos: repos]}
  end

  defp removed(repo, opts), do: with(:ok <- Lock.unpin(repo, opts), do: {:ok, repo})

  defp check(repos, call) do
    chosen = if repos == [], do: [], else: [repos: repos]
    chosen |> Kernel.++(Call.options(call, [:lock])) |> Lock.check() |> shown(call)
  end

  defp shown({:ok, entries}, call), do: table(entries, call)
  defp shown({:error, error}, _call), do: {:error, error}
end
