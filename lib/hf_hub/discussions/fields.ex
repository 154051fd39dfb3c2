defmodule HfHub.Discussions.Fields do
  # The fields of a discussion, with and without its events.
  @moduledoc false

  @doc "Defines the struct of a discussion with the rows of its own fields."
  @spec __using__(keyword()) :: Macro.t()
  defmacro __using__(own) do
    quote do
      use HfHub.Schema, unquote(first() ++ own ++ last())

      defp git_reference(json), do: HfHub.Discussions.Address.git_reference(json)
    end
  end

  defp first do
    quote do
      [
        num: {"num", :integer, "number in the repository"},
        title: {"title", :string, "title"},
        author: {["author", "name"], :string, "user that opened it", default: "deleted"},
        status:
          {"status", {:enum, [:open, :closed, :merged, :draft]},
           "status. Only pull requests are drafts, or merged"},
        is_pull_request: {"isPullRequest", :boolean, "whether it is a pull request", default: false},
        git_reference:
          {[], :string, "revision of a pull request, such as `\"refs/pr/3\"`", by: :git_reference},
        repo_id: {["repo", "name"], :string, "id of the repository"},
        repo_type: {["repo", "type"], {:enum, [:model, :dataset, :space]}, "type of the repository"},
        url: {:url, {:or, [:string, nil]}, "URL of the discussion's page"}
      ]
    end
  end

  defp last do
    quote do
      [
        pinned: {"pinned", :boolean, "whether it is shown before others", default: false},
        created_at: {"createdAt", :datetime, "time when it was opened"},
        updated_at: {"updatedAt", :datetime, "time of the last change, on Hubs that return it"},
        raw: {[], :map, "whole JSON object, including entries without a field"}
      ]
    end
  end
end
