defmodule HfHub.Hub do
  @moduledoc """
  Files of the Hub by their URLs, with the functions of Bumblebee's Hub module.

      url = HfHub.Hub.file_url("openai-community/gpt2", "config.json", nil)
      {:ok, path} = HfHub.Hub.cached_download(url)

  Files go into the cache that all Hugging Face clients on this machine share, verified and resumable, as with
  `HfHub.Download`, which is the module to use in new code.
  """

  alias HfHub.{Cache, Download, Error, Options, RepoRef, Repository}

  @options [
             cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."],
             offline: [
               type: :boolean,
               doc: "Whether to use cached files only. Defaults to offline mode; see `HfHub.Config`."
             ],
             auth_token: [
               type: {:or, [:string, :boolean]},
               doc: "Token to send, as `:token`, by its name in Bumblebee."
             ],
             etag: [
               type: :string,
               doc:
                 "Known etag of the file, as `HfHub.RepoFiles.get_repo_files/2` returns it. A cached file with this etag is " <>
                   "returned without a request."
             ],
             cache_scope: [
               type: :string,
               doc:
                 "Has no effect: the cache has a folder for each repository. Accepted for compatibility with Bumblebee."
             ]
           ] ++ Options.transfer()

  @doc """
  Returns the URL of a file of a model at the configured endpoint. `nil` is the revision `"main"`.

  ## Examples

      iex> HfHub.Hub.file_url("openai-community/gpt2", "config.json", nil)
      "https://huggingface.co/openai-community/gpt2/resolve/main/config.json"
  """
  @doc python: "hf_hub_url"
  @spec file_url(String.t(), String.t(), String.t() | nil) :: String.t()
  def file_url(repository_id, filename, revision),
    do: Repository.file_url({:hf, repository_id, Options.given(revision: revision)}, filename)

  @doc """
  Returns the URL of the listing of a model's files, or of those in a folder, at the configured endpoint.

  ## Examples

      iex> HfHub.Hub.file_listing_url("openai-community/gpt2", nil, nil)
      "https://huggingface.co/api/models/openai-community/gpt2/tree/main"
      iex> HfHub.Hub.file_listing_url("openai-community/gpt2", "onnx", "v1.0")
      "https://huggingface.co/api/models/openai-community/gpt2/tree/v1.0/onnx"
  """
  @spec file_listing_url(String.t(), String.t() | nil, String.t() | nil) :: String.t()
  def file_listing_url(repository_id, subdir, revision),
    do: Repository.file_listing_url({:hf, repository_id, Options.given(revision: revision, subdir: subdir)})

  @doc """
  Downloads the file of a URL, unless it is already cached, and returns its path.

  The URL is that of a file of a repository of any type, on the public Hub or at the endpoint. The error is a text, as in
  Bumblebee; `cached_download!/2` raises `HfHub.Error`.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      iex> {:error, text} = HfHub.Hub.cached_download("https://example.com/model.bin")
      iex> text =~ "neither the Hugging Face Hub nor the endpoint"
      true
  """
  @spec cached_download(String.t(), keyword()) :: {:ok, Path.t()} | {:error, String.t()}
  def cached_download(url, opts \\ []) do
    with {:error, error} <- fetch(url, opts), do: {:error, Exception.message(error)}
  end

  @doc "Same as `cached_download/2`, but returns the path or raises `HfHub.Error`."
  @spec cached_download!(String.t(), keyword()) :: Path.t()
  def cached_download!(url, opts \\ []), do: Error.unwrap!(fetch(url, opts))

  defp fetch(url, opts) do
    opts = opts |> Options.validate!(@options) |> Options.given()

    with {:ok, ref} <- RepoRef.resolve(url, Keyword.take(opts, [:endpoint])),
         :ok <- names_file(ref) do
      file = Options.given(Keyword.put(place(ref), :cache_dir, opts[:cache_dir]))

      case opts[:etag] && cached(file, opts[:etag]) do
        nil -> Download.hf_hub_download(file ++ renamed(opts))
        path -> {:ok, path}
      end
    end
  end

  # Without the URL, which may contain a password.
  defp names_file(%{path: nil, repo_id: id}) do
    message =
      "expected the URL of a file, got that of the repository #{inspect(id)}; see `HfHub.Download.snapshot_download/1`"

    {:error, Error.new(:invalid_name, message, repo_id: id)}
  end

  defp names_file(_ref), do: :ok

  defp place(ref),
    do: [repo_id: ref.repo_id, repo_type: ref.repo_type, revision: ref.revision, filename: ref.path]

  # The etag names the blob that the cached file links to.
  defp cached(file, etag) do
    blob = etag |> String.replace_prefix("W/", "") |> String.trim("\"")

    with {:ok, path} <- Cache.cache_path(file), {:ok, target} <- File.read_link(path) do
      if Path.basename(target) == blob, do: path
    else
      _not_cached -> nil
    end
  end

  defp renamed(opts) do
    {renamed, others} = Keyword.split(opts, [:cache_dir, :offline, :auth_token, :etag, :cache_scope])
    token = Options.given(token: renamed[:auth_token], local_files_only: renamed[:offline])
    Keyword.merge(others, token)
  end
end
