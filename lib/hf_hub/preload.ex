defmodule HfHub.Preload do
  @moduledoc """
  Loads repositories into the cache when an application starts: a child of its supervision tree.

      children = [
        {HfHub.Preload, name: MyApp.Models, lock: "hf_hub.lock"},
        {MyApp.Serving, models: MyApp.Models}
      ]

  or a list, with the options of `HfHub.Download.snapshot_download/1` except `:dry_run` and `:progress_callback`:

      {HfHub.Preload,
       name: MyApp.Models,
       repos: [
         "openai-community/gpt2",
         {"org/model", revision: "v1", allow_patterns: ["*.safetensors"]}
       ]}

  The child starts at once and downloads in the background. `await/2` waits for the folders, `ready?/1` is for a health
  check, and `status/1` returns the progress. With `wait: true` the child starts only when the files are there, and so do
  the children after it. Several are children of one supervisor under their names.

  If files are in the cache already, as in a release with `HfHub.Release`, no request is made for those of a lock file.
  """

  use GenServer
  require Logger

  alias HfHub.{Brief, Error, Options}
  alias HfHub.Preload.{Loads, Status}
  alias HfHub.Progress.Line

  @options [
             repos: [
               type: {:list, :any},
               doc:
                 "Repositories to load, in any form that `HfHub.Download` accepts, or as `{repo, opts}`. With `:lock`, " <>
                   "those of the lock file to select. Required without `:lock`."
             ],
             lock: [type: :path, doc: "Path of a lock file whose repositories to load; see `HfHub.Lock`."],
             name: [type: :atom, doc: "Name to register the process under. Defaults to no registration."],
             wait: [
               type: :boolean,
               default: false,
               doc: "Whether the start waits until everything is loaded, and fails if that fails."
             ],
             attempts: [
               type: {:or, [:pos_integer, {:in, [:infinity]}]},
               default: 3,
               doc: "Maximum number of attempts, each with the retries of `:retries`."
             ],
             attempt_delay: [
               type: :pos_integer,
               default: 5_000,
               doc:
                 "Delay before the second attempt, in milliseconds. It doubles with each attempt, up to eight times this value."
             ],
             on_failure: [
               type: {:in, [:stop, :keep]},
               default: :stop,
               doc:
                 "What happens after the last attempt: `:stop` exits, so that the supervisor decides; `:keep` keeps the process, " <>
                   "for which `ready?/1` is false and `await/2` returns the error."
             ],
             cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."],
             local_files_only: [
               type: :boolean,
               doc: "Whether to use cached files only; a missing file is an error."
             ],
             progress: [
               type: {:or, [{:fun, 1}, :pid]},
               doc: "Receiver of progress reports, a function of arity 1 or a pid; see `HfHub.Progress`."
             ]
           ] ++ Options.transfer()

  @own [:repos, :lock, :name, :wait, :attempts, :attempt_delay, :on_failure, :progress]

  @type server :: GenServer.server()

  @doc false
  # A supervisor's reports show the arguments of its children; they do not show what a function returns.
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(opts),
    do: %{id: opts[:name] || __MODULE__, start: {__MODULE__, :start_link, [fn -> opts end]}}

  @doc """
  Starts a process that loads repositories.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      iex> {:ok, pid} =
      ...>   HfHub.Preload.start_link(lock: "/nowhere/hf_hub.lock", attempts: 1, on_failure: :keep)
      iex> {:error, error} = HfHub.Preload.await(pid)
      iex> error.kind
      :io
  """
  @spec start_link(keyword() | (() -> keyword())) :: GenServer.on_start() | {:error, Error.t()}
  def start_link(opts)
  def start_link(opts) when is_function(opts, 0), do: start_link(opts.())

  def start_link(opts) do
    opts = Options.validate!(opts, @options)
    # Here, because a process that cannot succeed would be restarted until its supervisor gives up, too.
    Loads.check!(opts)

    # The error of a start that waits is the result, not an exit.
    kept = if opts[:wait], do: Keyword.put(opts, :on_failure, :keep), else: opts

    with {:ok, pid} <- GenServer.start_link(__MODULE__, fn -> kept end, Options.given(name: opts[:name])),
         do: if(opts[:wait], do: started(pid, opts), else: {:ok, pid})
  end

  defp started(pid, opts) do
    with {:error, error} <- await(pid) do
      if opts[:on_failure] == :keep do
        {:ok, pid}
      else
        GenServer.stop(pid)
        {:error, error}
      end
    else
      {:ok, _paths} -> {:ok, pid}
    end
  end

  @doc """
  Waits until all repositories are loaded, and returns their folders.

  The keys are the ids of a list as they were given. Of a lock file they are the ids of models, and of other repositories
  the names in the file, such as `"dataset/org/name"`.

  Returns the error if the last attempt has failed, and an error of kind `:timeout` after `timeout` milliseconds.

  ## Examples

      {:ok, %{"openai-community/gpt2" => folder}} = HfHub.Preload.await(MyApp.Models, 60_000)
  """
  @spec await(server(), timeout()) :: {:ok, %{String.t() => Path.t()}} | {:error, Error.t()}
  def await(server, timeout \\ :infinity) do
    GenServer.call(server, :await, timeout)
  catch
    :exit, {:timeout, _call} ->
      {:error, Error.new(:timeout, "the repositories are not loaded after #{timeout} ms#{left(server)}")}

    :exit, {{:shutdown, %Error{} = error}, _call} ->
      {:error, error}
  end

  # The process waits for nothing, so it responds at once, unless it has just ended.
  defp left(server) do
    status = status(server)
    ": #{Brief.count(map_size(status.paths), "repositories")} loaded#{going_on(status)}"
  catch
    :exit, _reason -> ""
  end

  defp going_on(%{progress: nil, error: nil}), do: ""
  defp going_on(%{progress: nil, error: error}), do: "; the last attempt failed: " <> Exception.message(error)
  defp going_on(%{progress: progress, repo_id: repo_id}), do: "; " <> Line.text(progress, repo_id, 120)

  @doc "Same as `await/2`, but returns the folders or raises `HfHub.Error`."
  @spec await!(server(), timeout()) :: %{String.t() => Path.t()}
  def await!(server, timeout \\ :infinity), do: Error.unwrap!(await(server, timeout))

  @doc """
  Returns whether all repositories are loaded. False if the process does not run.

  ## Examples

      iex> HfHub.Preload.ready?(:not_started)
      false
  """
  @spec ready?(server()) :: boolean()
  def ready?(server) do
    status(server).state == :ready
  catch
    :exit, _reason -> false
  end

  @doc """
  Returns the state, the progress, and the last error.

  ## Examples

      HfHub.Preload.status(MyApp.Models).progress.bytes_done
      #=> 104857600
  """
  @spec status(server()) :: Status.t()
  def status(server), do: GenServer.call(server, :status)

  @impl true
  def init(opts) do
    # A function in the state, too: reports of a crash show it.
    {:ok, attempt(%{opts: opts, status: %Status{}, waiting: [], task: nil})}
  end

  # The task is linked: it ends with this process, and its downloads end with it.
  defp attempt(state) do
    server = self()
    %{state | task: Task.async(fn -> load(state.opts.(), server) end)}
  end

  @impl true
  def handle_call(:status, _from, state), do: {:reply, state.status, state}

  def handle_call(:await, from, state) do
    case result(state.status) do
      nil -> {:noreply, %{state | waiting: [from | state.waiting]}}
      result -> {:reply, result, state}
    end
  end

  defp result(%{state: :loading}), do: nil
  defp result(%{state: :ready, paths: paths}), do: {:ok, paths}
  defp result(%{state: :failed, error: error}), do: {:error, error}

  @impl true
  def handle_info({:progress, repo_id, progress}, state),
    do: {:noreply, put(state, repo_id: repo_id, progress: progress)}

  def handle_info({:loaded, paths}, state),
    do: {:noreply, put(state, paths: Map.merge(state.status.paths, paths))}

  def handle_info({ref, result}, %{task: %{ref: ref}} = state) do
    Process.demonitor(ref, [:flush])
    ended(result, put(%{state | task: nil}, repo_id: nil, progress: nil))
  end

  def handle_info(:attempt, state), do: {:noreply, attempt(put(state, attempt: state.status.attempt + 1))}
  def handle_info(_other, state), do: {:noreply, state}

  defp put(state, fields), do: %{state | status: struct!(state.status, fields)}

  defp ended(:ok, state), do: {:noreply, reply(put(state, state: :ready, error: nil))}

  defp ended({:error, error}, state) do
    opts = state.opts.()
    failed = "#{inspect(opts[:name] || __MODULE__)}: loading failed"
    state = put(state, error: error)
    number = state.status.attempt

    cond do
      # Atoms are greater than numbers.
      number < opts[:attempts] ->
        delay = opts[:attempt_delay] * Integer.pow(2, min(number - 1, 3))
        Logger.warning("#{failed}, next attempt in #{delay} ms: #{Exception.message(error)}")
        Process.send_after(self(), :attempt, delay)
        {:noreply, state}

      true ->
        Logger.error("#{failed}: #{Exception.message(error)}")
        state = reply(put(state, state: :failed))
        if opts[:on_failure] == :keep, do: {:noreply, state}, else: {:stop, {:shutdown, error}, state}
    end
  end

  defp reply(state) do
    for from <- state.waiting, do: GenServer.reply(from, result(state.status))
    %{state | waiting: []}
  end

  # In the task.
  defp load(opts, server) do
    with {:ok, loads} <- Loads.all(opts) do
      Enum.reduce_while(loads, :ok, fn {name, load}, :ok ->
        case load.([progress: reporter(opts[:progress], name, server)] ++ network(opts)) do
          {:ok, paths} ->
            send(server, {:loaded, paths})
            {:cont, :ok}

          {:error, error} ->
            {:halt, {:error, error}}
        end
      end)
    end
  end

  defp network(opts), do: opts |> Keyword.drop(@own) |> Options.given()

  defp reporter(receiver, name, server) do
    fn progress ->
      send(server, {:progress, name, progress})

      case receiver do
        nil -> :ok
        pid when is_pid(pid) -> send(pid, {:hf_hub_progress, progress})
        fun -> fun.(progress)
      end
    end
  end
end
