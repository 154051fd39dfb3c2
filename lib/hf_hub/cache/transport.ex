defmodule HfHub.Cache.Transport do
  @moduledoc """
  Moves, exports, imports, copies and adopts a cache: to another disk, to an air-gapped machine, to a plain folder, from
  the layout of `hf_hub` 0.3.

  The functions are also in `HfHub.Cache`.
  """

  alias HfHub.Config.{Setting, Source}
  alias HfHub.{Decode, Error, Options}
  alias HfHub.Cache.{Adoption, Archive, Engine, Folder, Tables, Targets}

  @types %{"model" => :model, "dataset" => :dataset, "space" => :space, nil => nil}

  @doc """
  Moves the whole cache to another folder, which may be on another disk, and returns that folder.

  Repositories are moved one after the other; to continue an interrupted move, call the function again. If a repository
  is in use, nothing is moved. Afterwards, set `HF_HUB_CACHE` or `config :hf_hub, :cache_dir` to the new folder.

  ## Options

  #{Options.docs(Tables.move())}

  ## Examples

      iex> {:error, error} = HfHub.Cache.Transport.move("/nowhere/new", cache_dir: "/nowhere/old")
      iex> error.kind
      :not_cached
  """
  @spec move(Path.t(), keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  def move(destination, opts \\ []) do
    opts = Options.validate!(opts, Tables.move())
    Engine.run_shown(:move, %{destination: Source.expand(destination)}, opts, "moving the cache")
  end

  @doc "Same as `move/2`, but returns the folder or raises `HfHub.Error`."
  @spec move!(Path.t(), keyword()) :: Path.t()
  def move!(destination, opts \\ []), do: Error.unwrap!(move(destination, opts))

  @doc """
  Writes repositories of the cache to one tar file with a manifest of hashes, for air-gapped machines.

  Each blob is hashed first; a corrupt one is an error. The file is imported by `import/2`, or unpacked by `tar -x` in
  an empty cache folder.

  ## Options

  #{Options.docs(Tables.export())}

  ## Examples

      iex> {:error, error} =
      ...>   HfHub.Cache.Transport.export("gpt2.tar", targets: ["model/gpt2"], cache_dir: "/nowhere")
      iex> error.kind
      :not_cached
  """
  @spec export(Path.t(), keyword()) :: {:ok, Archive.t()} | {:error, Error.t()}
  def export(archive, opts \\ []) do
    opts = Options.validate!(opts, Tables.export())
    path = Source.expand(archive)

    with {:ok, scanned} <- Engine.run(:scan, %{}, opts),
         {:ok, targets} <- named(scanned, opts[:targets], opts),
         spec = %{targets: targets, archive: path},
         {:ok, report} <- Engine.run_shown(:export, spec, opts, Path.basename(path)) do
      {:ok, Decode.struct(Archive, report)}
    end
  end

  @doc "Same as `export/2`, but returns the archive or raises `HfHub.Error`."
  @spec export!(Path.t(), keyword()) :: Archive.t()
  def export!(archive, opts \\ []), do: Error.unwrap!(export(archive, opts))

  @doc """
  Imports the repositories of an archive written by `export/2` into the cache.

  Each blob is verified before it is stored. Files that are already cached are kept; branches and tags point to the
  commits in the archive afterwards.

  ## Options

  #{Options.docs(Tables.import())}

  ## Examples

      iex> {:error, error} =
      ...>   HfHub.Cache.Transport.import("/nowhere.tar",
      ...>     cache_dir: Path.join(System.tmp_dir!(), "hf_hub_import")
      ...>   )
      iex> error.kind
      :io
  """
  @spec import(Path.t(), keyword()) :: {:ok, Archive.t()} | {:error, Error.t()}
  def import(archive, opts \\ []) do
    opts = Options.validate!(opts, Tables.import())
    spec = %{archive: Source.expand(archive), symlinks: Setting.value(:symlinks)}

    with {:ok, report} <- Engine.run_shown(:import, spec, opts, Path.basename(archive)) do
      {:ok, Decode.struct(Archive, report)}
    end
  end

  @doc "Same as `import/2`, but returns what was imported or raises `HfHub.Error`."
  @spec import!(Path.t(), keyword()) :: Archive.t()
  def import!(archive, opts \\ []), do: Error.unwrap!(__MODULE__.import(archive, opts))

  @doc """
  Copies the files of a cached revision to a plain folder, without symbolic links to the cache.

  ## Options

  #{Options.docs(Tables.materialize())}

  ## Examples

      iex> {:error, error} = HfHub.Cache.Transport.materialize("nobody/nothing", "/tmp/model")
      iex> error.kind
      :not_cached
  """
  @spec materialize(HfHub.repo(), Path.t(), keyword()) :: {:ok, Folder.t()} | {:error, Error.t()}
  def materialize(repo_id, destination, opts \\ []) do
    opts = Options.validate!(opts, Tables.materialize(), repo_id)
    more = %{destination: Source.expand(destination), method: opts[:method], overwrite: opts[:overwrite]}

    with {:ok, place, _ref} <- Engine.repo(repo_id, opts),
         {:ok, report} <- Engine.run(:materialize, Map.merge(place, more), opts) do
      {:ok, Decode.struct(Folder, report)}
    end
  end

  @doc "Same as `materialize/3`, but returns the folder or raises `HfHub.Error`."
  @spec materialize!(HfHub.repo(), Path.t(), keyword()) :: Folder.t()
  def materialize!(repo_id, destination, opts \\ []),
    do: Error.unwrap!(materialize(repo_id, destination, opts))

  @doc """
  Moves files that `hf_hub` 0.3 has stored into the shared layout, so that they are not downloaded again.

  0.3 stored plain files in folders named after a branch or tag (`snapshots/main/config.json`), which other clients do
  not use. Each file is hashed and compared with the Hub's listing of that revision, which is all that is requested. A
  file that matches becomes a blob, linked from the snapshot of the commit, and the ref is stored. All other files stay
  where they are and are listed in the result: delete them, or let `HfHub.Cache.prune/1` do so.

  An interrupted adoption leaves a valid cache, and the next call continues. `HfHub.Cache.scan/1` warns about files that
  can be adopted. If the Hub cannot be reached, the call returns its error.

  ## Options

  #{Options.docs(Tables.adopt())}

  ## Examples

      iex> {:error, error} = HfHub.Cache.Transport.adopt(cache_dir: "/nowhere")
      iex> error.kind
      :not_cached
  """
  @spec adopt(keyword()) :: {:ok, Adoption.t()} | {:error, Error.t()}
  def adopt(opts \\ []) do
    opts = Options.validate!(opts, Tables.adopt())
    spec = %{repo: nil, dry_run: opts[:dry_run], symlinks: Setting.value(:symlinks)}

    with {:ok, spec} <- of_repo(spec, opts),
         {:ok, report} <- Engine.run_online(:adopt, spec, opts, "adopting cached files") do
      failures = for failure <- report.failures, do: %{failure | error: Error.from_native(failure.error)}
      report = %{report | failures: failures}
      typed = for key <- [:revisions, :unmatched, :failures], into: report, do: {key, typed(report[key])}
      {:ok, Decode.struct(Adoption, typed)}
    end
  end

  @doc "Same as `adopt/1`, but returns the adoption or raises `HfHub.Error`."
  @spec adopt!(keyword()) :: Adoption.t()
  def adopt!(opts \\ []), do: Error.unwrap!(adopt(opts))

  defp of_repo(spec, opts) do
    if opts[:repo_id] do
      with {:ok, place, _ref} <- Engine.repo(opts[:repo_id], opts), do: {:ok, %{spec | repo: place.repo}}
    else
      {:ok, spec}
    end
  end

  defp typed(found), do: for(each <- found, do: %{each | repo_type: @types[each.repo_type]})

  defp named(_report, nil, _opts), do: {:ok, nil}

  defp named(report, names, opts) do
    case Targets.find(report, names, opts) do
      {targets, []} -> {:ok, targets}
      {_targets, unknown} -> {:error, Error.new(:not_cached, "not in the cache: #{Enum.join(unknown, ", ")}")}
    end
  end
end
