defmodule HfHub.Commit.Info do
  @moduledoc """
  A commit that was made, or the head of the branch where there was nothing to commit.

  As text it is its page: `"\#{info}"`. To add to the pull request that was opened with it, pass
  `revision: info.pr_revision`.
  """

  use HfHub.Schema,
    committed?:
      {:committed, :boolean,
       "whether the call made a commit. If not, `:oid` and `:commit_url` are those of the branch's head, and a warning in " <>
         "the log says why"},
    oid: {:string, "id of the commit"},
    commit_url: {:string, "address of the commit's page"},
    commit_message: {:string, "message of the call, which the head of the branch does not have"},
    commit_description: {:string, "description of the call, which the head of the branch does not have"},
    pr_url: {{:or, [:string, nil]}, "address of the pull request that was opened with the commit"},
    pr_num: {:pr_url, {:or, [:integer, nil]}, "number of that pull request", by: :pr_number},
    pr_revision: {:pr_url, {:or, [:string, nil]}, "revision of that pull request", by: :pr_revision},
    repo_url: {:commit_url, :string, "address of the repository's page", by: :repo_url}

  defp pr_number(nil), do: nil

  defp pr_number(url) do
    case url |> String.split("/") |> List.last() |> Integer.parse() do
      {number, ""} when number > 0 -> number
      _other -> nil
    end
  end

  defp pr_revision(url), do: if(number = pr_number(url), do: "refs/pr/#{number}")

  defp repo_url(commit_url), do: commit_url |> String.split("/commit/") |> hd()

  defimpl String.Chars do
    def to_string(info), do: info.commit_url
  end
end
