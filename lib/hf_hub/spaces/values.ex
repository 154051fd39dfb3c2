defmodule HfHub.Spaces.Values do
  # Checks the values of Spaces before a request: hardware, storage, sleep times, names of secrets and variables.
  @moduledoc false

  require Logger

  alias HfHub.{Error, Options}

  @hardware ~w(cpu-basic cpu-upgrade zero-a10g t4-small t4-medium l4x1 l4x4 l40sx1 l40sx4 l40sx8 a10g-small a10g-large
               a10g-largex2 a10g-largex4 a100-large a100x4 a100x8 rtx-pro-6000 rtx-pro-6000x2 rtx-pro-6000x4
               rtx-pro-6000x8)

  @tiers [:small, :medium, :large]
  @volume_types [:model, :dataset, :space, :bucket]

  @doc "Returns the names of known hardware."
  @spec hardware() :: [String.t()]
  def hardware, do: @hardware

  @doc "Returns the name of hardware. An atom must be known; the Hub may know more names than this library."
  @spec hardware!(atom() | String.t(), String.t()) :: String.t()
  def hardware!(hardware, subject \\ "the hardware") do
    name = if is_atom(hardware), do: hardware |> Atom.to_string() |> String.replace("_", "-"), else: hardware
    known? = name in @hardware
    plausible? = is_binary(hardware) and hardware =~ ~r/\A[a-z0-9]+(-[a-z0-9]+)*\z/

    unless known? or plausible? do
      names = Enum.join(@hardware, ", ")

      raise ArgumentError,
            "expected #{subject} to be one of #{names}, or the name of newer hardware as a string, " <>
              "got: #{Options.shown(hardware)}"
    end

    name
  end

  @doc "Returns the name of a tier of persistent storage."
  @spec tier!(atom() | String.t()) :: String.t()
  def tier!(tier) do
    found = Enum.find(@tiers, &(tier == &1 or tier == Atom.to_string(&1)))

    if found,
      do: Atom.to_string(found),
      else:
        raise(
          ArgumentError,
          "expected the storage to be :small, :medium or :large, got: #{Options.shown(tier)}"
        )
  end

  @doc "Returns the seconds that the Hub expects for a sleep time; -1 is never."
  @spec sleep_time!(term()) :: pos_integer() | -1
  def sleep_time!(never) when never in [:never, -1], do: -1

  def sleep_time!(seconds) do
    if Options.valid_value?(seconds, :pos_integer),
      do: seconds,
      else:
        raise(
          ArgumentError,
          "expected the sleep time to be a positive number of seconds or :never, got: #{Options.shown(seconds)}"
        )
  end

  @doc "Logs a warning if a sleep time is set for free hardware, where the Hub ignores it."
  @spec warn_free(String.t() | nil) :: :ok
  def warn_free("cpu-basic") do
    Logger.warning(
      "a Space on cpu-basic sleeps after 48 hours without a visitor, whatever its sleep time; request other hardware " <>
        "to change that"
    )
  end

  def warn_free(_paid), do: :ok

  @doc "Returns whether a text can be the name of a secret or a variable."
  @spec key?(term()) :: boolean()
  def key?(key), do: is_binary(key) and key =~ ~r/\A[a-zA-Z][_a-zA-Z0-9]*\z/

  @doc "Returns the name of a secret or a variable. The name may be a misplaced value, which is not shown."
  @spec key!(term()) :: String.t()
  def key!(key) when is_atom(key) and key not in [nil, true, false], do: key!(Atom.to_string(key))

  def key!(key) do
    if key?(key),
      do: key,
      else:
        raise(
          ArgumentError,
          "expected the key to begin with a letter and to contain only letters, digits and underscores, got " <>
            "#{Options.sort(key)}"
        )
  end

  @doc "Returns the value of a secret or a variable."
  @spec value!(term()) :: String.t()
  def value!(value) do
    if Options.valid_value?(value, :string),
      do: value,
      else: raise(ArgumentError, "expected the value to be a string of valid UTF-8, got #{sort(value)}")
  end

  defp sort(text) when is_binary(text), do: "other bytes"
  defp sort(value), do: Options.sort(value)

  @doc "Returns the names of the types of volumes."
  @spec volume_types() :: [atom()]
  def volume_types, do: @volume_types

  @doc "Returns what the owner of a Space can do about an error of a request that only the owner may send."
  @spec for_owner(result) :: result when result: term()
  def for_owner({:error, %Error{kind: :forbidden, message: message} = error}) do
    hint = "; only the owner of a Space can change it: use a token with write access, or duplicate the Space"
    {:error, %{error | message: message <> hint}}
  end

  def for_owner(result), do: result
end
