defmodule HfHub.CLI.Lock do
  # Pins repositories in a lock file.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

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
        args: [repo: [type: {:list, :string}, required: false, doc: "Repositories to pin"]],
        flags:
          Flags.repo_type() ++
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
         do: {:table, Enum.map(entries, &row/1), id: "repo"}
  end

  defp row(entry) do
    size = entry.files |> Enum.map(& &1.size) |> Enum.sum()

    [
      {"repo", Lock.Text.name(entry)},
      {"revision", entry.revision},
      {"commit", entry.commit},
      {"files", length(entry.files)},
      {"size", size}
    ]
  end

  defp pin(repos, call) do
    opts =
      Call.options(call, [:lock, :repo_type, :revision, include: :allow_patterns, exclude: :ignore_patterns])

    repos |> Call.each(&Lock.pin(&1, opts)) |> shown()
  end

  defp pin_all(call) do
    opts = Call.options(call, [:lock])

    with {:ok, entries} <- Lock.read(lock: call.flags.lock) do
      entries |> Call.each(&Lock.pin(&1.repo_id, [repo_type: &1.repo_type] ++ opts)) |> shown()
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
    chosen |> Kernel.++(Call.options(call, [:lock])) |> Lock.check() |> shown()
  end

  defp shown({:ok, entries}), do: {:table, Enum.map(entries, &row/1), id: "repo"}
  defp shown({:error, error}), do: {:error, error}
end
