defmodule HfHub.Jobs.Tables do
  # The option tables of `HfHub.Jobs` and `HfHub.ScheduledJobs`.
  @moduledoc false

  alias HfHub.Options

  @stages [:scheduling, :running, :completed, :canceled, :error, :deleted]

  @namespace [
    namespace: [
      type: :string,
      doc: "User or organization that owns the job. Defaults to the token's account, which costs a request."
    ]
  ]

  @ports [
    expose: [type: {:list, :pos_integer}, doc: "Ports of the container to reach by URL with a token."],
    expose_public: [
      type: {:list, :pos_integer},
      doc: "Ports of the container to reach by URL without a token."
    ]
  ]

  @spec_options [
                  env: [type: :variables, doc: "Environment variables."],
                  secrets: [
                    type: :variables,
                    doc: "Secret environment variables; no error, log or inspection shows their values."
                  ],
                  flavor: [
                    type: :hardware,
                    default: "cpu-basic",
                    doc: "Hardware, such as `\"t4-small\"` or `:t4_small`; see `HfHub.Jobs.list_hardware/1`."
                  ],
                  job_timeout: [
                    type: {:or, [:number, :string]},
                    doc:
                      "Maximum duration of the job: seconds, or a text such as `\"30m\"`, `\"1.5h\"` or `\"2d\"`."
                  ],
                  attempts: [type: :pos_integer, doc: "Maximum number of attempts to run the job."],
                  name: [
                    type: :string,
                    doc:
                      "Name of the job, its label `name`. Defaults to one of the image or script and the command."
                  ],
                  labels: [type: :variables, doc: "Labels."],
                  volumes: [
                    type: :any,
                    doc:
                      "Volumes to mount: a list of `HfHub.Jobs.Volume` structs, or of maps with `:source`, `:mount_path` " <>
                        "and optionally `:type` (`:model` by default, `:dataset`, `:space`, `:bucket`), `:revision`, " <>
                        "`:read_only` and `:path`."
                  ]
                ] ++
                  @ports ++
                  [
                    resource_group_id: [
                      type: :string,
                      doc: "Id of the resource group of an Enterprise organization."
                    ]
                  ]

  @network [
    ssh: [type: :boolean, default: false, doc: "Whether the container can be reached by SSH."],
    network_group: [type: :string, doc: "Network group to join; jobs of a group reach each other."],
    network_aliases: [
      type: {:list, :string},
      doc: "Host names of the job in the group. Requires `:network_group`."
    ]
  ]

  @uv [
    script_args: [type: {:list, :string}, default: [], doc: "Arguments of the script."],
    dependencies: [type: {:list, :string}, default: [], doc: "Packages to install, such as `\"trl\"`."],
    python: [type: :string, doc: "Version of Python. Defaults to that of the image."],
    image: [
      type: :string,
      default: "ghcr.io/astral-sh/uv:python3.12-bookworm",
      doc: "Docker image with uv, or the URL of a Space."
    ]
  ]

  @schedule [
    schedule: [
      type: :string,
      required: true,
      doc:
        "`\"@hourly\"`, `\"@daily\"`, `\"@weekly\"`, `\"@monthly\"`, `\"@yearly\"`, or a cron expression such as " <>
          "`\"0 9 * * 1\"`."
    ],
    suspend: [type: :boolean, doc: "Whether the scheduled job begins suspended. The Hub defaults to false."],
    concurrency: [
      type: :boolean,
      doc: "Whether a job may start while the one before it still runs. The Hub defaults to false."
    ]
  ]

  @doc "Returns the options of a call about the jobs of a namespace."
  @spec one() :: Options.table()
  def one, do: @namespace ++ Options.common()

  @doc "Returns the options of `HfHub.Jobs.run/3`."
  @spec run() :: Options.table()
  def run, do: @spec_options ++ @network ++ one()

  @doc "Returns the options of `HfHub.Jobs.run_uv/2`."
  @spec run_uv() :: Options.table()
  def run_uv, do: @uv ++ run()

  @doc "Returns the options of `HfHub.Jobs.sync_volume/3`."
  @spec sync_volume() :: Options.table()
  def sync_volume do
    [
      remote_name: [
        type: :string,
        doc:
          "Folder in the bucket. Defaults to the name of the folder and a hash of its path and this machine."
      ],
      read_only: [type: :boolean, default: true, doc: "Whether jobs can only read the volume."]
    ] ++ @namespace ++ HfHub.Buckets.Tables.upload()
  end

  @doc "Returns the options of `HfHub.ScheduledJobs.create/3`."
  @spec create() :: Options.table()
  def create, do: @schedule ++ @spec_options ++ one()

  @doc "Returns the options of `HfHub.ScheduledJobs.create_uv/2`."
  @spec create_uv() :: Options.table()
  def create_uv, do: @uv ++ create()

  @doc "Returns the options of `HfHub.ScheduledJobs.list/1`."
  @spec scheduled() :: Options.table()
  def scheduled, do: [labels: [type: :variables, doc: "Labels that the jobs have, all of them."]] ++ one()

  @doc "Returns the options of `HfHub.Jobs.stream/1`."
  @spec stream() :: Options.table()
  def stream, do: [stages("Stages of the jobs to return. Defaults to all.")] ++ scheduled()

  @doc "Returns the options of `HfHub.Jobs.list/1`."
  @spec list() :: Options.table()
  def list,
    do: [limit: [type: :pos_integer, doc: "Maximum number of jobs to return. Defaults to all."]] ++ stream()

  defp stages(doc), do: {:stages, [type: {:some, @stages}, aliases: [:status], doc: doc]}

  @doc "Returns the options of `HfHub.Jobs.update_expose/2`."
  @spec expose() :: Options.table()
  def expose, do: @ports ++ one()

  @doc "Returns the options of `HfHub.Jobs.wait/2`."
  @spec wait() :: Options.table()
  def wait do
    [
      stages("Stages to wait for, in addition to those in which the job has ended."),
      poll_interval: [type: :pos_integer, default: 1000, doc: "Pause between two requests, in milliseconds."],
      on_wait: [
        type: {:fun, 1},
        doc: "Function called with the job before each pause, for example to show its stage."
      ]
    ] ++ one()
  end

  @doc "Returns the options of `HfHub.Jobs.metrics/2`."
  @spec metrics() :: Options.table()
  def metrics do
    [
      follow: [
        type: :boolean,
        default: false,
        doc:
          "Whether to return a sample each second until the job has ended. By default the stream has the current one."
      ],
      timeout: [
        type: {:or, [:pos_integer, {:in, [:infinity]}]},
        doc:
          "Maximum duration of the whole stream, in milliseconds. With `:follow` the stream then ends, otherwise it " <>
            "raises. Defaults to no limit."
      ]
    ] ++ Keyword.drop(one(), [:timeout])
  end

  @doc "Returns the options of `HfHub.Jobs.logs/2`."
  @spec logs() :: Options.table()
  def logs do
    [
      tail: [type: :pos_integer, doc: "Number of the last lines so far to begin with. Defaults to all lines."],
      quiet: [
        type: :pos_integer,
        default: 5000,
        doc: "Time without a line after which a stream without `:follow` ends, in milliseconds."
      ]
    ] ++
      Keyword.put(metrics(), :follow,
        type: :boolean,
        default: false,
        doc:
          "Whether to wait for new lines until the job has ended. By default the stream has the lines so far."
      )
  end
end
