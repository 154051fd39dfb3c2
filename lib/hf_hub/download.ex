defmodule HfHub.Download do
  @moduledoc """
  Downloads files and whole repositories.

  Files go into the cache that `huggingface_hub` and all other Hugging Face clients on this machine share, so nothing is
  downloaded twice. Every byte is verified while it arrives (SHA-256 for large files, the git object id for all others),
  and a file becomes visible only once it is complete. An interrupted download resumes where it stopped.

      iex> {:ok, path} =
      ...>   HfHub.Download.hf_hub_download(repo_id: "openai-community/gpt2", filename: "config.json")
      iex> File.exists?(path)
      true

  A download belongs to the calling process: when that process exits, the connection is closed immediately and the bytes
  received are kept. `Task.async/1` runs it in the background; `Task.shutdown/2` or stopping the Livebook cell cancels it.

  If the Hub cannot be reached (no network, a server error, a refused token), a cached copy is used and a warning is
  logged.

  ## Repositories

  `:repo_id` accepts `"namespace/name"`, `"name"`, `"hf://datasets/namespace/name@revision/path"`, the URL of a page on the
  Hub, `{:hf, id}` or `{:hf, id, revision: revision}`.
  """

  require Logger

  alias HfHub.Config.Source
  alias HfHub.{Decode, Error, Extract, Fnmatch, Native, Options, Telemetry}
  alias HfHub.Download.{Cached, FileInfo, FileMetadata, Metadata, Spec}
  alias HfHub.Progress.Reporter

  @repo [repo_id: [type: :any, required: true, doc: "Repository; `HfHub.Download` lists the accepted forms."]] ++
          Options.repo_type() ++ Options.revision()

  @file_name [
    filename: [
      type: :string,
      doc: "Path of the file in the repository. Required unless `:repo_id` contains it."
    ],
    subfolder: [type: :string, doc: "Folder in the repository that `:filename` is relative to."]
  ]

  @target [
    cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."],
    local_dir: [
      type: :path,
      doc:
        "Folder to download to instead of the cache, with regular files under their paths in the repository. " <>
          "Existing files that differ are replaced."
    ],
    force_download: [
      type: :boolean,
      default: false,
      doc: "Whether to download files even if they are already cached."
    ],
    local_files_only: Options.local_files_only(),
    dry_run: [
      type: :boolean,
      default: false,
      doc: "Whether to download nothing and return `HfHub.Download.FileInfo` instead of a path."
    ],
    progress: Options.progress()
  ]

  @extra [
    expected_sha256: [
      type: :sha256,
      doc: "SHA-256 that the file must have, in hex, in addition to the etag of the Hub."
    ],
    verify_checksum: [type: :boolean, default: true, no_effect: "files are always verified"],
    progress_callback: [
      type: {:fun, 2},
      doc:
        "Function called with the bytes so far and the total or `nil`, as in 0.3. Use `:progress` in new code."
    ],
    extract: [
      type: :boolean,
      default: false,
      doc: "Whether to unpack the file, an archive, and return the destination (see `HfHub.Extract`)."
    ],
    extract_dir: [
      type: :path,
      doc:
        "Destination of `:extract`. Defaults to a folder named like the archive without its extension: next to it in " <>
          "`:local_dir`, else below `extracted` in the cache folder of the repository."
    ]
  ]

  @file_options @repo ++ @file_name ++ @target ++ @extra ++ Options.transfer()

  @snapshot_options @repo ++
                      @target ++
                      [
                        allow_patterns: [
                          type: :patterns,
                          default: [],
                          doc:
                            "Patterns of files to download. `*` also matches `/`, as in Python's `fnmatch`; " <>
                              "a pattern that ends in `/` matches everything below. An empty list stands for all files."
                        ],
                        ignore_patterns: [
                          type: :patterns,
                          default: [],
                          doc: "Patterns of files not to download."
                        ],
                        max_workers: [
                          type: :pos_integer,
                          default: 8,
                          doc: "Maximum number of files to download at a time."
                        ],
                        progress_callback: @extra[:progress_callback]
                      ] ++ Options.transfer()

  @stream_options @repo ++
                    @file_name ++
                    [
                      range: [
                        type: {:struct, Range},
                        doc:
                          "Bytes to return, counted from 0, both ends included: `0..99` is the first hundred, " <>
                            "`100..-1//1` everything after them, `-100..-1//1` the last hundred. A range may extend " <>
                            "beyond the end of the file."
                      ]
                    ] ++ Keyword.drop(Options.transfer(), [:max_connections])

  @metadata_options @repo ++ @file_name ++ Options.common()

  # More concurrent files gain nothing and provoke rate limits.
  @max_workers 256

  @doc """
  Downloads a file, unless it is already cached, and returns its path.

  ## Options

  #{Options.docs(@file_options)}

  ## Examples

      iex> {:ok, path} =
      ...>   HfHub.Download.hf_hub_download(repo_id: "openai-community/gpt2", filename: "config.json")
      iex> Path.basename(path)
      "config.json"
  """
  @doc python: "hf_hub_download"
  @spec hf_hub_download(keyword()) :: {:ok, Path.t() | FileInfo.t()} | {:error, Error.t()}
  def hf_hub_download(opts) do
    opts = opts |> Options.validate!(@file_options) |> refuse_contradictions!()
    if path = Cached.path(opts), do: {:ok, path}, else: file(opts)
  end

  @doc "Same as `hf_hub_download/1`, but returns the path or raises `HfHub.Error`."
  @spec hf_hub_download!(keyword()) :: Path.t() | FileInfo.t()
  def hf_hub_download!(opts), do: Error.unwrap!(hf_hub_download(opts))

  @doc false
  # Downloads a file to a path of its own: neither into the cache nor into a folder with metadata.
  @spec to_path(Path.t(), keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  def to_path(path, opts) do
    opts = Options.validate!(opts, @file_options)

    with {:ok, spec} <- Spec.file(opts),
         spec = Map.put(spec, :file, Path.expand(path)),
         {:ok, report} <- run(spec, opts, label(spec.filename), :download),
         do: {:ok, report.path}
  end

  @doc """
  Downloads all files of a repository that are not cached yet, and returns their folder.

  All files are of one commit, the one that `:revision` points to when the call begins. With a commit as `:revision` and
  all files cached, no request is made.

  ## Options

  #{Options.docs(@snapshot_options)}

  ## Examples

      iex> {:ok, folder} =
      ...>   HfHub.Download.snapshot_download(
      ...>     repo_id: "openai-community/gpt2",
      ...>     allow_patterns: "*.json"
      ...>   )
      iex> "config.json" in File.ls!(folder)
      true
  """
  @doc python: "snapshot_download"
  @spec snapshot_download(keyword()) :: {:ok, Path.t() | [FileInfo.t()]} | {:error, Error.t()}
  def snapshot_download(opts) do
    opts = check_snapshot!(opts)

    with {:ok, snapshot} <- snapshot(opts) do
      warn_unmatched(snapshot, opts)
      deliver_snapshot(snapshot, opts)
    end
  end

  @doc "Same as `snapshot_download/1`, but returns the folder or raises `HfHub.Error`."
  @spec snapshot_download!(keyword()) :: Path.t() | [FileInfo.t()]
  def snapshot_download!(opts), do: Error.unwrap!(snapshot_download(opts))

  @doc false
  # Returns all options of `snapshot_download/1`, or raises `ArgumentError`.
  @spec check_snapshot!(keyword()) :: keyword()
  def check_snapshot!(opts), do: opts |> Options.validate!(@snapshot_options) |> refuse_contradictions!()

  @doc false
  # Downloads those of the named files that the repository has, and returns the folder of the snapshot.
  @spec existing_files([String.t()], keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  def existing_files(names, opts) do
    # No pattern would stand for all files.
    patterns =
      if names == [], do: [ignore_patterns: "*"], else: [allow_patterns: Enum.map(names, &Fnmatch.literal/1)]

    opts = Options.validate!(patterns ++ opts, @snapshot_options)
    with {:ok, snapshot} <- snapshot(opts), do: deliver_snapshot(snapshot, opts)
  end

  defp snapshot(opts) do
    with {:ok, spec, ref} <- Spec.repo(opts) do
      more = %{
        filter: %{allow: allowed(opts[:allow_patterns], ref.path), ignore: opts[:ignore_patterns]},
        max_workers: min(opts[:max_workers], @max_workers)
      }

      run(Map.merge(spec, more), opts, ref.repo_id, :snapshot)
    end
  end

  @doc """
  Returns a lazy stream of the bytes of a file; nothing is written to disk.

  Each run of the stream makes a request. Pieces are read on demand, and halting the stream closes the connection. A
  broken connection is resumed at the byte reached. A file that is only in Xet storage comes from there, in pieces of at
  most 256 KiB. The content is verified, unless only a `:range` of it is read. The
  stream raises `HfHub.Error` on a checksum mismatch or a connection that cannot be resumed; it never ends early. A file
  whose length the server does not announce is limited to 1 GiB.

  ## Options

  #{Options.docs(@stream_options)}

  ## Examples

      iex> {:ok, stream} =
      ...>   HfHub.Download.download_stream(repo_id: "openai-community/gpt2", filename: "vocab.json")
      iex> stream |> Stream.take(1) |> Enum.map(&byte_size/1) |> Enum.sum() > 0
      true
  """
  @spec download_stream(keyword()) :: {:ok, Enumerable.t()} | {:error, Error.t()}
  def download_stream(opts) do
    opts = Options.validate!(opts, @stream_options)

    with {:ok, spec} <- Spec.stream(opts) do
      observe = &Telemetry.start(:download, Telemetry.download(&1), &1.hub.token)
      {:ok, Native.stream(:stream, fn -> spec end, observe)}
    end
  end

  @doc "Same as `download_stream/1`, but returns the stream or raises `HfHub.Error`."
  @spec download_stream!(keyword()) :: Enumerable.t()
  def download_stream!(opts), do: Error.unwrap!(download_stream(opts))

  @doc """
  Continues an interrupted download and returns the file's path.

  Every download resumes an interrupted one, so this is `hf_hub_download/1` under its name in 0.3, with the same options.

  ## Examples

      iex> {:ok, path} =
      ...>   HfHub.Download.resume_download(repo_id: "openai-community/gpt2", filename: "config.json")
      iex> Path.basename(path)
      "config.json"
  """
  @spec resume_download(keyword()) :: {:ok, Path.t() | FileInfo.t()} | {:error, Error.t()}
  def resume_download(opts), do: hf_hub_download(opts)

  @doc "Same as `resume_download/1`, but returns the path or raises `HfHub.Error`."
  @spec resume_download!(keyword()) :: Path.t() | FileInfo.t()
  def resume_download!(opts), do: Error.unwrap!(resume_download(opts))

  @doc """
  Returns the commit, etag, size and URL of a file without downloading it.

  ## Options

  #{Options.docs(@metadata_options)}

  ## Examples

      iex> {:ok, file} =
      ...>   HfHub.Download.file_metadata(repo_id: "openai-community/gpt2", filename: "vocab.json")
      iex> file.size > 0
      true
  """
  @doc python: "get_hf_file_metadata"
  @spec file_metadata(keyword()) :: {:ok, FileMetadata.t()} | {:error, Error.t()}
  def file_metadata(opts) do
    opts = Options.validate!(opts, @metadata_options)
    with {:ok, ref} <- Spec.reference(opts), do: Metadata.get(ref, opts)
  end

  @doc "Same as `file_metadata/1`, but returns the metadata or raises `HfHub.Error`."
  @spec file_metadata!(keyword()) :: FileMetadata.t()
  def file_metadata!(opts), do: Error.unwrap!(file_metadata(opts))

  @doc """
  Returns the SHA-256 of a file in lower-case hex.

  ## Examples

      iex> path = Path.join(System.tmp_dir!(), "hf_hub_doc_\#{System.unique_integer([:positive])}")
      iex> File.write!(path, "hello\\n")
      iex> HfHub.Download.compute_sha256(path)
      {:ok, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}
  """
  @spec compute_sha256(Path.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def compute_sha256(path) do
    [path: path] = Options.validate!([path: path], path: [type: :path, required: true])
    Native.run(:hash_file, %{path: Path.expand(path), algorithm: :sha256})
  end

  @doc "Same as `compute_sha256/1`, but returns the hash or raises `HfHub.Error`."
  @spec compute_sha256!(Path.t()) :: String.t()
  def compute_sha256!(path), do: Error.unwrap!(compute_sha256(path))

  # Raises on combinations in which one option would be ignored.
  defp refuse_contradictions!(opts) do
    if opts[:progress] && opts[:progress_callback] do
      raise ArgumentError, "`:progress` and `:progress_callback` are mutually exclusive"
    end

    if opts[:extract_dir] && !opts[:extract],
      do: Options.warn_no_effect("option :extract_dir", "it is the destination of extract: true")

    opts
  end

  defp file(opts) do
    with {:ok, spec} <- Spec.file(opts),
         {:ok, report} <- run(spec, opts, label(spec.filename), :download),
         do: deliver_file(report, opts)
  end

  defp run(spec, opts, label, job) do
    Telemetry.span(:download, Telemetry.download(spec), spec.hub.token, fn ->
      result = Native.run(job, spec, Reporter.start(receiver(opts), label))
      with {:ok, %{fallback: why}} when why != nil <- result, do: log_fallback(label, why)
      result
    end)
  end

  @doc false
  def log_fallback(label, why) do
    Logger.debug("#{label} was received another way than first tried, which has failed: #{why}")
  end

  defp receiver(opts) do
    case opts[:progress_callback] do
      nil -> opts[:progress]
      callback -> fn progress -> callback.(progress.bytes_done, progress.bytes_total) end
    end
  end

  defp deliver_file(report, opts) do
    warn_stale(report.stale, label(report.filename))

    cond do
      opts[:dry_run] -> {:ok, Decode.struct(FileInfo, report)}
      opts[:extract] -> unpack(report, opts)
      true -> {:ok, report.path}
    end
  end

  defp warn_stale(nil, _what), do: :ok

  defp warn_stale(why, what) do
    Logger.warning("using the cached copy of #{what}, because the request to the Hub failed: #{why}")
  end

  # A folder that this library has named itself is renamed into place only when it is complete.
  defp unpack(report, opts) do
    destination =
      (opts[:extract_dir] && Source.expand(opts[:extract_dir])) ||
        extract_dir(report, opts[:local_dir] != nil)

    ready? =
      opts[:extract_dir] == nil and opts[:local_dir] == nil and report.cached and File.exists?(destination)

    if ready?, do: {:ok, destination}, else: Extract.extract(report.path, destination)
  end

  defp warn_unmatched(snapshot, opts) do
    if snapshot.matched == 0 and opts[:allow_patterns] ++ opts[:ignore_patterns] != [] do
      Logger.warning(
        "no file of the repository matched allow_patterns: #{inspect(opts[:allow_patterns])}, " <>
          "ignore_patterns: #{inspect(opts[:ignore_patterns])}"
      )
    end
  end

  defp deliver_snapshot(snapshot, opts) do
    warn_stale(snapshot.stale, "the snapshot")

    if opts[:dry_run],
      do: {:ok, Enum.map(snapshot.files, Decode.to(FileInfo))},
      else: {:ok, snapshot.path}
  end

  # Without patterns, the path in the reference counts, with its pattern characters escaped.
  defp allowed([], path) when path != nil do
    literal = Fnmatch.literal(path)
    [literal, literal <> "/"]
  end

  defp allowed(patterns, _path), do: patterns

  defp label(filename), do: Path.basename(filename)

  # An archive is unpacked next to the file in a plain folder. In the cache it goes next to the snapshots, because every
  # file in a snapshot is a file of the repository.
  defp extract_dir(%{path: path}, true), do: Extract.default_extract_path(path)

  defp extract_dir(%{path: path, commit: commit, filename: filename}, false) do
    repo = String.replace_suffix(path, Path.join(["/snapshots", commit, filename]), "")
    folder = Path.join([repo, "extracted", commit, filename])
    # Where it cannot be created, the error is that of the extraction.
    _ignored = File.mkdir_p(folder)
    Path.join(folder, Path.basename(Extract.default_extract_path(path)))
  end
end
