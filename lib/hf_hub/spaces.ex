defmodule HfHub.Spaces do
  @moduledoc """
  Spaces: runtime, hardware, storage, secrets, variables, volumes, logs, search.

      {:ok, %{stage: :running}} = HfHub.Spaces.get_runtime("me/app")

  A Space is created by `HfHub.Repo.create/2` with `repo_type: :space`; its metadata is
  `HfHub.Api.space_info/2`. Functions that change a Space require a token with write access to it, and return its
  runtime after the change. Hardware and storage can cost money.
  """

  alias HfHub.{Decode, Error, Options, Repo, Request}
  alias HfHub.Repo.{RepoUrl, Settings, Template}
  alias HfHub.Spaces.{Call, Logs, SpaceHardware, SpaceRuntime, SpaceSearchResult, SpaceSecret}
  alias HfHub.Spaces.{SpaceTemplate, SpaceVariable, Tables, Values, Waiting, ZeroGpuQuota}

  @search [limit: [type: :pos_integer, doc: "Maximum number of Spaces to return."]] ++ Tables.search()

  @type result :: {:ok, SpaceRuntime.t()} | {:error, Error.t()}

  @doc """
  Returns the state and the hardware of a Space.

  ## Options

  #{Options.docs(Options.common())}

  ## Examples

      {:ok, %{stage: :running, hardware: "cpu-basic"}} = HfHub.Spaces.get_runtime("me/app")
  """
  @doc python: "get_space_runtime"
  @spec get_runtime(HfHub.repo(), keyword()) :: result()
  def get_runtime(repo_id, opts \\ []) do
    opts = Options.validate!(opts, Options.common())
    :get |> Call.request("runtime", repo_id, opts) |> Request.run(SpaceRuntime)
  end

  @doc "Same as `get_runtime/2`, but returns the runtime or raises `HfHub.Error`."
  @spec get_runtime!(HfHub.repo(), keyword()) :: SpaceRuntime.t()
  def get_runtime!(repo_id, opts \\ []), do: Error.unwrap!(get_runtime(repo_id, opts))

  @doc """
  Stops a Space until `restart/2`. Paused time is not billed. Options: those of `get_runtime/2`.

  ## Examples

      {:ok, %{stage: :paused}} = HfHub.Spaces.pause("me/app")
  """
  @doc python: "pause_space"
  @spec pause(HfHub.repo(), keyword()) :: result()
  def pause(repo_id, opts \\ []), do: Call.runtime(:post, "pause", repo_id, opts)

  @doc "Same as `pause/2`, but returns the runtime or raises `HfHub.Error`."
  @spec pause!(HfHub.repo(), keyword()) :: SpaceRuntime.t()
  def pause!(repo_id, opts \\ []), do: Error.unwrap!(pause(repo_id, opts))

  @doc """
  Restarts a Space, whatever it does; also one that was paused.

  ## Options

  #{Options.docs(Tables.restart())}

  ## Examples

      {:ok, _runtime} = HfHub.Spaces.restart("me/app", factory_reboot: true)
  """
  @doc python: "restart_space"
  @spec restart(HfHub.repo(), keyword()) :: result()
  def restart(repo_id, opts \\ []) do
    opts = Options.validate!(opts, Tables.restart())
    factory = if opts[:factory_reboot], do: true
    :post |> Call.request("restart", repo_id, opts) |> Request.query(factory: factory) |> Call.changed()
  end

  @doc "Same as `restart/2`, but returns the runtime or raises `HfHub.Error`."
  @spec restart!(HfHub.repo(), keyword()) :: SpaceRuntime.t()
  def restart!(repo_id, opts \\ []), do: Error.unwrap!(restart(repo_id, opts))

  @doc """
  Requests hardware for a Space, such as `:t4_small` or `"a10g-large"`; `list_hardware/1` lists it with its costs.

  ## Options

  #{Options.docs(Tables.hardware())}

  ## Examples

      {:ok, runtime} = HfHub.Spaces.request_hardware("me/app", :t4_small, sleep_time: 3600)
  """
  @doc python: "request_space_hardware"
  @spec request_hardware(HfHub.repo(), atom() | String.t(), keyword()) :: result()
  def request_hardware(repo_id, hardware, opts \\ []) do
    opts = Options.validate!(opts, Tables.hardware())
    flavor = Values.hardware!(hardware)
    sleep_time = opts[:sleep_time] && Values.sleep_time!(opts[:sleep_time])
    if sleep_time, do: Values.warn_free(flavor)
    body = %{flavor: flavor, sleepTimeSeconds: sleep_time}
    :post |> Call.request("hardware", repo_id, opts) |> Request.json(body) |> Call.changed()
  end

  @doc "Same as `request_hardware/3`, but returns the runtime or raises `HfHub.Error`."
  @spec request_hardware!(HfHub.repo(), atom() | String.t(), keyword()) :: SpaceRuntime.t()
  def request_hardware!(repo_id, hardware, opts \\ []),
    do: Error.unwrap!(request_hardware(repo_id, hardware, opts))

  @doc """
  Sets after how many seconds without a visitor a Space on paid hardware is put to sleep, or `:never`. Options: those of
  `get_runtime/2`.

  ## Examples

      {:ok, runtime} = HfHub.Spaces.set_sleep_time("me/app", 3600)
  """
  @doc python: "set_space_sleep_time"
  @spec set_sleep_time(HfHub.repo(), pos_integer() | :never, keyword()) :: result()
  def set_sleep_time(repo_id, seconds, opts \\ []) do
    body = %{seconds: Values.sleep_time!(seconds)}

    with {:ok, runtime} <- Call.runtime(:post, "sleeptime", repo_id, opts, body) do
      Values.warn_free(runtime.requested_hardware || runtime.hardware)
      {:ok, runtime}
    end
  end

  @doc "Same as `set_sleep_time/3`, but returns the runtime or raises `HfHub.Error`."
  @spec set_sleep_time!(HfHub.repo(), pos_integer() | :never, keyword()) :: SpaceRuntime.t()
  def set_sleep_time!(repo_id, seconds, opts \\ []), do: Error.unwrap!(set_sleep_time(repo_id, seconds, opts))

  @doc """
  Requests persistent storage for a Space: `:small`, `:medium` or `:large`. The Hub recommends volumes instead, see
  `set_volumes/3`. Options: those of `get_runtime/2`.

  ## Examples

      {:ok, _runtime} = HfHub.Spaces.request_storage("me/app", :small)
  """
  @spec request_storage(HfHub.repo(), atom() | String.t(), keyword()) :: result()
  def request_storage(repo_id, tier, opts \\ []),
    do: Call.runtime(:post, "storage", repo_id, opts, %{tier: Values.tier!(tier)})

  @doc "Same as `request_storage/3`, but returns the runtime or raises `HfHub.Error`."
  @spec request_storage!(HfHub.repo(), atom() | String.t(), keyword()) :: SpaceRuntime.t()
  def request_storage!(repo_id, tier, opts \\ []), do: Error.unwrap!(request_storage(repo_id, tier, opts))

  @doc """
  Deletes the persistent storage of a Space with everything in it. Options: those of `get_runtime/2`.

  ## Examples

      {:ok, _runtime} = HfHub.Spaces.delete_storage("me/app")
  """
  @spec delete_storage(HfHub.repo(), keyword()) :: result()
  def delete_storage(repo_id, opts \\ []), do: Call.runtime(:delete, "storage", repo_id, opts)

  @doc "Same as `delete_storage/2`, but returns the runtime or raises `HfHub.Error`."
  @spec delete_storage!(HfHub.repo(), keyword()) :: SpaceRuntime.t()
  def delete_storage!(repo_id, opts \\ []), do: Error.unwrap!(delete_storage(repo_id, opts))

  @doc """
  Enables the dev mode, in which the app can be restarted without its container. Options: those of `get_runtime/2`.

  ## Examples

      {:ok, %{dev_mode: true}} = HfHub.Spaces.enable_dev_mode("me/app")
  """
  @doc python: "enable_space_dev_mode"
  @spec enable_dev_mode(HfHub.repo(), keyword()) :: result()
  def enable_dev_mode(repo_id, opts \\ []),
    do: Call.runtime(:post, "dev-mode", repo_id, opts, %{enabled: true})

  @doc "Same as `enable_dev_mode/2`, but returns the runtime or raises `HfHub.Error`."
  @spec enable_dev_mode!(HfHub.repo(), keyword()) :: SpaceRuntime.t()
  def enable_dev_mode!(repo_id, opts \\ []), do: Error.unwrap!(enable_dev_mode(repo_id, opts))

  @doc """
  Disables the dev mode. Options: those of `get_runtime/2`.

  ## Examples

      {:ok, %{dev_mode: false}} = HfHub.Spaces.disable_dev_mode("me/app")
  """
  @doc python: "disable_space_dev_mode"
  @spec disable_dev_mode(HfHub.repo(), keyword()) :: result()
  def disable_dev_mode(repo_id, opts \\ []),
    do: Call.runtime(:post, "dev-mode", repo_id, opts, %{enabled: false})

  @doc "Same as `disable_dev_mode/2`, but returns the runtime or raises `HfHub.Error`."
  @spec disable_dev_mode!(HfHub.repo(), keyword()) :: SpaceRuntime.t()
  def disable_dev_mode!(repo_id, opts \\ []), do: Error.unwrap!(disable_dev_mode(repo_id, opts))

  @doc """
  Replaces the volumes of a Space: repositories and buckets that the app sees as folders. Each is a map as in
  `:space_volumes` of `HfHub.Repo.create/2`. Options: those of `get_runtime/2`.

  ## Examples

      data = %{type: :dataset, source: "me/data", mount_path: "/data"}
      :ok = HfHub.Spaces.set_volumes("me/app", [data])
  """
  @doc python: "set_space_volumes"
  @spec set_volumes(HfHub.repo(), [map()], keyword()) :: :ok | {:error, Error.t()}
  def set_volumes(repo_id, volumes, opts \\ []) do
    opts = Options.validate!(opts, Options.common())
    body = %{volumes: Settings.volumes!(:volumes, volumes || :none)}
    :put |> Call.request("volumes", repo_id, opts) |> Request.json(body) |> Call.effect()
  end

  @doc "Same as `set_volumes/3`, but raises `HfHub.Error` on failure."
  @spec set_volumes!(HfHub.repo(), [map()], keyword()) :: :ok
  def set_volumes!(repo_id, volumes, opts \\ []), do: Error.unwrap!(set_volumes(repo_id, volumes, opts))

  @doc """
  Removes all volumes of a Space, not what is in them. Options: those of `get_runtime/2`.

  ## Examples

      :ok = HfHub.Spaces.delete_volumes("me/app")
  """
  @doc python: "delete_space_volumes"
  @spec delete_volumes(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def delete_volumes(repo_id, opts \\ []) do
    opts = Options.validate!(opts, Options.common())
    :delete |> Call.request("volumes", repo_id, opts) |> Call.effect()
  end

  @doc "Same as `delete_volumes/2`, but raises `HfHub.Error` on failure."
  @spec delete_volumes!(HfHub.repo(), keyword()) :: :ok
  def delete_volumes!(repo_id, opts \\ []), do: Error.unwrap!(delete_volumes(repo_id, opts))

  @doc """
  Returns the public variables of a Space by name. Options: those of `get_runtime/2`.

  ## Examples

      {:ok, %{"MODEL" => model}} = HfHub.Spaces.get_variables("me/app")
  """
  @doc python: "get_space_variables"
  @spec get_variables(HfHub.repo(), keyword()) ::
          {:ok, %{String.t() => SpaceVariable.t()}} | {:error, Error.t()}
  def get_variables(repo_id, opts \\ []), do: Call.entries("variables", repo_id, opts, SpaceVariable)

  @doc "Same as `get_variables/2`, but returns the variables or raises `HfHub.Error`."
  @spec get_variables!(HfHub.repo(), keyword()) :: %{String.t() => SpaceVariable.t()}
  def get_variables!(repo_id, opts \\ []), do: Error.unwrap!(get_variables(repo_id, opts))

  @doc """
  Sets a public variable of a Space, and returns it. Everybody can see it; see `add_secret/4`.

  ## Options

  #{Options.docs(Tables.entry())}

  ## Examples

      {:ok, variable} =
        HfHub.Spaces.add_variable("me/app", "MODEL", "gpt2", description: "Model to load")
  """
  @doc python: "add_space_variable"
  @spec add_variable(HfHub.repo(), String.t(), String.t(), keyword()) ::
          {:ok, SpaceVariable.t()} | {:error, Error.t()}
  def add_variable(repo_id, key, value, opts \\ []) do
    opts = Options.validate!(opts, Tables.entry())
    entry = %{key: Values.key!(key), value: Values.value!(value)}
    find = &Call.entry(entry.key, Map.get(Decode.object(&1), entry.key, value), SpaceVariable)
    Call.set("variables", repo_id, entry, opts, find)
  end

  @doc "Same as `add_variable/4`, but returns the variable or raises `HfHub.Error`."
  @spec add_variable!(HfHub.repo(), String.t(), String.t(), keyword()) :: SpaceVariable.t()
  def add_variable!(repo_id, key, value, opts \\ []),
    do: Error.unwrap!(add_variable(repo_id, key, value, opts))

  @doc """
  Deletes a variable of a Space; a missing one is no error. Options: those of `get_runtime/2`.

  ## Examples

      :ok = HfHub.Spaces.delete_variable("me/app", "MODEL")
  """
  @doc python: "delete_space_variable"
  @spec delete_variable(HfHub.repo(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def delete_variable(repo_id, key, opts \\ []), do: Call.delete("variables", repo_id, key, opts)

  @doc "Same as `delete_variable/3`, but raises `HfHub.Error` on failure."
  @spec delete_variable!(HfHub.repo(), String.t(), keyword()) :: :ok
  def delete_variable!(repo_id, key, opts \\ []), do: Error.unwrap!(delete_variable(repo_id, key, opts))

  @doc """
  Returns the secrets of a Space by name, without their values. Options: those of `get_runtime/2`.

  ## Examples

      {:ok, secrets} = HfHub.Spaces.list_secrets("me/app")
  """
  @doc python: "get_space_secrets"
  @spec list_secrets(HfHub.repo(), keyword()) :: {:ok, %{String.t() => SpaceSecret.t()}} | {:error, Error.t()}
  def list_secrets(repo_id, opts \\ []), do: Call.entries("secrets", repo_id, opts, SpaceSecret)

  @doc "Same as `list_secrets/2`, but returns the secrets or raises `HfHub.Error`."
  @spec list_secrets!(HfHub.repo(), keyword()) :: %{String.t() => SpaceSecret.t()}
  def list_secrets!(repo_id, opts \\ []), do: Error.unwrap!(list_secrets(repo_id, opts))

  @doc """
  Sets a secret of a Space, which only the app can read. Options: those of `add_variable/4`.

  ## Examples

      :ok = HfHub.Spaces.add_secret("me/app", "API_KEY", System.fetch_env!("API_KEY"))
  """
  @doc python: "add_space_secret"
  @spec add_secret(HfHub.repo(), String.t(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def add_secret(repo_id, key, value, opts \\ []) do
    opts = Options.validate!(opts, Tables.entry())
    entry = %{key: Values.key!(key), value: Values.value!(value)}
    with {:ok, _body} <- Call.set("secrets", repo_id, entry, opts, & &1), do: :ok
  end

  @doc "Same as `add_secret/4`, but raises `HfHub.Error` on failure."
  @spec add_secret!(HfHub.repo(), String.t(), String.t(), keyword()) :: :ok
  def add_secret!(repo_id, key, value, opts \\ []), do: Error.unwrap!(add_secret(repo_id, key, value, opts))

  @doc """
  Deletes a secret of a Space; a missing one is no error. Options: those of `get_runtime/2`.

  ## Examples

      :ok = HfHub.Spaces.delete_secret("me/app", "API_KEY")
  """
  @doc python: "delete_space_secret"
  @spec delete_secret(HfHub.repo(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def delete_secret(repo_id, key, opts \\ []), do: Call.delete("secrets", repo_id, key, opts)

  @doc "Same as `delete_secret/3`, but raises `HfHub.Error` on failure."
  @spec delete_secret!(HfHub.repo(), String.t(), keyword()) :: :ok
  def delete_secret!(repo_id, key, opts \\ []), do: Error.unwrap!(delete_secret(repo_id, key, opts))

  @doc """
  Copies a Space, by default into the account of the token, and returns the copy's URL and id. The copy has the
  variables of the original, but neither its secrets nor its hardware. Same as `HfHub.Repo.duplicate/2` for a Space.

  ## Options

  #{Options.docs(Tables.duplicate())}

  ## Examples

      {:ok, copy} =
        HfHub.Spaces.duplicate("gradio/hello", to_id: "me/hello", private: true, hardware: :t4_small)
  """
  @doc python: "duplicate_space"
  @spec duplicate(HfHub.repo(), keyword()) :: {:ok, RepoUrl.t()} | {:error, Error.t()}
  def duplicate(from_id, opts \\ []) do
    opts = opts |> Options.validate!(Tables.duplicate()) |> Tables.for_repo()
    Repo.duplicate(from_id, [repo_type: :space] ++ Options.given(opts))
  end

  @doc "Same as `duplicate/2`, but returns the `HfHub.Repo.RepoUrl` or raises `HfHub.Error`."
  @spec duplicate!(HfHub.repo(), keyword()) :: RepoUrl.t()
  def duplicate!(from_id, opts \\ []), do: Error.unwrap!(duplicate(from_id, opts))

  @doc """
  Waits until a Space runs, and returns its runtime. A stage that it does not leave by itself, such as `:build_error` or
  `:paused`, is an error of kind `:precondition`, whose `:details` are the JSON object of the
  runtime, with the strings of the Hub as keys.

  ## Options

  #{Options.docs(Tables.wait())}

  ## Examples

      {:ok, _runtime} = HfHub.Spaces.restart("me/app")
      {:ok, %{stage: :running}} = HfHub.Spaces.wait_until_running("me/app", timeout: 600_000)
  """
  @doc python: "wait_for_space"
  @spec wait_until_running(HfHub.repo(), keyword()) :: result()
  def wait_until_running(repo_id, opts \\ []) do
    opts = Options.validate!(opts, Tables.wait())
    :get |> Call.request("runtime", repo_id, opts) |> Waiting.run(opts, Decode.to(SpaceRuntime))
  end

  @doc "Same as `wait_until_running/2`, but returns the runtime or raises `HfHub.Error`."
  @spec wait_until_running!(HfHub.repo(), keyword()) :: SpaceRuntime.t()
  def wait_until_running!(repo_id, opts \\ []), do: Error.unwrap!(wait_until_running(repo_id, opts))

  @doc """
  Returns a lazy stream of the lines in the log of a Space, each with its line break. It raises `HfHub.Error`. A broken
  connection is opened again after the last line; halting the stream closes it.

  ## Options

  #{Options.docs(Tables.logs())}

  ## Examples

      HfHub.Spaces.logs("me/app", build: true) |> Enum.each(&IO.write/1)
      HfHub.Spaces.logs("me/app", follow: true) |> Enum.find(&(&1 =~ "Running on"))
  """
  @doc python: "fetch_space_logs"
  @spec logs(HfHub.repo(), keyword()) :: Enumerable.t()
  def logs(repo_id, opts \\ []), do: Logs.stream(repo_id, opts)

  @doc """
  Returns the hardware that Spaces can request, with its costs.

  ## Options

  #{Options.docs(Options.common())}

  ## Examples

      {:ok, hardware} = HfHub.Spaces.list_hardware()
      for flavor <- hardware, do: {flavor.name, flavor.unit_cost_usd}
  """
  @doc python: "list_spaces_hardware"
  @spec list_hardware(keyword()) :: {:ok, [SpaceHardware.t()]} | {:error, Error.t()}
  def list_hardware(opts \\ []) do
    opts = Options.validate!(opts, Options.common())
    request = Request.new(:get, "/api/spaces/hardware", [], opts)
    Request.list(request, nil, SpaceHardware)
  end

  @doc "Same as `list_hardware/1`, but returns the hardware or raises `HfHub.Error`."
  @spec list_hardware!(keyword()) :: [SpaceHardware.t()]
  def list_hardware!(opts \\ []), do: Error.unwrap!(list_hardware(opts))

  @doc """
  Returns the templates for `:space_template` of `HfHub.Repo.create/2`. Options: those of `list_hardware/1`.

  ## Examples

      {:ok, templates} = HfHub.Spaces.list_templates()
      for template <- templates, do: {template.name, template.sdk}
  """
  @doc python: "list_space_templates"
  @spec list_templates(keyword()) :: {:ok, [SpaceTemplate.t()]} | {:error, Error.t()}
  def list_templates(opts \\ []),
    do: Template.list(Options.validate!(opts, Options.common()))

  @doc "Same as `list_templates/1`, but returns the templates or raises `HfHub.Error`."
  @spec list_templates!(keyword()) :: [SpaceTemplate.t()]
  def list_templates!(opts \\ []), do: Error.unwrap!(list_templates(opts))

  @doc """
  Searches Spaces by meaning, most similar first.

  ## Options

  #{Options.docs(@search)}

  ## Examples

      {:ok, found} = HfHub.Spaces.search("remove the background of a photo", sdk: :gradio, limit: 5)
      for space <- found, do: {space.id, space.ai_short_description}
  """
  @doc python: "search_spaces"
  @spec search(String.t(), keyword()) :: {:ok, [SpaceSearchResult.t()]} | {:error, Error.t()}
  def search(query, opts \\ []) do
    opts = Options.validate!(opts, @search)
    Request.list(search_request(query, opts), opts[:limit], SpaceSearchResult)
  end

  @doc "Same as `search/2`, but returns the Spaces or raises `HfHub.Error`."
  @spec search!(String.t(), keyword()) :: [SpaceSearchResult.t()]
  def search!(query, opts \\ []), do: Error.unwrap!(search(query, opts))

  @doc """
  Searches Spaces and returns a lazy stream. Options: those of `search/2` but `:limit`.

  ## Examples

      HfHub.Spaces.stream_search("chat with a PDF") |> Enum.take(3)
  """
  @doc python: "search_spaces"
  @spec stream_search(String.t(), keyword()) :: Enumerable.t()
  def stream_search(query, opts \\ []) do
    opts = Options.validate!(opts, Tables.search())
    Request.stream(search_request(query, opts), SpaceSearchResult)
  end

  @doc """
  Returns the ZeroGPU quota of the token's account. Options: those of `list_hardware/1`.

  ## Examples

      {:ok, quota} = HfHub.Spaces.get_zero_gpu_quota()
      quota.remaining
  """
  @doc python: "get_zero_gpu_quota"
  @spec get_zero_gpu_quota(keyword()) :: {:ok, ZeroGpuQuota.t()} | {:error, Error.t()}
  def get_zero_gpu_quota(opts \\ []) do
    opts = Options.validate!(opts, Options.common())
    request = Request.new(:get, "/api/spaces/zero-gpu/quota", [], opts)
    Request.run(Request.plain(request), ZeroGpuQuota)
  end

  @doc "Same as `get_zero_gpu_quota/1`, but returns the quota or raises `HfHub.Error`."
  @spec get_zero_gpu_quota!(keyword()) :: ZeroGpuQuota.t()
  def get_zero_gpu_quota!(opts \\ []), do: Error.unwrap!(get_zero_gpu_quota(opts))

  defp search_request(query, opts) do
    unless is_binary(query) and String.valid?(query) and String.trim(query) != "" do
      raise ArgumentError,
            "expected the query to be a text with at least one word, got: #{inspect(query, limit: 10)}"
    end

    Request.new(:get, "/api/spaces/semantic-search", [], opts)
    |> Request.query(
      q: query,
      filter: opts[:filter],
      sdk: opts[:sdk],
      includeNonRunning: if(opts[:include_non_running], do: true)
    )
  end
end
