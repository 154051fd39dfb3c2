defmodule HfHub.Repo.RepoUrl do
  @moduledoc """
  The URL and id of a repository. Python: `RepoUrl`, `DuplicatedRepoUrl`.

  `to_string/1` returns the URL of the repository's page.
  """

  @enforce_keys [:url, :endpoint, :repo_type, :repo_id, :namespace, :name]

  use HfHub.Schema,
    url: {:string, "URL of the repository's page"},
    endpoint: {:string, "base URL of the Hub"},
    repo_type: {{:or, [:model, :dataset, :space]}, "type of the repository"},
    repo_id: {:string, "id of the repository"},
    namespace:
      {{:or, [:string, nil]}, "user or organization; `nil` for the few old repositories without one"},
    name: {:string, "id without its namespace"},
    files_copy_pending:
      {:boolean, "whether the Hub is still copying the large files of a copy", default: false}

  defimpl String.Chars do
    def to_string(url), do: url.url
  end
end
