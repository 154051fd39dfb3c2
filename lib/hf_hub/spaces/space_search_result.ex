defmodule HfHub.Spaces.SpaceSearchResult do
  @moduledoc """
  A Space that a search has found. Python: `SpaceSearchResult`.
  """

  alias HfHub.Brief
  alias HfHub.Spaces.SpaceRuntime

  use HfHub.Schema,
    id: {"id", :name, "id of the Space"},
    author: {"author", :string, "owner of the Space"},
    title: {"title", :string, "title of its card"},
    emoji: {"emoji", :string, "emoji of its card"},
    sdk: {"sdk", :string, "kind of app, such as `\"gradio\"`"},
    likes: {"likes", :integer, "number of likes", default: 0},
    private: {"private", {:is, true}, "whether the Space is private"},
    tags: {"tags", [:string], "tags"},
    runtime: {"runtime", SpaceRuntime, "state and hardware of the app"},
    ai_short_description: {"ai_short_description", :string, "description that the Hub has generated"},
    ai_category: {"ai_category", :string, "category that the Hub has chosen"},
    semantic_relevancy_score: {"semanticRelevancyScore", :number, "similarity to the query, from 0 to 1"},
    trending_score: {"trendingScore", :number, "trending score"}

  HfHub.Schema.from_response("""
      iex> HfHub.Spaces.SpaceSearchResult.from_response(%{"id" => "me/app", "title" => "App"}).title
      "App"
  """)

  defimpl Inspect do
    def inspect(found, _opts), do: Brief.line(found, [found.id, found.title])
  end
end
