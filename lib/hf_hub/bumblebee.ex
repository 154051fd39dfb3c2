defmodule HfHub.Bumblebee do
  @moduledoc """
  Models for Bumblebee: verified and resumable downloads, from any endpoint, private repositories and offline.

      repository = HfHub.Bumblebee.repo!("sentence-transformers/all-MiniLM-L6-v2", progress: true)
      {:ok, model} = Bumblebee.load_model(repository)
      {:ok, tokenizer} = Bumblebee.load_tokenizer(repository)

  Code that has `{:hf, id}` and cannot be changed finds the files in Bumblebee's own cache, once `seed_cache/2` has put them
  there.

  `read_safetensors/1` is a reader for the option `:safetensors_reader` of `Bumblebee.load_model/2` (from 0.7.1 on), which
  reads the tensors as `HfHub.Safetensors` does. Older versions have no such option: they read the files themselves.

  This module does not call Bumblebee, and works without it.

  ## Which files

  Those that Bumblebee reads from a folder: `config.json`, `generation_config.json`, `preprocessor_config.json`,
  `scheduler_config.json`, `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json`, and the first of
  `pytorch_model.bin`, `diffusion_pytorch_model.bin`, `model.safetensors` and `diffusion_pytorch_model.safetensors` that
  is there, whole or as an index with its shards. That order is Bumblebee's. To load safetensors where both exist, pass
  `params_filename: "model.safetensors"` here and to `Bumblebee.load_model/2`.

  A repository like that of Stable Diffusion has a folder for each part: call `repo/2` with the `:subdir` of each. All are
  in one snapshot.
  """

  alias HfHub.Bumblebee.{Files, Seed}
  alias HfHub.{Error, Options, RepoRef, Safetensors}
  alias HfHub.Safetensors.LazyTensor

  @about [
    subdir: [type: :string, doc: "Folder in the repository with the files. Defaults to its root."],
    params_filename: [type: :string, doc: "File of the parameters, as in `Bumblebee.load_model/2`."],
    params_variant: [
      type: :string,
      doc: "Variant of the parameters, such as `\"fp16\"`, as in `Bumblebee.load_model/2`."
    ]
  ]

  @repo @about ++
          Options.revision() ++
          [
            cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."],
            local_files_only: Options.local_files_only(),
            progress: Options.progress()
          ] ++ Options.transfer()

  @seed [
          into: [
            type: :path,
            doc:
              "Cache folder of Bumblebee, as its `:cache_dir`. Defaults to the variable `BUMBLEBEE_CACHE_DIR`, else to " <>
                "Bumblebee's folder in the user's cache."
          ]
        ] ++ @repo

  @doc """
  Downloads the files of a model that Bumblebee reads, unless they are cached, and returns the repository to load it from.

  The id may also be `{:hf, id}` or `{:hf, id, opts}` as in Bumblebee. All files are of one commit.

  ## Options

  #{Options.docs(@repo)}

  ## Examples

      {:ok, {:local, folder}} = HfHub.Bumblebee.repo("openai-community/gpt2")

      {:ok, unet} =
        HfHub.Bumblebee.repo("CompVis/stable-diffusion-v1-4", subdir: "unet", params_variant: "fp16")
  """
  @spec repo(HfHub.repo(), keyword()) :: {:ok, {:local, Path.t()}} | {:error, Error.t()}
  def repo(id, opts \\ []) do
    opts = Options.validate!(opts, @repo, id)
    with {:ok, found} <- found(id, opts), do: {:ok, {:local, found.folder}}
  end

  @doc "Same as `repo/2`, but returns `{:local, folder}` or raises `HfHub.Error`."
  @spec repo!(HfHub.repo(), keyword()) :: {:local, Path.t()}
  def repo!(id, opts \\ []), do: Error.unwrap!(repo(id, opts))

  @doc """
  Copies the files of a model that Bumblebee reads into Bumblebee's own cache, and returns the folder. They are downloaded
  first, unless they are cached.

  With `BUMBLEBEE_OFFLINE=true`, or `offline: true` in the tuple, unchanged code with `{:hf, id}` then loads the model
  without a request. The `:revision` and `:subdir` must be those of that code. Without offline mode, Bumblebee asks the
  public Hub for the listing, whatever the endpoint of this library is, and takes the files from its cache where they are
  up to date.

  The copies take their size on the disk a second time: Bumblebee writes to its files in place, which would damage the
  shared cache if they were links.

  ## Options

  #{Options.docs(@seed)}

  ## Examples

      {:ok, _folder} = HfHub.Bumblebee.seed_cache("openai-community/gpt2")
      {:ok, model} = Bumblebee.load_model({:hf, "openai-community/gpt2", offline: true})
  """
  @spec seed_cache(HfHub.repo(), keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  def seed_cache(id, opts \\ []) do
    {id, into} = without_cache_dir(id)
    opts = Options.validate!(opts, @seed, id)
    with {:ok, found} <- found(id, opts), do: Seed.write(found, opts[:into] || into)
  end

  @doc "Same as `seed_cache/2`, but returns the folder or raises `HfHub.Error`."
  @spec seed_cache!(HfHub.repo(), keyword()) :: Path.t()
  def seed_cache!(id, opts \\ []), do: Error.unwrap!(seed_cache(id, opts))

  @doc """
  Opens a safetensors file and returns a map of its tensors, as `:safetensors_reader` of `Bumblebee.load_model/2` expects
  it. Each tensor is read when Bumblebee converts it, so that only one is in memory twice.

  A file with an invalid header raises `HfHub.Error`, and so does one that is truncated or changed while the model is
  loaded. Raises `ArgumentError` if Nx is not loaded.

  ## Examples

      params = [params_filename: "model.safetensors"]
      repository = HfHub.Bumblebee.repo!("openai-community/gpt2", params)

      Bumblebee.load_model(repository,
        params_filename: "model.safetensors",
        safetensors_reader: &HfHub.Bumblebee.read_safetensors/1
      )
  """
  @spec read_safetensors(Path.t()) :: %{String.t() => LazyTensor.t()}
  def read_safetensors(path), do: {:local, path} |> Safetensors.open!() |> Safetensors.lazy_tensors()

  # The :cache_dir of a tuple is Bumblebee's own here.
  defp without_cache_dir({:hf, id, opts} = tuple) do
    {into, _others} = Keyword.pop(RepoRef.options(tuple), :cache_dir)
    {{:hf, id, Keyword.delete(opts, :cache_dir)}, into}
  end

  defp without_cache_dir(id), do: {id, nil}

  defp found(id, opts) do
    # The folder of a tuple is the path of its reference.
    with {:ok, ref} <- RepoRef.resolve(id, Keyword.put(opts, :path, RepoRef.subdir(opts)) ++ [only: :model]),
         do: Files.download(ref, opts)
  end
end
