defmodule HfHub.Cache.Leases do
  # Acquires and releases leases, and creates and removes pins.
  @moduledoc false

  alias HfHub.Cache.{Engine, Lease, Tables}
  alias HfHub.{Error, Options}
  alias HfHub.Native.Nif

  @doc "Acquires a lease for the calling process."
  @spec take(HfHub.repo(), keyword()) :: {:ok, Lease.t()} | {:error, Error.t()}
  def take(repo_id, opts) do
    opts = Options.validate!(opts, Tables.revision(), repo_id)

    with {:ok, place, ref} <- Engine.repo(repo_id, opts),
         {:ok, handle, path} <- Engine.hold(Map.put(place, :filename, nil), opts) do
      commit = Path.basename(path)

      {:ok,
       %Lease{path: path, commit: commit, repo_id: ref.repo_id, repo_type: ref.repo_type, handle: handle}}
    end
  end

  @doc "Releases a lease."
  @spec release(Lease.t()) :: :ok
  def release(%Lease{handle: handle}) do
    Nif.cancel(handle)
    :ok
  rescue
    ArgumentError ->
      raise ArgumentError, "the lease was acquired in another VM, and can be released only there"
  end

  @doc "Sets or removes a pin, and returns the commit."
  @spec mark(HfHub.repo(), keyword(), boolean()) :: {:ok, String.t()} | {:error, Error.t()}
  def mark(repo_id, opts, pinned?) do
    opts = Options.validate!(opts, Tables.revision(), repo_id)

    with {:ok, place, _ref} <- Engine.repo(repo_id, opts),
         do: Engine.run(:pin, Map.put(place, :pinned, pinned?), opts)
  end
end
