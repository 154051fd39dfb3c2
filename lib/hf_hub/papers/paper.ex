defmodule HfHub.Papers.Paper do
  @moduledoc """
  A paper on the Hub. Python: `PaperInfo`.

  The linked repositories and their numbers come only from `HfHub.Papers.info/2`.
  """

  alias HfHub.Api.{DatasetInfo, ModelInfo, SpaceInfo}
  alias HfHub.Brief
  alias HfHub.Papers.Author
  alias HfHub.Users.{Organization, User}

  use HfHub.Schema,
    id: {"id", :name, "arXiv id"},
    title: {"title", :string, "title"},
    summary: {"summary", :string, "abstract"},
    authors: {"authors", [Author], "authors"},
    published_at: {"publishedAt", :datetime, "time of publication"},
    submitted_at: {"submittedOnDailyAt", :datetime, "time of submission to the daily papers"},
    submitted_by: {"submittedOnDailyBy", User, "user that submitted it to the daily papers"},
    upvotes: {"upvotes", :integer, "number of upvotes"},
    comments: {"numComments", :integer, "number of comments"},
    discussion_id: {"discussionId", :string, "id of the discussion on the paper's page"},
    source: {"source", :string, "where the paper comes from"},
    ai_summary: {"ai_summary", :string, "generated summary"},
    ai_keywords: {"ai_keywords", [:string], "generated keywords"},
    organization: {"organization", Organization, "organization of the authors"},
    project_page: {"projectPage", :string, "address of the project's page"},
    github_repo: {"githubRepo", :string, "address of the code on GitHub"},
    github_stars: {"githubStars", :integer, "number of stars on GitHub"},
    linked_models: {"linkedModels", [ModelInfo], "models that cite the paper"},
    num_total_models: {"numTotalModels", :integer, "number of models that cite the paper"},
    linked_datasets: {"linkedDatasets", [DatasetInfo], "datasets that cite the paper"},
    num_total_datasets: {"numTotalDatasets", :integer, "number of datasets that cite the paper"},
    linked_spaces: {"linkedSpaces", [SpaceInfo], "Spaces that cite the paper"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(paper, _opts), do: Brief.line(paper, [paper.id, paper.title, {paper.upvotes || 0, "upvotes"}])
  end
end
