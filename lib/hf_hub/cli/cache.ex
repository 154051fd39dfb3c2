defmodule HfHub.CLI.Cache do
  # The cache on this machine.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.{Cache, Error}
  alias HfHub.Cache.{Adoption, FolderVerification, Integrity, Targets}
  alias HfHub.CLI.Cache.Words
  alias HfHub.CLI.{Call, Command, Output}

  @cache_dir [
    cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`"]
  ]
  @dry_run [dry_run: [type: :boolean, doc: "Shows what would happen, and changes nothing"]]
  @verify [
    repair: [type: :boolean, doc: "Downloads corrupt and missing files again"],
    local_dir: [
      type: :path,
      complete: :file,
      doc: "Folder to compare with the repository `TARGET` on the Hub, instead of the cache"
    ],
    fail_on_missing_files: [type: :boolean, doc: "Fails if files of the repository are missing here"],
    fail_on_extra_files: [type: :boolean, doc: "Fails if there are files that the repository does not have"]
  ]
  @yes [
    yes: [
      type: :boolean,
      short: "y",
      doc: "Skips the confirmation. Required without a terminal, and with `--json`"
    ]
  ]

  @impl true
  def noun do
    [
      name: "cache",
      summary: "Manages the cache of Hugging Face clients on this machine",
      details:
        "A `TARGET` is `model/org/name`, `org/name`, an `hf://` URI of a repository or revision, or a commit. A `REPO` is " <>
          "a target that names a repository."
    ]
  end

  @impl true
  def commands do
    [
      command("ls", &ls/1,
        summary: "Lists repositories with their sizes and last use",
        aliases: ["list"],
        hf: "cache list",
        flags: [revisions: [type: :boolean, doc: "Lists all revisions"]]
      ),
      command("rm", &rm/1,
        summary: "Removes repositories or revisions",
        hf: "cache rm",
        args: [target: [type: {:list, :string}, doc: "Repositories or revisions to remove"]],
        flags: [force: [type: :boolean, doc: "Removes pinned revisions too"]] ++ @yes ++ @dry_run
      ),
      command("prune", &prune/1,
        summary: "Removes unreferenced revisions and old partial files",
        hf: "cache prune",
        flags:
          [
            older_than: [
              type: :integer,
              doc: "Minimum age of revisions and partial files, in seconds. Defaults to an hour"
            ]
          ] ++ @yes ++ @dry_run
      ),
      command("verify", &verify/1,
        summary: "Hashes all files again",
        hf: "cache verify",
        args: [target: [required: false, doc: "Repository or revision. Defaults to the whole cache"]],
        flags: @verify
      ),
      command("exists", &exists/1,
        summary: "Returns whether a repository, revision or file is in the cache",
        args: [
          target: [doc: "Repository or revision"],
          file: [required: false, doc: "Name of a file in it"]
        ],
        details: "The exit status is 0 if it is, and 1 if it is not."
      ),
      command("adopt", &adopt/1,
        summary: "Moves files of hf_hub 0.3 into the shared layout",
        args: [repo: [required: false, doc: "Repository. Defaults to the whole cache"]],
        flags: @dry_run
      ),
      command("move", &move/1,
        summary: "Moves the whole cache",
        args: [folder: [complete: :file, doc: "New cache folder"]]
      ),
      command("export", &export/1,
        summary: "Writes a tar file, for an air-gapped machine",
        args: [
          file: [complete: :file, doc: "Tar file to write"],
          target: [type: {:list, :string}, required: false, doc: "Repositories or revisions. Defaults to all"]
        ]
      ),
      command("import", &import_archive/1,
        summary: "Imports a tar file of `export`",
        args: [file: [complete: :file, doc: "Tar file to read"]]
      )
    ]
  end

  defp command(word, run, fields) do
    flags = Keyword.get(fields, :flags, []) ++ @cache_dir
    fields = [words: [word], run: run, hub: false, own_json: true] ++ Keyword.put(fields, :flags, flags)
    struct!(Command, fields)
  end

  defp ls(call) do
    with {:ok, report} <- Cache.scan(where(call)),
         do: {:own, report, &Words.listing(&1, call.flags[:revisions] || false)}
  end

  defp rm(call) do
    targets = call.args.target

    delete =
      &Cache.delete_revisions(targets, where(call) ++ [force: call.flags[:force] || false, dry_run: &1])

    case delete.(true) do
      {:ok, %{unknown: []}} -> delete |> confirmed(call) |> removed()
      {:ok, %{unknown: unknown}} -> {:error, unknown(unknown)}
      failed -> failed
    end
  end

  defp unknown(names) do
    Error.new(
      :not_cached,
      "not in the cache: #{Enum.join(names, ", ")}; pass repositories or revisions that cache ls shows"
    )
  end

  defp prune(call) do
    age = if call.flags[:older_than], do: [older_than: max(call.flags[:older_than], 0)], else: []
    (&Cache.prune(where(call) ++ age ++ [dry_run: &1])) |> confirmed(call) |> removed()
  end

  # Shows what would be removed, and asks for confirmation.
  defp confirmed(work, call) do
    with {:ok, plan} <- work.(true) do
      cond do
        call.flags[:dry_run] -> {:ok, plan}
        call.flags[:yes] -> work.(false)
        Words.empty?(plan) -> {:ok, plan}
        call.output.mode == :json -> {:error, Error.new(:cancelled, json_needs_yes())}
        true -> ask(plan, call, work)
      end
    end
  end

  defp json_needs_yes, do: "nothing was deleted; pass --yes or --dry-run with --json"

  defp ask(plan, call, work) do
    Output.note(Words.plan(plan))
    human = %{call | output: %{call.output | mode: :human}}

    case Output.confirm(human, "Delete?") do
      :ok ->
        work.(false)

      {:error, _cancelled} ->
        {:error, Error.new(:cancelled, "nothing was deleted; without a terminal, pass --yes")}
    end
  end

  defp removed({:ok, deletion}) do
    status = if deletion.failures == [] and deletion.kept == [], do: 0, else: 1
    {:exit, status, {:own, deletion, &Words.deletion/1}}
  end

  defp removed(failed), do: failed

  defp verify(%{flags: %{local_dir: folder} = flags} = call) do
    cond do
      call.args.target == nil -> {:error, "--local-dir requires the repository to compare with"}
      flags[:cache_dir] -> {:error, "--local-dir and --cache-dir are mutually exclusive"}
      flags[:repair] -> {:error, "--local-dir and --repair are mutually exclusive"}
      true -> verify_folder(folder, call)
    end
  end

  defp verify(call) do
    # The Hub's listings show which files of a commit were not downloaded.
    listings? = Enum.any?([:fail_on_missing_files, :fail_on_extra_files], &call.flags[&1])
    opts = where(call, "verify") ++ [repair: call.flags[:repair] || false, listings: listings?]

    with {:ok, place} <- place(call.args.target, call),
         {:ok, found} <- Cache.validate_integrity(place ++ opts) do
      lists = for revision <- found.revisions, do: {revision.absent, revision.extra}
      verified(found, Integrity.sound?(found), lists, &Words.integrity/1, call)
    end
  end

  defp verify_folder(folder, call) do
    {repo_id, type} = typed(call.args.target)

    with {:ok, found} <- Cache.verify_folder(folder, repo_id, type) do
      lists = [{found.missing_paths, found.extra_paths}]
      verified(found, FolderVerification.sound?(found), lists, &Words.folder/1, call)
    end
  end

  # A target of the cache, `dataset/org/name`, for a repository that need not be in it.
  defp typed(target) do
    case String.split(target, "/", parts: 2) do
      [type, repo_id] when type in ~w(model dataset space) -> {repo_id, [repo_type: type]}
      _without_type -> {target, []}
    end
  end

  defp verified(found, sound?, lists, words, %{flags: flags}) do
    missing? = flags[:fail_on_missing_files] && Enum.any?(lists, fn {missing, _extra} -> missing != [] end)
    extra? = flags[:fail_on_extra_files] && Enum.any?(lists, fn {_missing, extra} -> extra != [] end)
    {:exit, if(sound? and !missing? and !extra?, do: 0, else: 1), {:own, found, words}}
  end

  defp exists(call) do
    with {:ok, place} <- place(call.args.target, call) do
      found? = call.args.file == nil or Cache.cached?([filename: call.args.file] ++ place ++ where(call))
      shown = {:own, %{cached: found?}, fn _value -> if(found?, do: "cached", else: "not cached") end}
      {:exit, if(found?, do: 0, else: 1), shown}
    end
  end

  defp adopt(call) do
    opts = where(call, "adopt") ++ [dry_run: call.flags[:dry_run] || false]

    with {:ok, place} <- place(call.args.repo, call),
         {:ok, found} <- Cache.adopt(Keyword.take(place, [:repo_id, :repo_type]) ++ opts) do
      {:exit, if(Adoption.complete?(found), do: 0, else: 1), {:own, found, &Words.adoption/1}}
    end
  end

  defp move(call) do
    with {:ok, to} <- Cache.move(call.args.folder, where(call, "move")),
         do: {:own, to, &"moved to #{&1}"}
  end

  defp export(call) do
    targets = if call.args.target == [], do: [], else: [targets: call.args.target]

    with {:ok, archive} <- Cache.export(call.args.file, where(call, "export") ++ targets),
         do: {:own, archive, &Words.archive("exported", &1)}
  end

  defp import_archive(call) do
    with {:ok, archive} <- Cache.import(call.args.file, where(call, "import")),
         do: {:own, archive, &Words.archive("imported", &1)}
  end

  # A repository by any name that `rm` accepts; one that is not in the cache is not a cache without problems.
  defp place(nil, _call), do: {:ok, []}

  defp place(name, call) do
    with {:ok, report} <- Cache.scan(where(call)) do
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

  defp where(call), do: Call.options(call, [:cache_dir])
  defp where(call, label), do: where(call) ++ Call.progress(call, label)
end
