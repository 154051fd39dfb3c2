defmodule HfHub.Spaces.SpaceVariable do
  @moduledoc """
  A public environment variable of a Space. Python: `SpaceVariable`.
  """

  alias HfHub.{Brief, Decode}

  use HfHub.Schema,
    key: {"key", :name, "name of the variable"},
    value: {"value", :string, "value"},
    description: {"description", :string, "what the value is for"},
    updated_at: {"updatedAt", :datetime, "time of the last change"}

  @doc """
  Returns the struct for an entry of the Hub's JSON: a name, and its value or a map with string keys.

  ## Examples

      iex> HfHub.Spaces.SpaceVariable.from_response("MODE", %{"value" => "fast"}).value
      "fast"
      iex> HfHub.Spaces.SpaceVariable.from_response("MODE", "fast").key
      "MODE"
  """
  @spec from_response(String.t(), map() | String.t()) :: t()
  def from_response(key, value) when is_binary(value), do: from_response(key, %{"value" => value})

  def from_response(key, response) when is_binary(key) and is_map(response),
    do: Decode.response!(__MODULE__, Map.put(response, "key", key))

  defimpl Inspect do
    def inspect(variable, _opts), do: Brief.line(variable, [variable.key, variable.value])
  end
end
