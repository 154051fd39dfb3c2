defmodule HfHub.CLI.Jobs.Name do
  # The name of a job without one: as in `hf`, it depends on all that is submitted, not on the command alone.
  @moduledoc false

  alias HfHub.CLI.{Call, Values}
  alias HfHub.Jobs.Spec

  @doc "Returns the option `:name`, unless the labels have a name."
  @spec option(Call.t()) :: keyword()
  def option(%{flags: flags} = call) do
    labels = Values.labels(flags[:label], flags[:name])
    [name: labels["name"] || default(call)]
  end

  defp default(%{args: %{script: script, script_args: args}, flags: flags} = call) do
    image = flags[:image] || "ghcr.io/astral-sh/uv:python3.12-bookworm"
    own = [image, flags[:python] || ""] ++ (flags[:with] || [])
    Spec.script_name(script, args ++ parts(call, own))
  end

  defp default(%{args: %{image: image, command: command}} = call),
    do: Spec.default_name(image, command ++ parts(call, []))

  # Of secrets only the names.
  defp parts(%{flags: flags}, own) do
    env = Values.variables(flags[:env], flags[:env_file])
    secrets = Values.variables(flags[:secrets], flags[:secrets_file])
    attempts = if flags[:attempts], do: [to_string(flags.attempts)], else: []

    [
      flags[:flavor] || "cpu-basic",
      flags[:job_timeout] || "",
      flags[:namespace] || "",
      flags[:network_group] || ""
    ] ++
      own ++
      attempts ++
      for({name, value} <- Enum.sort(env), do: "#{name}=#{value}") ++
      Enum.sort(Map.keys(secrets) ++ Values.unset(flags[:secrets], secrets)) ++
      (flags[:volume] || []) ++ (flags[:network_alias] || [])
  end
end
