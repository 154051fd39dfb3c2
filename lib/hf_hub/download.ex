defmodule HfHub.Download do
  @moduledoc """
  Downloads files and whole repositories.

  Files go into the cache that Python's `huggingface_hub` and all other Hugging Face clients on
  this machine use too, so nothing is downloaded twice. Every byte is verified while it arrives
  (SHA-256 for large files, the git object id for all others) and a file becomes visible only when
  it is whole. An interrupted download continues where it was.

      iex> {:ok, path} = HfHub.Download.hf_hub_download(repo_id: "openai-community/gpt2", filename: "config.json")
      iex> File.exists?(path)
      true

  A download belongs to the process that called: when that process ends, the connection is closed
  at once and what has arrived is kept. So `Task.async/1` makes it run in the background, and
  `Task.shutdown/2` or stopping the Livebook cell cancels it.

  What is here already is used when the Hub cannot be asked (no network, a server error, a refused
  token), with a warning in the log.

  ## Repositories

  `:repo_id` takes `"namespace/name"`, `"name"`, `"hf://datasets/namespace/name@revision/path"`, the
  address of a page in the browser, `{:hf, id}` or `{:hf, id, revision: revision}`.
  """

  require Logger

  alias HfHub.{Config, Error, Extract, Native, Options, Progress, RepoRef, Telemetry}
  alias HfHub.Download.{FileInfo, Spec}
  alias HfHub.Native.Nif

  @repo [
    repo_id: [type: :any, required: true, doc: "the repository; `HfHub.Download` lists the forms."],
    repo_type: [
      type: {:in, [:model, :dataset, :space]},
      default: :model,
      doc: "what an id alone stands for; URIs and page addresses say it themselves."
    ],
    revision: [
      type: :string,
      doc: "branch, tag, pull request (`\"refs/pr/1\"`) or commit. By default `\"main\"`."
    ]
  ]

  @file_name [
    filename: [
      type: :string,
      doc: "the file, as named in the repository. Required unless `:repo_id` names it."
    ],
    subfolder: [type: :string, doc: "the folder of the file in the repository, put in front of `:filename`."]
  ]

  @target [
    cache_dir: [type: :path, doc: "the cache folder. By default `HfHub.Config.cache_dir/0`."],
    local_dir: [
      type: :path,
      doc:
        "a folder to put real files into instead of the cache, under their names in the repository. " <>
          "A file there that is not the Hub's is replaced."
    ],
    force_download: [type: :boolean, default: false, doc: "download even what is here already."],
    local_files_only: [type: :boolean, default: false, doc: "use no network; what is not here is an error."],
    dry_run: [
      type: :boolean,
      default: false,
      doc: "download nothing, and return `HfHub.Download.FileInfo` instead of a path."
    ],
    progress: Progress.option()
  ]

  @extra [
    expected_sha256: [
      type: :sha256,
      doc: "a SHA-256 in hex that the content must have, besides the Hub's own etag."
    ],
    verify_checksum: [
      type: :boolean,
      default: true,
      doc: "has no effect: content is always verified. Kept for code written for 0.3."
    ],
    progress_callback: [
      type: {:fun, 2},
      doc: "called with bytes so far and the total or `nil`, as in 0.3; new code uses `:progress` instead."
    ],
    extract: [
      type: :boolean,
      default: false,
      doc: "unpack the file, an archive, and return where to (see `HfHub.Extract`)."
    ],
    extract_dir: [
      type: :path,
      doc:
        "where to unpack to, with `:extract`. By default a folder named like the archive without its ending: " <>
          "beside it in `:local_dir`, else below `extracted` in the repository's cache folder."
    ]
  ]

  @file_options @repo ++ @file_name ++ @target ++ @extra ++ Options.transfer()

  @snapshot_options @repo ++
                      @target ++
                      [
                        allow_patterns: [
                          type: {:or, [:string, {:list, :string}]},
                          doc:
                            "only files that match one of these. `*` also matches `/`, as in Python's `fnmatch`; " <>
                              "a pattern that ends in `/` means all below. An empty list lets nothing through."
                        ],
                        ignore_patterns: [
                          type: {:or, [:string, {:list, :string}]},
                          doc: "no files that match one of these."
                        ],
                        max_workers: [type: :pos_integer, default: 8, doc: "how many files at a time."],
                        progress_callback: @extra[:progress_callback]
                      ] ++ Options.transfer()

  @stream_options @repo ++
                    @file_name ++
                    [
                      range: [
                        type: {:struct, Range},
                        doc:
                          "only these bytes, counted from 0, both ends included: `0..99` is the first hundred, " <>
                            "`100..-1//1` all behind them, `-100..-1//1` the last hundred. What is behind the end " <>
                            "of the file is left out."
                      ]
                    ] ++ Keyword.delete(Options.transfer(), :max_connections)

  # More at a time than any Hub answers gladly.
  @max_workers 256

  @doc """
  Downloads a file, unless it is here already, and returns its path.

  ## Options

  #{Options.docs(@file_options)}

  ## Examples

      iex> {:ok, path} = HfHub.Download.hf_hub_download(repo_id: "openai-community/gpt2", filename: "config.json")
      iex> Path.basename(path)
      "config.json"
  """
  @doc python: "hf_hub_download"
  @spec hf_hub_download(keyword()) :: {:ok, Path.t() | FileInfo.t()} | {:error, Error.t()}
  def hf_hub_download(opts) do
    opts = opts |> validate!(@file_options) |> refuse_contradictions!(opts)

    with {:ok, spec} <- Spec.file(opts),
         {:ok, report} <- run(spec, opts, label(spec.filename), &Nif.download/2) do
      deliver_file(report, opts)
    end
  end

  @doc "Same as `hf_hub_download/1`, but returns the path or raises `HfHub.Error`."
  @spec hf_hub_download!(keyword()) :: Path.t() | FileInfo.t()
  def hf_hub_download!(opts), do: Error.unwrap!(hf_hub_download(opts))

  @doc """
  Downloads all files of a repository that are not here yet, and returns their folder.

  The files are all of one commit, the one that `:revision` stands for when the call begins. With
  a commit as `:revision` and everything here already, no request is made.

  ## Options

  #{Options.docs(@snapshot_options)}

  ## Examples

      iex> {:ok, folder} = HfHub.Download.snapshot_download(repo_id: "openai-community/gpt2", allow_patterns: "*.json")
      iex> "config.json" in File.ls!(folder)
      true
  """
  @doc python: "snapshot_download"
  @spec snapshot_download(keyword()) :: {:ok, Path.t() | [FileInfo.t()]} | {:error, Error.t()}
  def snapshot_download(opts) do
    opts = opts |> validate!(@snapshot_options) |> refuse_contradictions!(opts)

    with {:ok, spec, ref} <- Spec.repo(opts),
         filter = %{
           allow_patterns: patterns(opts[:allow_patterns]) || below(ref.path),
           ignore_patterns: patterns(opts[:ignore_patterns]) || [],
           max_workers: min(opts[:max_workers], @max_workers)
         },
         {:ok, snapshot} <- run(Map.merge(spec, filter), opts, ref.repo_id, &Nif.snapshot/2) do
      deliver_snapshot(snapshot, opts)
    end
  end

  @doc "Same as `snapshot_download/1`, but returns the folder or raises `HfHub.Error`."
  @spec snapshot_download!(keyword()) :: Path.t() | [FileInfo.t()]
  def snapshot_download!(opts), do: Error.unwrap!(snapshot_download(opts))

  @doc """
  Returns a stream of a file's bytes, which writes nothing to disk.

  The request is made when the stream is run, and again each time it is. Pieces come as the reader
  asks for them; a reader that stops early closes the connection. A connection that breaks is mended
  from the byte reached. The content is verified, unless only a `:range` of it is read: a failure, a
  wrong content or a connection that cannot be mended raises `HfHub.Error` instead of ending the
  stream early.

  ## Options

  #{Options.docs(@stream_options)}

  ## Examples

      iex> {:ok, stream} = HfHub.Download.download_stream(repo_id: "openai-community/gpt2", filename: "vocab.json")
      iex> stream |> Stream.take(1) |> Enum.map(&byte_size/1) |> Enum.sum() > 0
      true
  """
  @spec download_stream(keyword()) :: {:ok, Enumerable.t()} | {:error, Error.t()}
  def download_stream(opts) do
    opts = validate!(opts, @stream_options)

    with {:ok, spec} <- Spec.stream(opts), do: {:ok, Native.stream(&Nif.open_stream(&1, spec))}
  end

  @doc "Same as `download_stream/1`, but returns the stream or raises `HfHub.Error`."
  @spec download_stream!(keyword()) :: Enumerable.t()
  def download_stream!(opts), do: Error.unwrap!(download_stream(opts))

  @doc """
  Continues an interrupted download and returns the file's path.

  Every download continues where an earlier one was interrupted, so this is `hf_hub_download/1`
  under the name that 0.3 gave it, with the same options.

  ## Examples

      iex> {:ok, path} = HfHub.Download.resume_download(repo_id: "openai-community/gpt2", filename: "config.json")
      iex> Path.basename(path)
      "config.json"
  """
  @spec resume_download(keyword()) :: {:ok, Path.t() | FileInfo.t()} | {:error, Error.t()}
  def resume_download(opts), do: hf_hub_download(opts)

  @doc "Same as `resume_download/1`, but returns the path or raises `HfHub.Error`."
  @spec resume_download!(keyword()) :: Path.t() | FileInfo.t()
  def resume_download!(opts), do: Error.unwrap!(resume_download(opts))

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
    Native.run(&Nif.hash_file(&1, %{path: Path.expand(path), algorithm: "sha256"}))
  end

  @doc "Same as `compute_sha256/1`, but returns the hash or raises `HfHub.Error`."
  @spec compute_sha256!(Path.t()) :: String.t()
  def compute_sha256!(path), do: Error.unwrap!(compute_sha256(path))

  # Bumblebee's tuples carry options of their own; the call's come first.
  defp validate!(opts, table) do
    tuple =
      if Keyword.keyword?(opts),
        do: Keyword.take(RepoRef.options(opts[:repo_id]), Keyword.keys(table)),
        else: []

    Options.validate!(if(tuple == [], do: opts, else: Keyword.merge(tuple, opts)), table)
  end

  # What would be passed over in silence otherwise.
  defp refuse_contradictions!(opts, given) do
    if opts[:progress] && opts[:progress_callback] do
      raise ArgumentError, "options :progress and :progress_callback exclude each other; pass one of them"
    end

    if opts[:extract_dir] && given[:extract] == nil do
      raise ArgumentError, "option :extract_dir needs :extract to be true"
    end

    opts
  end

  defp run(spec, opts, label, start) do
    metadata = %{
      repo_id: spec.repo.id,
      repo_type: spec.repo.repo_type,
      revision: spec.repo.revision,
      filename: spec[:filename],
      endpoint: spec.hub.endpoint
    }

    Telemetry.span(:download, metadata, fn ->
      Native.run(&start.(&1, spec), Progress.start(receiver(opts), label))
    end)
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
      opts[:dry_run] -> {:ok, FileInfo.from_native(report)}
      opts[:extract] -> unpack(report, opts)
      true -> {:ok, report.path}
    end
  end

  defp warn_stale(nil, _what), do: :ok

  defp warn_stale(why, what) do
    Logger.warning("the Hub could not be asked about #{what}, so the copy here is used as it is: #{why}")
  end

  # A folder that this library named itself appears only when it is whole.
  defp unpack(report, opts) do
    destination =
      (opts[:extract_dir] && Config.expand(opts[:extract_dir])) ||
        Extract.place(report, opts[:local_dir] != nil)

    ready? =
      opts[:extract_dir] == nil and opts[:local_dir] == nil and report.cached and File.exists?(destination)

    if ready?, do: {:ok, destination}, else: Extract.extract(report.path, destination)
  end

  defp deliver_snapshot(snapshot, opts) do
    warn_stale(snapshot.stale, "the snapshot")

    if snapshot.matched == 0 and (opts[:allow_patterns] || opts[:ignore_patterns]) do
      Logger.warning(
        "no file of the repository matched allow_patterns: #{inspect(opts[:allow_patterns])}, " <>
          "ignore_patterns: #{inspect(opts[:ignore_patterns])}"
      )
    end

    if opts[:dry_run],
      do: {:ok, Enum.map(snapshot.files, &FileInfo.from_native/1)},
      else: {:ok, snapshot.path}
  end

  defp patterns(nil), do: nil
  defp patterns(pattern) when is_binary(pattern), do: [pattern]
  defp patterns(patterns), do: patterns

  defp below(nil), do: nil

  # The path itself, not a pattern.
  defp below(path) do
    literal = String.replace(path, ["[", "*", "?"], &"[#{&1}]")
    [literal, literal <> "/"]
  end

  defp label(filename), do: Path.basename(filename)
end
