defmodule HfHub.Api.SafetensorsInfo do
  @moduledoc """
  How many parameters a model has, as the Hub counted them. Python: `SafeTensorsInfo`.

    * `:parameters` - a map from data types, such as `"F32"`, to numbers of parameters
    * `:total`

  `HfHub.Safetensors.metadata/2` reads the files' headers themselves.
  """

  alias HfHub.Decode

  @fields [parameters: "parameters", total: "total"]

  @type t :: %__MODULE__{
          parameters: %{String.t() => non_neg_integer()} | nil,
          total: non_neg_integer() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.optional(&Decode.struct(&1, __MODULE__, @fields)).(json)
end
