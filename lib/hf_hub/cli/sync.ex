defmodule HfHub.CLI.Sync do
  # Synchronizes a folder and a bucket: `sync`, which is also a command of `buckets`.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.Buckets
  alias HfHub.Buckets.SyncPlan
  alias HfHub.CLI.{Call, Command}

  @summary "Makes a folder and a bucket equal, in either direction"

  @choices [
    delete: [type: :boolean, negatable: true, doc: "Deletes files that the source does not have"],
    ignore_times: [type: :boolean, doc: "Compares sizes only"],
    ignore_sizes: [type: :boolean, doc: "Compares times only"],
    existing: [type: :boolean, doc: "Transfers only files that the destination has"],
    ignore_existing: [type: :boolean, doc: "Transfers only files that the destination does not have"],
    include: [type: {:list, :string}, doc: "Pattern of files to synchronize"],
    exclude: [type: {:list, :string}, doc: "Pattern of files to leave alone"],
    filter_from: [type: :path, doc: "File of patterns"],
    dry_run: [type: :boolean, doc: "Changes nothing, and prints the plan as lines of JSON"],
    plan: [type: :path, doc: "File to save the plan to, instead of carrying it out"]
  ]

  @flags @choices ++
           [
             apply: [type: :path, doc: "File of a saved plan to carry out, instead of `SOURCE` and `DEST`"],
             verbose: [type: :boolean, short: "v", doc: "Shows what is done with each file, and why"]
           ]

  @impl true
  def noun, do: [name: "sync", summary: @summary]

  @impl true
  def commands, do: [command([], "sync")]

  @doc "Returns the command, with its words and those of `hf`."
  @spec command([String.t()], String.t()) :: Command.t()
  def command(words, hf) do
    %Command{
      words: words,
      hf: hf,
      run: &run/1,
      summary: @summary,
      args: [
        source: [required: false, complete: :file, doc: "Folder, or `hf://buckets/` address"],
        dest: [required: false, complete: :file, doc: "Folder, or `hf://buckets/` address"]
      ],
      flags: @flags,
      examples: [
        "./data hf://buckets/me/data",
        "hf://buckets/me/data ./data --delete",
        "./data hf://buckets/me/data --plan plan.jsonl",
        "--apply plan.jsonl"
      ]
    }
  end

  defp run(%{flags: %{apply: path}} = call) do
    given = for {name, _rule} <- @choices, call.flags[name], do: "--#{String.replace("#{name}", "_", "-")}"
    arguments = if call.args.source, do: ["SOURCE"], else: []

    case arguments ++ given do
      [] -> path |> Buckets.apply_plan(options(call, [])) |> done("Synchronized", call)
      [one | _more] -> {:error, "--apply and #{one} are mutually exclusive"}
    end
  end

  defp run(%{args: %{source: source, dest: dest}}) when source == nil or dest == nil,
    do: {:error, "pass SOURCE and DEST, or --apply with a saved plan"}

  defp run(%{args: %{source: source, dest: dest}} = call) do
    result = Buckets.sync(source, dest, options(call, Keyword.keys(@choices)))

    cond do
      call.flags[:dry_run] -> shown(result)
      call.flags[:plan] -> result |> done("Plan saved", call) |> hint(call.flags.plan)
      true -> done(result, "Synchronized", call)
    end
  end

  defp options(call, names),
    do: Call.options(call, names) ++ Call.progress(call, call.args.source || call.flags[:apply])

  defp shown({:ok, plan}), do: {:raw, plan |> SyncPlan.to_jsonl() |> String.trim_trailing()}
  defp shown(failed), do: failed

  defp done({:ok, plan}, message, call) do
    lines = if call.flags[:verbose], do: Enum.map(plan.operations, &{:note, line(&1)}), else: []
    lines ++ [{:done, message, Enum.sort(SyncPlan.summary(plan))}]
  end

  defp done(failed, _message, _call), do: failed

  defp line(operation), do: "#{operation.action}: #{operation.path} (#{operation.reason})"

  defp hint(shown, path) when is_list(shown),
    do: shown ++ [{:note, "Hint: sync --apply #{path} carries the plan out"}]

  defp hint(failed, _path), do: failed
end
