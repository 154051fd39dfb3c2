defmodule HfHub.Bumblebee.Files do
  # Chooses the files of a model as Bumblebee does, and downloads them.
  @moduledoc false

  alias HfHub.Download.Cached
  alias HfHub.{Download, Error, Options, RepoFiles, RepoRef, StrictJson}
  alias HfHub.RepoRef.Folder

  @configs ~w(config.json generation_config.json preprocessor_config.json scheduler_config.json tokenizer.json
              tokenizer_config.json special_tokens_map.json)
  # In the order in which Bumblebee looks for them.
  @params ~w(pytorch_model.bin diffusion_pytorch_model.bin model.safetensors diffusion_pytorch_model.safetensors)

  # Names of files of parameters and of their indices, and how many of them an error lists.
  @parameters ~r/\.(bin|safetensors)(\.index.*\.json)?\z/
  @shown 10

  @typedoc "The folder of the model, the names in it that Bumblebee reads, and the reference with the wanted revision."
  @type t :: %{folder: Path.t(), files: %{String.t() => String.t() | nil}, ref: RepoRef.t()}

  @doc "Downloads the files. The options are those of `HfHub.Bumblebee.repo/2`."
  @spec download(RepoRef.t(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def download(ref, opts) do
    transfer = Keyword.drop(opts, [:subdir, :params_filename, :params_variant, :into, :revision])
    indices = for name <- params(opts), do: variant(name <> ".index.json", opts)

    # Progress is that of the parameters, so that there is one bar, and one end.
    small = [revision: ref.revision] ++ Keyword.delete(transfer, :progress)

    with {:ok, folder, commit} <- snapshot(ref, @configs ++ indices, small),
         transfer = [revision: commit] ++ transfer,
         {:ok, listed, local} <- listing(ref, transfer),
         {opts, transfer} = {Keyword.merge(opts, local), Keyword.merge(transfer, local)},
         {:ok, params} <- chosen(ref, listed, folder, opts),
         {:ok, _folder, _commit} <- snapshot(ref, params, transfer),
         do: complete(%{folder: folder, ref: ref, files: Map.take(listed, @configs ++ params)}, params, opts)
  end

  defp params(opts), do: if(opts[:params_filename], do: [opts[:params_filename]], else: @params)

  # The name of a variant, `model.fp16.safetensors`; an explicit name has none.
  defp variant(name, opts) do
    if opts[:params_variant] == nil or opts[:params_filename] != nil do
      name
    else
      extension = Path.extname(name)
      Path.basename(name, extension) <> "." <> opts[:params_variant] <> extension
    end
  end

  # The revision is resolved by the first call, which also stores what it stands for, so that offline calls find it.
  defp snapshot(ref, names, opts) do
    names = for name <- names, do: Folder.join(ref, name)

    with {:ok, root} <- Download.existing_files(names, Options.given([repo_id: ref.repo_id] ++ opts)) do
      {:ok, if(ref.path, do: Path.join(root, ref.path), else: root), Path.basename(root)}
    end
  end

  # The names with their etags, as the Hub lists them at that commit. If it cannot be asked, they are those in the cache, and
  # the rest of the call uses nothing else.
  defp listing(ref, opts) do
    case listed(ref, opts) do
      {:ok, listed} ->
        {:ok, listed, []}

      {:error, error} ->
        local = [local_files_only: true]

        with true <- Cached.replaces?(error),
             {:ok, listed} <- listed(ref, Keyword.merge(opts, local)) do
          {:ok, listed, local}
        else
          _not_cached -> {:error, error}
        end
    end
  end

  defp listed(ref, opts) do
    place =
      Options.given(
        revision: opts[:revision],
        subdir: ref.path,
        cache_dir: opts[:cache_dir],
        offline: opts[:local_files_only] || nil
      )

    common = Options.given(Keyword.take(opts, Keyword.keys(Options.common())))
    {:ok, RepoFiles.get_repo_files!({:hf, ref.repo_id, place}, common)}
  rescue
    error in Error -> if error.kind == :io, do: nothing(ref, opts), else: {:error, error}
  end

  defp chosen(ref, listed, folder, opts) do
    names =
      for name <- params(opts), name <- [variant(name, opts), variant(name <> ".index.json", opts)], do: name

    case Enum.find(names, &is_map_key(listed, &1)) do
      nil -> none(ref, listed, opts)
      name -> if Path.extname(name) == ".json", do: shards(Path.join(folder, name), name), else: {:ok, [name]}
    end
  end

  # Tokenizers and schedulers have no parameters.
  defp none(ref, listed, opts) do
    case opts[:params_filename] || opts[:params_variant] do
      nil ->
        {:ok, []}

      wanted ->
        absent(ref, opts, fn where -> "no parameters #{inspect(wanted)} #{where}; #{there(listed)}" end)
    end
  end

  defp there(listed) do
    case listed |> Map.keys() |> Enum.filter(&(&1 =~ @parameters)) |> Enum.sort() |> Enum.take(@shown) do
      [] -> "there are none"
      names -> "there are " <> Enum.map_join(names, ", ", &inspect/1)
    end
  end

  defp shards(path, name) do
    with {:ok, text} <- File.read(path),
         {:ok, %{"weight_map" => %{} = map}} <- StrictJson.parse(text),
         shards = map |> Map.values() |> Enum.uniq(),
         true <- Enum.all?(shards, &is_binary/1) do
      {:ok, [name | shards]}
    else
      _other ->
        {:error,
         Error.new(:invalid_response, "invalid index `#{name}`: it has no weight_map of files", path: path)}
    end
  end

  defp complete(%{files: files, ref: ref}, _params, opts) when files == %{}, do: nothing(ref, opts)

  defp complete(found, params, opts) do
    case Enum.find(params, &(not File.regular?(Path.join(found.folder, &1)))) do
      nil ->
        {:ok, found}

      name ->
        ref = %{found.ref | path: name}
        absent(ref, opts, fn where -> "the index names `#{name}`, which is not #{where}" end)
    end
  end

  defp nothing(ref, opts) do
    folder = if ref.path, do: ", folder #{inspect(ref.path)}", else: ""
    absent(ref, opts, fn where -> "no files that Bumblebee reads #{where}#{folder}" end)
  end

  # Of a revision whose listing is not in the cache, others than the cached files are unknown.
  defp absent(ref, opts, message) do
    {kind, where} =
      if Cached.only?(opts),
        do: {:not_cached, "in the cache of #{ref.repo_id}"},
        else: {:entry_not_found, "in #{ref.repo_id}"}

    {:error, Error.new(kind, message.(where), repo_id: ref.repo_id, path: ref.path)}
  end
end
