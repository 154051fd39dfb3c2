defmodule HfHub.Bandwidth do
  @moduledoc """
  Limits on the bytes a second that downloads take, changeable while they run.

  A limit is given to calls by their option `:max_bandwidth`; those that are given the same one
  share it. Besides, all downloads of the VM together keep the limit `:vm`, which `config :hf_hub,
  max_bandwidth: bytes` or `set/2` decides.

      limit = HfHub.Bandwidth.new(5_000_000)

      task =
        Task.async(fn ->
          HfHub.Download.snapshot_download(repo_id: "openai-community/gpt2", max_bandwidth: limit)
        end)

      # At night there is room for more.
      HfHub.Bandwidth.set(limit, :infinity)
      Task.await(task, :infinity)

  Only the content of files counts, not headers and listings. After a silence a tenth of a second's
  bytes may come at once.
  """

  alias HfHub.{Config, Options}
  alias HfHub.Native.Nif

  @enforce_keys [:ref]
  defstruct [:ref]

  @type t :: %__MODULE__{ref: reference()}

  @typedoc "Bytes a second."
  @type limit :: pos_integer() | :infinity

  @doc """
  Makes a limit of so many bytes a second.

  ## Examples

      iex> HfHub.Bandwidth.new(1_000_000) |> HfHub.Bandwidth.get()
      1000000
  """
  @spec new(limit()) :: t()
  def new(limit \\ :infinity), do: %__MODULE__{ref: Nif.new_bandwidth(bytes!(limit))}

  @doc """
  Changes a limit, or with `:vm` the one that all downloads of this VM keep together. It counts at
  once, for downloads under way too.

  ## Examples

      iex> limit = HfHub.Bandwidth.new(1_000_000)
      iex> HfHub.Bandwidth.set(limit, :infinity)
      :ok
  """
  @spec set(t() | :vm, limit()) :: :ok
  def set(:vm, limit) do
    bytes = bytes!(limit)
    # So that the next call does not go back to what was configured before.
    Config.put(:max_bandwidth, bytes)
    Nif.set_bandwidth(Nif.vm_bandwidth(), bytes)
  end

  def set(%__MODULE__{ref: ref}, limit), do: Nif.set_bandwidth(ref, bytes!(limit))

  @doc """
  Returns a limit in bytes a second, or `:infinity`.

  ## Examples

      iex> HfHub.Bandwidth.get(HfHub.Bandwidth.new())
      :infinity
  """
  @spec get(t() | :vm) :: limit()
  def get(:vm), do: Nif.bandwidth(Nif.vm_bandwidth()) || :infinity
  def get(%__MODULE__{ref: ref}), do: Nif.bandwidth(ref) || :infinity

  defp bytes!(:infinity), do: nil

  defp bytes!(bytes) do
    if Options.valid_value?(bytes, :pos_integer) do
      bytes
    else
      raise ArgumentError, "expected a limit in bytes a second or :infinity, got: #{inspect(bytes)}"
    end
  end

  defimpl Inspect do
    def inspect(bandwidth, _opts) do
      case HfHub.Bandwidth.get(bandwidth) do
        :infinity -> "#HfHub.Bandwidth<no limit>"
        bytes -> "#HfHub.Bandwidth<#{bytes} bytes/s>"
      end
    end
  end
end
