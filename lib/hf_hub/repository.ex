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
  Returns the URL of a file of a model at the configured endpoint.

  ## Examples

      iex> HfHub.Repository.file_url({:hf, "openai-community/gpt2"}, "config.json")
      "https://huggingface.co/openai-community/gpt2/resolve/main/config.json"
      iex> HfHub.Repository.file_url(
      ...>   {:hf, "me/model", revision: "refs/pr/1", subdir: "unet"},
      ...>   "config.json"
      ...> )
      "https://huggingface.co/me/model/resolve/refs%2Fpr%2F1/unet/config.json"
  """
  @doc python: "hf_hub_url"
  @spec file_url({:hf, String.t()} | {:hf, String.t(), opts()}, String.t()) :: String.t()
  def file_url(repository, filename) when is_binary(filename) do
    {id, revision, subdir} = on_the_hub!(repository)
    path = Enum.map_join([subdir, filename] -- [nil], "/", &String.trim(&1, "/"))
    url("/*repo/resolve/:revision/*path", repo: id, revision: revision, path: path)
  end

  @doc """
  Returns the URL of the listing of a model's files, or of those in its `:subdir`, at the configured endpoint.

  ## Examples

      iex> HfHub.Repository.file_listing_url({:hf, "openai-community/gpt2"})
      "https://huggingface.co/api/models/openai-community/gpt2/tree/main"
  """
  @spec file_listing_url({:hf, String.t()} | {:hf, String.t(), opts()}) :: String.t()
  def file_listing_url(repository) do
    case on_the_hub!(repository) do
      {id, revision, nil} ->
        url("/api/models/*repo/tree/:revision", repo: id, revision: revision)

      {id, revision, subdir} ->
        url("/api/models/*repo/tree/:revision/*path", repo: id, revision: revision, path: subdir)
    end
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

  defp on_the_hub!(repository) do
    case normalize!(repository) do
      {:hf, id, opts} -> {id, opts[:revision] || "main", RepoRef.subdir(opts)}
      {:local, _dir} -> raise ArgumentError, "expected a repository of the Hub, got a local folder"
    end
  end

  defp url(template, params), do: Config.endpoint() <> Request.new(:get, template, params).path
end
