defmodule HfHub.Papers.Paper do
  @moduledoc """
  A paper on the Hub. Python: `PaperInfo`.

    * `:id` - its arXiv id
    * `:title`, `:summary`, `:ai_summary`, `:ai_keywords`, `:source`
    * `:authors` - a list of `HfHub.Papers.Author`
    * `:published_at`, `:submitted_at` - `DateTime`s: of the paper, and of its day among the daily papers
    * `:submitted_by` - a `HfHub.Users.User`
    * `:organization` - a `HfHub.Organizations.Organization`
    * `:upvotes`, `:comments`, `:discussion_id`
    * `:project_page`, `:github_repo`, `:github_stars`
    * `:linked_models`, `:linked_datasets`, `:linked_spaces`, `:num_total_models`, `:num_total_datasets` - only
      from `HfHub.Papers.info/2`
    * `:raw` - the whole answer
  """

  alias HfHub.Api.{DatasetInfo, ModelInfo, SpaceInfo}
  alias HfHub.{Brief, Decode}
  alias HfHub.Organizations.Organization
  alias HfHub.Papers.Author
  alias HfHub.Users.User

  @fields [
    id: {"id", &Decode.text/1},
    title: "title",
    summary: "summary",
    authors: {"authors", &__MODULE__.authors/1},
    published_at: {"publishedAt", &Decode.datetime/1},
    submitted_at: {"submittedOnDailyAt", &Decode.datetime/1},
    submitted_by: {"submittedOnDailyBy", &User.from_json/1},
    upvotes: "upvotes",
    comments: "numComments",
    discussion_id: "discussionId",
    source: "source",
    ai_summary: "ai_summary",
    ai_keywords: "ai_keywords",
    organization: {"organization", &Organization.from_json/1},
    project_page: "projectPage",
    github_repo: "githubRepo",
    github_stars: "githubStars",
    linked_models: {"linkedModels", &__MODULE__.models/1},
    num_total_models: "numTotalModels",
    linked_datasets: {"linkedDatasets", &__MODULE__.datasets/1},
    num_total_datasets: "numTotalDatasets",
    linked_spaces: {"linkedSpaces", &__MODULE__.spaces/1}
  ]

  @type t :: %__MODULE__{
          id: String.t(),
          title: String.t() | nil,
          summary: String.t() | nil,
          authors: [Author.t()] | nil,
          published_at: DateTime.t() | nil,
          submitted_at: DateTime.t() | nil,
          submitted_by: User.t() | nil,
          upvotes: non_neg_integer() | nil,
          comments: non_neg_integer() | nil,
          discussion_id: String.t() | nil,
          source: String.t() | nil,
          ai_summary: String.t() | nil,
          ai_keywords: [String.t()] | nil,
          organization: Organization.t() | nil,
          project_page: String.t() | nil,
          github_repo: String.t() | nil,
          github_stars: non_neg_integer() | nil,
          linked_models: [ModelInfo.t()] | nil,
          num_total_models: non_neg_integer() | nil,
          linked_datasets: [DatasetInfo.t()] | nil,
          num_total_datasets: non_neg_integer() | nil,
          linked_spaces: [SpaceInfo.t()] | nil,
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  # Lists have the paper in an envelope, whose fields say when and by whom it was submitted.
  @doc false
  def from_json(%{"paper" => %{} = paper} = json) do
    day = %{"submittedOnDailyAt" => json["publishedAt"], "submittedOnDailyBy" => json["submittedBy"]}

    merged =
      json |> Map.drop(["paper", "publishedAt", "submittedBy"]) |> Map.merge(present(day)) |> Map.merge(paper)

    %{Decode.struct(merged, __MODULE__, @fields) | raw: json}
  end

  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def authors(list), do: Decode.list_or_nil(&Author.from_json/1).(list)

  @doc false
  def models(list), do: Decode.list_or_nil(&ModelInfo.from_json/1).(list)

  @doc false
  def datasets(list), do: Decode.list_or_nil(&DatasetInfo.from_json/1).(list)

  @doc false
  def spaces(list), do: Decode.list_or_nil(&SpaceInfo.from_json/1).(list)

  defp present(map), do: Map.reject(map, fn {_name, value} -> value == nil end)

  defimpl Inspect do
    def inspect(paper, _opts), do: Brief.line(paper, [paper.id, paper.title, {paper.upvotes || 0, "upvotes"}])
  end
end
