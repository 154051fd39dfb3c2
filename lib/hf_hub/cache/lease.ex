defmodule HfHub.Cache.Lease do
  @moduledoc """
  A cached revision that stays while this is held; see `HfHub.Cache.lease/2`.

    * `:path` - the folder with the revision's files
    * `:commit` - its commit
    * `:repo_id`, `:repo_type`
  """

  @type t :: %__MODULE__{
          path: Path.t(),
          commit: String.t(),
          repo_id: String.t(),
          repo_type: :model | :dataset | :space,
          handle: reference()
        }

  alias HfHub.Cache.{Engine, Tables}
  alias HfHub.Native.Nif
  alias HfHub.Options

  @derive {Inspect, except: [:handle]}
  @enforce_keys [:path, :commit, :repo_id, :repo_type, :handle]
  defstruct @enforce_keys

  @doc false
  def take(repo_id, opts) do
    opts = Options.validate!(opts, Tables.revision())

    with {:ok, repo, ref} <- Engine.repo(repo_id, opts),
         spec = %{cache_dir: Engine.cache_dir(opts), repo: repo, filename: nil},
         {:ok, handle, path} <- Engine.hold(spec) do
      commit = Path.basename(path)

      {:ok,
       %__MODULE__{path: path, commit: commit, repo_id: ref.repo_id, repo_type: ref.repo_type, handle: handle}}
    end
  end

  @doc false
  def release(%__MODULE__{handle: handle}) do
    Nif.release(handle)
    :ok
  end

  @doc false
  def mark(repo_id, opts, pinned?) do
    opts = Options.validate!(opts, Tables.revision())

    with {:ok, repo, _ref} <- Engine.repo(repo_id, opts),
         do: Engine.run(:pin, %{repo: repo, pinned: pinned?}, opts)
  end
end
