defmodule HfHub.Config.Report do
  @moduledoc """
  Every setting with its value and source, as `HfHub.Config.explain/1` returns them. Inspected as a table.

    * `:settings` - a list of `HfHub.Config.Setting`
  """

  alias HfHub.Config.Setting

  @enforce_keys [:settings]
  defstruct [:settings]

  @type t :: %__MODULE__{settings: [Setting.t()]}

  defimpl String.Chars do
    def to_string(report) do
      rows =
        for setting <- report.settings do
          {Atom.to_string(setting.name), shown(setting.value), origin(setting.origin)}
        end

      [names, values] = for column <- 0..1, do: width(rows, column)

      Enum.map_join(rows, "\n", fn {name, value, origin} ->
        String.trim_trailing(
          "#{String.pad_trailing(name, names)}  #{String.pad_trailing(value, values)}  #{origin}"
        )
      end)
    end

    # Limited, so that one long value does not move the origins off the screen.
    defp width(rows, column) do
      rows |> Enum.map(&String.length(elem(&1, column))) |> Enum.max() |> min(48)
    end

    defp shown(nil), do: "none"
    defp shown(text) when is_binary(text), do: text
    defp shown(value), do: inspect(value)

    defp origin(:default), do: "default"
    defp origin(:option), do: "option"
    defp origin({:config, key}), do: "config :hf_hub, #{inspect(key)}"
    defp origin({:env, variable}), do: variable
    defp origin({:file, path}), do: path
  end

  defimpl Inspect do
    def inspect(report, _opts), do: "#HfHub.Config.Report<\n#{report}\n>"
  end
end
