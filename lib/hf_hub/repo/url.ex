defmodule HfHub.Repo.Url do
  @moduledoc """
  Where a repository is. Python: `RepoUrl`, `DuplicatedRepoUrl`.

  As text it is the address of the repository's page: `"\#{url}"`.
  """

  @enforce_keys [:url, :endpoint, :repo_type, :repo_id, :namespace, :name]

  use HfHub.Schema,
    url: {:string, "address of the repository's page"},
    endpoint: {:string, "base URL of the Hub"},
    repo_type: {{:or, [:model, :dataset, :space]}, "type of the repository"},
    repo_id: {:string, "id of the repository"},
    namespace:
      {{:or, [:string, nil]}, "user or organization; `nil` for the few old repositories without one"},
    name: {:string, "id without its namespace"},
    files_copy_pending:
      {:boolean,
       "whether the large files of a copy are still being copied, so that they may not be there yet",
       default: false}

  defimpl String.Chars do
    def to_string(url), do: url.url
  end
end
