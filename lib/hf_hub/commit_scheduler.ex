defmodule HfHub.CommitScheduler do
  @moduledoc """
  Commits the changes of a folder at regular intervals: a child of a supervision tree.

      children = [
        {HfHub.CommitScheduler, repo_id: "me/run-42", folder: "checkpoints", every: 600_000}
      ]

  Each commit adds the files that are new or have changed since the last one; nothing is deleted. The repository is created
  if it does not exist. A file may be written to meanwhile: of one that has just changed, the commit has the bytes that were
  there when it began. An error is logged, and the files are part of the next commit.

  The last changes are committed when the process is stopped by `stop/2` or by its supervisor, which waits for a minute.
  """

  use GenServer
  require Logger

  alias HfHub.Commit.{CommitInfo, Operation, Unwanted}
  alias HfHub.Config.Source
  alias HfHub.{Commit, Error, Fnmatch, Git, LocalFiles, Options, Repo}
  alias HfHub.Error.Io

  @options [
             repo_id: [type: :string, required: true, doc: "Id of the repository."],
             folder: [
               type: :path,
               required: true,
               aliases: [:folder_path],
               doc: "Folder to commit. It is created if it does not exist."
             ],
             every: [
               type: :pos_integer,
               default: 300_000,
               doc: "Interval between two commits, in milliseconds. The first one is made at once."
             ],
             path_in_repo: [type: :string, doc: "Folder in the repository. Defaults to its root."],
             repo_type: [type: :repo_type, default: :model, doc: "Type of the repository."],
             revision: [type: :string, doc: "Branch to commit to. Defaults to `\"main\"`."],
             private: [
               type: :boolean,
               doc:
                 "Whether the repository is private, if it is created. Defaults to the namespace's setting."
             ],
             allow_patterns: [
               type: :patterns,
               default: [],
               doc:
                 "Patterns of files to commit, as in `HfHub.Commit.upload_folder/3`. Defaults to all files."
             ],
             ignore_patterns: [type: :patterns, default: [], doc: "Patterns of files not to commit."],
             ignore_defaults: [type: :boolean, default: true, doc: Unwanted.doc()],
             squash_history: [
               type: :boolean,
               default: false,
               doc:
                 "Whether to squash the history of the branch after each commit; see `HfHub.Git.super_squash/2`."
             ],
             on_commit: [
               type: {:fun, 1},
               doc:
                 "Function called with the result of each commit, as `trigger/2` returns it, in the process."
             ],
             name: [type: :atom, doc: "Name to register the process under. Defaults to no registration."]
           ] ++ Options.transfer()

  # A file that was written to more recently, in seconds, is copied before it is uploaded.
  @settled 60

  @type server :: GenServer.server()
  @type result :: {:ok, CommitInfo.t() | nil} | {:error, Error.t()}

  @doc false
  # A supervisor's reports show the arguments of its children; they do not show what a function returns.
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(opts) do
    %{
      id: opts[:name] || __MODULE__,
      start: {__MODULE__, :start_link, [fn -> opts end]},
      shutdown: 60_000
    }
  end

  @doc """
  Starts a process that commits the changes of a folder.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      {:ok, scheduler} = HfHub.CommitScheduler.start_link(repo_id: "me/run-42", folder: "checkpoints")
  """
  @doc python: "CommitScheduler"
  @spec start_link(keyword() | (() -> keyword())) :: GenServer.on_start()
  def start_link(opts)
  def start_link(opts) when is_function(opts, 0), do: start_link(opts.())

  def start_link(opts) do
    opts = Options.validate!(opts, @options)
    GenServer.start_link(__MODULE__, fn -> opts end, Options.given(name: opts[:name]))
  end

  @doc """
  Commits the changes now, and returns the commit, or `nil` if no file has changed. The interval begins again.

  ## Examples

      {:ok, commit} = HfHub.CommitScheduler.trigger(scheduler)
      commit.commit_url
  """
  @doc python: "CommitScheduler.trigger"
  @spec trigger(server(), timeout()) :: result()
  def trigger(server, timeout \\ :infinity), do: GenServer.call(server, :commit, timeout)

  @doc """
  Commits the last changes and stops the process.

  ## Examples

      HfHub.CommitScheduler.stop(scheduler)
      #=> :ok
  """
  @doc python: "CommitScheduler.stop"
  @spec stop(server(), timeout()) :: :ok
  def stop(server, timeout \\ :infinity), do: GenServer.stop(server, :normal, timeout)

  @impl true
  def init(opts) do
    # So that `terminate/2` is called.
    Process.flag(:trap_exit, true)
    opts = Keyword.update!(opts.(), :folder, &Source.expand/1)
    {:ok, next(%{opts: opts, repo: nil, committed: %{}, timer: nil}, 0)}
  end

  @impl true
  @spec format_status(term(), list()) :: term()
  def format_status(_reason, [_dictionary, state]), do: Map.update!(state, :opts, &Keyword.delete(&1, :token))

  @impl true
  def handle_call(:commit, _from, state) do
    {result, state} = commit(state)
    {:reply, result, next(state, state.opts[:every])}
  end

  @impl true
  def handle_info(:commit, state) do
    {_result, state} = commit(state)
    {:noreply, next(state, state.opts[:every])}
  end

  # Of a port or a task of `:on_commit`.
  def handle_info({:EXIT, _from, :normal}, state), do: {:noreply, state}
  def handle_info({:EXIT, _from, reason}, state), do: {:stop, reason, state}
  def handle_info(_other, state), do: {:noreply, state}

  defp next(state, delay) do
    if state.timer, do: Process.cancel_timer(state.timer)
    %{state | timer: Process.send_after(self(), :commit, delay)}
  end

  @impl true
  def terminate(reason, state) do
    if reason in [:normal, :shutdown] or match?({:shutdown, _why}, reason), do: commit(state)
  end

  defp commit(state) do
    {result, state} = attempt(state)
    with {:error, error} <- result, do: Logger.error("scheduled commit failed: #{Exception.message(error)}")
    if fun = state.opts[:on_commit], do: fun.(result)
    {result, state}
  end

  defp attempt(%{opts: opts} = state) do
    # Before the files are listed: one that changes in this second counts as changed the next time, too.
    now = System.os_time(:second)

    with {:ok, state} <- repository(state),
         :ok <- folder(opts[:folder]),
         {:ok, files} <- LocalFiles.all(opts[:folder]),
         changed = changed(files, state),
         {:ok, result} <- commit(changed, now, state) do
      done = Map.filter(changed, fn {_path, {_size, mtime}} -> mtime < now end)
      {{:ok, result}, %{state | committed: Map.merge(state.committed, done)}}
    else
      {:error, error} -> {{:error, error}, state}
    end
  rescue
    # A file was removed after it was listed.
    error in [File.Error] ->
      {{:error, Error.new(:io, Exception.message(error), path: error.path)}, state}
  end

  defp repository(%{repo: nil, opts: opts} = state) do
    sdk = if opts[:repo_type] == :space, do: [space_sdk: :gradio], else: []
    given = Options.given(private: opts[:private])

    with {:ok, url} <-
           Repo.create(
             opts[:repo_id],
             [repo_type: opts[:repo_type], exist_ok: true] ++ sdk ++ given ++ hub(opts)
           ),
         do: {:ok, %{state | repo: url.repo_id}}
  end

  defp repository(state), do: {:ok, state}

  defp hub(opts), do: Keyword.take(opts, Keyword.keys(Options.common()))

  defp folder(path) do
    with {:error, reason} <- File.mkdir_p(path),
         do: {:error, Io.new("create", path, reason)}
  end

  defp changed(files, %{opts: opts, committed: committed}),
    do: Map.filter(files, fn {path, info} -> committed[path] != info and wanted?(path, opts) end)

  defp wanted?(path, opts) do
    allowed = opts[:allow_patterns]

    not refused?(path) and (allowed == [] or Enum.any?(allowed, &fits?(path, &1))) and
      not Enum.any?(opts[:ignore_patterns], &fits?(path, &1)) and
      not (opts[:ignore_defaults] and unwanted?(path))
  end

  # The Hub accepts no file below these.
  defp refused?(path), do: path |> String.split("/") |> Enum.any?(&(&1 in [".git", ".cache"]))

  defp fits?(path, pattern) do
    pattern = if String.ends_with?(pattern, "/"), do: pattern <> "*", else: pattern
    Fnmatch.matches?(pattern, path)
  end

  # Those of `Unwanted` that end in a slash are names of folders.
  defp unwanted?(path) do
    {folders, [name]} = path |> String.split("/") |> Enum.split(-1)

    Enum.any?(Unwanted.patterns(), fn pattern ->
      if String.ends_with?(pattern, "/"),
        do: String.trim_trailing(pattern, "/") in folders,
        else: Fnmatch.matches?(pattern, name)
    end)
  end

  defp commit(changed, _now, _state) when changed == %{}, do: {:ok, nil}

  defp commit(changed, now, %{opts: opts, repo: repo}) do
    operations =
      for {path, info} <- Enum.sort(changed),
          do: Operation.add(in_repo(path, opts), content(Path.join(opts[:folder], path), info, now))

    target = [repo_type: opts[:repo_type]] ++ Options.given(revision: opts[:revision])
    transfer = Keyword.take(opts, Keyword.keys(Options.transfer()))

    with {:ok, commit} <-
           Commit.create(repo, operations, [commit_message: "Scheduled Commit"] ++ target ++ transfer),
         :ok <- squash(repo, opts),
         do: {:ok, if(commit.committed?, do: commit)}
  end

  defp in_repo(path, opts) do
    case String.trim(opts[:path_in_repo] || "", "/") do
      folder when folder in ["", "."] -> path
      folder -> folder <> "/" <> path
    end
  end

  # An upload fails if its file changes meanwhile. A stream is copied first.
  defp content(path, {size, mtime}, now),
    do: if(now - mtime < @settled, do: {:stream, first_bytes(path, size)}, else: {:path, path})

  defp first_bytes(path, size) do
    Stream.resource(
      fn -> {File.open!(path, [:read, :raw, :binary]), size} end,
      fn {file, left} -> read(:file.read(file, min(left, 65_536)), file, left, path) end,
      fn {file, _left} -> File.close(file) end
    )
  end

  defp read({:ok, ""}, file, left, _path), do: {:halt, {file, left}}
  defp read({:ok, bytes}, file, left, _path), do: {[bytes], {file, left - byte_size(bytes)}}
  defp read(:eof, file, left, _path), do: {:halt, {file, left}}

  defp read({:error, reason}, _file, _left, path),
    do: raise(File.Error, reason: reason, action: "read file", path: path)

  defp squash(repo, opts) do
    if opts[:squash_history] do
      branch = Options.given(branch: opts[:revision])
      Git.super_squash(repo, [repo_type: opts[:repo_type]] ++ branch ++ hub(opts))
    else
      :ok
    end
  end
end
