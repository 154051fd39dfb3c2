defmodule HfHub.Parity.CollectionsTest do
  use HfHub.TwoHubs

  alias HfHub.{Collections, Repo}

  @group "66670e5163145ca562cb1988"

  test "calls about collections send the same requests and return the same", %{ours: ours} = context do
    theirs =
      theirs(context, """
      def show(c):
          print(c.title, c.description, c.private, c.theme, c.upvotes, c.position,
                [(i.item_type, i.item_id.rsplit("-", 1)[0], i.note, i.position) for i in c.items])
      api.create_repo("acme/r")
      api.create_repo("acme/d", repo_type="dataset")
      one = api.create_collection("One", description="About", private=True)
      two = api.create_collection("Two", namespace="acme", resource_group_id="#{@group}")
      api.create_collection("One", exists_ok=True)
      show(one)
      show(api.add_collection_item(one.slug, "acme/r", "model", note="Note"))
      api.add_collection_item(one.slug, "acme/d", "dataset")
      api.add_collection_item(one.slug, two.slug, "collection")
      api.add_collection_item(one.slug, "acme/d", "dataset", exists_ok=True)
      one = api.get_collection(one.slug)
      api.update_collection_item(one.slug, one.items[2].item_object_id, note="Two", position=0)
      api.delete_collection_item(one.slug, one.items[0].item_object_id)
      api.delete_collection_item(one.slug, one.items[0].item_object_id, missing_ok=True)
      one = api.update_collection_metadata(one.slug, title="New", description="", private=False, theme="pink", position=0)
      show(one)
      for c in api.list_collections(owner=["me", "acme"], sort="lastModified", limit=5):
          print(c.title)
      print(len(list(api.list_collections(item="datasets/acme/d"))))
      api.update_collection_resource_group(two.slug, None)
      api.update_collection_resource_group(two.slug, "#{@group}")
      api.delete_collection(two.slug)
      api.delete_collection(two.slug, missing_ok=True)
      show(api.get_collection(one.slug))
      """)

    Repo.create!("acme/r", ours)
    Repo.create!("acme/d", [repo_type: :dataset] ++ ours)
    one = Collections.create!("One", [description: "About", private: true] ++ ours)
    two = Collections.create!("Two", [namespace: "acme", resource_group_id: @group] ++ ours)
    Collections.create!("One", [exists_ok: true] ++ ours)
    empty = show(one)
    item = Collections.add_item!(one, "acme/r", :model, [note: "Note"] ++ ours)
    first = show(%{one | items: [item]})
    Collections.add_item!(one, "acme/d", :dataset, ours)
    Collections.add_item!(one, two, :collection, ours)
    Collections.add_item!(one, "acme/d", :dataset, [exists_ok: true] ++ ours)
    one = Collections.get!(one, ours)
    Collections.update_item!(one, Enum.at(one.items, 2), [note: "Two", position: 0] ++ ours)
    Collections.delete_item!(one, hd(one.items), ours)
    Collections.delete_item!(one, hd(one.items), [missing_ok: true] ++ ours)
    change = [title: "New", description: "", private: false, theme: :pink, position: 0]
    one = Collections.update!(one, change ++ ours)
    changed = show(one)
    listed = Collections.list!([owner: ["me", "acme"], sort: :last_modified, limit: 5] ++ ours)
    with_data = Collections.list!([item: "datasets/acme/d"] ++ ours)
    Collections.update_resource_group!(two, nil, ours)
    Collections.update_resource_group!(two, @group, ours)
    Collections.delete!(two, ours)
    Collections.delete!(two, [missing_ok: true] ++ ours)

    expected =
      [empty, first, changed] ++
        for(collection <- listed, do: collection.title) ++
        ["#{length(with_data)}", show(Collections.get!(one, ours))]

    assert String.split(theirs, "\n") == expected
    assert_same(context)
  end

  defp show(c) do
    items =
      for i <- c.items do
        id = Regex.replace(~r/-[^-]*\z/, i.item_id, "")
        "('#{i.item_type}', '#{id}', #{python(i.note && "'#{i.note}'")}, #{i.position})"
      end

    [c.title, c.description, c.private, c.theme, c.upvotes, c.position]
    |> Enum.map_join(" ", &python/1)
    |> Kernel.<>(" [#{Enum.join(items, ", ")}]")
  end

  defp python(nil), do: "None"
  defp python(boolean) when is_boolean(boolean), do: boolean |> to_string() |> String.capitalize()
  defp python(other), do: to_string(other)
end
