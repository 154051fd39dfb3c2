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

  defp read(repo_id, filename, opts) do
    opts = Options.validate!(opts, @options)

    with {:ok, ref} <- RepoRef.resolve(repo_id, [path: filename] ++ opts),
         {:ok, hub} <- Hub.config(opts) do
      Native.run(:safetensors, %{hub: hub, progress: false, place: RepoRef.to_native(ref), filename: filename})
    end
  end
end
