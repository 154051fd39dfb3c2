defmodule HfHub.Constants do
  @moduledoc """
  Names and numbers of the Hugging Face Hub, as functions. Python: `huggingface_hub.constants`.

  They are defaults: no setting changes them. `HfHub.Config` has the values in use.
  """

  # `{name, type, value, name in Python, description}`.
  @constants [
    {:pytorch_weights_name, :string, "pytorch_model.bin", "PYTORCH_WEIGHTS_NAME",
     "file name of PyTorch weights"},
    {:tf2_weights_name, :string, "tf_model.h5", "TF2_WEIGHTS_NAME", "file name of TensorFlow 2 weights"},
    {:flax_weights_name, :string, "flax_model.msgpack", "FLAX_WEIGHTS_NAME", "file name of Flax weights"},
    {:config_name, :string, "config.json", "CONFIG_NAME", "file name of a model's configuration"},
    {:repocard_name, :string, "README.md", "REPOCARD_NAME", "file name of a repository's card"},
    {:safetensors_single_file, :string, "model.safetensors", "SAFETENSORS_SINGLE_FILE",
     "name of the safetensors file of a model that is not sharded"},
    {:safetensors_index_file, :string, "model.safetensors.index.json", "SAFETENSORS_INDEX_FILE",
     "name of the index of a model with several safetensors files"},
    {:default_etag_timeout, :pos_integer, 10, "DEFAULT_ETAG_TIMEOUT",
     "default timeout for the headers of a response, in seconds"},
    {:default_download_timeout, :pos_integer, 10, "DEFAULT_DOWNLOAD_TIMEOUT",
     "default timeout between two reads of a response body, in seconds"},
    {:default_request_timeout, :pos_integer, 10, "DEFAULT_REQUEST_TIMEOUT",
     "default timeout of other requests of the Python client, in seconds"},
    {:download_chunk_size, :pos_integer, 10_485_760, "DOWNLOAD_CHUNK_SIZE",
     "number of bytes that the Python client reads at a time"},
    {:safetensors_max_header_length, :pos_integer, 25_000_000, "SAFETENSORS_MAX_HEADER_LENGTH",
     "maximum length of the header of a safetensors file, in bytes"},
    {:repo_type_model, :string, "model", "REPO_TYPE_MODEL", "repository type of models"},
    {:repo_type_dataset, :string, "dataset", "REPO_TYPE_DATASET", "repository type of datasets"},
    {:repo_type_space, :string, "space", "REPO_TYPE_SPACE", "repository type of Spaces"},
    {:header_x_repo_commit, :string, "X-Repo-Commit", "HUGGINGFACE_HEADER_X_REPO_COMMIT",
     "name of the header with the commit of a file"},
    {:header_x_linked_etag, :string, "X-Linked-Etag", "HUGGINGFACE_HEADER_X_LINKED_ETAG",
     "name of the header with the etag of a large file"},
    {:header_x_linked_size, :string, "X-Linked-Size", "HUGGINGFACE_HEADER_X_LINKED_SIZE",
     "name of the header with the size of a large file"},
    {:default_endpoint, :string, "https://huggingface.co", "_HF_DEFAULT_ENDPOINT",
     "base URL of the public Hub"},
    {:repo_id_separator, :string, "--", "REPO_ID_SEPARATOR",
     "separator that replaces `/` in the folder names of the cache"},
    {:default_revision, :string, "main", "DEFAULT_REVISION", "default branch"}
  ]

  @types %{string: quote(do: String.t()), pos_integer: quote(do: pos_integer())}

  for {name, type, value, python, description} <- @constants do
    @doc """
    Returns the #{description}.

    ## Examples

        iex> HfHub.Constants.#{name}()
        #{inspect(value)}
    """
    @doc python: "constants.#{python}"
    @spec unquote(name)() :: unquote(@types[type])
    def unquote(name)(), do: unquote(value)
  end

  @doc """
  Returns the types of repositories.

  ## Examples

      iex> HfHub.Constants.repo_types()
      [:model, :dataset, :space]
  """
  @doc python: "constants.REPO_TYPES"
  @spec repo_types() :: [:model | :dataset | :space]
  def repo_types, do: [:model, :dataset, :space]

  @doc """
  Returns the prefix of a repository type in URLs of pages and files.

  ## Examples

      iex> HfHub.Constants.repo_type_url_prefix(:dataset)
      "datasets/"
      iex> HfHub.Constants.repo_type_url_prefix(:model)
      ""
  """
  @doc python: "constants.REPO_TYPES_URL_PREFIXES"
  @spec repo_type_url_prefix(:model | :dataset | :space) :: String.t()
  def repo_type_url_prefix(:model), do: ""
  def repo_type_url_prefix(repo_type) when repo_type in [:dataset, :space], do: "#{repo_type}s/"
end
