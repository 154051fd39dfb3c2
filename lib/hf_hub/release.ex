defmodule HfHub.Release do
  @moduledoc """
  Puts the repositories of a lock file into a release, or into a folder of a container image.

  A release with its models starts on a machine without a network, and every instance uses the same files. Pin the
  models with `mix hf_hub.lock` (see `HfHub.Lock`), and add a step to the release in `mix.exs`:

      releases: [
        my_app: [steps: [:assemble, &HfHub.Release.bundle/1]]
      ]

  The files are then below `priv/hf_hub` of the application in the release: the lock file, and a cache folder `hub` with
  regular files. Tell the running system to use it:

      # config/runtime.exs, which Mix reads too: only a release sets this variable
      if System.get_env("RELEASE_NAME") do
        config :hf_hub, cache_dir: HfHub.Release.cache_dir(:my_app), offline: true
      end

  All functions that download then return the bundled files, `HfHub.Lock.get/1` included:

      {:ok, [model]} = HfHub.Lock.get(lock: HfHub.Release.lock(:my_app))
  """

  alias HfHub.{Error, Lock, Options}
  alias HfHub.Cache.Engine
  alias HfHub.Config.Source
  alias HfHub.Lock.{Content, Snapshot}

  # As below HF_HOME; other files in a cache folder would be reported by `HfHub.Cache.scan/1`.
  @cache "hub"
  @folder "priv/hf_hub"
  @lock_file "hf_hub.lock"

  @write [
           lock: [type: :path, default: @lock_file, doc: "Path of the lock file."],
           repos: [
             type: {:list, :any},
             doc: "Repositories of the lock file to include, by id or with their type. Defaults to all."
           ],
           cache_dir: [
             type: :path,
             doc:
               "Cache folder to copy from; files that are missing there are downloaded to it first. Defaults to " <>
                 "`HfHub.Config.cache_dir/0`."
           ],
           local_files_only: Options.local_files_only(),
           progress: Options.progress()
         ] ++ Options.transfer()

  @bundle [
            app: [
              type: :atom,
              doc:
                "Application in the release to whose `priv` folder the files are added. Defaults to the project's."
            ],
            folder: [
              type: :path,
              doc:
                "Folder below the root of the release to use instead of an application's `priv` folder. The step `:tar` " <>
                  "includes it."
            ]
          ] ++ @write

  @doc """
  Adds the pinned repositories to an assembled release, and returns the release: a step for `mix release`.

  Raises `HfHub.Error` if a file cannot be downloaded, or is not what the lock file pins. To pass options, use a function:

      steps: [:assemble, &HfHub.Release.bundle(&1, repos: ["org/model"], progress: true)]

  ## Options

  #{Options.docs(@bundle)}

  ## Examples

      releases: [my_app: [steps: [:assemble, &HfHub.Release.bundle/1, :tar]]]
  """
  @spec bundle(release, keyword()) :: release when release: struct()
  def bundle(release, opts \\ []) do
    opts = Options.validate!(opts, @bundle)
    target = target(release, opts)
    snapshots = write!(target, opts |> Keyword.drop([:app, :folder]) |> Options.given())
    Mix.shell().info("* bundled #{Enum.map_join(snapshots, ", ", & &1.repo_id)} in #{target}")
    if opts[:folder], do: with_overlays(release, target), else: release
  end

  # What is not below `lib` is in no archive unless it is one of these.
  defp with_overlays(release, folder) do
    files = for path <- Path.wildcard(Path.join(folder, "**"), match_dot: true), File.regular?(path), do: path
    %{release | overlays: Enum.uniq(release.overlays ++ Enum.map(files, &Path.relative_to(&1, release.path)))}
  end

  defp target(release, opts) do
    if folder = opts[:folder] do
      target = Path.expand(Path.join(release.path, folder))

      unless String.starts_with?(target, Path.expand(release.path) <> "/"),
        do:
          raise(
            ArgumentError,
            "expected option :folder to be below the root of the release, got: #{inspect(folder)}"
          )

      target
    else
      app = opts[:app] || Mix.Project.config()[:app]

      found =
        release.applications[app] ||
          raise(ArgumentError, "the release has no application #{inspect(app)}; pass :app")

      Path.join([release.path, "lib", "#{app}-#{found[:vsn]}", @folder])
    end
  end

  @doc """
  Writes the pinned repositories into a folder that can be used without a network.

  It contains a copy of the lock file, `hf_hub.lock`, and the cache folder `hub`, so it can be the `HF_HOME` of any
  Hugging Face client. There are regular files and no links: the folder can be copied, put into an image or mounted
  read-only. What an earlier call has written there is replaced; another folder that is not empty is an error. Every file
  is hashed after it was copied.

  ## Options

  #{Options.docs(@write)}

  ## Examples

      {:ok, [model]} = HfHub.Release.write("/app/models", repos: ["org/model"])

      HfHub.Download.snapshot_download(
        repo_id: "org/model",
        cache_dir: "/app/models/hub",
        local_files_only: true
      )
  """
  @spec write(Path.t(), keyword()) :: {:ok, [Snapshot.t()]} | {:error, Error.t()}
  def write(folder, opts \\ []) do
    opts = Options.validate!(opts, @write)
    folder = Source.expand(folder)

    with {:ok, snapshots} <- Lock.get(Options.given(opts)),
         {:ok, entries} <- Lock.read(lock: opts[:lock]),
         entries = Enum.filter(entries, &among?(&1, snapshots)),
         :ok <- clear(folder, [Source.expand(opts[:lock]), Engine.cache_dir(opts)]),
         :ok <- files(fn -> copy_all(entries, folder, Engine.cache_dir(opts)) end),
         do: Lock.verify(lock: Path.join(folder, @lock_file), cache_dir: Path.join(folder, @cache))
  end

  @doc "Same as `write/2`, but returns the folders or raises `HfHub.Error`."
  @spec write!(Path.t(), keyword()) :: [Snapshot.t()]
  def write!(folder, opts \\ []), do: Error.unwrap!(write(folder, opts))

  @doc """
  Returns the cache folder that `bundle/2` has written for an application of the running release.

  ## Examples

      iex> HfHub.Release.cache_dir(:hf_hub) |> Path.split() |> Enum.take(-3)
      ["priv", "hf_hub", "hub"]
  """
  @spec cache_dir(atom()) :: Path.t()
  def cache_dir(app), do: app |> Application.app_dir(@folder) |> Path.join(@cache)

  @doc """
  Returns the path of the lock file of the bundled repositories, for `HfHub.Lock.get/1` and `HfHub.Preload`.

  ## Examples

      iex> HfHub.Release.lock(:hf_hub) |> Path.basename()
      "hf_hub.lock"
  """
  @spec lock(atom()) :: Path.t()
  def lock(app), do: app |> Application.app_dir(@folder) |> Path.join(@lock_file)

  defp among?(entry, snapshots),
    do: Enum.any?(snapshots, &(&1.repo_id == entry.repo_id and &1.repo_type == entry.repo_type))

  # Deletes only what this module has written: a project has a lock file, too.
  defp clear(folder, used) do
    names =
      case File.ls(folder) do
        {:ok, names} -> names
        {:error, _missing} -> []
      end

    cond do
      Enum.any?(used, &String.starts_with?(&1 <> "/", folder <> "/")) -> {:error, in_use(folder)}
      names == [] -> :ok
      @lock_file not in names or names -- [@cache, @lock_file] != [] -> {:error, occupied(folder)}
      true -> files(fn -> Enum.each([@cache, @lock_file], &File.rm_rf!(Path.join(folder, &1))) end)
    end
  end

  defp in_use(folder) do
    message = "folder #{inspect(folder)} contains the lock file or the cache to copy from; choose another"
    Error.new(:io, message, path: folder)
  end

  defp occupied(folder),
    do: Error.new(:io, "folder #{inspect(folder)} is not empty; delete it or choose another", path: folder)

  # The lock file is there first, and is deleted last: by it, the next call knows the folder of one that was interrupted.
  defp copy_all(entries, folder, cache_dir) do
    File.mkdir_p!(folder)
    File.write!(Path.join(folder, @lock_file), Lock.Text.format(entries))
    Enum.each(entries, &copy(&1, Path.join(folder, @cache), cache_dir))
  end

  # Without links: archives of releases contain the files that they point to, which would be there twice.
  defp copy(entry, folder, cache_dir) do
    snapshot = Content.folder(entry, folder)

    for file <- entry.files do
      target = Path.join(snapshot, file.path)
      File.mkdir_p!(Path.dirname(target))
      File.cp!(Content.path(entry, file, cache_dir: cache_dir), target)
    end

    if entry.revision != entry.commit do
      ref = Path.join([Path.dirname(Path.dirname(snapshot)), "refs", entry.revision])
      File.mkdir_p!(Path.dirname(ref))
      File.write!(ref, entry.commit)
    end
  end

  defp files(work) do
    work.()
    :ok
  rescue
    error in [File.Error, File.CopyError] ->
      {:error, Error.new(:io, Exception.message(error), reason: to_string(error.reason))}
  end
end
