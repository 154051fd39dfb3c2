defmodule HfHub.Api.InferenceProvider do
  @moduledoc """
  A provider that serves a model. Python: `InferenceProviderMapping`.

    * `:provider` - its name
    * `:hf_model_id`, `:provider_id` - what the model is called here and there
    * `:status` - `:live`, `:staging` or `:error`
    * `:task`
    * `:adapter`, `:adapter_weights_path`
    * `:type` - `:single_model` or `:tag_filter`
  """

  alias HfHub.Decode

  @fields [
    provider: "provider",
    hf_model_id: "hf_model_id",
    provider_id: "providerId",
    status: {"status", &__MODULE__.status/1},
    task: "task",
    adapter: "adapter",
    adapter_weights_path: "adapterWeightsPath",
    type: {"type", &__MODULE__.type/1}
  ]

  @type t :: %__MODULE__{
          provider: String.t() | nil,
          hf_model_id: String.t() | nil,
          provider_id: String.t() | nil,
          status: :live | :staging | :error | String.t() | nil,
          task: String.t() | nil,
          adapter: String.t() | nil,
          adapter_weights_path: String.t() | nil,
          type: :single_model | :tag_filter | String.t() | nil
        }

  defstruct Keyword.keys(@fields)

  # Information on one model has an object by provider, a list of models has a list.
  @doc false
  def list(nil), do: nil

  def list(by_provider) when is_map(by_provider) do
    for {provider, json} <- by_provider, do: %{from_json(json) | provider: provider}
  end

  def list(items), do: Decode.list_or_nil(&from_json/1).(items)

  @doc false
  def status(value), do: Decode.enum([:live, :staging, :error]).(value)

  @doc false
  def type(value), do: Decode.enum(single_model: "single-model", tag_filter: "tag-filter").(value)

  defp from_json(json), do: Decode.struct(json, __MODULE__, @fields)
end
