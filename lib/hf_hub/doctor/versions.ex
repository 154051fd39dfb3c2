defmodule HfHub.Doctor.Versions do
  # The versions of the library, of its native part and of what they run on, and the settings that are not the default.
  @moduledoc false

  import HfHub.Doctor, only: [check: 3, check: 4]

  alias HfHub.Config
  alias HfHub.Config.Setting
  alias HfHub.Native.Nif

  @doc "Returns the results."
  @spec checks() :: [HfHub.Doctor.Check.t()]
  def checks, do: if(usable?(), do: [versions(), settings()], else: [versions()])

  @doc "Returns whether the native library is loaded."
  @spec usable?() :: boolean()
  def usable?, do: match?({:ok, _version}, native())

  defp native do
    {:ok, Nif.version()}
  rescue
    error in RuntimeError -> {:error, Exception.message(error)}
  end

  defp versions do
    system =
      "Elixir #{System.version()}, OTP #{System.otp_release()}, #{:erlang.system_info(:system_architecture)}"

    case native() do
      {:ok, version} ->
        facts = "hf_hub #{HfHub.version()}, native library #{version}, #{system}"

        if version == HfHub.version(),
          do: check(:versions, :ok, facts),
          else:
            check(:versions, :error, facts, advice: "build it again with `mix deps.compile hf_hub --force`")

      {:error, why} ->
        check(:versions, :error, "hf_hub #{HfHub.version()}, #{system}: #{why}",
          advice: "build it again with `mix deps.compile hf_hub --force`, on the system that it runs on"
        )
    end
  end

  defp settings do
    changed =
      for %{origin: origin, name: name} when origin != :default and name != :token <-
            Config.explain().settings,
          do: "#{name} (#{source(origin)})"

    shown = if changed == [], do: "all are the defaults", else: Enum.join(changed, ", ")

    case Setting.ignored() do
      [] ->
        check(:settings, :ok, shown)

      variables ->
        check(
          :settings,
          :warning,
          "#{shown}; ignored, because they are not numbers: #{Enum.join(variables, ", ")}",
          advice: "set them to a number of seconds, such as 10, or unset them"
        )
    end
  rescue
    # A key of the wrong type, or a path without a home folder.
    error in [ArgumentError] ->
      check(:settings, :error, Exception.message(error),
        advice: "correct it: calls raise this error until then"
      )
  end

  defp source({:config, key}), do: "config :hf_hub, #{inspect(key)}"
  defp source({:env, variable}), do: variable
  defp source({:file, path}), do: path
  defp source(:option), do: "option"
end
