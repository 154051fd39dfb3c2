defmodule HfHub.CLI.Collections do
  # Collections on the Hub.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command, Flags, Json}
  alias HfHub.Collections

  @slug [collection_slug: [doc: "Name of the collection, such as `me/models-64f9a55bb3115b4f513ec026`"]]
  @item [item_object_id: [doc: "Id of the item in the collection, as `info` shows it"]]
  @missing_ok [missing_ok: [type: :boolean, negatable: true, doc: "Succeeds if it does not exist"]]
  @exists_ok [exists_ok: [type: :boolean, negatable: true, doc: "Succeeds if it exists already"]]
  @description [description: [type: :string, doc: "Description, of at most 150 characters"]]
  @note [note: [type: :string, doc: "Note about the item"]]
  @private [private: [type: :boolean, negatable: true, doc: "Only the owner can see the collection"]]

  @impl true
  def noun, do: [name: "collections", summary: "Manages collections"]

  @impl true
  def commands do
    [
      command("list", &list/1,
        summary: "Lists collections",
        aliases: ["ls"],
        flags:
          [
            owner: [type: :string, doc: "User or organization"],
            item: [
              type: :string,
              doc: "Item in the collections, such as `models/gpt2` or `papers/2311.12983`"
            ],
            sort: [type: {:in, ~w(lastModified trending upvotes)}, doc: "Order of the results"]
          ] ++ Flags.limit(10)
      ),
      command("info", &info/1, summary: "Shows a collection with its items", args: @slug),
      command("create", &create/1,
        summary: "Creates a collection",
        args: [title: [doc: "Title"]],
        flags:
          [namespace: [type: :string, doc: "Owner. Defaults to the token's account"]] ++
            @description ++ @private ++ @exists_ok
      ),
      command("update", &update/1,
        summary: "Changes a collection",
        args: @slug,
        flags:
          [
            title: [type: :string, doc: "New title"],
            position: [type: :integer, doc: "Position among the collections of the owner"],
            theme: [type: :string, doc: "Color, such as `green`"]
          ] ++ @description ++ @private
      ),
      command("delete", &delete/1, summary: "Deletes a collection", args: @slug, flags: @missing_ok),
      command("add-item", &add_item/1,
        summary: "Adds an item to a collection",
        args:
          @slug ++
            [
              item_id: [doc: "Id of the repository or paper"],
              item_type: [
                type: {:in, ~w(model dataset space paper collection bucket)},
                doc: "Type of the item"
              ]
            ],
        flags: @note ++ @exists_ok
      ),
      command("update-item", &update_item/1,
        summary: "Changes an item of a collection",
        args: @slug ++ @item,
        flags: @note ++ [position: [type: :integer, doc: "Position in the collection"]]
      ),
      command("delete-item", &delete_item/1,
        summary: "Removes an item from a collection",
        args: @slug ++ @item,
        flags: @missing_ok
      )
    ]
  end

  defp command(word, run, fields),
    do: struct!(Command, [words: [word], run: run, hf: "collections #{word}"] ++ fields)

  defp list(call) do
    with {:ok, found} <- Collections.list(Call.options(call, [:owner, :item, :sort, :limit])),
         do: {:table, found |> Enum.map(&shown/1) |> Json.rows(), id: "slug"}
  end

  defp info(call) do
    with {:ok, collection} <- Collections.get(call.args.collection_slug, Call.options(call)),
         do: {:record, shown(collection), id: "slug"}
  end

  # As `hf` does, with all that is known about the owner.
  defp shown(collection),
    do: %{collection | owner: collection.raw["owner"], position: collection.position || 0}

  defp create(call) do
    opts = Call.options(call, [:namespace, :description, :private, :exists_ok])

    with {:ok, collection} <- Collections.create(call.args.title, opts),
         do: address(collection, "Collection created")
  end

  defp update(call) do
    opts = Call.options(call, [:title, :description, :position, :private, :theme])

    with {:ok, collection} <- Collections.update(call.args.collection_slug, opts),
         do: address(collection, "Collection updated")
  end

  defp address(collection, message), do: {:done, message, slug: collection.slug, url: collection.url}

  defp delete(call) do
    with :ok <- Collections.delete(call.args.collection_slug, Call.options(call, [:missing_ok])),
         do: done(call, "Collection deleted")
  end

  defp add_item(%{args: %{collection_slug: slug, item_id: id, item_type: type}} = call) do
    with {:ok, _item} <- Collections.add_item(slug, id, type, Call.options(call, [:note, :exists_ok])),
         {:ok, collection} <- Collections.get(slug, Call.options(call)),
         do: {:done, "Item added to collection", slug: slug, url: collection.url}
  end

  defp update_item(%{args: %{collection_slug: slug, item_object_id: id}} = call) do
    with :ok <- Collections.update_item(slug, id, Call.options(call, [:note, :position])),
         do: done(call, "Item updated in collection")
  end

  defp delete_item(%{args: %{collection_slug: slug, item_object_id: id}} = call) do
    with :ok <- Collections.delete_item(slug, id, Call.options(call, [:missing_ok])),
         do: done(call, "Item deleted from collection")
  end

  defp done(call, message), do: {:done, message, slug: call.args.collection_slug}
end
