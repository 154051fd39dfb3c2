defmodule HfHub.Discussions.Typed do
  # The struct of an event, by its type.
  @moduledoc false

  alias HfHub.Decode
  alias HfHub.Discussions.{Comment, Commit, Event, StatusChange, TitleChange}

  @doc "Decodes an event into the struct of its type."
  @spec event(term()) :: Event.any_type()
  def event(json), do: json |> Decode.get("type") |> module() |> Decode.struct(json)

  defp module("comment"), do: Comment
  defp module("status-change"), do: StatusChange
  defp module("title-change"), do: TitleChange
  defp module("commit"), do: Commit
  defp module(_other), do: Event
end
