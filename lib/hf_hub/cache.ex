defmodule HfHub.Cache do
  @moduledoc """
  The cache on this machine, without the network.

      iex> HfHub.Cache.cached?(repo_id: "nobody/nothing", filename: "config.json")
      false
  """

  alias HfHub.{Config, Error, Native, Options, RepoRef}
  alias HfHub.Native.Nif

  @options [
    repo_id: [type: :any, required: true, doc: "the repository, in any form that `HfHub.Download` takes."],
    filename: [type: :string, required: true, doc: "the file, as named in the repository."],
    repo_type: [type: {:in, [:model, :dataset, :space]}, default: :model, doc: "what an id alone stands for."],
    revision: [type: :string, doc: "branch, tag or commit. By default `\"main\"`."],
    cache_dir: [type: :path, doc: "the cache folder. By default `HfHub.Config.cache_dir/0`."]
  ]

  @doc """
  Returns whether a file is in the cache.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      iex> HfHub.Cache.cached?(repo_id: "nobody/nothing", filename: "config.json")
      false
  """
  @doc python: "try_to_load_from_cache"
  @spec cached?(keyword()) :: boolean()
  def cached?(opts), do: match?({:ok, _path}, cache_path(opts))

  @doc """
  Returns the path of a cached file.

  The error's `:kind` is `:entry_not_found` if the revision is known not to have the file, and
  `:not_cached` if nothing is known.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      iex> {:error, error} = HfHub.Cache.cache_path(repo_id: "nobody/nothing", filename: "config.json")
      iex> error.kind
      :not_cached
  """
  @doc python: "try_to_load_from_cache"
  @spec cache_path(keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  def cache_path(opts) do
    opts = Options.validate!(opts, @options)

    with {:ok, ref} <- RepoRef.parse(opts[:repo_id], opts[:repo_type], Config.endpoint()),
         revision = opts[:revision] || ref.revision || "main",
         spec = %{
           repo: %{repo_type: to_string(ref.repo_type), id: ref.repo_id, revision: revision},
           filename: opts[:filename],
           cache_dir: Config.expand(opts[:cache_dir] || Config.cache_dir())
         },
         {:ok, found} <- Native.run(&Nif.look_up(&1, spec)) do
      answer(found, ref.repo_id, opts[:filename], revision)
    end
  end

  @doc "Same as `cache_path/1`, but returns the path or raises `HfHub.Error`."
  @spec cache_path!(keyword()) :: Path.t()
  def cache_path!(opts), do: Error.unwrap!(cache_path(opts))

  defp answer(path, _repo_id, _filename, _revision) when is_binary(path), do: {:ok, path}

  defp answer(known, repo_id, filename, revision) do
    {kind, message} =
      case known do
        :known_absent ->
          {:entry_not_found, "#{inspect(repo_id)} is known to have no file #{inspect(filename)}"}

        :unknown ->
          {:not_cached, "#{inspect(filename)} of #{inspect(repo_id)} is not in the cache"}
      end

    {:error, Error.new(kind, message, repo_id: repo_id, path: filename, revision: revision)}
  end
end
