defmodule HfHub.Safetensors.Names do
  # Looks names of tensors up. The error of one that is not there lists similar names.
  @moduledoc false

  alias HfHub.{Error, Options}

  # Names among which similar ones are looked for, and the similarity that counts.
  @compared 20_000
  @similar 0.8

  @doc "Returns what the map has for a name."
  @spec fetch(%{String.t() => value}, String.t()) :: {:ok, value} | {:error, Error.t()} when value: term()
  def fetch(map, name) when is_binary(name) do
    with :error <- Map.fetch(map, name) do
      {:error, Error.new(:not_found, "no tensor #{shown(name)}" <> similar(name, Map.keys(map)))}
    end
  end

  def fetch(_map, name),
    do: raise(ArgumentError, "expected the name of a tensor, got: #{Options.shown(name)}")

  @doc "Returns the map with these names only, all of which it must have; `nil` stands for all."
  @spec take(%{String.t() => value}, [String.t()] | nil) ::
          {:ok, %{String.t() => value}} | {:error, Error.t()}
        when value: term()
  def take(map, nil), do: {:ok, map}

  def take(map, names) do
    with nil <- Enum.find_value(names, &error(fetch(map, &1))), do: {:ok, Map.take(map, names)}
  end

  @doc "Returns a name as errors show it."
  @spec shown(String.t()) :: String.t()
  def shown(name), do: inspect(name, printable_limit: 200)

  defp error({:ok, _value}), do: nil
  defp error(error), do: error

  defp similar(name, names) do
    scored = for other <- Enum.take(names, @compared), do: {String.jaro_distance(name, other), other}

    case scored |> Enum.filter(&(elem(&1, 0) > @similar)) |> Enum.sort(:desc) |> Enum.take(3) do
      [] -> "; #{all(names)}"
      found -> "; similar: " <> list(Enum.map(found, &elem(&1, 1)))
    end
  end

  defp all([]), do: "there are none"
  defp all([name]), do: "the only one is #{shown(name)}"

  defp all(names),
    do: "there are #{length(names)}, such as #{names |> Enum.sort() |> Enum.take(3) |> list()}"

  defp list(names), do: Enum.map_join(names, ", ", &shown/1)
end
