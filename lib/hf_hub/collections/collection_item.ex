defmodule HfHub.Collections.CollectionItem do
  @moduledoc """
  An item of a collection. Python: `CollectionItem`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    id: {"_id", :string, "id of the item in the collection"},
    item_object_id: {"_id", :string, "same as `:id`, by its name in Python"},
    # The id of a collection is not what its route needs.
    item_id: {{:or, ["slug", "id"]}, :name, "id of the repository, paper or bucket; slug of the collection"},
    item_type:
      {"type", {:enum, [:model, :dataset, :space, :paper, :collection, :bucket]}, "type of what the item is"},
    position: {"position", :integer, "position in the collection"},
    note: {"note", {:in, "text"}, "note about the item, as plain text"},
    added_at: {"addedAt", :datetime, "time at which it was added, where the Hub returns it"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> response = %{"_id" => "64f9", "type" => "paper", "id" => "2311.12983"}
      iex> HfHub.Collections.CollectionItem.from_response(response).item_id
      "2311.12983"
  """)

  defimpl Inspect do
    def inspect(item, _opts), do: Brief.line(item, [item.item_type, item.item_id])
  end
end
