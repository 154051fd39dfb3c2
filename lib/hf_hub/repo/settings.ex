defmodule HfHub.Repo.Settings do
  # The settings of repositories: option tables, and the JSON bodies that the Hub expects for
  # creation, duplication and updates. This module sends no requests.
  @moduledoc false

  alias HfHub.{Options, RepoRef}
  alias HfHub.Spaces.Values

  @visibility [
    private: [
      type: :boolean,
      doc:
        "Whether the repository is private. Defaults to the namespace's default visibility. " <>
          "Mutually exclusive with `:visibility`."
    ],
    visibility: [
      type: {:in, [:public, :private, :protected]},
      doc:
        "Visibility of the repository. `:protected` is for Spaces: the app is public, the files are private."
    ]
  ]

  @entries "a map of names and values, or a list of maps with `:key`, `:value` and optionally `:description`; a name " <>
             "begins with a letter and has letters, digits and underscores"

  @space [
    space_hardware: [type: :hardware, doc: "Hardware of the Space, such as `\"t4-small\"` or `:t4_small`."],
    space_sleep_time: [
      type: {:or, [:pos_integer, {:in, [:never]}]},
      spellings: [{"-1", :never}],
      doc: "Idle time after which a Space on paid hardware is put to sleep, in seconds."
    ],
    space_storage: [
      type: {:in, [:small, :medium, :large]},
      doc: "Persistent storage of the Space, at a cost. The Hub recommends `:space_volumes` instead."
    ],
    space_secrets: [type: :any, doc: "Secrets of the Space: #{@entries}."],
    space_variables: [type: :any, doc: "Public environment variables of the Space, in the same form."],
    space_volumes: [
      type: :any,
      doc:
        "Volumes to mount: a list of maps with `:source`, `:mount_path` and optionally `:type` (`:model` by " <>
          "default, `:dataset`, `:space`, `:bucket`), `:revision`, `:read_only` and `:path`."
    ]
  ]

  @resource_group [
    resource_group_id: [
      type: :string,
      doc:
        "Id of the resource group of an Enterprise organization that may access the repository: 24 hex digits."
    ]
  ]

  @create @visibility ++
            [
              exist_ok: [
                type: :boolean,
                default: false,
                doc: "Whether to succeed if the repository already exists. Its settings are not changed."
              ]
            ] ++
            @resource_group ++
            [
              region: [
                type: {:in, [:us, :eu]},
                doc: "Region in which the files are stored; requires a Team plan or above."
              ],
              space_sdk: [
                type: {:in, [:gradio, :streamlit, :docker, :static]},
                doc: "SDK of the Space; required for a Space without `:space_template`."
              ],
              space_template: [
                type: :string,
                doc: "Name or id of the official template to create the Space from."
              ]
            ] ++ @space

  @duplicate @visibility ++ [exist_ok: @create[:exist_ok]] ++ @resource_group ++ @space

  @update @visibility ++
            [
              gated: [
                type: {:in, [:auto, :manual, false]},
                doc:
                  "Whether access must be requested: `:auto` grants every request, `:manual` lets the owner decide, " <>
                    "`false` removes the gate."
              ],
              gated_notifications_mode: [
                type: {:in, [:bulk, :"real-time"]},
                spellings: [{"real_time", :"real-time"}],
                doc: "How often the owner is notified of access requests: `:bulk` or `:\"real-time\"`."
              ],
              gated_notifications_email: [type: :string, doc: "Email address for these notifications."],
              discussions_disabled: [
                type: :boolean,
                doc: "Whether discussions and pull requests are disabled."
              ]
            ]

  @spec create() :: Options.table()
  def create, do: @create

  @spec duplicate() :: Options.table()
  def duplicate, do: @duplicate

  @spec update() :: Options.table()
  def update, do: @update

  @doc "Returns the entries of a body that identify a repository."
  @spec named(RepoRef.t()) :: map()
  def named(ref) do
    {name, namespace} = ref.repo_id |> String.split("/") |> List.pop_at(-1)
    # The Hub's default type is a model.
    type = if ref.repo_type != :model, do: ref.repo_type
    %{name: name, organization: List.first(namespace), type: type}
  end

  @doc "Returns the body that creates a repository, without the entries of `space!/2`."
  @spec new(RepoRef.t(), keyword()) :: map()
  def new(ref, opts) do
    Map.merge(named(ref), %{
      visibility: visibility!(opts, ref.repo_type),
      resourceGroupId: opts[:resource_group_id],
      region: opts[:region],
      sdk: opts[:space_sdk],
      template: opts[:space_template]
    })
  end

  @doc "Returns the body that changes settings. Raises if there is nothing to change."
  @spec changes!(keyword(), atom()) :: map()
  def changes!(opts, repo_type) do
    changes = %{
      visibility: visibility!(opts, repo_type),
      gated: opts[:gated],
      gatedNotificationsMode: opts[:gated_notifications_mode],
      gatedNotificationsEmail: opts[:gated_notifications_email],
      discussionsDisabled: opts[:discussions_disabled]
    }

    if Enum.all?(changes, &match?({_name, nil}, &1)) do
      raise ArgumentError, "nothing to change: pass one of #{inspect(Keyword.keys(@update))}"
    end

    changes
  end

  @doc "Returns the visibility that the options set. Raises on two options, or on one that the type does not support."
  @spec visibility!(keyword(), atom()) :: atom()
  def visibility!(opts, repo_type) do
    case {opts[:private], opts[:visibility]} do
      {private, word} when private != nil and word != nil ->
        raise ArgumentError, "`:private` and `:visibility` are mutually exclusive"

      {nil, :protected} when repo_type != :space ->
        raise ArgumentError, "only a Space can be :protected; pass visibility: :public or :private"

      {nil, word} ->
        word

      {private, nil} ->
        if private, do: :private, else: :public
    end
  end

  @doc "Returns the entries of a body about a Space. Raises if its options are passed for another type."
  @spec space!(keyword(), atom()) :: map()
  def space!(opts, :space) do
    if Keyword.has_key?(opts, :space_sdk) and opts[:space_sdk] == nil and opts[:space_template] == nil do
      raise ArgumentError,
            "a Space requires :space_sdk (:gradio, :streamlit, :docker or :static) or :space_template"
    end

    hardware = opts[:space_hardware] && Values.hardware!(opts[:space_hardware], "option :space_hardware")
    sleep_time = opts[:space_sleep_time] && Values.sleep_time!(opts[:space_sleep_time])
    if sleep_time, do: Values.warn_free(hardware)

    %{
      hardware: hardware,
      storageTier: opts[:space_storage],
      sleepTimeSeconds: sleep_time,
      secrets: entries!(:space_secrets, opts[:space_secrets]),
      variables: entries!(:space_variables, opts[:space_variables]),
      volumes: volumes!(:space_volumes, opts[:space_volumes])
    }
  end

  def space!(opts, repo_type) do
    for {name, value} <- opts, value != nil, String.starts_with?(to_string(name), "space_") do
      raise ArgumentError, "option #{inspect(name)} is for Spaces only, and this repository is a #{repo_type}"
    end

    %{}
  end

  @doc "Returns the values of a Space's secrets in a body of `space!/2`."
  @spec secrets(map()) :: [String.t()]
  def secrets(space), do: for(entry <- space[:secrets] || [], do: entry.value)

  # The values may be secrets, so no message shows them.
  defp entries!(_name, nil), do: nil
  defp entries!(name, map) when is_map(map), do: entries!(name, Enum.map(map, &pair/1))
  defp entries!(name, list) when is_list(list), do: Enum.map(list, &(entry(&1) || wrong!(name, @entries)))
  defp entries!(name, _other), do: wrong!(name, @entries)

  defp pair({key, value}), do: %{key: text(key), value: value}

  defp entry({key, value}), do: entry(pair({key, value}))

  defp entry(map) when is_map(map) do
    known = named(map, [:key, :value, :description])
    valid? = known != nil and Values.key?(known[:key]) and is_binary(known[:value])
    if valid? and is_binary(known[:description] || ""), do: known
  end

  defp entry(_other), do: nil

  defp text(key) when is_atom(key) and key != nil, do: Atom.to_string(key)
  defp text(key), do: key

  @volume "a list of maps with :source, :mount_path (an absolute path) and optionally :type (:model, :dataset, :space " <>
            "or :bucket), :revision, :read_only and :path"

  @doc "Returns volumes as the Hub expects them. `name` is that of the option or argument."
  @spec volumes!(atom(), term()) :: [map()] | nil
  def volumes!(_name, nil), do: nil
  def volumes!(name, list) when is_list(list), do: Enum.map(list, &(volume(&1) || wrong!(name, @volume)))
  def volumes!(name, _other), do: wrong!(name, @volume)

  defp volume(map) when is_map(map) do
    known = named(map, [:type, :source, :mount_path, :revision, :read_only, :path])

    if known != nil and is_binary(known[:source]) and mount?(known[:mount_path]) and type?(known[:type]) do
      {mount_path, known} = Map.pop!(known, :mount_path)
      {read_only, known} = Map.pop(known, :read_only)
      known = Map.merge(%{type: :model, mountPath: mount_path}, known)
      if read_only == nil, do: known, else: Map.put(known, :readOnly, read_only)
    end
  end

  defp volume(_other), do: nil

  defp type?(type), do: type == nil or Enum.any?(Values.volume_types(), &(type in [&1, Atom.to_string(&1)]))
  defp mount?(path), do: is_binary(path) and path =~ ~r"\A/." and not (path =~ ~r"/\.\.?(/|\z)")

  # The map with atom keys, or nil if it has keys that are not in `names`.
  defp named(map, names) do
    name = fn key -> Enum.find(names, &(&1 == key or Atom.to_string(&1) == key)) end
    found = for {key, value} <- map, known = name.(key), do: {known, value}
    if length(found) == map_size(map), do: found |> Enum.reject(&match?({_name, nil}, &1)) |> Map.new()
  end

  defp wrong!(name, form), do: raise(ArgumentError, "expected option #{inspect(name)} to be #{form}")
end
