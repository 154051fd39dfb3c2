defmodule HfHub.CacheModelTest do
  # Random courses of downloads, kills, deletions, prunings, evictions, moves and checks by
  # several OS processes on one cache, held against a pure model after every step.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Vm}

  @moduletag timeout: 1_800_000

  @courses if System.get_env("HF_HUB_TEST_LONG"), do: 1000, else: 100
  @steps 6

  # A VM that does what it is told, line by line.
  @actor """
  Logger.configure(level: :error)
  for line <- IO.stream(:stdio, :line) do
    {result, _} = Code.eval_string(line)
    IO.puts("did " <> inspect(result, limit: 5, printable_limit: 200))
  end
  """

  setup context do
    repos =
      for _ <- 1..2 do
        {id, old} = repo(context, %{"a.txt" => "same", "model.bin" => large(120_000)})
        {^id, new} = repo(context, %{"a.txt" => "same", "model.bin" => large(90_000)}, id: id)
        {id, [old, new]}
      end

    {:ok, repos: repos}
  end

  test "every course keeps the cache right", context do
    seed = :rand.uniform(1_000_000)
    :rand.seed(:exsss, seed)
    command = Vm.script(context, @actor)
    actors = for n <- 1..2, into: %{}, do: {n, start(command)}

    Enum.reduce(1..@courses, actors, fn course, actors ->
      dir = Path.join(context.dir, "course#{course}")

      state = %{
        dir: dir,
        present: %{},
        maybe: MapSet.new(),
        pinned: MapSet.new(),
        actors: actors,
        command: command
      }

      state =
        Enum.reduce(1..@steps, state, fn step, state ->
          act = act(context)
          state = step(act, state, context)
          assert_model(state, "seed #{seed}, course #{course}, step #{step}: #{inspect(act)}")
          state
        end)

      File.rm_rf!(state.dir)
      state.actors
    end)
  end

  defp act(context) do
    {id, commits} = Enum.random(context.repos)
    commit = Enum.random(commits)

    Enum.random([
      {:download, id, commit},
      {:download, id, commit},
      {:download, id, "main"},
      {:killed_download, id, commit},
      {:delete, commit},
      {:pin, id, commit},
      :prune,
      :evict,
      :move,
      :verify
    ])
  end

  defp step({:download, id, revision}, state, context) do
    assert tell(state, download(state, context, id, revision)) =~ ":ok"

    commit =
      if revision == "main",
        do: context.repos |> List.keyfind!(id, 0) |> elem(1) |> List.last(),
        else: revision

    refs =
      MapSet.union(
        Map.get(state.present, commit, MapSet.new()),
        MapSet.new(if revision == "main", do: ["main"], else: [])
      )

    %{state | present: Map.put(state.present, commit, refs), maybe: MapSet.delete(state.maybe, commit)}
  end

  defp step({:killed_download, id, commit}, state, context) do
    n = Enum.random(Map.keys(state.actors))
    Port.command(state.actors[n], download(state, context, id, commit) <> "\n")
    Process.sleep(:rand.uniform(15))
    killed = state.actors[n]
    Vm.kill(killed)
    # Only then are its locks gone for certain.
    assert_receive {^killed, {:exit_status, _status}}, 10_000
    maybe = if Map.has_key?(state.present, commit), do: state.maybe, else: MapSet.put(state.maybe, commit)
    %{state | maybe: maybe, actors: Map.put(state.actors, n, start(state.command))}
  end

  defp step({:delete, commit}, state, _context) do
    tell(state, "HfHub.Cache.delete_revisions([#{inspect(commit)}], cache_dir: #{inspect(state.dir)})")
    if MapSet.member?(state.pinned, commit), do: state, else: gone(state, &(&1 == commit))
  end

  defp step({:pin, id, commit}, state, _context) do
    result = Cache.pin(id, revision: commit, cache_dir: state.dir)
    if result == {:ok, commit}, do: %{state | pinned: MapSet.put(state.pinned, commit)}, else: state
  end

  defp step(:prune, state, _context) do
    tell(state, "HfHub.Cache.prune(older_than: 0, cache_dir: #{inspect(state.dir)})")
    gone(state, &(MapSet.size(Map.get(state.present, &1, MapSet.new())) == 0))
  end

  defp step(:evict, state, _context) do
    tell(state, "HfHub.Cache.evict_lru(target_size: 0, cache_dir: #{inspect(state.dir)})")
    # What was interrupted before its first byte takes no room, and so may stay.
    %{gone(state, fn _commit -> true end) | maybe: state.maybe}
  end

  defp step(:move, state, _context) do
    new = state.dir <> "'"
    result = tell(state, "HfHub.Cache.move(#{inspect(new)}, cache_dir: #{inspect(state.dir)})")
    if result =~ "{:ok", do: %{state | dir: new}, else: state
  end

  defp step(:verify, state, _context) do
    case Cache.validate_integrity(cache_dir: state.dir) do
      {:ok, found} -> assert found.corrupted_files == 0
      {:error, error} -> assert error.kind == :not_cached and not File.exists?(state.dir)
    end

    state
  end

  defp gone(state, condition) do
    goes? = &(condition.(&1) and not MapSet.member?(state.pinned, &1))
    present = for {commit, refs} <- state.present, not goes?.(commit), into: %{}, do: {commit, refs}
    %{state | present: present, maybe: MapSet.reject(state.maybe, goes?)}
  end

  defp download(state, context, id, revision) do
    opts = [
      repo_id: id,
      revision: revision,
      endpoint: context.endpoint,
      cache_dir: state.dir,
      retry_delay: 10
    ]

    "HfHub.Download.snapshot_download(#{inspect(opts)})"
  end

  # Every visible file hashes to the name of its blob, every ref names a commit that is here,
  # and what is here is what the model says.
  defp assert_model(state, what) do
    for path <- Path.wildcard(state.dir <> "/models--*/snapshots/*/*", match_dot: true), File.exists?(path) do
      content = File.read!(path)
      git = :crypto.hash(:sha, ["blob #{byte_size(content)}\0", content]) |> Base.encode16(case: :lower)
      assert Path.basename(File.read_link!(path)) in [git, sha256(content)], what
    end

    here =
      for path <- Path.wildcard(state.dir <> "/models--*/snapshots/*"),
          into: MapSet.new(),
          do: Path.basename(path)

    present = MapSet.new(Map.keys(state.present))
    assert MapSet.subset?(present, here), what
    assert MapSet.subset?(here, MapSet.union(present, state.maybe)), what

    for ref <- Path.wildcard(state.dir <> "/models--*/refs/main") do
      assert File.read!(ref) in here, what
    end
  end

  defp tell(state, line) do
    port = state.actors |> Map.values() |> Enum.random()
    Port.command(port, line <> "\n")
    assert_receive {^port, {:data, {:eol, "did " <> result}}}, 30_000
    result
  end

  defp start(command), do: Vm.open(command, [:exit_status, :stderr_to_stdout, line: 100_000])
end
