defmodule HfHub.Spaces.Tables do
  # The option tables of `HfHub.Spaces`.
  @moduledoc false

  alias HfHub.Options
  alias HfHub.Repo.Settings

  @sleep_time [
    sleep_time: [
      type: {:or, [:pos_integer, {:in, [:never]}]},
      spellings: [{"-1", :never}],
      doc:
        "Idle time after which a Space on paid hardware is put to sleep, in seconds, or `:never`. A Space on " <>
          "`cpu-basic` sleeps after 48 hours."
    ]
  ]

  @description [description: [type: :string, doc: "What the value is for."]]

  @doc "Returns the options of `HfHub.Spaces.restart/2`."
  @spec restart() :: Options.table()
  def restart do
    [
      factory_reboot: [
        type: :boolean,
        default: false,
        doc: "Whether to build the Space again without caches, such as that of its requirements."
      ]
    ] ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Spaces.request_hardware/3`."
  @spec hardware() :: Options.table()
  def hardware, do: @sleep_time ++ Options.common()

  @doc "Returns the options of functions that set a secret or a variable."
  @spec entry() :: Options.table()
  def entry, do: @description ++ Options.common()

  @doc "Returns the options of `HfHub.Spaces.duplicate/2`."
  @spec duplicate() :: Options.table()
  def duplicate do
    settings = Settings.duplicate()

    [
      to_id: [
        type: :string,
        aliases: [:to],
        doc: "Id of the copy. Defaults to the same name in the account of the token."
      ]
    ] ++
      Keyword.take(settings, [:private, :visibility, :exist_ok, :resource_group_id]) ++
      for({name, rule} <- settings, short = short(name), do: {short, rule}) ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Spaces.duplicate/2` under their names in `HfHub.Repo.duplicate/2`."
  @spec for_repo(keyword()) :: keyword()
  def for_repo(opts) do
    long =
      for {name, _rule} <- Settings.duplicate(), short = short(name), into: %{to_id: :to}, do: {short, name}

    for {name, value} <- opts, do: {Map.get(long, name, name), value}
  end

  @space ~w(hardware sleep_time storage secrets variables volumes)a
  defp short(name), do: Enum.find(@space, &("space_#{&1}" == Atom.to_string(name)))

  @doc "Returns the options of `HfHub.Spaces.wait_until_running/2`."
  @spec wait() :: Options.table()
  def wait do
    [
      poll_interval: [
        type: :pos_integer,
        default: 1000,
        doc:
          "Delay before the first further request, in milliseconds. Each further delay is 1.5 times as long, up to ten " <>
            "times this value."
      ]
    ] ++ Options.common()
  end

  @doc "Returns the options of `HfHub.Spaces.logs/2`."
  @spec logs() :: Options.table()
  def logs do
    common = Options.common()

    [
      build: [
        type: :boolean,
        default: false,
        doc: "Whether to return the log of the build instead of that of the app."
      ],
      follow: [
        type: :boolean,
        default: false,
        doc:
          "Whether to wait for new lines, until the server closes the stream or `:timeout` is over. By default the " <>
            "stream has the lines so far."
      ],
      quiet: [
        type: :pos_integer,
        default: 5000,
        doc: "Time without a line after which a stream without `:follow` ends, in milliseconds."
      ],
      timeout: [
        type: common[:timeout][:type],
        doc:
          "Maximum duration of the whole stream, in milliseconds. With `:follow` the stream then ends, otherwise it " <>
            "raises. Defaults to no limit."
      ],
      download_timeout: [
        type: :pos_integer,
        doc:
          "Timeout between two reads of the response, in milliseconds, after which it is requested again. Defaults to " <>
            "120,000 with `:follow`, when a server may be silent for long, and to 10,000 otherwise."
      ]
    ] ++ Keyword.drop(common, [:timeout, :download_timeout])
  end

  @doc "Returns the options of `HfHub.Spaces.stream_search/2`."
  @spec search() :: Options.table()
  def search do
    [
      filter: [type: :patterns, default: [], doc: "Tags to filter by; results have all of them."],
      sdk: [
        type: {:or, [:string, :atom, {:list, :string}]},
        doc: "SDK of the Spaces, such as `\"gradio\"` or `:docker`, or a list of SDKs."
      ],
      include_non_running: [
        type: :boolean,
        default: false,
        doc: "Whether to include Spaces that are not running."
      ]
    ] ++ Options.common()
  end
end
