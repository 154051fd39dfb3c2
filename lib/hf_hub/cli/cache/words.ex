defmodule HfHub.CLI.Cache.Words do
  # What the commands of `cache` print for people.
  @moduledoc false

  alias HfHub.{Brief, Cache}
  alias HfHub.Cache.Table

  @lists [:repos, :snapshots, :refs, :blobs, :shared_blobs, :partials, :temporaries, :links]

  @doc "Returns the lines of `cache ls`."
  @spec listing(Cache.Report.t(), boolean()) :: [String.t()]
  def listing(report, revisions?) do
    rows = if revisions?, do: revisions(report), else: repos(report)

    [
      table(rows),
      "",
      "#{Brief.count(length(report.repos), "repositories")}, #{Brief.size(report.size_on_disk)}"
      | interrupted(report) ++ warnings(report)
    ]
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
    files = Brief.count(length(report.incomplete_files), "files")
    ["partial files: #{Brief.size(report.incomplete_size)} in #{files}; prune removes old ones"]
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

  @doc "Returns whether a deletion has nothing to delete."
  @spec empty?(Cache.Deletion.t()) :: boolean()
  def empty?(plan), do: Enum.all?(@lists, &(Map.fetch!(plan, &1) == []))

  @doc "Returns what a deletion has removed, or would remove."
  @spec deletion(Cache.Deletion.t()) :: String.t()
  def deletion(deletion) do
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
          do: Brief.count(n, noun)

    counts = if counts == [], do: "nothing", else: Enum.join(counts, ", ")
    kept = for kept <- deletion.kept, do: "kept (#{kept.reason}): #{kept.repo_path} #{kept.commit}"
    lines = Enum.map(kept ++ deletion.failures, &Table.printable/1)
    Enum.join(["#{verb}: #{counts}, #{Brief.size(size)}" | lines], "\n")
  end

  @doc "Returns what a deletion would remove, with the first paths."
  @spec plan(Cache.Deletion.t()) :: String.t()
  def plan(plan), do: Enum.join([deletion(plan) | paths(plan)], "\n")

  # The paths of repositories and revisions; of all else, only the number is shown.
  defp paths(plan) do
    paths = plan.repos ++ Enum.reject(plan.snapshots, &(Path.dirname(Path.dirname(&1)) in plan.repos))
    shown = for path <- Enum.take(paths, 20), do: "  " <> Table.printable(path)
    if length(paths) > 20, do: shown ++ ["  and #{length(paths) - 20} more"], else: shown
  end

  @doc "Returns the lines of `cache verify`."
  @spec integrity(Cache.Integrity.t()) :: [String.t()]
  def integrity(found) do
    Enum.map(found.problems, &problem/1) ++
      [
        "#{Brief.count(found.total_files, "files")}, #{found.valid_files} valid, #{found.corrupted_files} corrupted, " <>
          "#{found.missing_files} missing, #{Brief.size(found.checked_bytes)} read"
      ]
  end

  @doc "Returns the lines of `cache verify --local-dir`."
  @spec folder(Cache.FolderVerification.t()) :: [String.t()]
  def folder(found) do
    lists = [
      {"corrupted", for(%{path: path} <- found.mismatches, do: path)},
      {"missing", found.missing_paths},
      {"extra", found.extra_paths}
    ]

    lines = for {what, paths} <- lists, path <- paths, do: Table.printable("#{what}: #{path}")
    counts = for {what, paths} <- lists, do: "#{length(paths)} #{what}"
    lines ++ [Enum.join([Brief.count(found.checked_count, "files") <> " compared" | counts], ", ")]
  end

  defp problem(problem) do
    repaired = if Map.get(problem, :repaired) == true, do: ", repaired", else: ""

    Table.printable(
      "#{problem.status}#{repaired}: #{problem.repo_type}/#{problem.repo_id} #{problem.filename}"
    )
  end

  @doc "Returns the lines of `cache adopt`."
  @spec adoption(Cache.Adoption.t()) :: [String.t()]
  def adoption(found) do
    verb = if found.dry_run?, do: "would adopt", else: "adopted"
    adopted = for each <- found.revisions, do: "#{verb}: #{place(each)} (#{sized(each)})"
    left = for file <- found.unmatched, do: "#{file.reason}: #{place(file)} #{file.filename}"
    more = if length(left) > 20, do: ["and #{length(left) - 20} more; --json shows all"], else: []

    failed =
      for failure <- found.failures, do: "failed: #{place(failure)}: #{Exception.message(failure.error)}"

    Enum.map(adopted ++ Enum.take(left, 20) ++ more ++ failed, &Table.printable/1) ++
      ["#{verb} #{sized(found)}; #{Brief.count(length(found.unmatched), "files")} left where they are"]
  end

  defp place(%{repo_id: nil, path: path}), do: path
  defp place(found), do: "#{found.repo_type}/#{found.repo_id} #{found.revision}"

  defp sized(found), do: "#{Brief.count(found.files, "files")}, #{Brief.size(found.bytes)}"

  @doc "Returns the line of `cache export` and `cache import`."
  @spec archive(String.t(), Cache.Archive.t()) :: String.t()
  def archive(verb, archive) do
    "#{verb}: #{Enum.join(archive.repos, ", ")} (#{Brief.count(archive.files, "files")}, #{Brief.size(archive.bytes)})"
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
end
