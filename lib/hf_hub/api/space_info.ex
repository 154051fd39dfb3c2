defmodule HfHub.Api.SpaceInfo do
  @moduledoc """
  Information about a Space. Python: `SpaceInfo`.

  Which fields are filled depends on the call; the others are `nil`. Maps have string keys.
  """

  alias HfHub.Brief
  alias HfHub.Spaces.SpaceRuntime

  use HfHub.Api.RepoFields,
    id: {"id", :name, "id of the repository, such as `\"enzostvs/deepsite\"`"},
    tags: {"tags", [:string], "tags of the Space, those of its card included"},
    card_data: {"cardData", :map, "metadata of the Space's card"},
    sdk: {"sdk", :string, "kind of app, such as `\"gradio\"` or `\"docker\"`"},
    host: {"host", :string, "address of the app"},
    subdomain: {"subdomain", :string, "first part of the app's host name"},
    runtime: {"runtime", SpaceRuntime, "state and hardware of the app"},
    models: {"models", [:string], "ids of models that the Space uses"},
    datasets: {"datasets", [:string], "ids of datasets that the Space uses"},
    region: {"region", {:enum, [:us, :eu]}, "region that the app runs in"}

  defimpl Inspect do
    def inspect(info, _opts),
      do: Brief.line(info, [info.id, info.sdk || "no sdk", {info.likes || 0, "likes"}])
  end
end
