defmodule HfHub.Api.LeaderboardEntry do
  @moduledoc """
  A model on the leaderboard of a dataset. Python: `DatasetLeaderboardEntry`.
  """

  alias HfHub.{Brief, Decode}
  alias HfHub.Users.{Organization, User}

  use HfHub.Schema,
    rank: {"rank", :integer, "place on the leaderboard, from 1"},
    model_id: {"modelId", :string, "id of the model"},
    value: {"value", :number, "score"},
    filename: {"filename", :string, "file of the model's repository that contains the result"},
    verified: {"verified", :boolean, "whether the result has been verified"},
    source:
      {"source", :map, "source of the result: a map with the string keys `url`, `name` and `isExternal`"},
    author:
      {"author", {:or, [{:type, User, :t}, {:type, Organization, :t}, nil]},
       "account that the model belongs to", by: :author},
    pull_request: {"pullRequest", :integer, "number of the pull request that the result is in"},
    notes: {"notes", :string, "remarks on the result"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defp author(%{"type" => "org"} = account), do: Decode.struct(Organization, account)
  defp author(%{} = account), do: Decode.struct(User, Map.put_new(account, "user", account["name"]))
  defp author(_none), do: nil

  defimpl Inspect do
    def inspect(entry, _opts), do: Brief.line(entry, [entry.rank, entry.model_id, entry.value])
  end
end
