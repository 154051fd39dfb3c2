defmodule HfHub.Discussions.DiscussionDetails do
  @moduledoc """
  A discussion or pull request with its events. Python: `DiscussionWithDetails`.

  The author is `"deleted"` if the user was removed.
  """

  alias HfHub.{Brief, Decode}
  alias HfHub.Discussions.{Event, Typed}

  use HfHub.Discussions.Fields,
    id: {"_id", :string, "id in the Hub's database"},
    events: {"events", [{:type, Event, :any_type}], "events, oldest first", by: :events, default: []},
    target_branch:
      {["changes", "base"], :string, "branch that a pull request is for, such as `\"refs/heads/main\"`"},
    merge_commit_oid: {["changes", "mergeCommitId"], :string, "commit of a merged pull request"},
    head_sha: {"events", :string, "last commit of a pull request that is among the events", by: :head},
    conflicting_files:
      {"filesWithConflicts", {:or, [[:string], :boolean, nil]},
       "files of a pull request with conflicts; `true` if there are some whose names the Hub does not return",
       by: :conflicts},
    diff: {"diff", :string, "changes of a pull request as a unified diff"},
    locked: {"locked", :boolean, "whether new comments are refused", default: false}

  HfHub.Schema.from_response("""
      iex> events = [%{"id" => "65f0", "type" => "status-change", "data" => %{"status" => "closed"}}]
      iex> details =
      ...>   HfHub.Discussions.DiscussionDetails.from_response(%{"num" => 3, "events" => events})
      iex> [%HfHub.Discussions.StatusChange{status: :closed}] = details.events
      iex> {details.is_pull_request, details.author}
      {false, "deleted"}
  """)

  defp events(nil), do: []
  defp events(list), do: Decode.items(list, &Typed.event/1)

  defp head(events) when is_list(events) do
    commits = for %{"type" => "commit", "data" => %{"oid" => oid}} when is_binary(oid) <- events, do: oid
    List.last(commits)
  end

  defp head(_other), do: nil

  defp conflicts(files) when is_list(files), do: Enum.filter(files, &is_binary/1)
  defp conflicts(some?), do: if(is_boolean(some?), do: some?)

  defimpl Inspect do
    def inspect(found, _opts) do
      Brief.line(found, [found.num, found.title, found.status, found.author, {length(found.events), "events"}])
    end
  end
end
