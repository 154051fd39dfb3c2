defmodule HfHub.Api.Info do
  # Requests for the metadata of a repository, and for all tags.
  @moduledoc false

  alias HfHub.Api.{DatasetInfo, KernelInfo, LeaderboardEntry, ModelInfo, SpaceInfo, Tables}
  alias HfHub.{Decode, Error, Options, RepoRef, Request}

  @types %{
    model: {ModelInfo, &Tables.model_info/0},
    dataset: {DatasetInfo, &Tables.dataset_info/0},
    space: {SpaceInfo, &Tables.space_info/0}
  }

  @type t :: ModelInfo.t() | DatasetInfo.t() | SpaceInfo.t()

  @doc "Returns the metadata of a repository of a given type."
  @spec get(RepoRef.t() | HfHub.repo(), :model | :dataset | :space, keyword()) ::
          {:ok, t()} | {:error, Error.t()}
  def get(repo_id, repo_type, opts) do
    {module, table} = @types[repo_type]
    opts = Options.validate!(opts, table.())
    check_expand!(opts)

    Request.repo(:get, "/api/:types/*repo[/revision/:revision]", repo_id, opts, only: repo_type)
    |> Request.query(
      securityStatus: opts[:security_status] || nil,
      blobs: opts[:files_metadata] || nil,
      expand: opts[:expand]
    )
    |> Request.run(module)
  end

  @doc "Returns the metadata of a repository of any type."
  @spec any(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def any(repo_id, opts) do
    {about, opts} = Keyword.split(opts, [:repo_type])
    about = Options.validate!(about, Options.repo_type())

    with {:ok, ref} <- RepoRef.resolve(repo_id, about ++ Keyword.take(opts, [:endpoint, :revision])) do
      get(ref, ref.repo_type, opts)
    end
  end

  @doc "Returns the metadata of a kernel. Its id has the rules of other repositories."
  @spec kernel(String.t(), keyword()) :: {:ok, KernelInfo.t()} | {:error, Error.t()}
  def kernel(repo_id, opts) do
    Request.repo(:get, "/api/kernels/*repo[/revision/:revision]", repo_id, opts)
    |> Request.plain()
    |> Request.run(KernelInfo)
  end

  @doc "Returns the leaderboard of a dataset."
  @spec leaderboard(HfHub.repo(), keyword()) :: {:ok, [LeaderboardEntry.t()]} | {:error, Error.t()}
  def leaderboard(repo_id, opts) do
    Request.repo(:get, "/api/:types/*repo/leaderboard", repo_id, opts, only: :dataset, scope: :whole)
    |> Request.query(base_model: opts[:base_model_only])
    |> Request.run([LeaderboardEntry])
  end

  @doc "Returns all tags of models or datasets, by their type."
  @spec tags(String.t(), keyword()) :: {:ok, HfHub.Api.tags()} | {:error, Error.t()}
  def tags(types, opts) do
    opts = Options.validate!(opts, Options.common())
    Request.run(Request.new(:get, "/api/:types-tags-by-type", [types: types], opts), &Decode.object/1)
  end

  defp check_expand!(opts) do
    if opts[:expand] && (opts[:files_metadata] || opts[:security_status]) do
      raise ArgumentError, "`:expand` cannot be combined with `:files_metadata` or `:security_status`"
    end
  end
end
