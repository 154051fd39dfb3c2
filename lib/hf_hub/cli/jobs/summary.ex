defmodule HfHub.CLI.Jobs.Summary do
  # What `--dry-run` prints of a job.
  @moduledoc false

  alias HfHub.CLI.{Call, Output, Ssh, Values}
  alias HfHub.CLI.Jobs.Name

  @doc "Returns the configuration of a job that is not submitted."
  @spec shown(Call.t()) :: Output.shown()
  def shown(call) do
    rows = for {name, value} <- rows(call), value not in [nil, "", [], false], do: {to_string(name), value}
    width = rows |> Enum.map(&String.length(elem(&1, 0))) |> Enum.max()
    lines = Enum.flat_map(rows, &lines(&1, width))
    text = ["Job configuration:"] ++ lines ++ ["(dry run) Job not submitted."]
    {:own, %{dry_run: true, job: Map.new(rows)}, fn _job -> text end}
  end

  defp lines({name, values}, width) do
    for {value, i} <- Enum.with_index(List.wrap(values)),
        do: "  #{String.pad_trailing(if(i == 0, do: name, else: ""), width)}  #{value}"
  end

  defp rows(%{args: args, flags: flags} = call) do
    [
      schedule: args[:schedule],
      suspend: yes(flags[:suspend]),
      concurrency: yes(flags[:concurrency]),
      script: args[:script],
      args: Ssh.shell(args[:script_args] || []),
      with: Enum.join(flags[:with] || [], " "),
      image: args[:image] || flags[:image] || "ghcr.io/astral-sh/uv:python3.12-bookworm",
      command: Ssh.shell(args[:command] || []),
      flavor: flags[:flavor] || "cpu-basic",
      python: flags[:python],
      timeout: flags[:job_timeout],
      attempts: flags[:attempts],
      env: env(flags),
      secrets: secrets(flags),
      volumes: flags[:volume],
      labels: labels(call),
      expose: Enum.join(flags[:expose] || [], " "),
      expose_public: Enum.join(flags[:expose_public] || [], " "),
      ssh: yes(flags[:ssh]),
      network_group: flags[:network_group],
      network_aliases: Enum.join(flags[:network_alias] || [], " "),
      resource_group_id: flags[:resource_group_id],
      namespace: flags[:namespace]
    ]
  end

  defp yes(true), do: "True"
  defp yes(_no), do: nil

  defp env(flags) do
    for {name, value} <- Values.variables(flags[:env], flags[:env_file]) do
      "#{name}=#{if String.length(value) > 60, do: String.slice(value, 0, 59) <> "…", else: value}"
    end
  end

  defp secrets(flags) do
    found = Values.variables(flags[:secrets], flags[:secrets_file])

    for(name <- Map.keys(found), do: "#{name}=***") ++
      for name <- Values.unset(flags[:secrets], found), do: "#{name}=<not set>"
  end

  defp labels(%{flags: flags} = call) do
    labels = Map.merge(Values.labels(flags[:label], nil), %{"name" => Name.option(call)[:name]})
    for {name, value} <- labels, do: "#{name}=#{value}"
  end
end
