defmodule HfHub.CLI.Spaces do
  # Spaces: search, state, logs, hardware, secrets, variables, volumes.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Browse, Call, Flags, Json, Output, Values}
  alias HfHub.CLI.Spaces.Development
  alias HfHub.{Api, Spaces}

  @id [space_id: [doc: "Id of the Space"]]
  @key [key: [doc: "Name"]]

  @impl true
  def noun, do: [name: "spaces", summary: "Searches Spaces, and manages them"]

  @impl true
  def commands do
    Browse.commands(:spaces, []) ++
      running() ++ Development.commands() ++ entries("secrets") ++ entries("variables") ++ volumes()
  end

  defp running do
    [
      command(["search"], &search/1,
        summary: "Searches Spaces by meaning",
        args: [query: [doc: "Text to search for"]],
        flags:
          [
            filter: [type: {:list, :string}, doc: "Tag that all results have"],
            sdk: [type: {:list, :string}, doc: "SDK of the Spaces"],
            include_non_running: [type: :boolean, negatable: true, doc: "Includes Spaces that do not run"],
            description: [type: :boolean, negatable: true, doc: "Shows descriptions"]
          ] ++ Flags.limit(10)
      ),
      command(["logs"], &logs/1,
        summary: "Prints the log of a Space",
        args: @id,
        flags: [
          build: [type: :boolean, doc: "Prints the log of the build instead of that of the app"],
          follow: [type: :boolean, short: "f", doc: "Waits for new lines"],
          tail: [type: :integer, short: "n", doc: "Number of the last lines to print"]
        ]
      ),
      command(["pause"], &pause/1, summary: "Pauses a Space", args: @id),
      command(["restart"], &restart/1,
        summary: "Restarts a Space",
        args: @id,
        flags: [factory_reboot: [type: :boolean, doc: "Builds it again without the build cache"]]
      ),
      command(["wait"], &wait/1,
        summary: "Waits until a Space has been built and started",
        args: @id,
        flags: [
          timeout: [type: :string, doc: "Maximum time to wait, such as `30s` or `5m`. Defaults to no limit"]
        ]
      ),
      command(["settings"], &settings/1,
        summary: "Changes the hardware or the sleep time of a Space",
        args: @id,
        flags: [
          hardware: [type: :string, doc: "Hardware, such as `t4-medium`"],
          sleep_time: [type: :integer, doc: "Idle seconds after which it is put to sleep; -1 is never"]
        ]
      ),
      command(["hardware"], &hardware/1, summary: "Lists the hardware for Spaces, with its costs"),
      command(["zero-gpu", "quota"], &quota/1, summary: "Shows what is left of your ZeroGPU quota"),
      command(["templates"], &templates/1, summary: "Lists the templates for `repo create --template`")
    ]
  end

  defp entries(noun) do
    flags = if noun == "secrets", do: [:secrets, :secrets_file], else: [:env, :env_file]
    one = String.trim_trailing(noun, "s")

    [
      command([noun, "list"], &list(&1, noun),
        summary: "Lists the #{noun} of a Space",
        aliases: ["ls"],
        args: @id
      ),
      command([noun, "add"], &add(&1, noun),
        summary: "Adds #{noun} to a Space, or changes them",
        args: @id,
        flags: Keyword.take(Values.flags(), flags)
      ),
      command([noun, "delete"], &delete(&1, noun),
        summary: "Deletes a #{one} of a Space",
        args: @id ++ @key,
        flags: Flags.yes()
      )
    ]
  end

  defp volumes do
    [
      command(["volumes", "list"], &list_volumes/1,
        summary: "Lists the volumes of a Space",
        aliases: ["ls"],
        args: @id
      ),
      command(["volumes", "set"], &set_volumes/1,
        summary: "Replaces the volumes of a Space",
        args: @id,
        flags: [volume: Keyword.put(Values.volume_flag()[:volume], :required, true)]
      ),
      command(["volumes", "delete"], &delete_volumes/1,
        summary: "Removes all volumes of a Space",
        args: @id,
        flags: Flags.yes()
      )
    ]
  end

  defp command(words, run, fields), do: Browse.command("spaces", words, run, fields)

  defp search(call) do
    opts = Call.options(call, [:filter, :sdk, :include_non_running, :limit])

    with {:ok, found} <- Spaces.search(call.args.query, opts) do
      rows = for space <- found, do: result(space, call.flags[:description])
      {:table, rows, id: "id"}
    end
  end

  defp result(space, description?) do
    score = space.semantic_relevancy_score
    description = if description?, do: [{"description", space.ai_short_description}], else: []

    [
      {"id", space.id},
      {"title", space.title},
      {"sdk", space.sdk},
      {"likes", space.likes},
      {"stage", space.runtime && stage(space.runtime)},
      {"category", space.ai_category},
      {"score", score && Float.round(score / 1, 2)}
    ] ++ description
  end

  # As the Hub writes it.
  defp stage(runtime),
    do: runtime.raw["stage"]

  defp logs(%{flags: %{follow: true, tail: _lines}}),
    do: {:error, "--follow and --tail are mutually exclusive"}

  defp logs(call) do
    lines = call.args.space_id |> Spaces.logs(Call.options(call, [:build, :follow])) |> Stream.map(&text/1)
    {:lines, if(call.flags[:tail], do: Enum.take(lines, -call.flags.tail), else: lines)}
  end

  defp text(line) when is_binary(line), do: String.trim(line)
  defp text(%{data: text}), do: String.trim(text)

  defp pause(call) do
    with {:ok, runtime} <- Spaces.pause(call.args.space_id, Call.options(call)),
         do: done(call, "Space paused", stage: stage(runtime))
  end

  defp restart(call) do
    with {:ok, runtime} <- Spaces.restart(call.args.space_id, Call.options(call, [:factory_reboot])) do
      reboot = call.flags[:factory_reboot] || false
      done(call, "Space restart triggered", stage: stage(runtime), factory_reboot: reboot)
    end
  end

  defp wait(call) do
    timeout = if call.flags[:timeout], do: [timeout: Values.duration(call.flags.timeout)], else: []

    with {:ok, runtime} <- Spaces.wait_until_running(call.args.space_id, Call.options(call) ++ timeout),
         do: done(call, "Space ready", stage: stage(runtime))
  end

  defp settings(%{flags: flags, args: %{space_id: id}} = call) do
    sleep = if flags[:sleep_time], do: [sleep_time: flags.sleep_time], else: []

    result =
      cond do
        flags[:hardware] ->
          Spaces.request_hardware(id, flags.hardware, sleep_time(sleep) ++ Call.options(call))

        sleep != [] ->
          Spaces.set_sleep_time(id, sleep_time(sleep)[:sleep_time], Call.options(call))

        true ->
          {:error, "pass --hardware or --sleep-time"}
      end

    with {:ok, runtime} <- result do
      facts = [hardware: runtime.requested_hardware, sleep_time: runtime.sleep_time]
      done(call, "Space settings updated", facts)
    end
  end

  defp sleep_time(sleep_time: -1), do: [sleep_time: :never]
  defp sleep_time(given), do: given

  defp quota(call) do
    with {:ok, quota} <- Spaces.get_zero_gpu_quota(Call.options(call)) do
      facts = [
        remaining: quota.remaining,
        base: quota.base,
        resets_at: quota.resets_at,
        overquota_used: quota.overquota_used
      ]

      {:done, "ZeroGPU quota, in seconds of a GPU", facts}
    end
  end

  defp hardware(call) do
    with {:ok, list} <- Spaces.list_hardware(Call.options(call)),
         do: {:table, Enum.map(list, &Values.hardware(&1, [])), id: "name"}
  end

  defp templates(call) do
    with {:ok, list} <- Spaces.list_templates(Call.options(call)), do: {:table, Json.rows(list), id: "name"}
  end

  defp list(call, noun) do
    read = if noun == "secrets", do: &Spaces.list_secrets/2, else: &Spaces.get_variables/2

    with {:ok, entries} <- read.(call.args.space_id, Call.options(call)),
         do: {:table, entries |> Map.values() |> Json.rows(), id: "key"}
  end

  defp add(%{flags: flags} = call, noun) do
    {write, values} =
      if noun == "secrets",
        do: {&Spaces.add_secret/4, Values.variables(flags[:secrets], flags[:secrets_file])},
        else: {&Spaces.add_variable/4, Values.variables(flags[:env], flags[:env_file])}

    if values == %{},
      do: {:error, "pass at least one of the #{noun}"},
      else: call |> write_all(write, values) |> added(call, noun, Map.keys(values))
  end

  defp write_all(call, write, values) do
    Enum.reduce_while(values, :ok, fn {key, value}, :ok ->
      case write.(call.args.space_id, key, value, Call.options(call)) do
        {:error, error} -> {:halt, {:error, error}}
        _written -> {:cont, :ok}
      end
    end)
  end

  defp added(:ok, call, noun, keys), do: done(call, "#{String.capitalize(noun)} added", keys: keys)
  defp added(failed, _call, _noun, _keys), do: failed

  defp delete(%{args: %{space_id: id, key: key}} = call, noun) do
    {remove, one} =
      if noun == "secrets",
        do: {&Spaces.delete_secret/3, "Secret"},
        else: {&Spaces.delete_variable/3, "Variable"}

    with :ok <- Output.confirm(call, "Delete #{key} of the Space '#{id}'?"),
         :ok <- remove.(id, key, Call.options(call)),
         do: done(call, "#{one} deleted", key: key)
  end

  defp list_volumes(call) do
    with {:ok, info} <- Api.space_info(call.args.space_id, Call.options(call)) do
      volumes = (info.runtime && info.runtime.volumes) || []
      {:table, Enum.map(volumes, &volume/1), id: "source"}
    end
  end

  defp volume(json) do
    rows = [
      {"type", json["type"]},
      {"source", json["source"]},
      {"mount_path", json["mountPath"]},
      {"revision", json["revision"]},
      {"read_only", json["readOnly"]},
      {"path", json["path"]}
    ]

    for {_name, value} = row when value != nil <- rows, do: row
  end

  defp set_volumes(call) do
    volumes = Values.volumes(call.flags.volume)

    with :ok <- Spaces.set_volumes(call.args.space_id, volumes, Call.options(call)),
         do: done(call, "Volumes set", volumes: Values.volume_texts(volumes))
  end

  defp delete_volumes(%{args: %{space_id: id}} = call) do
    with :ok <- Output.confirm(call, "Remove all volumes of the Space '#{id}'?"),
         :ok <- Spaces.delete_volumes(id, Call.options(call)),
         do: done(call, "Volumes deleted", [])
  end

  defp done(call, message, facts), do: {:done, message, [space_id: call.args.space_id] ++ facts}
end
