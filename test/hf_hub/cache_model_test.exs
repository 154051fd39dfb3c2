defmodule HfHub.CacheModelTest do
  # Random scenarios of downloads, removals, moves and checks by several OS processes on one
  # cache, sequential, concurrent or killed midway. After every step, the cache is compared
  # with a pure model.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Vm}

  @moduletag timeout: 3_600_000

  @scenarios if System.get_env("HF_HUB_TEST_LONG"), do: 5000, else: 12
  @steps 6

  # A VM that runs the commands on its standard input, line by line.
  @actor """
  Logger.configure(level: :error)
  for line <- IO.stream(:stdio, :line) do
    {result, _} = Code.eval_string(line)
    IO.puts("did " <> inspect(result, limit: 20, printable_limit: 400))
  end
  """

  setup context do
    shared = %{"a.txt" => "same"}

    repos =
      for _ <- 1..2 do
        {id, old} = repo(context, Map.put(shared, "model.bin", large(120_000)))
        {^id, new} = repo(context, Map.put(shared, "model.bin", large(90_000)), id: id)
        {id, [old, new]}
      end

    {:ok, repos: repos, files: ["a.txt", "model.bin", ".gitattributes"]}
  end

  test "the cache matches the model after every step of random scenarios", context do
    seed = :rand.uniform(1_000_000)
    :rand.seed(:exsss, seed)
    {command, actors} = actors(context)

    Enum.reduce(1..@scenarios, actors, fn number, actors ->
      acts = Stream.repeatedly(fn -> act(context) end) |> Stream.take(@steps)
      scenario({"seed #{seed}, scenario #{number}", number, acts}, {command, actors}, context)
    end)
  end

  # Random scenarios found this one: the model lost the pin.
  test "a pinned revision of which the model knows no ref survives prune and evict", context do
    [{one, [_old, commit]}, {other, [other_commit, _new]}] = context.repos

    acts = [
      {:together, {:download, one, "main"}, :prune},
      {:pin, one, commit},
      :prune,
      {:killed, {:delete, commit}},
      {:download, other, other_commit},
      :evict
    ]

    scenario({"fixed scenario", 0, acts}, actors(context), context)
  end

  defp actors(context) do
    command = Vm.script(context, @actor)
    {command, for(n <- 1..2, into: %{}, do: {n, start(command)})}
  end

  defp scenario({title, number, acts}, {command, actors}, context) do
    Process.put(:scenario, [title])

    state = %{
      dir: Path.join(context.dir, "scenario#{number}"),
      # Complete revisions by commit, with their refs or :unknown.
      present: %{},
      # Complete or removed: their removal was killed, or raced with another operation.
      either: MapSet.new(),
      # Partly downloaded when the download was killed.
      partial: MapSet.new(),
      pinned: MapSet.new(),
      actors: actors,
      command: command
    }

    state =
      Enum.reduce(acts, state, fn act, state ->
        note(inspect(act))
        state = step(act, state, context)
        assert_model(state, context, Process.get(:scenario) |> Enum.reverse() |> Enum.join("\n"))
        state
      end)

    File.rm_rf!(state.dir)
    state.actors
  end

  defp act(context) do
    {id, commits} = Enum.random(context.repos)
    commit = Enum.random(commits)
    download = {:download, id, Enum.random([commit, "main"])}
    removal = Enum.random([{:delete, commit}, :prune, :evict])

    Enum.random([
      download,
      download,
      download,
      removal,
      removal,
      {:pin, id, commit},
      {:leased, id, commit, removal},
      {:together, download, removal},
      {:killed, Enum.random([download, removal, :move])},
      :move,
      :verify
    ])
  end

  defp step({:download, id, revision} = act, state, context) do
    assert tell(state, line(act, state, context)) =~ ":ok"
    arrived(state, id, revision, context)
  end

  defp step({:delete, _commit} = act, state, context), do: removal(act, state, context)
  defp step(:prune, state, context), do: removal(:prune, state, context)
  defp step(:evict, state, context), do: removal(:evict, state, context)

  defp step({:pin, id, commit}, state, _context) do
    case Cache.pin(id, revision: commit, cache_dir: state.dir) do
      {:ok, ^commit} -> here(%{state | pinned: MapSet.put(state.pinned, commit)}, commit)
      {:error, %{kind: :not_cached}} -> state
    end
  end

  # Revisions that this process leases survive all removals.
  defp step({:leased, id, commit, removal}, state, context) do
    case Cache.lease(id, revision: commit, cache_dir: state.dir) do
      {:ok, lease} ->
        after_it = removal(removal, state, context)
        Cache.release(lease)
        as_it_was(after_it, state, commit)

      {:error, %{kind: :not_cached}} ->
        removal(removal, state, context)
    end
  end

  # A concurrent removal never breaks a download; after its end, the revision may be removed.
  defp step({:together, {:download, id, revision} = download, removal}, state, context) do
    [one, other] = Map.values(state.actors)
    Port.command(one, line(download, state, context) <> "\n")
    Port.command(other, line(removal, state, context) <> "\n")
    assert answer(one) =~ ":ok"
    answer(other)
    state |> arrived(id, revision, context) |> doubt(removal, context)
  end

  defp step({:killed, act}, state, context) do
    {n, actor} = Enum.random(state.actors)
    Port.command(actor, line(act, state, context) <> "\n")
    Process.sleep(:rand.uniform(15))
    Vm.kill(actor)
    # Its locks are released only after its exit.
    assert_receive {^actor, {:exit_status, _status}}, 10_000
    flush(actor)
    interrupted(act, %{state | actors: Map.put(state.actors, n, start(state.command))}, context)
  end

  defp step(:move, state, context) do
    result = tell(state, line(:move, state, context))
    if result =~ "{:ok", do: %{state | dir: state.dir <> "'"}, else: state
  end

  defp step(:verify, state, _context) do
    case Cache.validate_integrity(cache_dir: state.dir) do
      {:ok, found} -> assert found.corrupted_files == 0
      {:error, error} -> assert error.kind == :not_cached and not File.exists?(state.dir)
    end

    state
  end

  defp as_it_was(state, before, commit) do
    present = Map.merge(state.present, Map.take(before.present, [commit]))
    either = if commit in before.either, do: MapSet.put(state.either, commit), else: state.either
    partial = if commit in before.partial, do: MapSet.put(state.partial, commit), else: state.partial
    either = if Map.has_key?(present, commit), do: MapSet.delete(either, commit), else: either
    %{state | present: present, either: either, partial: partial}
  end

  # Complete or removed, and not removed.
  defp here(state, commit) do
    if commit in state.either,
      do: %{
        state
        | either: MapSet.delete(state.either, commit),
          present: Map.put(state.present, commit, :unknown)
      },
      else: state
  end

  defp removal(act, state, context) do
    tell(state, line(act, state, context))
    goes = going(act, state)

    unsure = for {commit, :unknown} <- state.present, act == :prune, commit not in state.pinned, do: commit

    state = %{
      state
      | present: Map.drop(state.present, goes ++ unsure),
        either: state.either |> MapSet.union(MapSet.new(unsure)) |> MapSet.difference(MapSet.new(goes))
    }

    # A download interrupted before its first byte takes no space, so it may remain.
    if act == :evict, do: state, else: %{state | partial: MapSet.difference(state.partial, MapSet.new(goes))}
  end

  # The commits that a removal certainly removes.
  defp going({:delete, commit}, state), do: [commit] -- MapSet.to_list(state.pinned)
  defp going(:evict, state), do: Enum.reject(all(state), &(&1 in state.pinned))
  defp going(:prune, state), do: for({commit, []} <- state.present, commit not in state.pinned, do: commit)

  defp all(state), do: Map.keys(state.present) ++ MapSet.to_list(state.either)

  # After a killed or concurrent removal, any of these commits may be removed.
  defp doubt(state, act, _context) do
    unsure =
      case act do
        {:delete, commit} -> [commit]
        _prune_or_evict -> Map.keys(state.present)
      end

    unsure = Enum.filter(unsure, &(Map.has_key?(state.present, &1) and &1 not in state.pinned))

    %{
      state
      | present: Map.drop(state.present, unsure),
        either: MapSet.union(state.either, MapSet.new(unsure))
    }
  end

  defp interrupted({:download, id, revision}, state, context) do
    commit = commit(context, id, revision)

    if Map.has_key?(state.present, commit),
      do: %{state | present: Map.put(state.present, commit, :unknown)},
      else: %{state | partial: MapSet.put(state.partial, commit)}
  end

  # Each repository is complete in one of the two folders, and the next move completes the move.
  defp interrupted(:move, state, context) do
    for {commit, _refs} <- state.present do
      assert [_one] =
               Enum.filter(
                 [state.dir, state.dir <> "'"],
                 &(Path.wildcard(&1 <> "/models--*/snapshots/" <> commit) != [])
               )
    end

    step(:move, state, context)
  end

  defp interrupted(act, state, context), do: doubt(state, act, context)

  defp arrived(state, id, revision, context) do
    commit = commit(context, id, revision)
    known = if commit in state.partial or commit in state.either, do: :unknown, else: []
    refs = if revision == "main", do: ["main"], else: Map.get(state.present, commit, known)

    %{
      state
      | present: Map.put(state.present, commit, refs),
        either: MapSet.delete(state.either, commit),
        partial: MapSet.delete(state.partial, commit)
    }
  end

  defp commit(context, id, "main"), do: context.repos |> List.keyfind!(id, 0) |> elem(1) |> List.last()
  defp commit(_context, _id, commit), do: commit

  defp line({:download, id, revision}, state, context) do
    opts = [
      repo_id: id,
      revision: revision,
      endpoint: context.endpoint,
      cache_dir: state.dir,
      retry_delay: 10
    ]

    "HfHub.Download.snapshot_download(#{inspect(opts)})"
  end

  defp line({:delete, commit}, state, _context),
    do: "HfHub.Cache.delete_revisions([#{inspect(commit)}], cache_dir: #{inspect(state.dir)})"

  defp line(:prune, state, _context), do: "HfHub.Cache.prune(older_than: 0, cache_dir: #{inspect(state.dir)})"

  defp line(:evict, state, _context),
    do: "HfHub.Cache.evict_lru(target_size: 0, cache_dir: #{inspect(state.dir)})"

  defp line(:move, state, _context),
    do: "HfHub.Cache.move(#{inspect(state.dir <> "'")}, cache_dir: #{inspect(state.dir)})"

  # Every visible file hashes to the name of its blob, every ref points to an existing commit,
  # and the cache contains exactly the complete revisions of the model.
  defp assert_model(state, context, what) do
    for path <- Path.wildcard(state.dir <> "/models--*/snapshots/*/*", match_dot: true), File.exists?(path) do
      content = File.read!(path)
      git = :crypto.hash(:sha, ["blob #{byte_size(content)}\0", content]) |> Base.encode16(case: :lower)
      assert Path.basename(File.read_link!(path)) in [git, sha256(content)], what
    end

    folders = Path.wildcard(state.dir <> "/models--*/snapshots/*")
    here = MapSet.new(folders, &Path.basename/1)
    present = MapSet.new(Map.keys(state.present))
    may = present |> MapSet.union(state.either) |> MapSet.union(state.partial)
    assert MapSet.subset?(present, here), what
    assert MapSet.subset?(here, may), what

    for folder <- folders, Path.basename(folder) not in state.partial, file <- context.files do
      assert File.exists?(Path.join(folder, file)), "#{what}: #{file} of #{folder}"
    end

    for {id, commits} <- context.repos do
      ref = Path.join([state.dir, "models--" <> String.replace(id, "/", "--"), "refs/main"])
      if File.exists?(ref), do: assert(File.read!(ref) == List.last(commits), what)
      if state.present[List.last(commits)] == ["main"], do: assert(File.exists?(ref), what)
    end
  end

  defp tell(state, line) do
    actor = state.actors |> Map.values() |> Enum.random()
    Port.command(actor, line <> "\n")
    answer(actor)
  end

  defp answer(actor) do
    assert_receive {^actor, {:data, {:eol, "did " <> result}}}, 60_000
    note("  " <> result)
    result
  end

  # The description of a failed scenario.
  defp note(line), do: Process.put(:scenario, [line | Process.get(:scenario)])

  # It may have replied before it was killed.
  defp flush(actor) do
    receive do
      {^actor, _late} -> flush(actor)
    after
      0 -> :ok
    end
  end

  defp start(command), do: Vm.open(command, [:exit_status, :stderr_to_stdout, line: 100_000])
end
