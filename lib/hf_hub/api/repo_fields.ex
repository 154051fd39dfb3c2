defmodule HfHub.Api.RepoFields do
  # The fields of the information about a repository of any type.
  @moduledoc false

  @doc "Defines the struct of the information about a type of repository, with the rows of its `:id` and of its own fields."
  @spec __using__(keyword()) :: Macro.t()
  defmacro __using__([{:id, id} | own]) do
    quote do
      use HfHub.Schema, unquote([id: id] ++ first() ++ own ++ last())
    end
  end

  defp first do
    quote do
      [
        author: {"author", :string, "namespace of the repository: a user or an organization"},
        sha: {"sha", :string, "commit that the information is about"},
        private: {"private", :boolean, "whether the repository is private"},
        gated: {"gated", {:enum, [false, :auto, :manual]}, "whether access is granted on request, and how"},
        disabled: {"disabled", :boolean, "whether the Hub has disabled the repository"},
        created_at: {"createdAt", :datetime, "time of creation"},
        last_modified: {"lastModified", :datetime, "time of the last commit"},
        updated_at: {"lastModified", :datetime, "same as `:last_modified`, by its name in hf_hub 0.3"},
        likes: {"likes", :integer, "number of likes"},
        trending_score: {"trendingScore", :number, "score that `sort: :trending_score` sorts by"}
      ]
    end
  end

  defp last do
    quote do
      [
        siblings: {"siblings", [HfHub.Api.Sibling], "files of the repository"},
        resource_group:
          {"resourceGroup", :map, "resource group of the organization that the repository is in"},
        used_storage: {"usedStorage", :integer, "size in bytes of the repository's storage on the Hub"},
        raw: {[], :map, "whole JSON object, including entries without a field"}
      ]
    end
  end
end
