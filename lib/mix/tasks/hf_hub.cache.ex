defmodule Mix.Tasks.HfHub.Cache do
  @shortdoc "Manages the Hugging Face cache: ls, rm, prune, verify, adopt, move, export, import"
  @moduledoc """
  Manages the cache of Hugging Face clients on this machine.

      mix hf_hub.cache ls                       Lists repositories with their sizes and last use
      mix hf_hub.cache ls --revisions           Lists all revisions
      mix hf_hub.cache rm TARGET...             Removes repositories or revisions
      mix hf_hub.cache prune                    Removes unreferenced revisions and old partial files
      mix hf_hub.cache verify [TARGET]          Hashes all files again; --repair downloads damaged ones
      mix hf_hub.cache adopt [REPO]             Moves files of hf_hub 0.3 into the shared layout
      mix hf_hub.cache move FOLDER              Moves the whole cache
      mix hf_hub.cache export FILE [TARGET...]  Writes a tar file, for an air-gapped machine
      mix hf_hub.cache import FILE              Imports a tar file of `export`

  A `TARGET` is `model/org/name`, `org/name`, an `hf://` URI of a repository or revision, or a commit. A `REPO` is a target
  that names a repository.

  ## Options

    * `--cache-dir FOLDER` - Cache folder. Defaults to `HfHub.Config.cache_dir/0`
    * `--json` - Prints the result as JSON
    * `--yes` - Skips the confirmation of `rm` and `prune`. Required without a terminal, and with `--json`
    * `--dry-run` - Shows what `rm` and `prune` would remove and what `adopt` would move, and changes nothing
    * `--force` - Removes pinned revisions too, for `rm`
    * `--repair` - Downloads corrupt and missing files again, for `verify`
    * `--older-than SECONDS` - Minimum age of revisions and partial files to `prune`. Defaults to an hour
    * `--quiet` - Shows no progress

  The exit status is 0 on success, 1 on errors and problems, 2 for invalid arguments.
  The settings are those of the project, `config/runtime.exs` included. The application of the project is not started.
  """

  use Mix.Task

  alias HfHub.{Brief, Cache, Error}
  alias HfHub.Cache.{Adoption, Deletion, Integrity, Table, Targets}
  alias HfHub.Native.Nif

  @switches [
    cache_dir: :string,
    json: :boolean,
    yes: :boolean,
    dry_run: :boolean,
    force: :boolean,
    repair: :boolean,
    revisions: :boolean,
    older_than: :integer,
    quiet: :boolean
  ]

  @impl true
  def run(args) do
    # Compiles, and evaluates config/runtime.exs, which may set the cache folder.
    Mix.Task.run("app.config")
    {flags, words, wrong} = OptionParser.parse(args, strict: @switches)
    status = if wrong == [], do: command(words, flags), else: usage("unknown option #{elem(hd(wrong), 0)}")
    if status != 0, do: exit({:shutdown, status})
  end

  # Returns the exit status.
  defp command(["ls"], flags), do: ls(flags)
  defp command(["rm", target | more], flags), do: rm([target | more], flags)
  defp command(["prune"], flags), do: prune(flags)
  defp command(["verify"], flags), do: verify(nil, flags)
  defp command(["verify", repo], flags), do: verify(repo, flags)

  defp command(["adopt"], flags), do: adopt(nil, flags)
  defp command(["adopt", repo], flags), do: adopt(repo, flags)

  defp command(["move", folder], flags),
    do:
      flags
      |> where(:progress)
      |> then(&Cache.move(folder, &1))
      |> report(flags, fn to -> "moved to #{to}" end)

  defp command(["export", file | targets], flags), do: export(file, targets, flags)

  defp command(["import", file], flags),
    do: flags |> where(:progress) |> then(&Cache.import(file, &1)) |> report(flags, &archive("imported", &1))

  defp command(_words, _flags), do: usage("expected a command")

  defp ls(flags) do
    report(Cache.scan(where(flags)), flags, fn report ->
      rows = if flags[:revisions], do: revisions(report), else: repos(report)

      [
        table(rows),
        "",
        "#{length(report.repos)} repositories, #{Brief.size(report.size_on_disk)}"
        | interrupted(report) ++ warnings(report)
      ]
    end)
  end

  defp repos(report) do
    for repo <- Enum.sort_by(report.repos, & &1.size_on_disk, :desc) do
      refs = repo |> Cache.Repo.refs() |> Map.keys() |> Enum.sort() |> Enum.join(" ")

      [
        "#{repo.repo_type}/#{repo.repo_id}",
        Brief.size(repo.size_on_disk) <> incomplete(repo),
        ago(repo.last_accessed),
        refs
      ]
    end
  end

  defp incomplete(%{incomplete_size: 0}), do: ""
  defp incomplete(repo), do: " + #{Brief.size(repo.incomplete_size)}"

  defp interrupted(%{incomplete_files: []}), do: []

  defp interrupted(report) do
    files =
      if length(report.incomplete_files) == 1, do: "1 file", else: "#{length(report.incomplete_files)} files"

    [
      "partial files: #{Brief.size(report.incomplete_size)} in #{files}; prune removes old ones"
    ]
  end

  defp revisions(report) do
    for repo <- Enum.sort_by(report.repos, & &1.repo_id), revision <- repo.revisions do
      refs = if revision.refs == [], do: "(detached)", else: Enum.join(revision.refs, " ")

      [
        "#{repo.repo_type}/#{repo.repo_id}",
        String.slice(revision.commit_hash, 0, 8),
        Brief.size(revision.size_on_disk),
        ago(revision.last_used),
        refs
      ]
    end
  end

  defp warnings(%{warnings: []}), do: []

  defp warnings(report),
    do: ["" | for(warning <- report.warnings, do: "warning: " <> Table.printable(warning.message))]

  defp rm(targets, flags) do
    delete = &Cache.delete_revisions(targets, where(flags) ++ [force: flags[:force] || false, dry_run: &1])

    with {:ok, %{unknown: []}} <- delete.(true),
         {:ok, deletion} <- confirmed(delete, flags) do
      removed({:ok, deletion}, flags)
    else
      {:ok, %{unknown: unknown}} -> removed({:error, unknown(unknown)}, flags)
      failed -> removed(failed, flags)
    end
  end

  defp unknown(names) do
    Error.new(
      :not_cached,
      "not in the cache: #{Enum.join(names, ", ")}; pass repositories or revisions that mix hf_hub.cache ls shows"
    )
  end

  defp prune(flags) do
    age = if flags[:older_than], do: [older_than: max(flags[:older_than], 0)], else: []
    removed(confirmed(&Cache.prune(where(flags) ++ age ++ [dry_run: &1]), flags), flags)
  end

  # Shows what would be removed, and asks for confirmation.
  defp confirmed(work, flags) do
    with {:ok, plan} <- work.(true) do
      cond do
        flags[:dry_run] ->
          {:ok, plan}

        flags[:yes] ->
          work.(false)

        empty?(plan) ->
          {:ok, plan}

        flags[:json] ->
          {:error, Error.new(:cancelled, "nothing was deleted; pass --yes or --dry-run with --json")}

        true ->
          ask(plan, work)
      end
    end
  end

  defp ask(plan, work) do
    Mix.shell().info(Enum.join([plan(plan) | paths(plan)], "\n"))

    case IO.gets("Delete? [y/N] ") do
      answer when is_binary(answer) ->
        if String.trim(answer) in ["y", "Y", "yes"],
          do: work.(false),
          else: {:error, Error.new(:cancelled, "nothing was deleted")}

      _no_terminal ->
        {:error, Error.new(:cancelled, "nothing was deleted; pass --yes without a terminal")}
    end
  end

  @lists [:repos, :snapshots, :refs, :blobs, :shared_blobs, :partials, :temporaries, :links]

  defp empty?(plan), do: Enum.all?(@lists, &(Map.fetch!(plan, &1) == []))

  # The paths of repositories and revisions; of all else, only the number is shown.
  defp paths(plan) do
    paths = plan.repos ++ Enum.reject(plan.snapshots, &(Path.dirname(Path.dirname(&1)) in plan.repos))
    shown = for path <- Enum.take(paths, 20), do: "  " <> Table.printable(path)
    if length(paths) > 20, do: shown ++ ["  and #{length(paths) - 20} more"], else: shown
  end

  defp removed({:ok, %Deletion{} = deletion}, flags) do
    report({:ok, deletion}, flags, &plan/1)
    if deletion.failures == [] and deletion.kept == [], do: 0, else: 1
  end

  defp removed({:error, error}, flags), do: report({:error, error}, flags, &plan/1)

  defp plan(deletion) do
    {verb, size} =
      if deletion.dry_run?,
        do: {"would remove", deletion.expected_freed_size},
        else: {"removed", deletion.freed_size}

    counts =
      for {field, noun} <- [
            repos: "repositories",
            snapshots: "revisions",
            partials: "partial files",
            blobs: "blobs",
            shared_blobs: "shared blobs",
            links: "links"
          ],
          n = length(Map.fetch!(deletion, field)),
          n > 0,
          do: "#{n} #{noun}"

    counts = if counts == [], do: "nothing", else: Enum.join(counts, ", ")
    kept = for kept <- deletion.kept, do: "kept (#{kept.reason}): #{kept.repo_path} #{kept.commit}"
    lines = Enum.map(kept ++ deletion.failures, &Table.printable/1)
    Enum.join(["#{verb}: #{counts}, #{Brief.size(size)}" | lines], "\n")
  end

  defp verify(repo, flags) do
    opts = where(flags, :progress) ++ [repair: flags[:repair] || false]
    result = with {:ok, place} <- place(repo, flags), do: Cache.validate_integrity(place ++ opts)

    status =
      report(result, flags, fn found ->
        Enum.map(found.problems, &problem/1) ++
          [
            "#{found.total_files} files, #{found.valid_files} valid, #{found.corrupted_files} corrupted, " <>
              "#{found.missing_files} missing, #{Brief.size(found.checked_bytes)} read"
          ]
      end)

    case result do
      {:ok, found} -> if Integrity.sound?(found), do: status, else: 1
      {:error, _error} -> status
    end
  end

  defp problem(problem) do
    repaired = if Map.get(problem, :repaired) == true, do: ", repaired", else: ""

    Table.printable(
      "#{problem.status}#{repaired}: #{problem.repo_type}/#{problem.repo_id} #{problem.filename}"
    )
  end

  defp adopt(repo, flags) do
    opts = where(flags, :progress) ++ [dry_run: flags[:dry_run] || false]

    result =
      with {:ok, place} <- place(repo, flags),
           do: Cache.adopt(Keyword.take(place, [:repo_id, :repo_type]) ++ opts)

    case {report(result, flags, &adoption/1), result} do
      {0, {:ok, found}} -> if Adoption.complete?(found), do: 0, else: 1
      {status, _result} -> status
    end
  end

  defp adoption(found) do
    verb = if found.dry_run?, do: "would adopt", else: "adopted"
    adopted = for each <- found.revisions, do: "#{verb}: #{place(each)} (#{sized(each)})"
    left = for file <- found.unmatched, do: "#{file.reason}: #{place(file)} #{file.filename}"
    more = if length(left) > 20, do: ["and #{length(left) - 20} more; --json shows all"], else: []

    failed =
      for failure <- found.failures, do: "failed: #{place(failure)}: #{Exception.message(failure.error)}"

    Enum.map(adopted ++ Enum.take(left, 20) ++ more ++ failed, &Table.printable/1) ++
      ["#{verb} #{sized(found)}; #{length(found.unmatched)} files left where they are"]
  end

  defp place(%{repo_id: nil, path: path}), do: path
  defp place(found), do: "#{found.repo_type}/#{found.repo_id} #{found.revision}"

  defp sized(found), do: "#{found.files} files, #{Brief.size(found.bytes)}"

  defp export(file, targets, flags) do
    targets = if targets == [], do: [], else: [targets: targets]
    report(Cache.export(file, where(flags, :progress) ++ targets), flags, &archive("exported", &1))
  end

  defp archive(verb, archive) do
    "#{verb}: #{Enum.join(archive.repos, ", ")} (#{archive.files} files, #{Brief.size(archive.bytes)})"
  end

  # A repository by any name that `rm` accepts; one that is not in the cache is not a cache without problems.
  defp place(nil, _flags), do: {:ok, []}

  defp place(name, flags) do
    with {:ok, report} <- Cache.scan(where(flags)) do
      case Targets.find(report, [name], []) do
        {[{folder, commits}], []} ->
          report.repos
          |> Enum.find(%{repo_id: name, repo_type: nil}, &(Path.basename(&1.repo_path) == folder))
          |> place_of(commits)

        {_none, unknown} ->
          {:error, unknown(unknown)}
      end
    end
  end

  defp place_of(%{repo_type: :kernel, repo_id: id}, _commits),
    do:
      {:error, Error.new(:bad_request, "kernel/#{id} cannot be selected; omit it to select the whole cache")}

  defp place_of(repo, nil), do: {:ok, [repo_id: repo.repo_id, repo_type: repo.repo_type]}

  defp place_of(repo, [commit | _more]) do
    {:ok, place} = place_of(repo, nil)
    {:ok, place ++ [revision: commit]}
  end

  defp where(flags, more \\ nil) do
    dir = if flags[:cache_dir], do: [cache_dir: flags[:cache_dir]], else: []
    if more, do: dir ++ [progress: not (flags[:quiet] || flags[:json] || false)], else: dir
  end

  defp report({:ok, value}, flags, words) do
    text =
      if flags[:json],
        do: Nif.to_json(plain(value)),
        else: value |> words.() |> List.wrap() |> Enum.join("\n")

    Mix.shell().info(text)
    0
  end

  defp report({:error, error}, flags, _words) do
    if flags[:json],
      do: Mix.shell().info(Nif.to_json(%{error: error.kind, message: Exception.message(error)}))

    Mix.shell().error(Exception.message(error))
    1
  end

  defp usage(why) do
    Mix.shell().error("#{why}; see mix help hf_hub.cache")
    2
  end

  defp table([]), do: "the cache is empty"
  defp table(rows), do: Table.format(rows)

  defp ago(nil), do: "?"

  defp ago(time) do
    seconds = max(DateTime.diff(DateTime.utc_now(), time), 0)

    {unit, length} =
      Enum.find([{"d", 86_400}, {"h", 3600}, {"min", 60}, {"s", 1}], fn {_unit, length} ->
        seconds >= length
      end) || {"s", 1}

    "#{div(seconds, length)} #{unit} ago"
  end

  defp plain(%DateTime{} = time), do: DateTime.to_iso8601(time)
  defp plain(%_struct{} = struct), do: struct |> Map.from_struct() |> plain()
  defp plain(map) when is_map(map), do: Map.new(map, fn {key, value} -> {key, plain(value)} end)
  defp plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  # File names may be invalid UTF-8, which JSON does not allow.
  defp plain(name) when is_binary(name), do: if(String.valid?(name), do: name, else: Table.printable(name))
  defp plain(other), do: other
end
