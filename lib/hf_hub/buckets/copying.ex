defmodule HfHub.Buckets.Copying do
  # Copies files between repositories and buckets on the Hub, with the rules of `cp -r` and of the Python client: a source
  # that ends in a slash is the content of the folder, any other the folder itself.
  @moduledoc false

  alias HfHub.Buckets.{Batch, Files, Operation}
  alias HfHub.{Api, Commit, Download, Error, Options, RepoRef, Request}
  alias HfHub.RepoRef.Folder

  @doc "Copies a file or a folder; both places are `hf://` URIs or the URLs of pages."
  @spec run(String.t(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def run(source, destination, opts) do
    deadline = Request.deadline(opts[:timeout])

    with {:ok, from} <- RepoRef.location(source, opts),
         {:ok, to} <- RepoRef.location(destination, opts),
         :ok <- copyable(from, to),
         {:ok, target} <- target(to, String.ends_with?(destination, "/"), common(opts, deadline)),
         {:ok, files} <- files(from, common(opts, deadline)),
         {:ok, pairs} <- pairs(files, from, target, String.ends_with?(source, "/")),
         do: copy(pairs, from, to, Request.until(opts, deadline))
  end

  defp common(opts, deadline), do: only(Options.common(), Request.until(opts, deadline))
  defp only(table, opts), do: Keyword.take(opts, Keyword.keys(table))

  defp copyable(%{repo_type: :bucket} = from, %{repo_type: type} = to) when type != :bucket do
    message =
      "the Hub cannot copy from the bucket #{inspect(from.repo_id)} to the #{type} #{inspect(to.repo_id)}; download the " <>
        "files with HfHub.Buckets.download/3 and upload them with HfHub.Commit"

    {:error, Error.new(:invalid_name, message, repo_id: from.repo_id)}
  end

  defp copyable(_from, _to), do: :ok

  # The path, whether it is that of a folder, and whether that folder exists.
  defp target(%{path: nil}, _slash?, _opts), do: {:ok, %{path: nil, folder?: true, exists?: true}}

  defp target(to, slash?, opts) do
    with {:ok, kind} <- kind(to, opts) do
      {:ok, %{path: to.path, folder?: kind == :folder or (kind == nil and slash?), exists?: kind == :folder}}
    end
  end

  defp kind(%{repo_type: :bucket, path: path} = to, opts) do
    bucket = %{to | path: nil}

    with {:ok, []} <- Files.paths_info(bucket, [path], opts),
         {:ok, found} <- below(Files.stream_tree(bucket, [prefix: path, recursive: false] ++ opts), path) do
      {:ok, if(found != [], do: :folder)}
    else
      {:ok, [_file]} -> {:ok, :file}
      error -> error
    end
  end

  defp kind(to, opts) do
    case Api.paths_info(uri(%{to | path: nil}), to.path, opts) do
      {:ok, [entry]} -> {:ok, entry.type}
      {:ok, _none} -> {:ok, nil}
      error -> error
    end
  end

  # The Hub compares prefixes letter by letter, so that "logs" also matches "logs.json".
  defp below(entries, path) do
    {:ok, Enum.filter(entries, &Folder.within?(&1.path, path))}
  rescue
    error in Error -> {:error, error}
  end

  defp files(%{repo_type: :bucket} = from, opts) do
    bucket = %{from | path: nil}

    with {:ok, []} <- single(from, bucket, opts),
         entries = Files.stream_tree(bucket, Keyword.merge(opts, prefix: from.path, recursive: true)),
         {:ok, found} <- below(entries, from.path) do
      {:ok, {:folder, Enum.filter(found, &(&1.type == :file))}}
    else
      {:ok, [file]} -> {:ok, {:file, file}}
      error -> error
    end
  end

  defp files(from, opts) do
    with {:ok, [%{type: :file} = file]} <- at(from, opts) do
      {:ok, {:file, file}}
    else
      {:ok, _folder} ->
        listing =
          Api.list_repo_tree(uri(%{from | path: nil}), [recursive: true, path_in_repo: from.path] ++ opts)

        with {:ok, entries} <- listing, do: {:ok, {:folder, Enum.filter(entries, &(&1.type == :file))}}

      error ->
        error
    end
  end

  defp single(%{path: nil}, _bucket, _opts), do: {:ok, []}
  defp single(%{path: path}, bucket, opts), do: Files.paths_info(bucket, [path], opts)

  defp at(%{path: nil}, _opts), do: {:ok, []}
  defp at(from, opts), do: Api.paths_info(uri(%{from | path: nil}), from.path, opts)

  defp uri(ref) do
    revision = if ref.revision, do: "@" <> URI.encode(ref.revision, &URI.char_unreserved?/1), else: ""
    "hf://#{ref.repo_type}s/#{ref.repo_id}#{revision}"
  end

  defp pairs({:file, file}, _from, target, _inside?),
    do:
      {:ok, [{file, if(target.folder?, do: join(target.path, Path.basename(file.path)), else: target.path)}]}

  defp pairs({:folder, []}, from, _target, _inside?) do
    place = if from.path, do: "no file at #{inspect(from.path)}", else: "no files"
    message = "the #{from.repo_type} #{inspect(from.repo_id)} has #{place}"
    {:error, Error.new(:entry_not_found, message, repo_id: from.repo_id, path: from.path)}
  end

  defp pairs({:folder, files}, from, target, inside?) do
    nested? = target.exists? and from.path != nil and not inside?
    folder = if nested?, do: join(target.path, Path.basename(from.path)), else: target.path
    {:ok, for(file <- files, do: {file, join(folder, relative(file.path, from.path))})}
  end

  defp relative(path, nil), do: path
  defp relative(path, path), do: Path.basename(path)
  defp relative(path, folder), do: String.replace_prefix(path, folder <> "/", "")

  defp join(nil, path), do: path
  defp join(folder, path), do: folder <> "/" <> path

  defp copy(pairs, from, %{repo_type: :bucket} = to, opts) do
    # Attributes for git have no meaning in a bucket.
    pairs =
      if from.repo_type == :bucket,
        do: pairs,
        else: Enum.reject(pairs, &(Path.basename(elem(&1, 0).path) == ".gitattributes"))

    {copies, others} = Enum.split_with(pairs, fn {file, _path} -> file.xet_hash != nil end)

    with {:ok, adds} <- downloaded(others, from, opts),
         do: Batch.apply(%{to | path: nil}, adds ++ Enum.map(copies, &operation(&1, from)), opts)
  end

  defp copy(pairs, from, to, opts) do
    source =
      if {from.repo_type, from.repo_id} == {to.repo_type, to.repo_id},
        do: [src_revision: from.revision],
        else: [src_revision: from.revision, src_repo_id: from.repo_id, src_repo_type: from.repo_type]

    operations = for {file, path} <- pairs, do: Commit.Operation.copy(file.path, path, source)
    message = "Copy files from #{from.repo_type}s/#{from.repo_id}"

    opts = [commit_message: message] ++ only(Options.transfer(), opts)

    with {:ok, _commit} <- Commit.create(uri(%{to | path: nil}), operations, opts),
         do: :ok
  end

  # The Hub copies contents of Xet storage only; others take the way over this machine, as in the Python client.
  defp downloaded(pairs, from, opts) do
    deadline = Request.deadline(opts[:timeout])

    pairs
    |> Task.async_stream(&addition(&1, from, Request.until(opts, deadline)),
      max_concurrency: opts[:max_workers],
      timeout: :infinity
    )
    |> Enum.reduce_while({:ok, []}, fn
      {:ok, {:ok, add}}, {:ok, adds} -> {:cont, {:ok, [add | adds]}}
      {:ok, {:error, error}}, _adds -> {:halt, {:error, error}}
    end)
  end

  defp addition({file, path}, from, opts) do
    place = [repo_id: from.repo_id, repo_type: from.repo_type, filename: file.path]
    place = if from.revision, do: [revision: from.revision] ++ place, else: place

    with {:ok, local} <- Download.hf_hub_download(place ++ only(Options.transfer(), opts)),
         do: {:ok, Operation.add(path, {:path, local})}
  end

  defp operation({file, path}, from),
    do: Operation.copy(path, file.xet_hash, from.repo_id, source_type: from.repo_type)
end
