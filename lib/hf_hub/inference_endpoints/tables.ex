defmodule HfHub.InferenceEndpoints.Tables do
  # The option tables of `HfHub.InferenceEndpoints`.
  @moduledoc false

  alias HfHub.Options

  @api [
    inference_endpoints_url: [
      type: :string,
      doc:
        "Base URL of the API of Inference Endpoints; the token is sent to it. Defaults to the setting in `HfHub.Config`."
    ]
  ]

  @catalog [
    inference_catalog_url: [
      type: :string,
      doc:
        "Base URL of the catalog's API; the token is sent to it. Defaults to the setting in `HfHub.Config`."
    ]
  ]

  @namespace [
    namespace: [
      type: :string,
      doc:
        "User or organization that owns the endpoint. Defaults to the token's account, which costs a request."
    ]
  ]

  # Atoms, as in 0.3, or strings.
  @accelerator "Hardware accelerator, such as `\"cpu\"`, `\"gpu\"` or `\"neuron\"`."
  @instance_size "Size of the instance, such as `\"x4\"`."

  @metrics [:pending_requests, :hardware_usage]

  @scaling [
    scale_to_zero_timeout: [
      type: :pos_integer,
      doc:
        "Minutes without a request after which the endpoint is scaled to zero. Requires a `:min_replica` of 0."
    ],
    scaling_metric: [
      type: {:in, @metrics},
      spellings: [{"pendingRequests", :pending_requests}, {"hardwareUsage", :hardware_usage}],
      doc:
        "Number that causes a scale-up: `:pending_requests` or `:hardware_usage`. Defaults to the service's choice."
    ],
    scaling_threshold: [
      type: :number,
      doc: "Value of `:scaling_metric` that causes a scale-up. Defaults to the service's choice."
    ]
  ]

  @model [
    revision: [type: :string, doc: "Revision of the model to deploy."],
    task: [type: :string, doc: "Task of the model, such as `\"text-classification\"`."],
    custom_image: [
      type: :map,
      doc:
        "Container image: a map of one engine to its settings, such as " <>
          "`%{vLLM: %{url: \"vllm/vllm-openai:v0.23.0\", port: 8000}}` (also `sGLang`, `tgi`, `tei`, `llamacpp` and others), " <>
          "or the settings of a container with a `:url`. The settings have the names of the service's API."
    ],
    container_command: [type: {:list, :string}, doc: "Command that replaces the entry point of the image."],
    container_args: [type: {:list, :string}, doc: "Arguments of the command."],
    env: [type: :variables, doc: "Environment variables of the container."],
    secrets: [
      type: :variables,
      doc: "Secret environment variables; no error, log or inspection shows their values."
    ]
  ]

  @route [
    domain: [type: :string, doc: "Domain of your own for the endpoint."],
    path: [type: :string, doc: "Path of the model at the domain, such as `\"/models/bert\"`."],
    cache_http_responses: [type: :boolean, doc: "Whether to cache HTTP responses."],
    tags: [type: {:list, :string}, doc: "Tags of the endpoint."]
  ]

  @doc "Returns the options of a call about the endpoints of a namespace."
  @spec one() :: Options.table()
  def one, do: @namespace ++ @api ++ Options.common()

  @doc "Returns the options of `HfHub.InferenceEndpoints.list/1`."
  @spec list() :: Options.table()
  def list do
    [
      namespace: [
        type: {:or, [{:in, [:all]}, :string]},
        spellings: [{"*", :all}],
        doc:
          "User or organization whose endpoints to return; `:all` for the token's account and all its organizations. " <>
            "Defaults to the token's account."
      ]
    ] ++ @api ++ Options.common()
  end

  @doc "Returns the options of `HfHub.InferenceEndpoints.create/2`."
  @spec create() :: Options.table()
  def create do
    required = fn type, doc -> [type: type, required: true, doc: doc] end

    [
      repository: required.(:string, "Id of the model to deploy."),
      accelerator: required.(:hardware, @accelerator),
      instance_size: required.(:hardware, @instance_size),
      instance_type:
        required.(
          :string,
          "Type of the instance, such as `\"intel-icl\"`; see `HfHub.InferenceEndpoints.list_hardware/1`."
        ),
      region: required.(:string, "Region of the cloud provider, such as `\"us-east-1\"`."),
      vendor: required.(:hardware, "Cloud provider, such as `\"aws\"`."),
      framework: [
        type: :string,
        default: "pytorch",
        doc: "Framework of the model, such as `\"pytorch\"` or `\"custom\"`."
      ],
      type: [
        type: {:in, [:public, :authenticated, :private]},
        spellings: [{"protected", :authenticated}],
        default: :authenticated,
        doc:
          "Clients that may send requests: `:public` (all), `:authenticated` (those with a token; 0.3 and the service " <>
            "named it `:protected`) or `:private` (only from a private network)."
      ],
      min_replica: [
        type: :non_neg_integer,
        default: 1,
        doc: "Minimum number of replicas; 0 allows scaling to zero."
      ],
      max_replica: [type: :pos_integer, default: 1, doc: "Maximum number of replicas."]
    ] ++
      @scaling ++
      @model ++
      [
        container_registry_username: [
          type: :string,
          doc: "User name for the registry of a custom container image."
        ],
        container_registry_password: [
          type: :string,
          secret: true,
          doc:
            "Password for the registry; requires `:container_registry_username`. It is treated as a secret."
        ],
        private_link_account_id: [
          type: :string,
          doc:
            "AWS account that may reach the endpoint through AWS PrivateLink. Requires `:private_link_region`."
        ],
        private_link_region: [
          type: :string,
          doc: "AWS region of the PrivateLink entry point: `\"us-east-1\"` or `\"eu-west-1\"`."
        ]
      ] ++ @route ++ one()
  end

  @doc "Returns the options of an update that change something."
  @spec changes() :: Options.table()
  def changes do
    [
      accelerator: [type: :hardware, doc: @accelerator],
      instance_size: [type: :hardware, doc: @instance_size],
      instance_type: [type: :string, doc: "Type of the instance, such as `\"intel-icl\"`."],
      min_replica: [
        type: :non_neg_integer,
        doc: "Minimum number of replicas; 0 allows scaling to zero."
      ],
      max_replica: [type: :pos_integer, doc: "Maximum number of replicas."],
      repository: [type: :string, doc: "Id of the model to deploy."],
      framework: [type: :string, doc: "Framework of the model."],
      tensor_parallel_size: [
        type: :pos_integer,
        doc:
          "Number of accelerators that share one copy of the model (vLLM and SGLang). Without `:custom_image` it is set " <>
            "in the current image, which costs a request."
      ],
      data_parallel_size: [
        type: :pos_integer,
        doc: "Number of copies of the model, one for each accelerator (vLLM)."
      ]
    ] ++ @scaling ++ @model ++ @route
  end

  @doc "Returns the options of `HfHub.InferenceEndpoints.update/2`."
  @spec update() :: Options.table()
  def update, do: changes() ++ one()

  @doc "Returns the options of `HfHub.InferenceEndpoints.resume/2`."
  @spec resume() :: Options.table()
  def resume do
    [
      running_ok: [
        type: :boolean,
        default: true,
        doc: "Whether to return the endpoint, instead of an error, if it already runs."
      ]
    ] ++ one()
  end

  @doc "Returns the options of `HfHub.InferenceEndpoints.wait_until_running/2`."
  @spec wait() :: Options.table()
  def wait do
    [
      poll_interval: [type: :pos_integer, default: 5000, doc: "Pause between two requests, in milliseconds."],
      on_wait: [
        type: {:fun, 1},
        doc: "Function called with the endpoint before each pause, for example to show its state."
      ]
    ] ++ one()
  end

  @doc "Returns the options of `HfHub.InferenceEndpoints.create_from_catalog/1`."
  @spec from_catalog() :: Options.table()
  def from_catalog do
    [
      repo_id: [
        type: :string,
        doc: "Id of a model in the catalog. Exactly one of `:repo_id` and `:recipe_id` is required."
      ],
      recipe_id: [type: :string, doc: "Id of a recipe of `HfHub.InferenceEndpoints.list_catalog/1`."],
      name: [type: :string, doc: "Name of the endpoint. Defaults to one that the service chooses."],
      accelerator: [
        type: :hardware,
        doc:
          "Accelerator of the recipe to use, such as `\"cpu\"`, `\"gpu\"` or `\"neuron\"`; with `:repo_id` only."
      ],
      gguf_file: [type: :string, doc: "GGUF file of the recipe to use; with `:repo_id` only."],
      namespace: [
        type: :string,
        doc: "User or organization that will own the endpoint. Defaults to the token's account."
      ]
    ] ++ @catalog ++ Options.common()
  end

  @doc "Returns the options of `HfHub.InferenceEndpoints.list_catalog/1` that filter."
  @spec filters() :: Options.table()
  def filters do
    [
      accelerator: [
        type: :hardware,
        doc: "Accelerator of the recipes: `\"cpu\"`, `\"gpu\"`, `\"neuron\"` or a newer one."
      ],
      engine: [
        type: :string,
        doc: "Engine of the recipes: `\"llamacpp\"`, `\"sglang\"`, `\"tei\"`, `\"vllm\"` or a newer one."
      ],
      license: [type: :string, doc: "License of the models."],
      task: [type: :string, doc: "Task of the models, such as `\"text-generation\"`."],
      search: [type: :string, doc: "Text in the names of the models."],
      limit: [type: :pos_integer, doc: "Maximum number of models to return."]
    ]
  end

  @doc "Returns the options of `HfHub.InferenceEndpoints.list_catalog/1`."
  @spec catalog() :: Options.table()
  def catalog, do: filters() ++ @catalog ++ Options.common()
end
