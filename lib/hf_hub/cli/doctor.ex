defmodule HfHub.CLI.Doctor do
  # Shows why calls to the Hub fail on this machine.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command, Flags, Wording}
  alias HfHub.Doctor

  @impl true
  def noun, do: [name: "doctor", summary: "Checks the network, the token and the cache of this machine"]

  @impl true
  def commands do
    [
      %Command{
        words: [],
        summary: "Checks the network, the token and the cache of this machine",
        details:
          "Below each failed check is what to do about it. The output contains no token and no password, so it can be pasted " <>
            "into a bug report. The exit status is 1 if a check has failed.",
        run: &run/1,
        args: [
          repo: [required: false, doc: "Repository to check the access to, and the dialect of the Hub"]
        ],
        flags:
          Flags.repo_type() ++
            [
              cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`"],
              timeout: [
                type: :integer,
                doc: "Maximum duration of each step, in milliseconds. Defaults to 10,000"
              ]
            ],
        own_json: true,
        examples: ["", "openai-community/gpt2"]
      }
    ]
  end

  defp run(call) do
    repo = if call.args.repo, do: [repo_id: call.args.repo], else: []
    report = Doctor.run(repo ++ Call.options(call, [:repo_type, :cache_dir, :timeout]))
    report = %{report | checks: Enum.map(report.checks, &worded(&1, call.command))}
    failed? = Enum.any?(report.checks, &(&1.status == :error))
    {:exit, if(failed?, do: 1, else: 0), {:own, report, &lines/1}}
  end

  defp worded(check, command) do
    advice = check.advice && Wording.of(check.advice, command)
    %{check | message: Wording.of(check.message, command), advice: advice}
  end

  # Messages may contain texts of servers.
  defp lines(report),
    do: report |> to_string() |> String.split("\n") |> Enum.map(&HfHub.Cache.Table.printable/1)
end
