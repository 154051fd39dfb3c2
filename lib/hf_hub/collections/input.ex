defmodule HfHub.Collections.Input do
  # What calls about collections are given, checked before a request is sent.
  @moduledoc false

  alias HfHub.Collections.{Collection, CollectionItem}
  alias HfHub.{Config, Error, Options, RepoRef}

  @types ~w(model dataset space paper collection bucket)
  @repos %{"model" => :model, "dataset" => :dataset, "space" => :space}
  @longest %{title: 60, description: 150, note: 500}
  @slug ~r"\A[\w.-]+/[^/\s?#%]*[0-9a-f]{24}\z"
  @hosts ~w(huggingface.co hf.co www.huggingface.co)

  @doc "Returns the slug of a collection, given in any form."
  @spec slug(term(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def slug(%Collection{slug: slug}, opts), do: slug(slug, opts)

  def slug(text, opts) when is_binary(text) do
    slug = without_address(text, opts[:endpoint] || Config.endpoint())
    if slug =~ @slug, do: {:ok, slug}, else: {:error, bad_slug(text)}
  end

  def slug(other, _opts), do: {:error, bad_slug(other)}

  defp without_address(text, endpoint) do
    uri = URI.parse(text)
    known? = uri.host in @hosts or uri.host == URI.parse(endpoint).host

    case known? && String.split(uri.path || "", "/collections/") do
      [_before, slug] -> slug
      _other -> text
    end
  end

  defp bad_slug(given) do
    message =
      "invalid collection #{Options.shown(given)}: expected a slug such as \"owner/title-64f9a55bb3115b4f513ec026\" " <>
        "(owner, words of the title, 24 hex digits) or the address of its page"

    Error.new(:invalid_name, message)
  end

  @doc "Returns the body for a new collection, without its namespace."
  @spec new!(term(), keyword()) :: map()
  def new!(title, opts) do
    %{
      title: title!(title),
      description: text!(:description, opts[:description]),
      private: opts[:private],
      resourceGroupId: resource_group!(opts[:resource_group_id])
    }
  end

  @doc "Returns the body with the options among `names` that are given."
  @spec changes!(keyword(), [atom()]) :: map()
  def changes!(opts, names) do
    changes = for name <- names, opts[name] != nil, into: %{}, do: {name, change!(name, opts[name])}

    if changes == %{},
      do: raise(ArgumentError, "at least one of #{inspect(names)} is required"),
      else: changes
  end

  defp change!(:title, title), do: title!(title)
  defp change!(name, text) when is_map_key(@longest, name), do: text!(name, text)
  defp change!(_name, value), do: value

  defp title!(title) when is_binary(title) do
    if String.trim(title) == "", do: raise(ArgumentError, "expected a title, got a blank one")
    text!(:title, title)
  end

  defp title!(other),
    do: raise(ArgumentError, "expected the title to be a string, got: #{Options.shown(other)}")

  @doc "Returns a note that is not too long."
  @spec note!(String.t() | nil) :: String.t() | nil
  def note!(note), do: text!(:note, note)

  defp text!(_name, nil), do: nil

  defp text!(name, text) do
    {length, most} = {String.length(text), @longest[name]}

    if length > most,
      do: raise(ArgumentError, "the #{name} has #{length} characters; at most #{most} are allowed")

    text
  end

  @doc "Returns the type of an item as text."
  @spec type!(term()) :: String.t()
  def type!(type) do
    text = if is_atom(type), do: Atom.to_string(type), else: type

    if text in @types do
      text
    else
      known = Enum.map_join(@types, ", ", &":#{&1}")
      raise ArgumentError, "expected the type of the item to be one of #{known}, got: #{Options.shown(type)}"
    end
  end

  @doc "Returns the id of an item of this type."
  @spec item_id(term(), String.t(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def item_id(item, "collection", opts), do: slug(item, opts)

  def item_id(item, type, opts) when is_map_key(@repos, type) do
    repo_type = Map.fetch!(@repos, type)
    whole = RepoRef.whole(item, Keyword.merge(opts, only: repo_type))
    with {:ok, ref} <- whole, do: {:ok, ref.repo_id}
  end

  def item_id(item, _type, _opts) when is_binary(item) and item != "", do: {:ok, item}

  def item_id(item, type, _opts) do
    {:error,
     Error.new(:invalid_name, "expected the id of a #{type} as a string, got: #{Options.shown(item)}")}
  end

  @doc "Returns the id of an item in its collection."
  @spec object_id!(term()) :: String.t()
  def object_id!(%CollectionItem{id: id}), do: object_id!(id)

  def object_id!(id) do
    if is_binary(id) and id =~ ~r/\A[0-9a-f]{24}\z/ do
      id
    else
      raise ArgumentError,
            "expected a HfHub.Collections.CollectionItem or its :id, 24 hex digits, got: #{Options.shown(id)}"
    end
  end

  @doc "Returns the id of a resource group."
  @spec resource_group!(term()) :: String.t() | nil
  def resource_group!(nil), do: nil

  def resource_group!(id) do
    if is_binary(id) and id =~ ~r/\A[0-9a-f]{24}\z/,
      do: id,
      else: raise(ArgumentError, "expected a resource group as 24 hex digits, got: #{Options.shown(id)}")
  end
end
