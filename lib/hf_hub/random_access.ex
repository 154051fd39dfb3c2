defmodule HfHub.RandomAccess do
  # A file on this machine or on the Hub that is read at positions.
  #
  # A local file is opened once and read by `pread` into memory that a binary refers to. It is not mapped: a mapped file
  # that another process truncates ends the VM by SIGBUS. A file that is replaced by a rename is still read from the old
  # inode. One that is written to in place has another size or time, which is an error.
  @moduledoc false

  require Logger

  alias HfHub.{Brief, Cache, Download, Error, Native, Options, RepoRef}
  alias HfHub.Download.Cached
  alias HfHub.RepoRef.Folder

  @derive {Inspect, only: [:name, :size]}
  @enforce_keys [:name, :size, :from]
  defstruct [:name, :size, :from, head: ""]

  @typep result :: {:ok, Enumerable.t()} | {:error, Error.t()}

  @type t :: %__MODULE__{
          name: String.t(),
          size: non_neg_integer(),
          from: {:disk, reference()} | {:hub, String.t() | nil, (Range.t() -> result())},
          head: binary()
        }

  # Nearly all headers of remote files are shorter, and so cost one request.
  @head 100_001

  @commit ~r/\A[0-9a-f]{40}\z/

  @doc "Returns the path of a source on this machine, of which files have that extension; `nil` if it is a repository."
  @spec path(term(), String.t()) :: Path.t() | nil
  def path({:local, path}, _extension) when is_binary(path), do: Path.expand(path)

  def path(text, extension) when is_binary(text) do
    address? = text =~ ~r"\A(hf|https?)://"
    path? = text =~ ~r"\A[/.~]" or Path.extname(text) == extension or File.exists?(text)
    if path? and not address?, do: Path.expand(text)
  end

  def path(_tuple, _extension), do: nil

  @doc "Opens a source: a path, or the file of a repository that `:filename` or the reference names."
  @spec source(term(), String.t(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def source(source, extension, opts) do
    case path(source, extension) do
      nil ->
        with {:ok, ref} <- RepoRef.resolve(source, opts),
             :ok <- RepoRef.beside(ref, opts[:filename]),
             do: find(place(ref, opts))

      path ->
        open(if(opts[:filename], do: Path.join(path, opts[:filename]), else: path))
    end
  end

  defp place(ref, opts) do
    filename = Folder.join(ref, opts[:filename]) || ref.path
    if filename in [nil, ""], do: raise(ArgumentError, "option :filename is required")
    place = [repo_id: ref.repo_id, repo_type: ref.repo_type, revision: ref.revision, filename: filename]
    opts |> Keyword.merge(place) |> Options.given()
  end

  @doc "Opens a file on this machine. It is closed by `close/1`, or when nothing refers to it any more."
  @spec open(Path.t()) :: {:ok, t()} | {:error, Error.t()}
  def open(path) do
    with {:ok, {file, size}} <- Native.run(:open_file, %{path: path}),
         do: {:ok, %__MODULE__{name: path, size: size, from: {:disk, file}}}
  end

  @doc """
  Opens a file of a repository at the commit that the revision stands for now: a cached copy, or the file on the Hub. If the
  Hub cannot be asked, it is the copy of the last known commit, as for downloads. The options are those of
  `HfHub.Download.file_metadata/1`, `:cache_dir` and `:local_files_only`.
  """
  @spec find(keyword()) :: {:ok, t()} | {:error, Error.t()}
  def find(opts), do: first([opts[:filename]], opts)

  @doc "Same as `find/1`, for the first of several names that is there."
  @spec first([String.t()], keyword()) :: {:ok, t()} | {:error, Error.t()}
  def first(names, opts) do
    files = for name <- names, do: Keyword.put(opts, :filename, name)

    with {:unanswered, error} <-
           any(files, if(Cached.only?(opts), do: &cached/1, else: asking(files))),
         do: stale(files, error)
  end

  # Where only cached files are used, a file that was not downloaded may not exist, and the next one is tried.
  defp any(files, find) do
    Enum.reduce_while(files, nil, fn file, before ->
      case find.(file) do
        {:error, %{kind: :entry_not_found}} = absent -> {:cont, before || absent}
        {:error, %{kind: :not_cached}} = unknown -> {:cont, unknown}
        result -> {:halt, result}
      end
    end)
  end

  # With a copy, an unresponsive Hub is not waited for.
  defp asking(files) do
    retries = if Enum.any?(files, &match?({:ok, _path}, copy(&1))), do: [retries: 0], else: []
    &on_the_hub(&1, retries)
  end

  defp stale(files, error) do
    with {:ok, file} <- any(files, &cached/1) do
      Logger.warning(
        "using the cached copy of #{Path.basename(file.name)}, because the request to the Hub failed: " <>
          Exception.message(error)
      )

      {:ok, file}
    else
      {:error, _not_cached} -> {:error, error}
    end
  end

  @doc "Returns a part of the file, which must not extend beyond its end."
  @spec read(t(), non_neg_integer(), non_neg_integer()) :: {:ok, binary()} | {:error, Error.t()}
  def read(_file, _first, 0), do: {:ok, ""}

  def read(%{head: head}, first, length) when first + length <= byte_size(head),
    do: {:ok, binary_part(head, first, length)}

  def read(%{from: {:disk, file}} = open, first, length) do
    Native.run(:read_file, %{file: file, first: first, length: length})
  rescue
    # The reference is that of another VM: it was sent here, or stored by a VM that has ended.
    ArgumentError -> {:error, elsewhere(open)}
  end

  def read(%{from: {:hub, _commit, stream}} = file, first, length) do
    with {:ok, stream} <- stream.(first..(first + length - 1)),
         {:ok, bytes} <- collect(stream) do
      if byte_size(bytes) == length, do: {:ok, bytes}, else: {:error, short(file, length, bytes)}
    end
  end

  @doc "Returns an error about the contents of the file."
  @spec invalid(t(), String.t(), String.t()) :: Error.t()
  def invalid(file, format, why),
    do: Error.new(:invalid_response, "invalid #{format} file `#{file.name}`: #{why}", path: file.name)

  @doc "Closes the file."
  @spec close(t()) :: :ok
  def close(%{from: {:disk, file}}) do
    Native.Nif.close_file(file)
  rescue
    # The file is not open in this VM.
    ArgumentError -> :ok
  end

  def close(_remote), do: :ok

  defp elsewhere(file) do
    message = "`#{file.name}` was opened in another VM; open it in this one"
    Error.new(:io, message, path: file.name)
  end

  defp cached(opts), do: with({:ok, path} <- copy(opts), do: open(path))

  defp copy(opts) do
    place = Keyword.take(opts, [:repo_id, :repo_type, :revision, :filename, :cache_dir, :endpoint])
    Cache.cache_path(Options.given(place))
  end

  defp on_the_hub(opts, retries) do
    if (opts[:revision] || "") =~ @commit,
      do: with({:error, _not_cached} <- cached(opts), do: asked(opts, retries)),
      else: asked(opts, retries)
  end

  defp asked(opts, retries) do
    of_hub = Options.given(Keyword.drop(opts, [:cache_dir, :local_files_only]))

    case Download.file_metadata(Keyword.merge(of_hub, retries)) do
      {:ok, metadata} -> at_commit(metadata, opts)
      {:error, error} -> {if(Cached.replaces?(error), do: :unanswered, else: :error), error}
    end
  end

  defp at_commit(metadata, opts) do
    # Later reads are of the same commit, whatever is pushed meanwhile.
    opts = if metadata.commit_hash, do: Keyword.put(opts, :revision, metadata.commit_hash), else: opts
    with {:error, _not_cached} <- cached(opts), do: remote(metadata, opts)
  end

  defp remote(metadata, opts) do
    with {:ok, size} <- size(metadata, opts[:filename]) do
      opts = Options.given(Keyword.drop(opts, [:cache_dir, :local_files_only]))

      # A function, because stack traces may show the file, and do not show the token in the options of a function.
      stream = &Download.download_stream([range: &1] ++ opts)
      file = %__MODULE__{name: opts[:filename], size: size, from: {:hub, opts[:revision], stream}}
      with {:ok, head} <- read(file, 0, min(size, @head)), do: {:ok, %{file | head: head}}
    end
  end

  defp size(%{size: size}, _name) when is_integer(size), do: {:ok, size}

  defp size(_unknown, name),
    do: {:error, Error.new(:invalid_response, "the Hub does not announce the size of `#{name}`", path: name)}

  defp collect(stream) do
    {:ok, stream |> Enum.to_list() |> IO.iodata_to_binary()}
  rescue
    error in Error -> {:error, error}
  end

  defp short(file, length, bytes) do
    message = "the Hub sent #{Brief.count(byte_size(bytes), "bytes")} of `#{file.name}`, expected #{length}"
    Error.new(:invalid_response, message, path: file.name)
  end
end
