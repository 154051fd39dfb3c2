defmodule HfHub.CollectionsTest do
  use HfHub.Case, async: true

  alias HfHub.{Collections, Error, LocalHub}
  alias HfHub.Collections.{Collection, CollectionItem}

  # An account of the test's own, so that its list of collections is, too.
  setup context do
    owner = "curator#{System.unique_integer([:positive])}"
    token = LocalHub.command!(hub(), ["user", "add", owner, "--org", "#{owner}-org"])
    {:ok, owner: owner, own: [endpoint: context.endpoint, token: token, retry_delay: 10]}
  end

  defp named(collections), do: for(%Collection{title: title} <- collections, do: title)

  defp items(collection),
    do: for(%CollectionItem{} = item <- collection.items, do: {item.item_type, item.item_id})

  test "a collection is created, changed and deleted", %{owner: owner, own: own} do
    assert {:ok, %Collection{} = created} = Collections.create("Recent Models", [description: "About"] ++ own)
    assert created.slug =~ ~r/\A#{owner}\/recent-models-[0-9a-f]{24}\z/

    assert %{owner: ^owner, description: "About", private: false, theme: :orange, upvotes: 0, items: []} =
             created

    assert %DateTime{} = created.updated_at
    assert created.url == "#{own[:endpoint]}/collections/#{created.slug}"
    assert inspect(created) == "#HfHub.Collections.Collection<#{created.slug}, Recent Models, 0 items>"
    assert Collections.get!(created.slug, own) == created
    assert {:ok, ^created} = Collections.get(created.url, own)

    assert {:ok, changed} =
             Collections.update(
               created,
               [title: "Old Models", theme: :green, private: true, description: "x"] ++ own
             )

    assert changed.slug == String.replace(created.slug, "recent", "old")
    assert %{title: "Old Models", theme: :green, private: true, description: "x"} = changed
    # The old slug still leads there.
    assert Collections.get!(created, own) == changed
    assert {:error, %Error{kind: :not_found}} = Collections.get(created, Keyword.put(own, :token, token()))
    assert Collections.update!(changed, [private: false] ++ own).private == false

    assert {:error, %Error{kind: :conflict}} = Collections.create("Old Models", own)
    assert %{description: "x", slug: slug} = Collections.create!("Old Models", [exists_ok: true] ++ own)
    assert slug == changed.slug

    assert Collections.delete(changed, own) == :ok
    assert {:error, %Error{kind: :not_found}} = Collections.delete(changed, own)
    assert Collections.delete!(changed, [missing_ok: true] ++ own) == :ok
    assert {:error, %Error{kind: :not_found}} = Collections.get(changed, own)
  end

  test "items of all types are added, moved and removed", %{own: own} = context do
    {model, _commit} = repo(context, %{"a" => "1"})
    {data, _commit} = repo(context, %{"a" => "1"}, repo_type: :dataset)
    paper = "9#{System.unique_integer([:positive])}.1"
    file = Path.join(context.dir, "papers.json")
    File.write!(file, ~s([{"id": "#{paper}", "title": "A Paper"}]))
    LocalHub.command!(hub(), ["papers", "import", file])
    inner = Collections.create!("Inner", own)
    all = Collections.create!("All", own)

    assert {:ok, %CollectionItem{item_id: ^model, item_type: :model, position: 0} = first} =
             Collections.add_item(all, model, :model, [note: "The first"] ++ own)

    assert %{note: "The first", item_object_id: id, id: id} = first
    assert inspect(first) == "#HfHub.Collections.CollectionItem<model, #{model}>"
    url = "https://huggingface.co/datasets/#{data}"
    assert %{item_id: ^data, note: nil, position: 1} = Collections.add_item!(all, url, "dataset", own)
    assert %{item_id: ^paper, item_type: :paper} = Collections.add_item!(all, paper, :paper, own)
    slug = inner.slug

    assert %{item_id: ^slug, item_type: :collection} =
             last = Collections.add_item!(all, inner, :collection, own)

    assert {:error, %Error{kind: :conflict} = error} = Collections.add_item(all, model, :model, own)
    assert error.message =~ "already in the collection"
    assert {:ok, ^first} = Collections.add_item(all, model, :model, [exists_ok: true] ++ own)

    assert Collections.update_item(all, last, [position: 0, note: "Now the first"] ++ own) == :ok
    assert Collections.update_item!(all, first.id, [note: "The second"] ++ own) == :ok
    all = Collections.get!(all, own)
    assert items(all) == [collection: slug, model: model, dataset: data, paper: paper]

    assert for(item <- all.items, do: {item.position, item.note}) ==
             [{0, "Now the first"}, {1, "The second"}, {2, nil}, {3, nil}]

    assert Collections.delete_item(all, last, own) == :ok
    assert {:error, %Error{kind: :not_found}} = Collections.delete_item(all, last, own)
    assert Collections.delete_item!(all, last.id, [missing_ok: true] ++ own) == :ok
    assert {:error, %Error{kind: :not_found}} = Collections.update_item(all, last, [note: "x"] ++ own)
    assert items(Collections.get!(all, own)) == [model: model, dataset: data, paper: paper]
  end

  test "items follow renamed repositories, and are hidden from others", %{owner: owner, own: own} do
    for {name, private} <- [{"open", false}, {"secret", true}, {"gone", false}],
        do: HfHub.Repo.create!("#{owner}/#{name}", [private: private] ++ own)

    collection = Collections.create!("Mine", own)
    for name <- ~w(open secret gone), do: Collections.add_item!(collection, "#{owner}/#{name}", :model, own)
    HfHub.Repo.move!("#{owner}/open", "#{owner}/renamed", own)
    HfHub.Repo.delete!("#{owner}/gone", own)
    assert items(Collections.get!(collection, own)) == [model: "#{owner}/renamed", model: "#{owner}/secret"]
    assert items(Collections.get!(collection, write())) == [model: "#{owner}/renamed"]
    assert items(Collections.get!(collection, write(token: false))) == [model: "#{owner}/renamed"]
  end

  test "lists are lazy, filtered and sorted", %{owner: owner, own: own} = context do
    {model, _commit} = repo(context, %{"a" => "1"})
    slugs = for number <- 1..12, do: Collections.create!("Number #{number}", own).slug
    Collections.add_item!(hd(slugs), model, :model, own)
    LocalHub.command!(hub(), ["collection", "upvote", Enum.at(slugs, 4), "reader"])

    assert {:ok, all} = Collections.list([owner: owner] ++ own)
    assert length(all) == 12
    assert Collections.stream([owner: [owner, "nobody"]] ++ own) |> Enum.to_list() == all
    assert Collections.list!([owner: owner, limit: 11] ++ own) == Enum.take(all, 11)
    assert Collections.list!([item: "models/#{model}"] ++ own) |> named() == ["Number 1"]
    assert Collections.list!([item: ["models/#{model}", "papers/none"]] ++ own) |> named() == ["Number 1"]
    assert Collections.list!([owner: owner, query: "ber 12"] ++ own) |> named() == ["Number 12"]

    for sort <- [:upvotes, :trending] do
      assert [%{title: "Number 5", upvotes: 1, is_upvoted: false}] =
               Collections.list!([owner: owner, sort: sort, limit: 1] ++ own)
    end

    assert Collections.list!([owner: owner, sort: "lastModified", limit: 1] ++ own) |> named() == [
             "Number 1"
           ]

    assert [%{is_upvoted: true}] = Collections.list!(write(owner: owner, sort: :upvotes, limit: 1))
    assert HfHub.Users.get!(owner, own).num_upvotes == 1
  end

  test "a resource group is for organizations", %{owner: owner, own: own} do
    group = String.duplicate("ab", 12)
    acme = Collections.create!("Ours", [namespace: "#{owner}-org", resource_group_id: group] ++ own)
    assert acme.owner == "#{owner}-org"
    assert Collections.update_resource_group(acme, nil, own) == :ok
    assert Collections.update_resource_group!(acme, group, own) == :ok
    mine = Collections.create!("Mine", own)
    assert {:error, %Error{kind: :bad_request}} = Collections.update_resource_group(mine, group, own)
  end

  test "errors say why", %{owner: owner, own: own} do
    collection = Collections.create!("Mine", own)
    other = write()

    for result <- [
          Collections.create("x", [namespace: owner] ++ other),
          Collections.update(collection, [title: "x"] ++ other),
          Collections.delete(collection, other),
          Collections.delete(collection, [missing_ok: true] ++ other),
          Collections.add_item(collection, "a/b", :model, other),
          Collections.add_item(collection, "a/b", :model, [exists_ok: true] ++ other),
          Collections.update_item(collection, String.duplicate("a", 24), [note: "x"] ++ other),
          Collections.delete_item(collection, String.duplicate("a", 24), other),
          Collections.update_resource_group(collection, nil, other)
        ] do
      assert {:error, %Error{kind: :forbidden}} = result
    end

    assert {:error, %Error{kind: :no_token}} = Collections.create("x", write(token: false))

    assert {:error, %Error{kind: :not_found} = error} =
             Collections.add_item(collection, "no/such", :model, own)

    assert error.message =~ "no model no/such"
    assert {:error, %Error{kind: :bad_request}} = Collections.list([item: "users/me"] ++ own)
    assert_raise Error, fn -> Enum.to_list(Collections.stream([item: "x"] ++ own)) end
  end

  test "bad input is an error before a request", %{own: own} do
    collection = "me/x-#{String.duplicate("a", 24)}"

    for bad <- [
          "x",
          "me/x",
          "a/../#{collection}",
          "https://elsewhere.example/collections/#{collection}",
          nil,
          7
        ] do
      assert {:error, %Error{kind: :invalid_name, status: nil} = error} = Collections.get(bad, own)
      assert error.message =~ "owner/title-64f9a55bb3115b4f513ec026"
    end

    assert {:error, %Error{kind: :invalid_name}} = Collections.add_item(collection, "a/../b", :model, own)
    assert {:error, %Error{kind: :invalid_name}} = Collections.add_item(collection, "x", :collection, own)

    assert {:error, %Error{kind: :invalid_name}} =
             Collections.add_item(collection, "datasets/x/y", :model, own)

    for {call, message} <- [
          {fn -> Collections.create("", own) end, ~r/a blank one/},
          {fn -> Collections.create(:x, own) end, ~r/title to be a string/},
          {fn -> Collections.create(String.duplicate("é", 61), own) end, ~r/61 characters; at most 60/},
          {fn -> Collections.create("x", [description: String.duplicate("x", 151)] ++ own) end,
           ~r/at most 150/},
          {fn -> Collections.create("x", [resource_group_id: "x"] ++ own) end, ~r/24 hex digits/},
          {fn -> Collections.update(collection, [theme: :red] ++ own) end,
           ~r/`:orange`, `:blue`, `:green`, .*got: :red/},
          {fn -> Collections.update(collection, own) end, ~r/at least one of \[:title, :description/},
          {fn -> Collections.update(collection, [position: -1] ++ own) end, ~r/non-negative/},
          {fn -> Collections.update(collection, [title: " "] ++ own) end, ~r/blank/},
          {fn -> Collections.add_item(collection, "a/b", :user, own) end, ~r/:model, :dataset, .*got: :user/},
          {fn ->
             Collections.add_item(collection, "a/b", :model, [note: String.duplicate("x", 501)] ++ own)
           end, ~r/500/},
          {fn -> Collections.update_item(collection, "x", [note: "x"] ++ own) end, ~r/24 hex digits/},
          {fn -> Collections.update_item(collection, String.duplicate("a", 24), own) end, ~r/at least one/},
          {fn -> Collections.delete_item(collection, "../x", own) end, ~r/24 hex digits/},
          {fn -> Collections.list([sort: :likes] ++ own) end, ~r/:last_modified`, `:trending`, `:upvotes/}
        ] do
      assert_raise ArgumentError, message, call
    end
  end
end
