defmodule HfHub.DialectOperations do
  # The operations to run at a Hub with a dialect; `test/parity/dialects.py` runs the same with the Python client.
  @moduledoc false

  alias HfHub.{Api, Auth, Commit, Download, Error, Git, Repo, Safetensors}

  @doc "Runs all operations: name => `{:ok, value}` or `{:error, error}`."
  def run(task) do
    ask = [endpoint: task.endpoint, token: task.token, retry_delay: 10, retries: 2]
    for {name, operation} <- reads(task, ask) ++ writes(task, ask), into: %{}, do: {name, result(operation)}
  end

  defp result(operation) do
    {:ok, operation.()}
  rescue
    error in Error -> {:error, error}
  end

  defp reads(%{read: id} = task, ask) do
    [
      whoami: fn -> Auth.whoami!(ask).name end,
      model_info: fn -> info(Api.model_info!(id, ask)) end,
      dataset_info: fn -> info(Api.dataset_info!(id, ask)) end,
      list_models: fn ->
        for model <- Api.list_models!([search: id |> String.split("/") |> List.last()] ++ ask), do: model.id
      end,
      tree: fn -> entries(Api.list_repo_tree!(id, [recursive: true] ++ ask)) end,
      paths_info: fn -> entries(Api.paths_info!(id, ["config.json", "model.safetensors", "none"], ask)) end,
      refs: fn -> refs(Git.list_refs!(id, ask)) end,
      commits: fn -> for commit <- Git.list_commits!(id, ask), do: [commit.id, commit.title] end,
      repo_exists: fn -> for name <- [id, id <> "-none"], do: Repo.exists?(name, ask) end,
      revision_exists: fn -> for name <- ["v1.0", "none"], do: Repo.revision_exists?(id, name, ask) end,
      file_exists: fn ->
        for name <- ["config.json", "model.safetensors", "none"], do: Repo.file_exists?(id, name, ask)
      end
    ] ++ downloads(task, ask)
  end

  defp downloads(%{read: id, cache: cache}, ask) do
    download = fn name, more ->
      [repo_id: id, filename: name, cache_dir: cache]
      |> Keyword.merge(ask ++ more)
      |> Download.hf_hub_download!()
    end

    stream = fn more ->
      [repo_id: id, filename: "model.safetensors"]
      |> Keyword.merge(ask ++ more)
      |> Download.download_stream!()
    end

    [
      download_small: fn -> file(download.("config.json", [])) end,
      download_large: fn -> file(download.("model.safetensors", [])) end,
      download_tag: fn -> file(download.("data/1.txt", revision: "v1.0")) end,
      download_name: fn -> file(download.("ü.txt", [])) end,
      read_range: fn -> [range: 10..19] |> stream.() |> Enum.into("") |> digest() end,
      read_stream: fn -> [] |> stream.() |> Enum.into("") |> digest() end,
      snapshot: fn -> snapshot([repo_id: id, cache_dir: cache <> "-whole"] ++ ask) end,
      file_info: fn ->
        found = download.("model.safetensors", dry_run: true, cache_dir: cache <> "-dry")
        [found.file_size, found.will_download?]
      end,
      safetensors: fn -> Safetensors.metadata!(id, ask).parameter_count end
    ]
  end

  defp writes(%{write: id} = task, ask) do
    [
      upload_small: fn -> done(Commit.upload_file!({:binary, "new"}, "new.txt", id, ask)) end,
      upload_large: fn -> done(Commit.upload_file!({:binary, task.content}, "new.bin", id, ask)) end,
      upload_folder: fn -> done(Commit.upload_folder!(task.folder, id, [delete_patterns: "old/*"] ++ ask)) end,
      delete_file: fn -> done(Commit.delete_file!("gone.txt", id, ask)) end,
      branch: fn ->
        Git.create_branch!(id, "dev", ask)
        before = Git.list_refs!(id, ask).branches
        Git.delete_branch!(id, "dev", ask)
        [Enum.sort(names(before)), names(Git.list_refs!(id, ask).branches)]
      end,
      tag: fn ->
        Git.create_tag!(id, "v1", ask)
        before = Git.list_refs!(id, ask).tags
        Git.delete_tag!(id, "v1", ask)
        [names(before), names(Git.list_refs!(id, ask).tags)]
      end,
      repository: fn ->
        created = Repo.create!(id <> "-new", [private: true] ++ ask)
        there = Repo.exists?(id <> "-new", ask)
        Repo.delete!(id <> "-new", ask)
        [String.ends_with?(created.repo_id, "-new"), there, Repo.exists?(id <> "-new", ask)]
      end
    ]
  end

  defp done(_result), do: true

  defp info(found),
    do: [found.id, found.sha, found.private, found.siblings |> Enum.map(& &1.rfilename) |> Enum.sort()]

  defp entries(found),
    do: Enum.sort(for(%{type: :file} = entry <- found, do: [entry.path, entry.size, entry.oid]))

  defp refs(found),
    do:
      for(
        group <- [found.branches, found.tags],
        do: Enum.sort(for(r <- group, do: [r.name, r.target_commit]))
      )

  defp names(refs), do: Enum.map(refs, & &1.name)

  defp snapshot(opts) do
    folder = Download.snapshot_download!([allow_patterns: ["data/*", "*.json"]] ++ opts)

    for path <- Path.wildcard(folder <> "/**/*.{json,txt}"), Path.basename(path) != "ü.txt" do
      [Path.relative_to(path, folder), file(path)]
    end
    |> Enum.sort()
  end

  defp file(path), do: path |> File.read!() |> digest()
  defp digest(content), do: :crypto.hash(:sha256, content) |> Base.encode16(case: :lower)
end
