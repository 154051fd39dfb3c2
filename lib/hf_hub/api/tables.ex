defmodule HfHub.Api.Tables do
  # The option tables of HfHub.Api. Filters are in the order in which the Python client
  # writes them to the query, so that both request the same URL.
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
    facts = [
      security_status: [
        type: :boolean,
        default: false,
        aliases: [:securityStatus],
        doc: "Whether to include the results of security scans."
      ]
    ]

    facts ++ files_metadata() ++ expand(:models, "`:files_metadata` or `:security_status`") ++ at_revision()
  end

  @doc "Returns the options of `HfHub.Api.dataset_info/2`."
  @spec dataset_info() :: Options.table()
  def dataset_info, do: files_metadata() ++ expand(:datasets, "`:files_metadata`") ++ at_revision()

  @doc "Returns the options of `HfHub.Api.space_info/2`."
  @spec space_info() :: Options.table()
  def space_info, do: files_metadata() ++ expand(:spaces, "`:files_metadata`") ++ at_revision()

  @doc "Returns the options of `HfHub.Api.list_models/1`."
  @spec models() :: Options.table()
  def models do
    [
      filter: filter(),
      trained_dataset: [type: @one_or_many, doc: "Datasets the model was trained on, such as `\"squad\"`."],
      author: author(),
      apps: [type: @one_or_many, doc: "Local apps that can run the model, such as `\"ollama\"`."],
      gated: gated(),
      inference: [
        type: {:in, [:warm]},
        doc: "`:warm` returns only models that inference providers serve now."
      ],
      inference_provider: [
        type: @one_or_many,
        doc: "Inference providers that serve the model, or `\"all\"` for any."
      ],
      pipeline_tag: [type: :string, doc: "Task, such as `\"text-generation\"`."],
      num_parameters: [type: :string, doc: "Range of parameter counts, such as `\"min:6B,max:128B\"`."],
      search: search(),
      emissions_thresholds: [
        type: {:tuple, [:number, :number]},
        doc:
          "Minimum and maximum CO₂ emissions of the training, in grams, according to the model card. " <>
            "Applied on the client, to each model that the Hub returns."
      ]
    ] ++
      sort([:created_at, :downloads, :last_modified, :likes, :trending_score]) ++
      [
        limit: limit(),
        full: full(),
        config: [
          type: :boolean,
          default: false,
          aliases: [:fetch_config],
          doc: "Whether to include the configuration."
        ],
        card_data: [
          type: :boolean,
          default: false,
          aliases: [:cardData],
          doc: "Whether to include the metadata of the card."
        ]
      ] ++ expand(:models, "`:full`, `:config` or `:card_data`") ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Api.list_datasets/1`."
  @spec datasets() :: Options.table()
  def datasets do
    [
      filter: filter(),
      language_creators: facet("Origin of the language data", "crowdsourced"),
      language: facet("Language", "en"),
      multilinguality: facet("Multilinguality", "monolingual"),
      size_categories: facet("Size category", "10K<n<100K"),
      task_categories: facet("Task category", "question-answering"),
      task_ids: facet("Task", "extractive-qa"),
      benchmark: [
        type: {:or, [{:in, [true]}, :string]},
        doc: "Returns only benchmarks; `\"official\"` or `true` for those the Hub lists as official."
      ],
      author: author(),
      gated: gated(),
      dataset_name: [type: :string, doc: "Words in the name."],
      search: search()
    ] ++
      sort([:created_at, :downloads, :last_modified, :likes, :trending_score]) ++
      [limit: limit()] ++ expand(:datasets, "`:full`") ++ [full: full()] ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Api.list_spaces/1`."
  @spec spaces() :: Options.table()
  def spaces do
    [
      filter: filter(),
      author: author(),
      search: search()
    ] ++
      sort([:created_at, :last_modified, :likes, :trending_score]) ++
      [
        limit: limit(),
        linked: [
          type: :boolean,
          default: false,
          doc: "Returns only Spaces that are linked to a model or a dataset."
        ],
        datasets: [type: @one_or_many, doc: "Datasets, one of which the Space uses."],
        models: [type: @one_or_many, doc: "Models, one of which the Space uses."]
      ] ++ expand(:spaces, "`:full`") ++ [full: full()] ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Api.list_repo_tree/2`."
  @spec tree() :: Options.table()
  def tree do
    [
      path_in_repo: path_in_repo(),
      recursive: [type: :boolean, default: false, doc: "Whether to include the contents of folders."],
      expand: [
        type: :boolean,
        default: false,
        doc: "Whether to include the last commit and the security status of each entry; slower."
      ],
      limit: limit()
    ] ++ Options.repo_type() ++ at_revision()
  end

  @doc "Returns the options of `HfHub.Api.list_files/2` and `HfHub.Api.list_repo_files/2`."
  @spec files() :: Options.table()
  def files, do: tree() |> Keyword.delete(:expand) |> put_in([:recursive, :default], true)

  @doc "Returns the options of `HfHub.Api.paths_info/3`."
  @spec paths() :: Options.table()
  def paths, do: Keyword.drop(tree(), [:recursive, :path_in_repo, :limit])

  @doc "Returns the options of functions about a dataset at a revision."
  @spec dataset() :: Options.table()
  def dataset, do: at_revision()

  @doc "Returns the options of `HfHub.Api.dataset_leaderboard/2`."
  @spec leaderboard() :: Options.table()
  def leaderboard do
    only = [
      type: :boolean,
      doc:
        "Whether to leave out models that name a base model, such as fine-tuned ones. Defaults to the Hub's choice, " <>
          "which is to leave them out."
    ]

    [base_model_only: only] ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Api.dataset_splits/2`."
  @spec splits() :: Options.table()
  def splits do
    config = [
      type: :string,
      doc:
        "Configuration. Defaults to the default one: that of the card, else `\"default\"` or the first. Required if the card " <>
          "lists several without a default one."
    ]

    [config: config] ++ at_revision()
  end

  @doc "Returns the table of a stream, which has no `:limit`."
  @spec unlimited(Options.table()) :: Options.table()
  def unlimited(table), do: Keyword.delete(table, :limit)

  defp at_revision, do: Options.revision() ++ Options.common()

  defp files_metadata do
    [
      files_metadata: [
        type: :boolean,
        default: false,
        doc: "Whether to include the size, git id and LFS metadata of every file."
      ]
    ]
  end

  defp expand(types, without) do
    known = Enum.map_join(@expand[types], ", ", &"`#{&1}`")
    doc = "Properties to return, by the names of the Hub: #{known}. Mutually exclusive with #{without}."
    [expand: [type: {:list, :string}, doc: doc]]
  end

  defp filter, do: [type: @one_or_many, doc: "Tags to filter by; results have all of them."]
  defp author, do: [type: :string, doc: "User or organization that owns the repository."]
  defp search, do: [type: :string, doc: "Words in the name."]
  defp gated, do: [type: :boolean, doc: "`true` returns only gated repositories, `false` only others."]
  defp full, do: [type: :boolean, default: false, doc: "Whether to include most properties of each."]
  defp limit, do: [type: :pos_integer, doc: "Maximum number of results. Defaults to all."]
  # The names in the Hub's JSON, and the one in the documentation of 0.3.
  @sorts [
    {"createdAt", :created_at},
    {"lastModified", :last_modified},
    {"trendingScore", :trending_score},
    {"updated", :last_modified}
  ]

  defp sort(keys) do
    [
      sort: [
        type: {:in, keys},
        spellings: @sorts,
        doc:
          "Property to sort by, in descending order; also by its name on the Hub, such as `\"lastModified\"`."
      ],
      direction: [
        type: {:in, [:asc, :desc]},
        default: :desc,
        spellings: [{"-1", :desc}, {"1", :asc}],
        no_effect: "the Hub sorts in descending order only"
      ]
    ]
  end

  defp path_in_repo,
    do: [type: :string, doc: "Folder to list, relative to that of the reference. Defaults to all of it."]

  defp facet(what, example),
    do: [type: @one_or_many, doc: "#{what} to filter by, one or several, such as `\"#{example}\"`."]
end
