defmodule HfHub.Bandwidth do
  @moduledoc """
  Bandwidth limits of downloads and uploads, in bytes per second, adjustable while they run.

  Pass a limit to calls as `:max_bandwidth`; calls with the same limit share it. In addition, all transfers of the VM
  share the limit `:vm`, set by `config :hf_hub, max_bandwidth: bytes` or `set/2`.

      limit = HfHub.Bandwidth.new(5_000_000)

      task =
        Task.async(fn ->
          HfHub.Download.snapshot_download(repo_id: "openai-community/gpt2", max_bandwidth: limit)
        end)

      # Lift the limit at night.
      HfHub.Bandwidth.set(limit, :infinity)
      Task.await(task, :infinity)

  Only file contents count, not headers and listings. After a pause, up to a tenth of a second's worth of bytes may
  pass at once.
  """

  alias HfHub.Config.Source
  alias HfHub.Options
  alias HfHub.Native.Nif

  @enforce_keys [:ref]
  use HfHub.Schema, ref: {:reference, "limit in native code", json: false}

  @typedoc "Bytes per second."
  @type limit :: pos_integer() | :infinity

  @doc """
  Creates a limit, in bytes per second.

  ## Examples

      iex> HfHub.Bandwidth.new(1_000_000) |> HfHub.Bandwidth.get()
      1000000
  """
  @spec new(limit()) :: t()
  def new(limit \\ :infinity), do: %__MODULE__{ref: Nif.new_bandwidth(bytes!(limit))}

  @doc """
  Changes a limit; `:vm` is the one that all transfers of this VM share. Takes effect immediately, also for those in
  progress.

  ## Examples

      iex> limit = HfHub.Bandwidth.new(1_000_000)
      iex> HfHub.Bandwidth.set(limit, :infinity)
      :ok
  """
  @spec set(t() | :vm, limit()) :: :ok
  def set(:vm, limit) do
    bytes = bytes!(limit)
    # Otherwise the next call would restore the configured limit.
    Source.put(:max_bandwidth, bytes)
    Nif.set_bandwidth(Nif.vm_bandwidth(), bytes)
  end

  def set(%__MODULE__{ref: ref}, limit), do: Nif.set_bandwidth(ref, bytes!(limit))

  @doc """
  Returns a limit in bytes per second, or `:infinity`.

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
      raise ArgumentError, "expected a limit in bytes per second or :infinity, got: #{Options.shown(bytes)}"
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
