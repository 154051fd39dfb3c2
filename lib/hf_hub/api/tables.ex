defmodule HfHub.Api.Tables do
  # The options of HfHub.Api's functions. Filters are listed in the order in which Python's client
  # writes them into the query, so that both send the same address.
  @moduledoc false

  alias HfHub.Options

  @one_or_many {:or, [:string, {:list, :string}]}

  @expand %{
    models:
      ~w(author baseModels cardData childrenModelCount config createdAt disabled downloads downloadsAllTime
         evalResults gated gguf inference inferenceProviderMapping lastModified library_name likes mask_token
         model-index pipeline_tag private resourceGroup safetensors sha siblings spaces tags transformersInfo
         trendingScore usedStorage widgetData),
    datasets:
      ~w(author cardData citation createdAt description disabled downloads downloadsAllTime gated lastModified
         likes mainSize paperswithcode_id private resourceGroup sha siblings tags trendingScore usedStorage),
    spaces:
      ~w(author cardData createdAt datasets disabled lastModified likes models private region resourceGroup
         runtime sdk sha siblings subdomain tags trendingScore usedStorage)
  }

  @doc "Returns the options of `HfHub.Api.model_info/2`."
  @spec model_info() :: Options.table()
  def model_info do
    facts = [security_status: [type: :boolean, default: false, doc: "tell what the scanners found, too."]]
    facts ++ files_metadata() ++ expand(:models, ":files_metadata or :security_status") ++ at_revision()
  end

  @doc "Returns the options of `HfHub.Api.dataset_info/2`."
  @spec dataset_info() :: Options.table()
  def dataset_info, do: files_metadata() ++ expand(:datasets, ":files_metadata") ++ at_revision()

  @doc "Returns the options of `HfHub.Api.space_info/2`."
  @spec space_info() :: Options.table()
  def space_info, do: files_metadata() ++ expand(:spaces, ":files_metadata") ++ at_revision()

  @doc "Returns the options of `HfHub.Api.list_models/1`."
  @spec models() :: Options.table()
  def models do
    [
      filter: filter(),
      trained_dataset: [type: @one_or_many, doc: "datasets that it was trained on, such as `\"squad\"`."],
      author: author(),
      apps: [type: @one_or_many, doc: "local apps that can run it, such as `\"ollama\"`."],
      gated: gated(),
      inference: [type: {:in, [:warm]}, doc: "only those that inference providers serve now."],
      inference_provider: [type: @one_or_many, doc: "served by these providers, or `\"all\"` for any."],
      pipeline_tag: [type: :string, doc: "the task, such as `\"text-generation\"`."],
      num_parameters: [type: :string, doc: "a range such as `\"min:6B,max:128B\"`."],
      search: search(),
      emissions_thresholds: [
        type: {:tuple, [:number, :number]},
        doc:
          "the least and the most grams of CO₂ that its training may have emitted, as its card says. " <>
            "Looked at here, in each of those that the Hub finds."
      ],
      sort: sort([:created_at, :downloads, :last_modified, :likes, :trending_score]),
      limit: limit(),
      full: full(),
      config: [type: :boolean, default: false, doc: "tell the configuration, too."],
      card_data: [type: :boolean, default: false, doc: "tell the card's metadata, too."]
    ] ++ expand(:models, ":full, :config or :card_data") ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Api.list_datasets/1`."
  @spec datasets() :: Options.table()
  def datasets do
    [
      filter: filter(),
      language_creators: facet("how the language came about, such as `\"crowdsourced\"`"),
      language: facet("such as `\"en\"`"),
      multilinguality: facet("such as `\"monolingual\"`"),
      size_categories: facet("such as `\"10K<n<100K\"`"),
      task_categories: facet("such as `\"question-answering\"`"),
      task_ids: facet("such as `\"extractive-qa\"`"),
      benchmark: [
        type: {:or, [{:in, [true]}, :string]},
        doc: "only benchmarks: `\"official\"` or `true` for those of the Hub's own list."
      ],
      author: author(),
      gated: gated(),
      dataset_name: [type: :string, doc: "words in the name."],
      search: search(),
      sort: sort([:created_at, :downloads, :last_modified, :likes, :trending_score]),
      limit: limit()
    ] ++ expand(:datasets, ":full") ++ [full: full()] ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Api.list_spaces/1`."
  @spec spaces() :: Options.table()
  def spaces do
    [
      filter: filter(),
      author: author(),
      search: search(),
      sort: sort([:created_at, :last_modified, :likes, :trending_score]),
      limit: limit(),
      linked: [type: :boolean, default: false, doc: "only those that use a model or a dataset."],
      datasets: [type: @one_or_many, doc: "that use one of these datasets."],
      models: [type: @one_or_many, doc: "that use one of these models."]
    ] ++ expand(:spaces, ":full") ++ [full: full()] ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Api.list_repo_tree/2`."
  @spec tree() :: Options.table()
  def tree do
    [
      path_in_repo: path_in_repo(),
      recursive: [type: :boolean, default: false, doc: "also what is in folders."],
      expand: [
        type: :boolean,
        default: false,
        doc: "tell the last commit and the security status of each, too; slower."
      ],
      limit: limit()
    ] ++ Options.repo_type() ++ at_revision()
  end

  @doc "Returns the options of `HfHub.Api.list_files/2`."
  @spec files() :: Options.table()
  def files, do: Keyword.drop(tree(), [:recursive, :expand])

  @doc "Returns the options of `HfHub.Api.paths_info/3`."
  @spec paths() :: Options.table()
  def paths, do: Keyword.drop(tree(), [:recursive, :path_in_repo, :limit])

  @doc "Returns the options of functions about a dataset at a revision."
  @spec dataset() :: Options.table()
  def dataset, do: at_revision()

  @doc "Returns the options of `HfHub.Api.dataset_splits/2`."
  @spec splits() :: Options.table()
  def splits do
    config = [
      type: :string,
      doc: "the configuration. By default `\"default\"` if there is one, else the first."
    ]

    [config: config] ++ at_revision()
  end

  @doc "Returns the table of a stream: it ends where its reader stops."
  @spec unlimited(Options.table()) :: Options.table()
  def unlimited(table), do: Keyword.delete(table, :limit)

  defp at_revision, do: Options.revision() ++ Options.common()

  defp files_metadata do
    [
      files_metadata: [
        type: :boolean,
        default: false,
        doc: "tell size, git id and LFS facts of every file, too."
      ]
    ]
  end

  defp expand(types, without) do
    known = Enum.map_join(@expand[types], ", ", &"`#{&1}`")
    doc = "only these facts, by the Hub's names: #{known}. Not together with #{without}."
    [expand: [type: {:list, :string}, doc: doc]]
  end

  defp filter, do: [type: @one_or_many, doc: "tags that all of them have."]
  defp author, do: [type: :string, doc: "the user or organization."]
  defp search, do: [type: :string, doc: "words in the name."]
  defp gated, do: [type: :boolean, doc: "only gated ones, or only others."]
  defp full, do: [type: :boolean, default: false, doc: "tell most facts of each."]
  defp limit, do: [type: :pos_integer, doc: "at most so many. By default all there are."]
  defp sort(keys), do: [type: {:in, keys}, doc: "what the list is ordered by, the largest or newest first."]
  defp path_in_repo, do: [type: :string, doc: "only what is below this folder."]
  defp facet(doc), do: [type: @one_or_many, doc: "a tag of that sort or several, #{doc}."]
end
