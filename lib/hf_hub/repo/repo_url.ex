defmodule HfHub.Repo.RepoUrl do
  @moduledoc """
  The URL and id of a repository or a bucket. Python: `RepoUrl`, `DuplicatedRepoUrl`, `BucketUrl`.

  `to_string/1` returns the URL of the repository's page.
  """

  alias HfHub.Config
  alias HfHub.Repo.Address

  @enforce_keys [:url, :repo_type, :repo_id]

  use HfHub.Schema,
    url: {:string, "URL of the repository's page"},
    endpoint: {:string, "base URL of the Hub"},
    repo_type: {{:or, [:model, :dataset, :space, :bucket]}, "type of the repository"},
    repo_id: {:string, "id of the repository"},
    namespace:
      {{:or, [:string, nil]}, "user or organization; `nil` for the few old repositories without one"},
    name: {:string, "id without its namespace"},
    files_copy_pending:
      {:boolean, "whether the Hub is still copying the large files of a copy", default: false}

  @doc """
  Returns the struct for an object of the Hub's JSON that names a repository, given as a map with string keys.

  The type counts if the URL in the object has none. Raises `HfHub.Error` of kind `:invalid_response` if there is no URL
  and no id.

  ## Examples

      iex> HfHub.Repo.RepoUrl.from_response(
      ...>   %{"url" => "https://huggingface.co/datasets/me/data"},
      ...>   :dataset
      ...> ).repo_id
      "me/data"
  """
  @spec from_response(map(), HfHub.repo_type()) :: t()
  def from_response(response, repo_type) when is_map(response),
    do: Address.from_response!(response, repo_type, Config.endpoint())

  defimpl String.Chars do
    def to_string(url), do: url.url
  end
end
