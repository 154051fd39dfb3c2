defmodule HfHub.Safetensors do
  @moduledoc """
  Reads the names, types and shapes of a model's tensors without downloading the model.

      {:ok, metadata} = HfHub.Safetensors.metadata("openai-community/gpt2")
      metadata.parameter_count
      #=> %{"F32" => 137022720}

  Only the headers of the files are downloaded, a few kilobytes each, several at a time. Headers are untrusted input: one
  of more than 100 MB, or with inconsistent sizes, is an error of kind `:invalid_response`.
  """

  alias HfHub.{Decode, Error, Native, Options, RepoRef}
  alias HfHub.Native.Hub
  alias HfHub.Safetensors.{FileMetadata, Metadata}

  @sharded [
             filename: [
               type: :string,
               default: "model.safetensors.index.json",
               doc: "Path of the index in the repository."
             ]
           ] ++ Options.common()

  @options Options.repo_type() ++ Options.revision() ++ Options.common()

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

  defp read(repo_id, filename, opts) do
    opts = Options.validate!(opts, @options)

    with {:ok, ref} <- RepoRef.resolve(repo_id, [path: filename] ++ opts),
         do: headers(ref, %{filename: filename, index: nil}, opts)
  end

  defp headers(ref, wanted, opts) do
    with {:ok, hub} <- Hub.config(opts) do
      spec = %{hub: hub, progress: false, place: RepoRef.to_native(ref)}
      Native.run(:safetensors, Map.merge(spec, wanted))
    end
  end
end
