defmodule HfHub.Safetensors do
  @moduledoc """
  Reads and writes the tensors of safetensors files, on this machine and on the Hub.

  `metadata/2` returns names, types and shapes without downloading the model:

      {:ok, metadata} = HfHub.Safetensors.metadata("openai-community/gpt2")
      metadata.parameter_count
      #=> %{"F32" => 137022720}

  `open/2` also reads the values, each when it is asked for. Of a model on the Hub, only the bytes of the wanted tensors
  are received:

      {:ok, model} = HfHub.Safetensors.open("openai-community/gpt2")
      {:ok, bytes} = HfHub.Safetensors.tensor(model, "wte.weight", rows: 0..9)

  Headers are untrusted input: one of more than 100 MB, those of a model of more than 256 MiB or 4 million values together,
  or one with inconsistent sizes, is an error of kind `:invalid_response`. `open/2` also rejects tensors that overlap, as the
  format's own library does.

  ## Read, not mapped

  Files on this machine are read by position into binaries. They are not mapped into memory: when a mapped file is
  truncated by another process, the next access to it ends the whole VM with a signal that cannot be handled. Reading
  copies each byte once, from the page cache into the binary; binaries made of it, as by `binary_part/3` or
  `Nx.from_binary/2`, share that memory. Binaries of 1 MiB and more are memory of the native library, which
  `:erlang.memory/0` does not count, and which the system gets back once nothing refers to them.

  A handle reads the files that were there when it was opened, also if a download replaces them meanwhile. A file that
  was truncated or written to is an error of kind `:io`, never other data; a change that leaves the size as it was is
  seen by the time of the file. A handle may be used by several processes, but local files only in the VM that opened them:
  on another node, reading is an error of kind `:io`. The files are closed by `close/1`, or when nothing refers to the
  handle any more.
  """

  alias HfHub.{Decode, Error, Native, Options, RandomAccess, RepoRef, Telemetry}
  alias HfHub.Native.Hub
  alias HfHub.RepoRef.Folder
  alias HfHub.Safetensors.{AsNx, FileMetadata, Handle, LazyTensor, Metadata, Reading, Source, Tensor, Writer}

  @sharded [
             filename: [
               type: :string,
               default: "model.safetensors.index.json",
               doc: "Path of the index in the repository."
             ]
           ] ++ Options.common()

  @options Options.repo_type() ++
             Options.revision() ++ Keyword.take(Options.transfer(), [:xet]) ++ Options.common()

  @open [
          filename: [
            type: :string,
            doc:
              "File of the repository or folder. Defaults to `model.safetensors`, else `model.safetensors.index.json`."
          ],
          names: [
            type: {:list, :string},
            doc:
              "Tensors to open. The files of a sharded model that have none of them are not opened. Defaults to all."
          ],
          cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."],
          local_files_only: Options.local_files_only()
        ] ++ @options

  @rows [
    rows: [
      type: {:struct, Range},
      doc:
        "Rows to read, in the first dimension: `0..9` is the first ten, `100..-1//1` all but the first hundred, " <>
          "`-2..-1` the last two."
    ]
  ]

  @stream [names: [type: {:list, :string}, doc: "Tensors to read. Defaults to all."]]

  @write [
    metadata: [
      type: :map,
      doc:
        "Metadata of each file, and of the index of several, a map of strings, such as `%{\"format\" => \"pt\"}`."
    ],
    max_shard_size: [
      type: :pos_integer,
      doc:
        "Maximum number of bytes of tensors in a file. A larger model is written to several files, named like " <>
          "`model-00001-of-00002.safetensors`, and an index of them. Defaults to one file."
    ]
  ]

  @doc """
  Returns the metadata of a repository's safetensors files: of `model.safetensors`, else of the files listed in
  `model.safetensors.index.json`.

  A repository without either is an error of kind `:entry_not_found`.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      {:ok, metadata} = HfHub.Safetensors.metadata("bigscience/bloomz-560m")
      metadata.files_metadata["model.safetensors"].tensors["word_embeddings.weight"].shape
      #=> [250880, 1024]
  """
  @doc python: "get_safetensors_metadata"
  @spec metadata(HfHub.repo(), keyword()) :: {:ok, Metadata.t()} | {:error, Error.t()}
  def metadata(repo_id, opts \\ []) do
    with {:ok, fields} <- read(repo_id, nil, opts), do: {:ok, Decode.struct(Metadata, fields)}
  end

  @doc "Same as `metadata/2`, but returns the metadata or raises `HfHub.Error`."
  @spec metadata!(HfHub.repo(), keyword()) :: Metadata.t()
  def metadata!(repo_id, opts \\ []), do: Error.unwrap!(metadata(repo_id, opts))

  @doc """
  Returns the metadata of one safetensors file of a repository. Options: those of `metadata/2`.

  ## Examples

      {:ok, file} = HfHub.Safetensors.file_metadata("openai-community/gpt2", "model.safetensors")
      file.metadata
      #=> %{"format" => "pt"}
  """
  @doc python: "parse_safetensors_file_metadata"
  @spec file_metadata(HfHub.repo(), String.t(), keyword()) :: {:ok, FileMetadata.t()} | {:error, Error.t()}
  def file_metadata(repo_id, filename, opts \\ []) do
    with {:ok, fields} <- read(repo_id, filename || "", opts), do: {:ok, Decode.struct(FileMetadata, fields)}
  end

  @doc "Same as `file_metadata/3`, but returns the metadata or raises `HfHub.Error`."
  @spec file_metadata!(HfHub.repo(), String.t(), keyword()) :: FileMetadata.t()
  def file_metadata!(repo_id, filename, opts \\ []),
    do: Error.unwrap!(file_metadata(repo_id, filename, opts))

  @doc """
  Returns the metadata of a sharded model at `main`, as `metadata/2` does, but by one request: the Hub reads the headers of
  all files in the index. Servers other than the public Hub and the Local Hub may lack this route.

  A model without an index is an error of kind `:entry_not_found`.

  ## Options

  #{Options.docs(@sharded)}

  ## Examples

      {:ok, metadata} = HfHub.Safetensors.sharded_metadata("HuggingFaceH4/zephyr-7b-beta")
      map_size(metadata.files_metadata)
      #=> 8
  """
  @doc python: "get_sharded_safetensors_metadata"
  @spec sharded_metadata(HfHub.repo(), keyword()) :: {:ok, Metadata.t()} | {:error, Error.t()}
  def sharded_metadata(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @sharded)

    with {:ok, ref} <- RepoRef.whole(repo_id, [only: :model] ++ opts),
         {:ok, fields} <- headers(ref, %{filename: nil, index: opts[:filename]}, opts),
         do: {:ok, Decode.struct(Metadata, fields)}
  end

  @doc "Same as `sharded_metadata/2`, but returns the metadata or raises `HfHub.Error`."
  @spec sharded_metadata!(HfHub.repo(), keyword()) :: Metadata.t()
  def sharded_metadata!(repo_id, opts \\ []), do: Error.unwrap!(sharded_metadata(repo_id, opts))

  @doc """
  Opens a model: reads the headers of its files, and returns a handle for its tensors.

  The source is a safetensors file or index, a folder of one, `{:local, path}`, or a repository. A string that begins
  with `/`, `.` or `~`, ends with `.safetensors` or is the name of something in the working directory is a path; any
  other is a repository.

  Of a repository, cached files are read from the cache, all others from the Hub, at the commit that the revision stands
  for now; while the Hub cannot be asked, cached files of the last known commit, with a warning in the log. Later calls use
  the options of this one, such as `:token`. A model of more than 1000 files is an error, unless
  `:names` needs fewer of them.

  ## Options

  #{Options.docs(@open)}

  ## Examples

      iex> name = "hf_hub_doc_\#{System.unique_integer([:positive])}.safetensors"
      iex> path = Path.join(System.tmp_dir!(), name)
      iex> {:ok, [^path]} =
      ...>   HfHub.Safetensors.write(path, %{
      ...>     "bias" => {"F32", [2], <<1.0::float-little-32, 2.0::float-little-32>>}
      ...>   })
      iex> {:ok, model} = HfHub.Safetensors.open(path)
      iex> model.tensors["bias"].shape
      [2]
      iex> HfHub.Safetensors.tensor(model, "bias", rows: 1..1)
      {:ok, <<2.0::float-little-32>>}
      iex> HfHub.Safetensors.close(model)
      :ok
  """
  @spec open(Path.t() | HfHub.repository() | HfHub.repo(), keyword()) ::
          {:ok, Handle.t()} | {:error, Error.t()}
  def open(source, opts \\ []) do
    opts = Options.validate!(opts, @open, source)

    case RandomAccess.path(source, ".safetensors") do
      nil ->
        with {:ok, ref} <- Folder.resolve(source, opts[:filename], opts),
             do: Source.on_the_hub(ref, opts)

      path ->
        Source.on_disk(path, opts)
    end
  end

  @doc "Same as `open/2`, but returns the handle or raises `HfHub.Error`."
  @spec open!(Path.t() | HfHub.repository() | HfHub.repo(), keyword()) :: Handle.t()
  def open!(source, opts \\ []), do: Error.unwrap!(open(source, opts))

  @doc """
  Closes the files of a handle. Without this call, they are closed once nothing refers to the handle any more.

  ## Examples

      model = HfHub.Safetensors.open!("model.safetensors")
      HfHub.Safetensors.close(model)
      #=> :ok
  """
  @spec close(Handle.t()) :: :ok
  def close(%Handle{files: files}),
    do: Enum.each(files, fn {_name, {file, _start}} -> RandomAccess.close(file) end)

  @doc """
  Returns the values of a tensor as a binary, little-endian and row by row, as in the file.

  A name that is not in the model is an error of kind `:not_found`, which lists similar names.

  ## Options

  #{Options.docs(@rows)}

  ## Examples

      {:ok, model} = HfHub.Safetensors.open("openai-community/gpt2")
      {:ok, bytes} = HfHub.Safetensors.tensor(model, "ln_f.weight")
      byte_size(bytes)
      #=> 3072
  """
  @spec tensor(Handle.t(), String.t(), keyword()) :: {:ok, binary()} | {:error, Error.t()}
  def tensor(%Handle{} = model, name, opts \\ []) do
    opts = Options.validate!(opts, @rows)
    with {:ok, bytes, _tensor} <- Reading.read(model, name, opts[:rows]), do: {:ok, bytes}
  end

  @doc "Same as `tensor/3`, but returns the binary or raises `HfHub.Error`."
  @spec tensor!(Handle.t(), String.t(), keyword()) :: binary()
  def tensor!(%Handle{} = model, name, opts \\ []), do: Error.unwrap!(tensor(model, name, opts))

  @doc """
  Returns a tensor as an `Nx.Tensor`. Raises `ArgumentError` if Nx is not loaded: it has to be a dependency of the project.

  `BF16` and all integers and floats have their type in Nx, `BOOL` is `{:u, 8}`, `F8_E5M2` is `{:f, 8}` and `F8_E4M3` is
  `{:f8_e4m3fn, 8}` where Nx has these. All other types, such as `F4`, are returned as their bytes, `{:u, 8}`. Nx has no
  tensors without values: such a tensor is an error of kind `:bad_request`.

  ## Options

  #{Options.docs(@rows)}

  ## Examples

      {:ok, model} = HfHub.Safetensors.open("openai-community/gpt2")
      {:ok, weights} = HfHub.Safetensors.nx_tensor(model, "ln_f.weight")
      Nx.shape(weights)
      #=> {768}
  """
  @spec nx_tensor(Handle.t(), String.t(), keyword()) :: {:ok, struct()} | {:error, Error.t()}
  def nx_tensor(%Handle{} = model, name, opts \\ []) do
    opts = Options.validate!(opts, @rows)
    AsNx.check!()

    case Reading.read(model, name, opts[:rows]) do
      {:ok, "", _tensor} ->
        message = "tensor #{inspect(name)} has no values; Nx has no tensors of that shape"
        {:error, Error.new(:bad_request, message)}

      {:ok, bytes, tensor} ->
        {:ok, AsNx.tensor(bytes, tensor)}

      error ->
        error
    end
  end

  @doc "Same as `nx_tensor/3`, but returns the tensor or raises `HfHub.Error`."
  @spec nx_tensor!(Handle.t(), String.t(), keyword()) :: struct()
  def nx_tensor!(%Handle{} = model, name, opts \\ []), do: Error.unwrap!(nx_tensor(model, name, opts))

  @doc """
  Returns a map of all tensors as lazy containers of Nx: each is read when it is needed, by `Nx.to_tensor/1` or a function
  of `Nx.Defn`, and none is kept. Raises `ArgumentError` if Nx is not loaded.

  Types are those of `nx_tensor/3`. Reading a tensor raises `HfHub.Error` where that function returns an error.

  ## Examples

      {:ok, model} = HfHub.Safetensors.open("openai-community/gpt2")
      lazy = HfHub.Safetensors.lazy_tensors(model)
      lazy["ln_f.weight"] |> Nx.to_tensor() |> Nx.mean()
  """
  @spec lazy_tensors(Handle.t()) :: %{String.t() => LazyTensor.t()}
  def lazy_tensors(%Handle{} = model) do
    AsNx.check!()
    Map.new(model.tensors, fn {name, _tensor} -> {name, %LazyTensor{model: model, name: name}} end)
  end

  @doc """
  Returns a lazy stream of `{name, tensor, binary}`, in the order of the files and of the data in them, which is the order
  that disks and networks read fastest. Small tensors, of up to 4 MiB together, are read at once; of others, one is in memory
  at a time. The stream raises `HfHub.Error`.

  ## Options

  #{Options.docs(@stream)}

  ## Examples

      {:ok, model} = HfHub.Safetensors.open("openai-community/gpt2")

      for {name, tensor, bytes} <- HfHub.Safetensors.stream(model),
          do: {name, tensor.dtype, :erlang.crc32(bytes)}
  """
  @spec stream(Handle.t(), keyword()) :: Enumerable.t({String.t(), Tensor.t(), binary()})
  def stream(%Handle{} = model, opts \\ []) do
    opts = Options.validate!(opts, @stream)
    if opts[:names], do: Enum.each(opts[:names], &Error.unwrap!(Reading.find(model, &1)))
    wanted = MapSet.new(opts[:names] || Map.keys(model.tensors))
    Reading.stream(model, for(name <- Reading.in_order(model), name in wanted, do: name))
  end

  @doc """
  Writes tensors to a safetensors file, or to several with an index, and returns their paths.

  The tensors are pairs of a name and `{dtype, shape, data}` or an `Nx.Tensor`. The data are a binary, a stream of
  binaries, or a function that returns one of these when its turn has come, so that a model need not fit into memory.

  The files are those that `safetensors` for Python writes, byte for byte; of several entries in `:metadata`, whose order
  differs there from run to run, the order is that of the names. They are written beside their places and renamed once all
  are complete. Shards and indices of an earlier model with the same name are removed, and so are the
  `.incomplete` files of a call that was killed.

  ## Options

  #{Options.docs(@write)}

  ## Examples

      iex> folder = Path.join(System.tmp_dir!(), "hf_hub_doc_\#{System.unique_integer([:positive])}")
      iex> File.mkdir_p!(folder)
      iex> tensors = [{"a", {"U8", [4], <<1, 2, 3, 4>>}}, {"b", {"I16", [1], fn -> <<5, 0>> end}}]
      iex> {:ok, paths} =
      ...>   HfHub.Safetensors.write(Path.join(folder, "model.safetensors"), tensors,
      ...>     max_shard_size: 4
      ...>   )
      iex> [_first, "model-00002-of-00002.safetensors", index] = Enum.map(paths, &Path.basename/1)
      iex> index
      "model.safetensors.index.json"
  """
  @spec write(Path.t(), Enumerable.t(), keyword()) :: {:ok, [Path.t()]} | {:error, Error.t()}
  def write(path, tensors, opts \\ []) do
    opts = Options.validate!(opts, @write)

    unless opts[:metadata] == nil or
             Enum.all?(opts[:metadata], fn {name, value} -> text?(name) and text?(value) end),
           do: raise(ArgumentError, "expected option :metadata to be a map of strings to strings")

    Writer.write(HfHub.Config.Source.expand(path), tensors, opts)
  end

  @doc "Same as `write/3`, but returns the paths or raises `HfHub.Error`."
  @spec write!(Path.t(), Enumerable.t(), keyword()) :: [Path.t()]
  def write!(path, tensors, opts \\ []), do: Error.unwrap!(write(path, tensors, opts))

  defp text?(value), do: Options.valid_value?(value, :string)

  defp read(repo_id, filename, opts) do
    opts = Options.validate!(opts, @options)

    with {:ok, ref} <- Folder.resolve(repo_id, filename, opts),
         do: headers(ref, %{filename: ref.path, index: nil}, opts)
  end

  defp headers(ref, wanted, opts) do
    with {:ok, hub} <- Hub.config(RepoRef.network(ref, opts)) do
      spec = Map.merge(%{hub: hub, progress: false, place: RepoRef.to_native(ref)}, wanted)
      Telemetry.span(:download, Telemetry.download(spec), hub.token, fn -> Native.run(:safetensors, spec) end)
    end
  end
end
