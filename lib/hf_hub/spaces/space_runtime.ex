defmodule HfHub.Spaces.SpaceRuntime do
  @moduledoc """
  The state and the hardware of a Space. Python: `SpaceRuntime`.
  """

  alias HfHub.Brief

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

  use HfHub.Schema,
    stage: {"stage", {:enum, @stages}, "state of the app"},
    hardware: {["hardware", "current"], :string, "hardware in use, such as `\"cpu-basic\"`"},
    requested_hardware: {["hardware", "requested"], :string, "hardware that was requested"},
    sdk: {"sdk", :string, "SDK, where the Hub sends it; see also `HfHub.Api.SpaceInfo`"},
    sdk_version: {"sdkVersion", :string, "version of the SDK, where the Hub sends it"},
    raw_logs: {"rawLogs", :boolean, "whether logs are raw, where the Hub sends it"},
    sleep_time: {"gcTimeout", :integer, "seconds without a visitor after which the Space is put to sleep"},
    storage: {"storage", :any, "persistent storage"},
    dev_mode: {"devMode", {:is, true}, "whether the dev mode is on"},
    hot_reloading: {"hotReloading", :map, "state of the hot reloading; a map with string keys"},
    volumes: {"volumes", [:map], "mounted volumes; maps with string keys"},
    error_message: {"errorMessage", :string, "reason of the stage, where the Hub gives one"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> HfHub.Spaces.SpaceRuntime.from_response(%{"stage" => "RUNNING"}).stage
      :running
  """)

  defimpl Inspect do
    def inspect(runtime, _opts), do: Brief.line(runtime, [runtime.stage, runtime.hardware])
  end
end
