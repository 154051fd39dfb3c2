defmodule HfHub.Buckets.Tables do
  # The options of calls about buckets.
  @moduledoc false

  alias HfHub.Options

  @exist_ok [
    type: :boolean,
    default: false,
    doc: "Whether to succeed if the bucket already exists. Its settings are not changed."
  ]

  @create [
            private: [
              type: :boolean,
              doc:
                "Whether the bucket is private. Defaults to the namespace's default visibility. " <>
                  "Mutually exclusive with `:visibility`."
            ],
            visibility: [
              type: {:in, [:public, :private]},
              doc: "Visibility of the bucket: `:public` or `:private`."
            ],
            resource_group_id: [
              type: :string,
              doc:
                "Id of the resource group of an Enterprise organization that may access the bucket: 24 hex digits."
            ],
            region: [
              type: {:in, [:us, :eu]},
              doc: "Region in which the files are stored; requires a Team plan or above."
            ],
            exist_ok: @exist_ok
          ] ++ Options.common()

  @limit [limit: [type: :pos_integer, doc: "Maximum number of results. Defaults to all."]]

  @stream [
            namespace: [
              type: :string,
              doc: "User or organization whose buckets to return. Defaults to the token's account."
            ],
            search: [type: :string, doc: "Text to search for in the names of buckets."]
          ] ++ Options.common()

  @delete [
            missing_ok: [
              type: :boolean,
              default: false,
              doc: "Whether to succeed if the bucket does not exist."
            ]
          ] ++
            Options.common()

  @settings [private: [type: :boolean, required: true, doc: "Whether only the owners can read the bucket."]] ++
              Options.common()

  @tree [
          prefix: [
            type: :string,
            doc:
              "Beginning of the paths to return, such as `\"logs/\"`. Defaults to the path in the address, else to all paths."
          ],
          recursive: [
            type: :boolean,
            doc:
              "Whether to return the files in folders, too. Defaults to what the Hub does, which is to return them."
          ]
        ] ++ Options.common()

  @events [
            cursor: [type: :string, doc: "Position after which to begin: the field `:cursor` of an event."],
            since: [
              type: {:struct, DateTime},
              doc:
                "Time after which to begin. Mutually exclusive with `:cursor`. Defaults to new changes only."
            ],
            follow: [
              type: :boolean,
              default: true,
              doc:
                "Whether to wait for new changes. Otherwise the stream ends once those since the position were returned."
            ]
          ] ++ Options.common()

  @workers [
    max_workers: [
      type: :pos_integer,
      default: 8,
      aliases: [:num_workers],
      doc: "Maximum number of files to transfer at a time."
    ],
    progress: Options.progress()
  ]

  @timeout [
    upload_timeout: [
      type: :pos_integer,
      default: 60_000,
      doc:
        "Maximum time in which the storage accepts nothing, in milliseconds. The end of an upload, when the storage " <>
          "verifies all files, may take ten times as long."
    ]
  ]

  @transfer @workers ++ Options.transfer()
  @upload @workers ++ @timeout ++ Options.transfer()

  @download [
              local_dir: [
                type: :path,
                doc: "Folder for files without a path of their own, which keep their paths in the bucket."
              ],
              raise_on_missing_files: [
                type: :boolean,
                default: false,
                doc:
                  "Whether a path that does not exist is an error of kind `:entry_not_found`. Otherwise it is skipped with a " <>
                    "warning in the log."
              ]
            ] ++ @transfer

  @sync [
          delete: [
            type: :boolean,
            default: false,
            doc: "Whether to delete files of the destination that the source does not have."
          ],
          ignore_times: [
            type: :boolean,
            default: false,
            doc: "Whether to compare sizes only. Mutually exclusive with `:ignore_sizes`."
          ],
          ignore_sizes: [type: :boolean, default: false, doc: "Whether to compare times only."],
          existing: [
            type: :boolean,
            default: false,
            doc:
              "Whether to transfer only files that the destination has. Mutually exclusive with `:ignore_existing`."
          ],
          ignore_existing: [
            type: :boolean,
            default: false,
            doc: "Whether to transfer only files that the destination does not have."
          ],
          include: [
            type: :patterns,
            doc: "Patterns of files to synchronize, as in Python's `fnmatch`. Defaults to all files."
          ],
          exclude: [type: :patterns, doc: "Patterns of files that are left alone."],
          filter_from: [
            type: :path,
            doc:
              "File with a rule in each line, `+ pattern` or `- pattern`, of which the first that matches decides, before " <>
                "`:exclude` and `:include`."
          ],
          dry_run: [type: :boolean, default: false, doc: "Whether to change nothing and return the plan."],
          plan: [
            type: :path,
            doc: "File to save the plan to, instead of carrying it out. Mutually exclusive with `:dry_run`."
          ]
        ] ++ @upload

  @spec common() :: Options.table()
  def common, do: Options.common()

  @spec create() :: Options.table()
  def create, do: @create

  @spec list() :: Options.table()
  def list, do: @limit ++ @stream

  @spec stream() :: Options.table()
  def stream, do: @stream

  @spec delete() :: Options.table()
  def delete, do: @delete

  @spec settings() :: Options.table()
  def settings, do: @settings

  @spec list_tree() :: Options.table()
  def list_tree, do: @limit ++ @tree

  @spec stream_tree() :: Options.table()
  def stream_tree, do: @tree

  @spec upload() :: Options.table()
  def upload, do: @upload

  @spec download() :: Options.table()
  def download, do: @download

  @spec sync() :: Options.table()
  def sync, do: @sync

  @spec events() :: Options.table()
  def events, do: @events
end
