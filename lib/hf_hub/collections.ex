defmodule HfHub.Collections do
  @moduledoc """
  Collections: lists of models, datasets, Spaces, papers and other collections, with notes.

      {:ok, collection} = HfHub.Collections.create("Recent models", description: "What we use")

      {:ok, item} =
        HfHub.Collections.add_item(collection, "openai-community/gpt2", :model, note: "the classic")

      :ok = HfHub.Collections.update_item(collection, item, position: 0)

  ## Slugs

  A collection is named by its slug, `"owner/words-of-the-title-<24 hex digits>"`, by the address of its page, or by an
  `HfHub.Collections.Collection`. A new title changes the words of the slug; the digits remain, and the old slug still
  leads to the collection.
  """

  alias HfHub.Collections.{Collection, CollectionItem, Input}
  alias HfHub.{Account, Decode, Error, Options, Request}

  @get Options.common()
  @stream [
            owner: [
              type: {:or, [:string, {:list, :string}]},
              doc: "User or organization, or a list of them, whose collections to return."
            ],
            item: [
              type: {:or, [:string, {:list, :string}]},
              doc:
                "Item, or a list of items, of which the collections have at least one, such as `\"models/openai-community/gpt2\"`, " <>
                  "`\"datasets/squad\"` or `\"papers/2311.12983\"`."
            ],
            query: [type: :string, doc: "Text to search for in titles and descriptions."],
            sort: [
              type: {:in, [:last_modified, :trending, :upvotes]},
              spellings: [{"lastModified", :last_modified}],
              doc: "`:last_modified` (newest first), `:trending` or `:upvotes` (most first)."
            ]
          ] ++ Options.common()

  @list [limit: [type: :pos_integer, doc: "Maximum number of collections to return. Defaults to all."]] ++
          @stream

  @description [type: :string, doc: "Description, of at most 150 characters."]

  @create [
            namespace: [
              type: :string,
              doc: "User or organization that will own the collection. Defaults to the token's account."
            ],
            description: @description,
            private: [type: :boolean, default: false, doc: "Whether only the owner can see the collection."],
            resource_group_id: [
              type: :string,
              doc: "Resource group of the organization that will own the collection, as 24 hex digits."
            ],
            exists_ok: [
              type: :boolean,
              default: false,
              aliases: [:exist_ok],
              doc: "Whether to return the owner's collection of this title, unchanged, if there is one."
            ]
          ] ++ Options.common()

  @update [
            title: [type: :string, doc: "Title, of at most 60 characters. It changes the slug."],
            description: @description,
            position: [type: :non_neg_integer, doc: "Position among the collections of the owner, from 0."],
            private: [type: :boolean, doc: "Whether only the owner can see the collection."],
            theme: [
              type: {:in, [:orange, :blue, :green, :purple, :pink, :indigo]},
              doc: "Color: `:orange`, `:blue`, `:green`, `:purple`, `:pink` or `:indigo`."
            ]
          ] ++ Options.common()

  @delete [missing_ok: [type: :boolean, default: false, doc: "Whether to succeed if it does not exist."]] ++
            Options.common()

  @note [type: :string, doc: "Note about the item, of at most 500 characters."]
  @add [
         note: @note,
         exists_ok: [
           type: :boolean,
           default: false,
           aliases: [:exist_ok],
           doc:
             "Whether to return the item, unchanged, if the collection already has it. Takes one more request."
         ]
       ] ++ Options.common()

  @update_item [
                 note: @note,
                 position: [type: :non_neg_integer, doc: "Position in the collection, from 0."]
               ] ++ Options.common()

  @typedoc "A collection; see \"Slugs\" above."
  @type collection :: String.t() | Collection.t()
  @typedoc "Type of an item."
  @type item_type :: :model | :dataset | :space | :paper | :collection | :bucket

  @doc """
  Returns collections, of which each has at most 4 items; `get/2` returns all items of one.

  ## Options

  #{Options.docs(@list)}

  ## Examples

      {:ok, collections} = HfHub.Collections.list(owner: "google", sort: :upvotes, limit: 10)
      for collection <- collections, do: {collection.title, collection.upvotes}
  """
  @doc python: "list_collections"
  @spec list(keyword()) :: {:ok, [Collection.t()]} | {:error, Error.t()}
  def list(opts \\ []) do
    opts = Options.validate!(opts, @list)
    search(opts) |> Request.query(limit: opts[:limit]) |> Request.list(opts[:limit], Collection)
  end

  @doc "Same as `list/1`, but returns the collections or raises `HfHub.Error`."
  @spec list!(keyword()) :: [Collection.t()]
  def list!(opts \\ []), do: Error.unwrap!(list(opts))

  @doc """
  Returns collections as a lazy stream. Options: those of `list/1` but `:limit`.

  ## Examples

      HfHub.Collections.stream(item: "models/openai-community/gpt2") |> Enum.take(5)
  """
  @doc python: "list_collections"
  @spec stream(keyword()) :: Enumerable.t()
  def stream(opts \\ []),
    do: Request.stream(search(Options.validate!(opts, @stream)), Collection)

  @doc """
  Returns a collection with all its items.

  Items that the token may not see, such as private repositories of others, are left out; renamed repositories have their
  new name.

  ## Options

  #{Options.docs(@get)}

  ## Examples

      {:ok, collection} = HfHub.Collections.get("TheBloke/recent-models-64f9a55bb3115b4f513ec026")
      for item <- collection.items, do: {item.item_type, item.item_id}
  """
  @doc python: "get_collection"
  @spec get(collection(), keyword()) :: {:ok, Collection.t()} | {:error, Error.t()}
  def get(collection, opts \\ []) do
    opts = Options.validate!(opts, @get)
    route(:get, collection, "", opts) |> Request.run(Collection)
  end

  @doc "Same as `get/2`, but returns the collection or raises `HfHub.Error`."
  @spec get!(collection(), keyword()) :: Collection.t()
  def get!(collection, opts \\ []), do: Error.unwrap!(get(collection, opts))

  @doc """
  Creates an empty collection. Its title has at most 60 characters.

  A collection of the owner with the same title is an error of kind `:conflict`, unless `exists_ok: true`.

  ## Options

  #{Options.docs(@create)}

  ## Examples

      {:ok, collection} = HfHub.Collections.create("Recent models", private: true, exists_ok: true)
      collection.slug
      #=> "me/recent-models-64f9a55bb3115b4f513ec026"
  """
  @doc python: "create_collection"
  @spec create(String.t(), keyword()) :: {:ok, Collection.t()} | {:error, Error.t()}
  def create(title, opts \\ []) do
    opts = Options.validate!(opts, @create)
    body = Input.new!(title, opts)

    with {:ok, namespace} <- Account.name(opts[:namespace], opts) do
      Request.new(:post, "/api/collections", [], opts)
      |> Request.json(Map.put(body, :namespace, namespace))
      |> Request.run(Collection)
      |> unless_exists(nil, opts)
    end
  end

  @doc "Same as `create/2`, but returns the collection or raises `HfHub.Error`."
  @spec create!(String.t(), keyword()) :: Collection.t()
  def create!(title, opts \\ []), do: Error.unwrap!(create(title, opts))

  @doc """
  Updates what is given of a collection's title, description, position, visibility and color. Returns the collection.

  ## Options

  At least one of the first five is required:

  #{Options.docs(@update)}

  ## Examples

      {:ok, collection} = HfHub.Collections.update(collection, title: "Models of 2025", theme: :green)
  """
  @doc python: "update_collection_metadata"
  @spec update(collection(), keyword()) :: {:ok, Collection.t()} | {:error, Error.t()}
  def update(collection, opts \\ []) do
    opts = Options.validate!(opts, @update)

    route(:patch, collection, "", opts)
    |> Request.json(Input.changes!(opts, [:title, :description, :position, :private, :theme]))
    |> Request.run(&Decode.struct(Collection, Decode.get(&1, "data")))
  end

  @doc "Same as `update/2`, but returns the collection or raises `HfHub.Error`."
  @spec update!(collection(), keyword()) :: Collection.t()
  def update!(collection, opts \\ []), do: Error.unwrap!(update(collection, opts))

  @doc """
  Deletes a collection, but not what is in it. This cannot be undone.

  ## Options

  #{Options.docs(@delete)}

  ## Examples

      HfHub.Collections.delete("me/recent-models-64f9a55bb3115b4f513ec026", missing_ok: true)
      #=> :ok
  """
  @doc python: "delete_collection"
  @spec delete(collection(), keyword()) :: :ok | {:error, Error.t()}
  def delete(collection, opts \\ []) do
    opts = Options.validate!(opts, @delete)
    route(:delete, collection, "", opts) |> Request.effect() |> unless_missing(opts)
  end

  @doc "Same as `delete/2`, but raises `HfHub.Error` on failure."
  @spec delete!(collection(), keyword()) :: :ok
  def delete!(collection, opts \\ []), do: Error.unwrap!(delete(collection, opts))

  @doc """
  Adds an item at the end of a collection, and returns the item.

  `item_id` is the id of a repository, the arXiv id of a paper, the slug of a collection, or the id of a bucket. An item
  that the collection already has is an error of kind `:conflict`, unless `exists_ok: true`; an item that does not exist,
  or that the token may not see, is one of kind `:not_found`.

  ## Options

  #{Options.docs(@add)}

  ## Examples

      {:ok, item} =
        HfHub.Collections.add_item(collection, "2311.12983", :paper, note: "read this first")
  """
  @doc python: "add_collection_item"
  @spec add_item(collection(), String.t() | Collection.t(), item_type() | String.t(), keyword()) ::
          {:ok, CollectionItem.t()} | {:error, Error.t()}
  def add_item(collection, item_id, item_type, opts \\ []) do
    opts = Options.validate!(opts, @add)
    type = Input.type!(item_type)
    note = Input.note!(opts[:note])

    with {:ok, id} <- Input.item_id(item_id, type, opts) do
      route(:post, collection, "/items", opts)
      |> Request.json(%{item: %{id: id, type: type}, note: note})
      |> Request.run(Collection)
      |> unless_exists(collection, opts)
      |> added(id, type)
    end
  end

  @doc "Same as `add_item/4`, but returns the item or raises `HfHub.Error`."
  @spec add_item!(collection(), String.t() | Collection.t(), item_type() | String.t(), keyword()) ::
          CollectionItem.t()
  def add_item!(collection, item_id, item_type, opts \\ []),
    do: Error.unwrap!(add_item(collection, item_id, item_type, opts))

  @doc """
  Updates the note or the position of an item, given as an `HfHub.Collections.CollectionItem` or as the field `:id` of one.

  ## Options

  At least one of the first two is required:

  #{Options.docs(@update_item)}

  ## Examples

      HfHub.Collections.update_item(collection, hd(collection.items),
        position: 3,
        note: "less important"
      )
      #=> :ok
  """
  @doc python: "update_collection_item"
  @spec update_item(collection(), String.t() | CollectionItem.t(), keyword()) :: :ok | {:error, Error.t()}
  def update_item(collection, item, opts \\ []) do
    opts = Options.validate!(opts, @update_item)
    body = Input.changes!(opts, [:note, :position])
    item(:patch, collection, item, opts) |> Request.json(body) |> Request.effect()
  end

  @doc "Same as `update_item/3`, but raises `HfHub.Error` on failure."
  @spec update_item!(collection(), String.t() | CollectionItem.t(), keyword()) :: :ok
  def update_item!(collection, item, opts \\ []), do: Error.unwrap!(update_item(collection, item, opts))

  @doc """
  Removes an item, given as for `update_item/3`, from a collection.

  ## Options

  #{Options.docs(@delete)}

  ## Examples

      HfHub.Collections.delete_item(collection, hd(collection.items))
      #=> :ok
  """
  @doc python: "delete_collection_item"
  @spec delete_item(collection(), String.t() | CollectionItem.t(), keyword()) :: :ok | {:error, Error.t()}
  def delete_item(collection, item, opts \\ []) do
    opts = Options.validate!(opts, @delete)
    item(:delete, collection, item, opts) |> Request.effect() |> unless_missing(opts)
  end

  @doc "Same as `delete_item/3`, but raises `HfHub.Error` on failure."
  @spec delete_item!(collection(), String.t() | CollectionItem.t(), keyword()) :: :ok
  def delete_item!(collection, item, opts \\ []), do: Error.unwrap!(delete_item(collection, item, opts))

  @doc """
  Assigns a collection of an organization to a resource group, given as 24 hex digits, or to none with `nil`. Options:
  those of `get/2`.

  ## Examples

      HfHub.Collections.update_resource_group(
        "acme/models-64f9a55bb3115b4f513ec026",
        "66670e5163145ca562cb1988"
      )
      #=> :ok
  """
  @doc python: "update_collection_resource_group"
  @spec update_resource_group(collection(), String.t() | nil, keyword()) :: :ok | {:error, Error.t()}
  def update_resource_group(collection, resource_group_id, opts \\ []) do
    opts = Options.validate!(opts, @get)
    group = Input.resource_group!(resource_group_id) || :null

    route(:post, collection, "/resource-group", opts)
    |> Request.json(%{resourceGroupId: group})
    |> Request.effect()
  end

  @doc "Same as `update_resource_group/3`, but raises `HfHub.Error` on failure."
  @spec update_resource_group!(collection(), String.t() | nil, keyword()) :: :ok
  def update_resource_group!(collection, resource_group_id, opts \\ []),
    do: Error.unwrap!(update_resource_group(collection, resource_group_id, opts))

  defp search(opts) do
    sort = %{last_modified: "lastModified", trending: "trending", upvotes: "upvotes"}[opts[:sort]]

    Request.new(:get, "/api/collections", [], opts)
    |> Request.query(owner: opts[:owner], item: opts[:item], q: opts[:query], sort: sort)
  end

  defp route(method, collection, route, opts, params \\ []) do
    case Input.slug(collection, opts) do
      {:ok, slug} -> Request.new(method, "/api/collections/*slug" <> route, [slug: slug] ++ params, opts)
      {:error, error} -> %{Request.new(method, "/api/collections", [], opts) | error: error}
    end
  end

  defp item(method, collection, item, opts),
    do: route(method, collection, "/items/:item", opts, item: Input.object_id!(item))

  defp unless_exists({:error, %Error{kind: :conflict} = error}, collection, opts) do
    collection = collection || Decode.get(error.details, "slug")

    if opts[:exists_ok] && collection,
      do: get(collection, Keyword.take(opts, Keyword.keys(@get))),
      else: {:error, error}
  end

  defp unless_exists(result, _collection, _opts), do: result

  # A new item is the last one, also if the Hub spells its id in another way.
  defp added({:ok, %Collection{items: items}}, id, type) do
    same? = fn item ->
      to_string(item.item_type) == type and String.downcase(item.item_id) == String.downcase(id)
    end

    case Enum.find(items, List.last(items), same?) do
      nil -> {:error, Error.new(:invalid_response, "the Hub returned the collection without the item #{id}")}
      item -> {:ok, item}
    end
  end

  defp added(error, _id, _type), do: error

  defp unless_missing({:error, %Error{kind: :not_found} = error}, opts),
    do: if(opts[:missing_ok], do: :ok, else: {:error, error})

  defp unless_missing(result, _opts), do: result
end
