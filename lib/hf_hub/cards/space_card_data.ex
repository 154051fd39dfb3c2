defmodule HfHub.Cards.SpaceCardData do
  @moduledoc """
  The metadata of a Space's card, which configures the Space. Python: `SpaceCardData`.

  The Hub's documentation lists [all settings](https://huggingface.co/docs/hub/spaces-config-reference).
  """

  alias HfHub.Brief
  alias HfHub.Cards.Data

  use HfHub.Schema,
    title: {"title", :string, "name for readers"},
    emoji: {"emoji", :string, "emoji of the Space's thumbnail"},
    color_from: {"colorFrom", :string, "first color of the thumbnail's gradient, such as `\"blue\"`"},
    color_to: {"colorTo", :string, "last color of the thumbnail's gradient"},
    sdk: {"sdk", :string, "kind of app: `\"gradio\"`, `\"docker\"` or `\"static\"`"},
    sdk_version: {"sdk_version", :string, "version of Gradio"},
    python_version: {"python_version", {:or, [:string, :number]}, "version of Python"},
    app_file: {"app_file", :string, "path in the repository of the app's main file"},
    app_port: {"app_port", {:or, [:integer, :string]}, "port that a Docker app listens on"},
    pinned: {"pinned", :boolean, "whether the Space is at the top of its owner's page"},
    license: {"license", {:or, [:string, [:string]]}, "license, such as `\"apache-2.0\"`"},
    duplicated_from: {"duplicated_from", :string, "id of the Space that this one is a copy of"},
    models: {"models", [:string], "ids of models that the Space uses"},
    datasets: {"datasets", [:string], "ids of datasets that the Space uses"},
    tags: {"tags", [:string], "tags"},
    extra: {{:map, :any}, "metadata without a field, by its name in the card", default: %{}}

  @doc """
  Returns the metadata in a map with the names of the card. Names without a field are kept in `:extra`.

  ## Examples

      iex> data = HfHub.Cards.SpaceCardData.from_map(%{"sdk" => "docker", "mood" => "good"})
      iex> {data.sdk, data.extra}
      {"docker", %{"mood" => "good"}}
  """
  @spec from_map(map()) :: t()
  def from_map(map) when is_map(map), do: Data.from_map(map, __MODULE__)

  defimpl Inspect do
    def inspect(data, _opts), do: Brief.line(data, [data.title, data.sdk])
  end
end
