defmodule HfHub.Collections.Collection do
  @moduledoc """
  A collection. Python: `Collection`.
  """

  alias HfHub.Brief
  alias HfHub.Collections.CollectionItem

  use HfHub.Schema,
    slug: {"slug", :name, "name of the collection: owner, words of the title, id"},
    title: {"title", :string, "title"},
    description: {"description", :string, "description, as plain text"},
    owner: {"owner", {:in, "name"}, "name of the user or organization that owns it"},
    items: {"items", [CollectionItem], "items, of which lists have the first 4", default: []},
    private: {"private", :boolean, "whether only the owner can see it"},
    theme: {"theme", {:enum, [:orange, :blue, :green, :purple, :pink, :indigo]}, "color"},
    position: {"position", :integer, "position among the collections of the owner"},
    upvotes: {"upvotes", :integer, "number of upvotes"},
    is_upvoted: {"isUpvotedByUser", :boolean, "whether the caller has upvoted it"},
    updated_at: {"lastUpdated", :datetime, "time of the last change"},
    last_updated: {"lastUpdated", :datetime, "same as `:updated_at`, by its name in Python"},
    created_at: {"createdAt", :datetime, "time of creation, where the Hub returns it"},
    url: {"shareUrl", :string, "address of its page"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> response = %{"slug" => "me/x-64f9a55bb3115b4f513ec026", "upvotes" => 3}
      iex> HfHub.Collections.Collection.from_response(response).upvotes
      3
  """)

  defimpl Inspect do
    def inspect(collection, _opts),
      do: Brief.line(collection, [collection.slug, collection.title, {length(collection.items), "items"}])
  end
end
