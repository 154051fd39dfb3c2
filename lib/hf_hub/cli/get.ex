defmodule HfHub.CLI.Get do
  # Downloads what a lock file pins.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command}
  alias HfHub.{Lock, Release}

  @impl true
  def noun, do: [name: "get", summary: "Downloads the files that hf_hub.lock pins and the cache lacks"]

  @impl true
  def commands do
    [
      %Command{
        words: [],
        summary: "Downloads the files that hf_hub.lock pins and the cache lacks",
        details:
          "Every file is verified. A file that is not what the lock file pins, at the Hub or in the cache, is an error.",
        run: &run/1,
        args: [
          repo: [
            type: {:list, :string},
            required: false,
            doc: "Repositories of the lock file. Defaults to all"
          ]
        ],
        flags:
          [
            check: [
              type: :boolean,
              doc: "Hashes the files in the cache and downloads nothing, for CI: all files must be there"
            ],
            offline: [
              type: :boolean,
              doc: "Uses cached files only, and sends no request; a missing file is an error"
            ],
            bundle: [
              type: :path,
              complete: :file,
              doc: "Copies the files to this folder, which can be used without a network"
            ],
            cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`"],
            max_workers: [type: :integer, doc: "Maximum number of files to download at a time. Defaults to 8"]
          ] ++ HfHub.CLI.Lock.lock_file(),
        examples: ["", "--check", "--bundle rel/models"]
      }
    ]
  end

  defp run(%{flags: flags} = call) do
    repos = if call.args.repo == [], do: [], else: [repos: call.args.repo]

    cond do
      flags[:check] && flags[:bundle] -> {:usage, "--check and --bundle are mutually exclusive"}
      flags[:check] -> (repos ++ local(call, [])) |> Lock.verify() |> shown(call)
      flags[:bundle] -> flags.bundle |> Release.write(repos ++ network(call, [])) |> shown(call)
      true -> (repos ++ network(call, [:max_workers])) |> Lock.get() |> shown(call)
    end
  end

  defp local(call, more),
    do: Keyword.drop(Call.options(call, [:lock, :cache_dir] ++ more), [:token, :endpoint])

  defp network(call, more) do
    Call.options(call, [:lock, :cache_dir, offline: :local_files_only] ++ more) ++ Call.progress(call, "get")
  end

  defp shown({:ok, snapshots}, call), do: {:table, Enum.map(snapshots, &row(&1, call)), id: "path"}
  defp shown({:error, error}, _call), do: {:error, error}

  defp row(snapshot, call) do
    [
      {"repo", Lock.Text.name(snapshot)},
      {"commit", HfHub.CLI.Lock.commit(snapshot.commit, call)},
      {"downloaded", length(snapshot.downloaded)},
      {"path", snapshot.path}
    ]
  end
end
