defmodule HfHub.Spaces.Runtime do
  @moduledoc """
  What a Space runs on, and whether it runs. Python: `SpaceRuntime`.

    * `:stage` - `:running`, `:building`, `:sleeping`, `:paused`, `:runtime_error` and others
    * `:hardware`, `:requested_hardware` - such as `"cpu-basic"`
    * `:sleep_time` - seconds without a visitor after which it sleeps
    * `:storage`, `:dev_mode`
    * `:hot_reloading`, `:volumes` - maps with string keys
    * `:raw` - the whole answer
  """

  alias HfHub.{Brief, Decode}

  @stages [
    no_app_file: "NO_APP_FILE",
    config_error: "CONFIG_ERROR",
    building: "BUILDING",
    build_error: "BUILD_ERROR",
    running: "RUNNING",
    running_building: "RUNNING_BUILDING",
    runtime_error: "RUNTIME_ERROR",
    deleting: "DELETING",
    stopped: "STOPPED",
    paused: "PAUSED",
    sleeping: "SLEEPING",
    app_starting: "APP_STARTING",
    running_app_starting: "RUNNING_APP_STARTING"
  ]

  @fields [
    stage: {"stage", &__MODULE__.stage/1},
    hardware: ["hardware", "current"],
    requested_hardware: ["hardware", "requested"],
    sleep_time: "gcTimeout",
    storage: "storage",
    dev_mode: {"devMode", &__MODULE__.dev_mode/1},
    hot_reloading: "hotReloading",
    volumes: "volumes"
  ]

  @type t :: %__MODULE__{
          stage: atom() | String.t() | nil,
          hardware: String.t() | nil,
          requested_hardware: String.t() | nil,
          sleep_time: integer() | nil,
          storage: term(),
          dev_mode: boolean(),
          hot_reloading: map() | nil,
          volumes: [map()] | nil,
          raw: map()
        }

  defstruct Keyword.keys(@fields) ++ [:raw]

  @doc false
  def from_json(json), do: Decode.optional(&Decode.struct(&1, __MODULE__, @fields)).(json)

  @doc false
  def stage(text), do: Decode.enum(@stages).(text)

  @doc false
  def dev_mode(value), do: value == true

  defimpl Inspect do
    def inspect(runtime, _opts), do: Brief.line(runtime, [runtime.stage, runtime.hardware])
  end
end
