defmodule HfHub.CLI.Env do
  # The environment: versions and settings, for a report of a fault.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command}
  alias HfHub.Config

  @impl true
  def noun, do: [name: "env", summary: "Shows versions and settings, without secrets"]

  @impl true
  def commands do
    [
      struct!(Command,
        words: [],
        summary: "Shows versions and settings, without secrets",
        details: "Each setting has its value and where it comes from.",
        hf: "env",
        run: &run/1
      )
    ]
  end

  defp run(call) do
    report = Config.explain(Call.options(call))
    settings = for setting <- report.settings, into: %{}, do: {setting.name, setting(setting)}
    value = %{versions: Map.new(versions()), settings: settings}
    width = report.settings |> Enum.map(&String.length(Atom.to_string(&1.name))) |> Enum.max()
    {:own, value, fn _value -> Enum.map(versions(), &version(&1, width)) ++ [to_string(report)] end}
  end

  defp setting(setting), do: %{value: shown(setting.value), origin: inspect(setting.origin)}

  defp shown(value) when is_binary(value) or is_number(value) or is_boolean(value) or is_nil(value), do: value
  defp shown(value), do: inspect(value)

  # In the columns of the settings below.
  defp version({name, version}, width), do: String.pad_trailing(name, width) <> "  " <> version

  defp versions do
    [
      {"hf_hub", HfHub.version()},
      {"Elixir", System.version()},
      {"OTP", System.otp_release()},
      {"system", to_string(:erlang.system_info(:system_architecture))}
    ]
  end
end
