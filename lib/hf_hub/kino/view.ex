defmodule HfHub.Kino.View do
  # What a cell shows of a result: a table of facts, and tables of what it consists of. Pure.
  @moduledoc false

  alias HfHub.Api.{DatasetInfo, ModelInfo, Sibling, SpaceInfo, TreeEntry}
  alias HfHub.Brief
  alias HfHub.Buckets.{Bucket, SyncOperation, SyncPlan}
  alias HfHub.Cache.{Adoption, Deletion, Integrity, Repo, Report}
  alias HfHub.Download.FileInfo
  alias HfHub.Spaces.SpaceSearchResult
  alias HfHub.{Buckets, GGUF, Safetensors}

  @type row :: keyword()
  @type t :: [{title :: String.t(), [row()]}]

  # More rows of one table than a reader looks at would make the notebook slow.
  @most 10_000

  @infos [ModelInfo, DatasetInfo, SpaceInfo]
  # Shown by all their fields.
  @others [TreeEntry, Sibling, FileInfo, Bucket, Buckets.TreeEntry, SpaceSearchResult, Integrity, Adoption]

  @doc "Returns the structs that are shown as tables."
  @spec modules() :: [module()]
  def modules do
    @infos ++
      [
        Report,
        Repo,
        Deletion,
        SyncPlan,
        Safetensors.Metadata,
        Safetensors.FileMetadata,
        Safetensors.Handle,
        GGUF.Header
      ] ++ @others
  end

  @doc "Returns the tables of a struct."
  @spec tables(struct()) :: t()
  def tables(%module{} = info) when module in @infos do
    [{"#{info.id}", facts(info_facts(info))} | some("Files", rows(info.siblings || []))]
  end

  def tables(%Report{} = report) do
    [
      {"Cache",
       facts(
         folder: report.cache_dir,
         size: Brief.size(report.size_on_disk),
         incomplete: Brief.size(report.incomplete_size)
       )}
      | some("Repositories", rows(report.repos)) ++
          some(
            "Warnings",
            for(warning <- report.warnings, do: [path: warning.path, message: warning.message])
          )
    ]
  end

  def tables(%Repo{} = repo) do
    revisions =
      for revision <- repo.revisions,
          do: [
            commit: revision.commit_hash,
            refs: Enum.join(revision.refs, ", "),
            size: Brief.size(revision.size_on_disk)
          ]

    [{"#{repo.repo_type} #{repo.repo_id}", facts(row(repo))} | some("Revisions", revisions)]
  end

  def tables(%Deletion{} = deletion) do
    size = if deletion.dry_run?, do: deletion.expected_freed_size, else: deletion.freed_size
    title = if deletion.dry_run?, do: "Plan of a removal", else: "Removal"

    removed =
      for field <- [:repos, :snapshots, :partials],
          path <- Map.fetch!(deletion, field),
          do: [what: "#{field}", path: path]

    kept =
      for kept <- deletion.kept, do: [path: kept.repo_path, commit: kept.commit, reason: "#{kept.reason}"]

    [{title, facts(size: Brief.size(size))} | some("Removed", removed) ++ some("Kept", kept)]
  end

  def tables(%SyncPlan{} = plan) do
    summary = SyncPlan.summary(plan)
    facts = [from: plan.source, to: plan.dest, size: Brief.size(summary.total_size)]
    [{"Plan of a synchronization", facts(facts)} | some("Operations", rows(plan.operations))]
  end

  def tables(%Safetensors.Metadata{} = metadata) do
    files =
      for {name, file} <- metadata.files_metadata,
          {tensor, about} <- file.tensors,
          do: [file: name] ++ tensor(tensor, about)

    [
      {"Safetensors model", counts(metadata.parameter_count, files: map_size(metadata.files_metadata))}
      | some("Tensors", files)
    ]
  end

  def tables(%Safetensors.FileMetadata{} = file) do
    tensors = for {name, about} <- Enum.sort(file.tensors), do: tensor(name, about)

    [
      {"Safetensors file", counts(file.parameter_count, tensors: map_size(file.tensors))}
      | some("Tensors", tensors)
    ]
  end

  def tables(%Safetensors.Handle{} = model) do
    tensors =
      for {name, about} <- Enum.sort(model.tensors), do: [file: model.weight_map[name]] ++ tensor(name, about)

    [
      {"Safetensors model", counts(model.parameter_count, files: map_size(model.files))}
      | some("Tensors", tensors)
    ]
  end

  def tables(%GGUF.Header{} = header) do
    metadata = for {key, value} <- Enum.sort(header.metadata), do: [key: key, value: brief(value)]

    tensors =
      for tensor <- header.tensors,
          do: [name: tensor.name, type: tensor.type, shape: inspect(tensor.shape), size: size(tensor.size)]

    [
      {"GGUF file", counts(header.parameter_count, version: header.version)}
      | some("Metadata", metadata) ++ some("Tensors", tensors)
    ]
  end

  # Lists of maps are tables of their own.
  def tables(%module{} = struct) do
    {lists, fields} = struct |> fields() |> Enum.split_with(&match?({_name, [%{} | _more]}, &1))
    title = module |> Module.split() |> List.last() |> words()
    rows = &for map <- Enum.take(&1, @most), do: for({name, value} <- pairs(map), do: {name, brief(value)})
    [{title, facts(fields)} | for({name, list} <- lists, do: {words("#{name}"), rows.(list)})]
  end

  defp pairs(%_module{} = struct), do: fields(struct)
  defp pairs(map), do: Enum.sort(map)

  defp words(name), do: name |> Macro.underscore() |> String.replace("_", " ") |> String.capitalize()

  @doc "Returns whether a value is a result of this library."
  @spec result?(term()) :: boolean()
  def result?(%module{}), do: Code.ensure_loaded?(module) and function_exported?(module, :__fields__, 0)
  def result?(_other), do: false

  @doc "Returns the rows of a table of results."
  @spec rows([struct()]) :: [row()]
  def rows(results), do: results |> Enum.take(@most) |> Enum.map(&row/1)

  defp row(%module{} = info) when module in @infos, do: info_facts(info)
  defp row(%TreeEntry{} = entry), do: [path: entry.path, type: brief(entry.type), size: size(entry.size)]
  defp row(%Sibling{} = file), do: [path: file.rfilename, size: size(file.size)]

  defp row(%FileInfo{} = file),
    do: [path: file.filename, size: size(file.file_size), cached: brief(file.cached?)]

  defp row(%Repo{} = repo) do
    [
      type: brief(repo.repo_type),
      id: repo.repo_id,
      size: Brief.size(repo.size_on_disk),
      files: repo.nb_files,
      revisions: length(repo.revisions),
      last_used: brief(repo.last_accessed)
    ]
  end

  defp row(%SyncOperation{} = operation),
    do: [
      action: brief(operation.action),
      path: operation.path,
      size: size(operation.size),
      reason: brief(operation.reason)
    ]

  defp row(struct), do: for({name, value} <- fields(struct), do: {name, brief(value)})

  # Without secrets, which are not encoded either.
  defp fields(%module{} = struct) do
    for {name, _from, _type, _doc, opts} <- module.__fields__(),
        name != :raw and opts[:json] != false,
        do: {name, Map.fetch!(struct, name)}
  end

  defp info_facts(info) do
    about =
      for field <- [:pipeline_tag, :library_name, :sdk],
          value = Map.get(info, field),
          do: {field, brief(value)}

    [id: info.id] ++
      about ++
      [
        downloads: brief(Map.get(info, :downloads)),
        likes: brief(info.likes),
        last_modified: brief(info.last_modified),
        private: brief(info.private),
        gated: brief(info.gated),
        tags: brief(Map.get(info, :tags))
      ]
  end

  defp tensor(name, about),
    do: [name: name, type: about.dtype, shape: inspect(about.shape), parameters: about.parameter_count]

  defp counts(parameters, others) do
    facts(others ++ for({dtype, count} <- Enum.sort(parameters), do: {"#{dtype} parameters", count}))
  end

  defp facts(pairs),
    do: for({name, value} <- pairs, value not in [nil, "", []], do: [field: "#{name}", value: brief(value)])

  defp some(_title, []), do: []
  defp some(title, rows), do: [{title, Enum.take(rows, @most)}]

  defp size(nil), do: ""
  defp size(bytes), do: Brief.size(bytes)

  @doc "Returns a value as a cell of a table shows it."
  @spec brief(term()) :: String.t()
  def brief(nil), do: ""

  def brief(text) when is_binary(text),
    do: String.slice(if(String.valid?(text), do: text, else: inspect(text, limit: 100)), 0, 200)

  def brief(%DateTime{} = time), do: Calendar.strftime(time, "%Y-%m-%d %H:%M")
  def brief(value) when is_number(value) or is_atom(value), do: to_string(value)

  def brief([first | _rest] = list) when is_binary(first),
    do: list |> Enum.take(20) |> Enum.join(", ") |> brief()

  def brief(other), do: inspect(other, limit: 10, printable_limit: 100)
end
