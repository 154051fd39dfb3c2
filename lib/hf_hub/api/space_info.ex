defmodule HfHub.Api.SpaceInfo do
  @moduledoc """
  Information about a Space. Python: `SpaceInfo`.

  Which fields are filled depends on the call; the others are `nil`. Maps have string keys.
  """

  alias HfHub.Api.Sibling
  alias HfHub.Brief
  alias HfHub.Spaces.SpaceRuntime

  use HfHub.Schema,
    id: {"id", :name, "id of the repository, such as `\"enzostvs/deepsite\"`"},
    author: {"author", :string, "namespace of the repository: a user or an organization"},
    sha: {"sha", :string, "commit that the information is about"},
    private: {"private", :boolean, "whether the repository is private"},
    gated: {"gated", {:enum, [false, :auto, :manual]}, "whether access is granted on request, and how"},
    disabled: {"disabled", :boolean, "whether the Hub has disabled the repository"},
    created_at: {"createdAt", :datetime, "time of creation"},
    last_modified: {"lastModified", :datetime, "time of the last commit"},
    updated_at: {"lastModified", :datetime, "same as `:last_modified`, by its name in hf_hub 0.3"},
    likes: {"likes", :integer, "number of likes"},
    trending_score: {"trendingScore", :number, "score that `sort: :trending_score` sorts by"},
    tags: {"tags", [:string], "tags of the Space, those of its card included"},
    card_data: {"cardData", :map, "metadata of the Space's card"},
    siblings: {"siblings", [Sibling], "files of the repository"},
    sdk: {"sdk", :string, "kind of app, such as `\"gradio\"` or `\"docker\"`"},
    host: {"host", :string, "address of the app"},
    subdomain: {"subdomain", :string, "first part of the app's host name"},
    runtime: {"runtime", SpaceRuntime, "state and hardware of the app"},
    models: {"models", [:string], "ids of models that the Space uses"},
    datasets: {"datasets", [:string], "ids of datasets that the Space uses"},
    region: {"region", {:enum, [:us, :eu]}, "region that the app runs in"},
    resource_group: {"resourceGroup", :map, "resource group of the organization that the repository is in"},
    used_storage: {"usedStorage", :integer, "size in bytes of the repository's storage on the Hub"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(info, _opts),
      do: Brief.line(info, [info.id, info.sdk || "no sdk", {info.likes || 0, "likes"}])
  end
end
