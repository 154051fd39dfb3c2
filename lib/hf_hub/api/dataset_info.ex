defmodule HfHub.Api.DatasetInfo do
  @moduledoc """
  Information about a dataset. Python: `DatasetInfo`.

  Which fields are filled depends on the call; the others are `nil`. Maps have string keys.
  """

  alias HfHub.Brief

  use HfHub.Api.RepoFields,
    id: {"id", :name, "id of the repository, such as `\"rajpurkar/squad\"`"},
    downloads: {"downloads", :integer, "number of downloads in the last 30 days"},
    downloads_all_time: {"downloadsAllTime", :integer, "number of downloads since creation"},
    tags: {"tags", [:string], "tags of the dataset, those of its card included"},
    card_data: {"cardData", :map, "metadata of the dataset's card"},
    citation: {"citation", :string, "citation, in BibTeX"},
    description: {"description", :string, "text that describes the dataset"},
    main_size: {"mainSize", :integer, "size in bytes of the files on the branch `main`"},
    paperswithcode_id: {"paperswithcode_id", :string, "id of the dataset at Papers with Code"}

  defimpl Inspect do
    def inspect(info, _opts),
      do: Brief.line(info, [info.id, {info.downloads || 0, "downloads"}, {info.likes || 0, "likes"}])
  end
end
