defmodule HfHub.Api.DatasetInfo do
  @moduledoc """
  Information about a dataset. Python: `DatasetInfo`.

  Which fields are filled depends on the call; the others are `nil`. Maps have string keys.
  """

  alias HfHub.Api.Sibling
  alias HfHub.Brief

  use HfHub.Schema,
    id: {"id", :name, "id of the repository, such as `\"rajpurkar/squad\"`"},
    author: {"author", :string, "namespace of the repository: a user or an organization"},
    sha: {"sha", :string, "commit that the information is about"},
    private: {"private", :boolean, "whether the repository is private"},
    gated: {"gated", {:enum, [false, :auto, :manual]}, "whether access is granted on request, and how"},
    disabled: {"disabled", :boolean, "whether the Hub has disabled the repository"},
    created_at: {"createdAt", :datetime, "time of creation"},
    last_modified: {"lastModified", :datetime, "time of the last commit"},
    updated_at: {"lastModified", :datetime, "same as `:last_modified`, by its name in hf_hub 0.3"},
    downloads: {"downloads", :integer, "number of downloads in the last 30 days"},
    downloads_all_time: {"downloadsAllTime", :integer, "number of downloads since creation"},
    likes: {"likes", :integer, "number of likes"},
    trending_score: {"trendingScore", :number, "score that `sort: :trending_score` sorts by"},
    tags: {"tags", [:string], "tags of the dataset, those of its card included"},
    card_data: {"cardData", :map, "metadata of the dataset's card"},
    siblings: {"siblings", [Sibling], "files of the repository"},
    citation: {"citation", :string, "citation, in BibTeX"},
    description: {"description", :string, "text that describes the dataset"},
    main_size: {"mainSize", :integer, "size in bytes of the files on the branch `main`"},
    paperswithcode_id: {"paperswithcode_id", :string, "id of the dataset at Papers with Code"},
    resource_group: {"resourceGroup", :map, "resource group of the organization that the repository is in"},
    used_storage: {"usedStorage", :integer, "size in bytes of the repository's storage on the Hub"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(info, _opts),
      do: Brief.line(info, [info.id, {info.downloads || 0, "downloads"}, {info.likes || 0, "likes"}])
  end
end
