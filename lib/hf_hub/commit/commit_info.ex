defmodule HfHub.Commit.CommitInfo do
  @moduledoc """
  A commit of a call, or the head of the branch if there was nothing to commit. Python: `CommitInfo`.

  `to_string/1` returns the URL of the commit. To add commits to the pull request that the call opened, pass
  `revision: info.pr_revision`.
  """

  alias HfHub.Decode

  use HfHub.Schema,
    committed?:
      {:committed, :boolean,
       "whether the call made a commit. If not, `:oid` and `:commit_url` are those of the branch's head, and the reason " <>
         "is logged as a warning"},
    oid: {:string, "id of the commit"},
    commit_url: {:string, "URL of the commit's page"},
    commit_message: {:string, "message that the call was given, even if it made no commit"},
    commit_description: {:string, "description that the call was given, even if it made no commit"},
    pr_url: {{:or, [:string, nil]}, "URL of the pull request that the call opened"},
    pr_num:
      {:pr_url, {:or, [:integer, nil]}, "number of that pull request; `HfHub.Discussions.get/3` takes it",
       by: :pr_number},
    pr_revision: {:pr_url, {:or, [:string, nil]}, "revision of that pull request", by: :pr_revision},
    repo_url: {:commit_url, :string, "URL of the repository's page", by: :repo_url}

  @doc """
  Returns the struct for the Hub's response to a commit, given as a map with string keys.

  ## Examples

      iex> response = %{
      ...>   "commitOid" => "c0ffee",
      ...>   "commitUrl" => "https://huggingface.co/me/model/commit/c0ffee"
      ...> }
      iex> info = HfHub.Commit.CommitInfo.from_response(response)
      iex> {info.oid, info.repo_url}
      {"c0ffee", "https://huggingface.co/me/model"}
  """
  @spec from_response(map()) :: t()
  def from_response(response) when is_map(response) do
    __decode__(%{
      committed: true,
      oid: response["commitOid"],
      commit_url: response["commitUrl"],
      commit_message: response["commitMessage"],
      commit_description: response["commitDescription"],
      pr_url: response["pullRequestUrl"] || Decode.get(response["pullRequest"], "url")
    })
  end

  defp pr_number(nil), do: nil

  defp pr_number(url) do
    case url |> String.split("/") |> List.last() |> Integer.parse() do
      {number, ""} when number > 0 -> number
      _other -> nil
    end
  end

  defp pr_revision(url), do: if(number = pr_number(url), do: "refs/pr/#{number}")

  defp repo_url(nil), do: nil
  defp repo_url(commit_url), do: commit_url |> String.split("/commit/") |> hd()

  defimpl String.Chars do
    def to_string(info), do: info.commit_url
  end
end
