defmodule HfHub.Api.TransformersInfo do
  @moduledoc """
  How the `transformers` library loads a model. Python: `TransformersInfo`.

    * `:auto_model` - the class, such as `"AutoModelForCausalLM"`
    * `:custom_class`, `:pipeline_tag`, `:processor`
  """

  alias HfHub.Decode

  @fields [
    auto_model: "auto_model",
    custom_class: "custom_class",
    pipeline_tag: "pipeline_tag",
    processor: "processor"
  ]

  @type t :: %__MODULE__{
          auto_model: String.t() | nil,
          custom_class: String.t() | nil,
          pipeline_tag: String.t() | nil,
          processor: String.t() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.optional(&Decode.struct(&1, __MODULE__, @fields)).(json)
end
