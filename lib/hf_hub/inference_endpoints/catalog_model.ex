defmodule HfHub.InferenceEndpoints.CatalogModel do
  @moduledoc """
  A model in the catalog of tested deployments. Python: `InferenceCatalogModel`.
  """

  alias HfHub.InferenceEndpoints.CatalogRecipe

  use HfHub.Schema,
    repo_id: {"repoId", :name, "id of the model"},
    name: {"modelName", :string, "name of the model"},
    author: {"authorName", :string, "owner of the model"},
    license: {"license", :string, "license"},
    task: {"task", :string, "task it is deployed for"},
    created_at: {"createdAt", :datetime, "time when it was added to the catalog"},
    recipes: {"recipes", [CatalogRecipe], "tested ways to deploy it", default: []}
end
