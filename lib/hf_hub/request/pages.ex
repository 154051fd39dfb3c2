defmodule HfHub.Request.Pages do
  # The pages of a list: requested by the links of the server, or by a query parameter.
  @moduledoc false

  @type t ::
          :links
          | {:number, name :: String.t(), first :: integer()}
          | {:cursor, name :: String.t(), path :: [String.t()]}
          | {:counted, name :: String.t(), key :: String.t()}

  @typedoc "A page to request."
  @type page ::
          :links
          | {:number, String.t(), integer()}
          | {:cursor, String.t(), [String.t()], term()}
          | {:counted, String.t(), String.t(), non_neg_integer()}

  @doc "Returns the first page."
  @spec first(t()) :: page()
  def first({:number, name, first}), do: {:number, name, first}
  def first({:cursor, name, path}), do: {:cursor, name, path, nil}
  def first({:counted, name, key}), do: {:counted, name, key, 0}
  def first(:links), do: :links

  @doc "Returns the query parameters of a page."
  @spec query(page()) :: [{String.t(), term()}]
  def query(:links), do: []
  def query({:number, name, number}), do: [{name, number}]
  def query({:cursor, name, _path, value}), do: [{name, value}]
  def query({:counted, name, _key, number}), do: [{name, number}]

  @doc "Returns the page after this one, given its response and the items in it."
  @spec following(page(), map(), list()) :: page() | :done
  def following(:links, answer, _items), do: if(answer.more, do: :links, else: :done)
  def following({:number, _name, _number}, _answer, []), do: :done
  def following({:number, name, number}, _answer, _items), do: {:number, name, number + 1}

  # The items may be fewer than those of the page.
  def following({:counted, name, key, number}, answer, _items) do
    case answer.body do
      %{"start" => start, "count" => count, ^key => [_ | _] = list}
      when is_integer(start) and is_integer(count) and start + length(list) < count ->
        {:counted, name, key, number + 1}

      _last ->
        :done
    end
  end

  def following({:cursor, name, path, _value}, answer, _items) do
    case is_map(answer.body) && get_in(answer.body, path) do
      value when is_binary(value) or is_integer(value) -> {:cursor, name, path, value}
      _none -> :done
    end
  end
end
