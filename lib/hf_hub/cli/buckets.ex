defmodule HfHub.CLI.Buckets do
  # Buckets: files on the Hub without a history.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.Buckets
  alias HfHub.Buckets.Filter
  alias HfHub.CLI.{Call, Command, Cp, Flags, Listed, Output, Size, Sync}
  alias HfHub.RepoRef
  alias HfHub.RepoRef.Folder

  @bucket [bucket: [doc: "Id or `hf://buckets/` address of the bucket"]]

  @impl true
  def noun, do: [name: "buckets", summary: "Manages buckets and their files"]

  @impl true
  def commands do
    [
      command("create", &create/1,
        summary: "Creates a bucket",
        args: @bucket,
        flags: [
          private: [type: :boolean, negatable: true, doc: "Makes it private"],
          region: [type: {:in, ~w(us eu)}, doc: "Region in which the files are stored"],
          exist_ok: [type: :boolean, negatable: true, doc: "Succeeds if it exists already"]
        ]
      ),
      command("list", &list/1,
        summary: "Lists buckets, or the files of one",
        aliases: ["ls"],
        args: [address: [required: false, doc: "Namespace, or bucket with an optional folder"]],
        flags: [search: [type: :string, doc: "Text in the names of buckets"]] ++ Listed.flags()
      ),
      command("info", &info/1, summary: "Shows a bucket", args: @bucket),
      command("delete", &delete/1,
        summary: "Deletes a bucket with all its files",
        args: @bucket,
        flags:
          [missing_ok: [type: :boolean, negatable: true, doc: "Succeeds if it does not exist"]] ++ Flags.yes()
      ),
      command("move", &move/1,
        summary: "Renames a bucket, or moves it to another namespace",
        args: [from: [doc: "Bucket"], to: [doc: "New id"]]
      ),
      command("settings", &settings/1,
        summary: "Changes the settings of a bucket",
        args: @bucket,
        flags: [
          private: [type: :boolean, doc: "Makes it private"],
          public: [type: :boolean, doc: "Makes it public"]
        ]
      ),
      command("remove", &remove/1,
        summary: "Deletes a file of a bucket, or the files of a folder",
        aliases: ["rm"],
        args: [address: [doc: "Path in a bucket, as `me/bucket/path` or an `hf://buckets/` address"]],
        flags:
          [
            recursive: [type: :boolean, short: "R", doc: "Deletes the files of a folder"],
            include: [type: {:list, :string}, doc: "Pattern of files to delete; requires `--recursive`"],
            exclude: [type: {:list, :string}, doc: "Pattern of files to keep; requires `--recursive`"],
            dry_run: [type: :boolean, doc: "Shows what would be deleted, and deletes nothing"]
          ] ++ Flags.yes()
      ),
      Cp.command(["cp"], "buckets cp", :bucket),
      Sync.command(["sync"], "buckets sync")
    ]
  end

  defp command(word, run, fields),
    do: struct!(Command, [words: [word], run: run, hf: "buckets #{word}"] ++ fields)

  defp create(call) do
    with {:ok, url} <- Buckets.create(call.args.bucket, Call.options(call, [:private, :region, :exist_ok])),
         do: {:done, "Bucket created", uri: "hf://buckets/#{url.repo_id}", url: url.url}
  end

  # An id has a slash, a namespace has none.
  defp list(call) do
    address = String.trim_trailing(call.args.address || "", "/") |> String.replace_prefix("hf://buckets/", "")
    if address =~ "/", do: files(address, call), else: buckets(address, call)
  end

  defp buckets(namespace, call) do
    case Enum.find([:tree, :recursive], &call.flags[&1]) do
      nil ->
        owner = if namespace == "", do: [], else: [namespace: namespace]

        with {:ok, found} <- Buckets.list(owner ++ Call.options(call, [:search])),
             do: {:table, rows(found, call), id: "id", right: ["size"]}

      flag ->
        {:usage, "--#{flag} is for the files of a bucket"}
    end
  end

  defp rows(found, call) do
    for bucket <- found do
      size = if call.flags[:human_readable], do: Size.units(bucket.size || 0), else: bucket.size

      [
        {"id", bucket.id},
        {"private", bucket.private},
        {"size", size},
        {"total_files", bucket.total_files},
        {"created_at", bucket.created_at}
      ]
    end
  end

  defp files(address, call) do
    with {:ok, ref} <- RepoRef.bucket(address, []),
         prefix = if(ref.path, do: [prefix: ref.path], else: []),
         {:ok, entries} <- Buckets.list_tree(ref.repo_id, prefix ++ Call.options(call, [:recursive])) do
      entries
      # The Hub compares the beginning of paths only: `logs` finds `logs.json`.
      |> Enum.filter(&Folder.within?(&1.path, ref.path))
      |> Enum.map(&entry/1)
      |> Listed.shown(call.flags, call.output)
    end
  end

  defp entry(entry) do
    folder? = entry.type == :folder
    json = if folder?, do: Map.drop(entry, [:size]), else: entry
    time = Map.get(entry, :mtime) || entry.uploaded_at
    %{path: entry.path, folder: folder?, size: entry.size, time: time, json: Map.from_struct(json)}
  end

  defp info(call) do
    with {:ok, bucket} <- Buckets.get(call.args.bucket, Call.options(call)), do: {:record, bucket, id: "id"}
  end

  defp delete(call) do
    with {:ok, %{repo_id: id}} <- RepoRef.bucket(call.args.bucket, []),
         :ok <- Output.confirm(call, "Are you sure you want to delete bucket '#{id}'?"),
         :ok <- Buckets.delete(id, Call.options(call, [:missing_ok])),
         do: {:done, "Bucket deleted", bucket_id: id}
  end

  defp move(%{args: %{from: from, to: to}} = call) do
    with {:ok, from} <- RepoRef.bucket(from, []),
         {:ok, to} <- RepoRef.bucket(to, []),
         {:ok, _url} <- Buckets.move(from.repo_id, to.repo_id, Call.options(call)),
         do: {:done, "Bucket moved", from_id: from.repo_id, to_id: to.repo_id}
  end

  defp settings(%{flags: %{private: true, public: true}}),
    do: {:usage, "--private and --public are mutually exclusive"}

  defp settings(%{flags: flags}) when not is_map_key(flags, :private) and not is_map_key(flags, :public),
    do: {:usage, "pass --private or --public"}

  defp settings(call) do
    private = call.flags[:private] || false

    with {:ok, %{repo_id: id}} <- RepoRef.bucket(call.args.bucket, []),
         :ok <- Buckets.update_settings(id, [private: private] ++ Call.options(call)),
         do: {:done, "Bucket settings updated", bucket_id: id, private: private}
  end

  defp remove(call) do
    with {:ok, ref} <- RepoRef.bucket(call.args.address, []) do
      cond do
        call.flags[:recursive] ->
          remove_all(ref, call)

        call.flags[:include] || call.flags[:exclude] ->
          {:usage, "--include and --exclude require --recursive"}

        ref.path in [nil, ""] ->
          {:usage, "pass the path of a file, or --recursive; buckets delete deletes a bucket"}

        true ->
          remove_one(ref, call)
      end
    end
  end

  defp remove_one(%{repo_id: id, path: path}, call) do
    if call.flags[:dry_run] do
      not_removed([path], "1 file", id)
    else
      with :ok <- Output.confirm(call, "Remove '#{path}' from '#{id}'?"),
           :ok <- Buckets.batch(id, [Buckets.Operation.delete(path)], Call.options(call)),
           do: {:done, "File removed", path: path, bucket_id: id}
    end
  end

  defp not_removed(paths, words, id) do
    lines = for path <- paths, do: "delete: hf://buckets/#{id}/#{path}"
    text = lines ++ ["(dry run) #{words} would be removed."]
    {:own, %{dry_run: true, bucket_id: id, files: paths}, fn _plan -> text end}
  end

  defp remove_all(%{repo_id: id, path: folder}, call) do
    prefix = if folder, do: [prefix: folder], else: []

    with {:ok, filter} <- Filter.new(Map.to_list(call.flags)),
         {:ok, entries} <- Buckets.list_tree(id, [recursive: true] ++ prefix ++ Call.options(call)) do
      files =
        for entry <- entries,
            entry.type != :folder and Folder.within?(entry.path, folder) and
              Filter.matches?(filter, entry.path),
            do: entry

      size = files |> Enum.map(&(&1.size || 0)) |> Enum.sum() |> Size.units()
      remove_listed(Enum.map(files, & &1.path), "#{length(files)} file(s) totaling #{size}", size, id, call)
    end
  end

  defp remove_listed([], _words, _size, id, _call),
    do: {:own, %{bucket_id: id, files: []}, fn _none -> "No files to remove." end}

  defp remove_listed(paths, words, _size, id, %{flags: %{dry_run: true}}), do: not_removed(paths, words, id)

  defp remove_listed(paths, words, size, id, call) do
    operations = Enum.map(paths, &Buckets.Operation.delete/1)

    with :ok <- Output.confirm(call, "Remove #{words} from '#{id}'?"),
         :ok <- Buckets.batch(id, operations, Call.options(call)),
         do: {:done, "Removed #{words} from '#{id}'", bucket_id: id, files_deleted: length(paths), size: size}
  end
end
