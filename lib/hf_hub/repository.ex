defmodule HfHub.Repository do
  @moduledoc """
  Repositories as Bumblebee names them.

    * `{:hf, id}` - a model on the Hub
    * `{:hf, id, opts}` - with `:revision`, `:subdir` (a folder in the repository), `:cache_dir`, `:offline` (whether to
      use cached files only) and `:auth_token`
    * `{:local, dir}` - a folder on this machine

  All functions of this library that take a repository accept the first two; `HfHub.RepoFiles` accepts all three.

      {:ok, folder} =
        HfHub.Download.snapshot_download(repo_id: {:hf, "openai-community/gpt2", revision: "main"})
  """

  alias HfHub.{Config, Options, RepoRef, Request}

  @type t :: {:hf, String.t()} | {:hf, String.t(), opts()} | {:local, Path.t()}

  @type opts :: [
          revision: String.t(),
          cache_dir: Path.t(),
          offline: boolean(),
          auth_token: String.t(),
          subdir: String.t()
        ]

  @listing Options.repo_type() ++ Options.revision() ++ Keyword.take(Options.common(), [:endpoint])
  @url [subfolder: [type: :string, doc: "Folder of the file in the repository."]] ++ @listing

  @doc """
  Returns a repository in its longest form. Raises `ArgumentError` if it has none of the forms, or an unknown option.

  ## Examples

      iex> HfHub.Repository.normalize!({:hf, "openai-community/gpt2"})
      {:hf, "openai-community/gpt2", []}
      iex> HfHub.Repository.normalize!({:local, "/models/gpt2"})
      {:local, "/models/gpt2"}
  """
  @spec normalize!(t()) :: {:hf, String.t(), opts()} | {:local, Path.t()}
  def normalize!({:hf, id}) when is_binary(id), do: {:hf, id, []}
  def normalize!({:hf, id, opts}) when is_binary(id), do: {:hf, id, RepoRef.tuple_options!(opts)}
  def normalize!({:local, dir}) when is_binary(dir), do: {:local, dir}

  def normalize!(other) do
    # Without the value, which may contain a token.
    raise ArgumentError,
          "expected a repository as {:hf, id}, {:hf, id, opts} or {:local, dir}, got #{Options.sort(other)}"
  end

  @doc """
  Returns the URL of a file, without a request. Raises `ArgumentError` if the repository is not one of the Hub.

  ## Options

  #{Options.docs(@url)}

  ## Examples

      iex> HfHub.Repository.file_url({:hf, "openai-community/gpt2"}, "config.json")
      "https://huggingface.co/openai-community/gpt2/resolve/main/config.json"
      iex> HfHub.Repository.file_url(
      ...>   {:hf, "me/model", revision: "refs/pr/1", subdir: "unet"},
      ...>   "config.json"
      ...> )
      "https://huggingface.co/me/model/resolve/refs%2Fpr%2F1/unet/config.json"
      iex> HfHub.Repository.file_url("rajpurkar/squad", "README.md", repo_type: :dataset)
      "https://huggingface.co/datasets/rajpurkar/squad/resolve/main/README.md"
  """
  @doc python: "hf_hub_url"
  @spec file_url(HfHub.repo() | t(), String.t(), keyword()) :: String.t()
  def file_url(repository, filename, opts \\ []) when is_binary(filename) do
    {ref, opts} = on_the_hub!(repository, opts, @url)

    path =
      Enum.map_join(
        Enum.reject([ref.path, opts[:subfolder], filename], &(&1 in [nil, ""])),
        "/",
        &String.trim(&1, "/")
      )

    url(RepoRef.web_route(ref) <> "/resolve/:revision/*path", %{ref | path: path}, opts)
  end

  @doc """
  Returns the URL of the listing of a repository's files, or of those in its `:subdir`, without a request.

  ## Options

  #{Options.docs(@listing)}

  ## Examples

      iex> HfHub.Repository.file_listing_url({:hf, "openai-community/gpt2"})
      "https://huggingface.co/api/models/openai-community/gpt2/tree/main"
  """
  @spec file_listing_url(HfHub.repo() | t(), keyword()) :: String.t()
  def file_listing_url(repository, opts \\ []) do
    {ref, opts} = on_the_hub!(repository, opts, @listing)
    folder = if ref.path, do: "/*path", else: ""
    url("/api/:types/*repo/tree/:revision" <> folder, ref, opts)
  end

  @doc """
  Returns the name of a repository's folder in a cache by scope, as Bumblebee's. The cache of this library needs none.

  ## Examples

      iex> HfHub.Repository.cache_scope("openai-community/gpt2")
      "openai-community--gpt2"
  """
  @spec cache_scope(String.t()) :: String.t()
  def cache_scope(repository_id),
    do: repository_id |> String.replace("/", "--") |> String.replace(~r/[^\w-]/, "")

  defp on_the_hub!({:local, _dir}, _opts, _table),
    do: raise(ArgumentError, "expected a repository of the Hub, got a local folder")

  defp on_the_hub!(repository, opts, table) do
    opts = Options.validate!(opts, table, repository)

    case RepoRef.resolve(typed(repository), opts) do
      {:ok, ref} -> {ref, opts}
      {:error, error} -> raise ArgumentError, Exception.message(error)
    end
  end

  # 0.3 appended the id to the endpoint, so that it could contain the type.
  defp typed({:hf, id}), do: {:hf, typed(id)}
  defp typed({:hf, id, opts}), do: {:hf, typed(id), opts}
  defp typed(id) when is_binary(id), do: if(id =~ ~r"\A(datasets|spaces)/.", do: "hf://" <> id, else: id)
  defp typed(other), do: other

  defp url(template, ref, opts) do
    endpoint = String.trim_trailing(opts[:endpoint] || Config.endpoint(), "/")
    endpoint <> Request.new(:get, template, RepoRef.params(ref)).path
  end
end
