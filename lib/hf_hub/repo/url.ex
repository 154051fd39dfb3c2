defmodule HfHub.Repo.Url do
  @moduledoc """
  Where a repository is. Python: `RepoUrl`, `DuplicatedRepoUrl`.

    * `:url` - the address of its page; `to_string/1` of the struct is the same
    * `:endpoint`, `:repo_type`, `:repo_id`
    * `:namespace` - `nil` for the few old repositories without one
    * `:name` - the id without its namespace
    * `:files_copy_pending` - of a copy: whether its large files are still being copied, so that they may not be
      there yet
  """

  alias HfHub.{Decode, RepoRef}

  @enforce_keys [:url, :endpoint, :repo_type, :repo_id, :namespace, :name]
  defstruct [:url, :endpoint, :repo_type, :repo_id, :namespace, :name, files_copy_pending: false]

  @type t :: %__MODULE__{
          url: String.t(),
          endpoint: String.t(),
          repo_type: :model | :dataset | :space,
          repo_id: String.t(),
          namespace: String.t() | nil,
          name: String.t(),
          files_copy_pending: boolean()
        }

  @doc false
  @spec new(RepoRef.t(), String.t()) :: t()
  def new(ref, endpoint) do
    endpoint = String.trim_trailing(endpoint, "/")

    {namespace, name} =
      case String.split(ref.repo_id, "/") do
        [namespace, name] -> {namespace, name}
        [name] -> {nil, name}
      end

    %__MODULE__{
      url: "#{endpoint}/#{prefix(ref.repo_type)}#{ref.repo_id}",
      endpoint: endpoint,
      repo_type: ref.repo_type,
      repo_id: ref.repo_id,
      namespace: namespace,
      name: name
    }
  end

  # What the Hub answers: an address, which behind a mirror is that of the public Hub.
  @doc false
  @spec from_json(term(), RepoRef.t(), String.t()) :: t()
  def from_json(%{"url" => url} = json, asked, endpoint) when is_binary(url) do
    found =
      Enum.find_value([url, json["name"]], asked, fn text ->
        case is_binary(text) && RepoRef.resolve(text, repo_type: asked.repo_type, endpoint: endpoint) do
          {:ok, ref} -> ref
          _other -> nil
        end
      end)

    %{new(found, endpoint) | files_copy_pending: json["filesCopyPending"] == true}
  end

  def from_json(_json, _asked, _endpoint),
    do: raise(Decode.Error, message: "it does not say where the repository is")

  defp prefix(:model), do: ""
  defp prefix(repo_type), do: "#{repo_type}s/"

  defimpl String.Chars do
    def to_string(url), do: url.url
  end
end
