defmodule HfHub.OtherHubsTest do
  # Servers other than the public Hub, or not Hubs at all, emulated by dialects and faults of the Local Hub.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, Error, Repo, Safetensors}

  @dialects ~w(commits_sha256 commit_is_revision content_at_once metadata_on_head etag_in_braces etag_is_sha1
               etag_is_bare_sha1 tree_oids_opaque range_unnamed range_with_equals range_unit_capital range_elsewhere
               range_multipart range_ignored kohakuhub artifactory nexus)

  setup context do
    header = ~s({"a":{"dtype":"U8","shape":[400000],"data_offsets":[0,400000]}})
    large = <<byte_size(header)::little-64>> <> header <> large(400_000)
    files = %{"config.json" => "{}", "sub/a.txt" => "hello\n", "model.safetensors" => large}
    {id, commit} = repo(context, files)
    {:ok, id: id, commit: commit, files: files, large: large}
  end

  defp get(context, more), do: opts(context, [repo_id: context.id] ++ more)

  for dialect <- @dialects do
    test "every way to read a file works with #{dialect}", %{id: id, files: files, large: large} = context do
      endpoint = dialect(id, unquote(dialect), [large])
      context = %{context | endpoint: endpoint}
      name = "model.safetensors"

      for {name, content} <- files do
        path = Download.hf_hub_download!(get(context, filename: name))
        assert File.read!(path) == content
        assert Download.hf_hub_download!(get(context, filename: name)) == path
        assert content |> sha256() |> matches?(Download.hf_hub_download(get(context, filename: name)))
      end

      # Some of these servers return the branch instead of the commit.
      commits =
        context.cache |> Path.join("models--*/snapshots/*") |> Path.wildcard() |> Enum.map(&Path.basename/1)

      commit = Enum.max_by(commits, &byte_size/1)

      pinned =
        get(context, filename: name, revision: commit, cache_dir: context.cache <> "2", max_connections: 4)

      assert File.read!(Download.hf_hub_download!(pinned)) == large

      folder = Path.join(context.dir, "folder")

      path =
        Download.hf_hub_download!(
          get(context, filename: name, local_dir: folder, cache_dir: context.cache <> "3")
        )

      assert File.read!(path) == large

      for cache <- ["", "4"], _twice <- 1..2 do
        snapshot = Download.snapshot_download!(get(context, cache_dir: context.cache <> cache))
        for {name, content} <- files, do: assert(File.read!(Path.join(snapshot, name)) == content)
      end

      stream =
        &(get(context, [filename: name] ++ &1) |> Keyword.delete(:cache_dir) |> Download.download_stream!())

      assert IO.iodata_to_binary(Enum.to_list(stream.([]))) == large
      assert IO.iodata_to_binary(Enum.to_list(stream.(range: 10..19))) == binary_part(large, 10, 10)
      assert %{parameter_count: %{"U8" => 400_000}} = Safetensors.metadata!(id, ask(context))
      assert Repo.exists?(id, ask(context))
      assert Repo.revision_exists?(id, "main", ask(context))
      assert Repo.file_exists?(id, name, ask(context))
      refute Repo.file_exists?(id, "none", ask(context))
      assert :ok = Repo.check_access(id, ask(context))
    end
  end

  defp matches?(sha256, {:ok, path}), do: Download.compute_sha256(path) == {:ok, sha256}
  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more

  test "streams and lookups require no etag and no commit", %{id: id, large: large} = context do
    for dialect <- ~w(no_etag no_commit content_at_once), do: dialect(id, dialect, [large])
    stream = Download.download_stream!(repo_id: id, filename: "model.safetensors", endpoint: context.endpoint)
    assert IO.iodata_to_binary(Enum.to_list(stream)) == large
    assert %{parameter_count: %{"U8" => 400_000}} = Safetensors.metadata!(id, ask(context))
  end

  test "reads require no commit if a redirect to the store contains the checksum",
       %{id: id, large: large} = context do
    dialect(id, "no_commit")
    name = "model.safetensors"
    stream = Download.download_stream!(repo_id: id, filename: name, endpoint: context.endpoint)
    assert IO.iodata_to_binary(Enum.to_list(stream)) == large
    assert %{parameter_count: %{"U8" => 400_000}} = Safetensors.metadata!(id, ask(context))
    assert Repo.file_exists?(id, name, ask(context))
    pinned = get(context, filename: name, revision: context.commit)
    assert File.read!(Download.hf_hub_download!(pinned)) == large
  end

  test "a web page is an error that names it, not an empty list or a success", %{id: id} = context do
    dialect(id, "html_for_json")
    page = %{kind: "status", code: 200, headers: %{"Content-Type" => "text/html"}, body: "<html></html>"}
    fault("/papers/1999.00001", page)

    for result <- [
          HfHub.Api.model_info(id, ask(context)),
          HfHub.Api.list_repo_files(id, ask(context)),
          HfHub.Api.paths_info(id, ["config.json"], ask(context)),
          HfHub.Git.list_refs(id, ask(context)),
          HfHub.Git.list_commits(id, ask(context)),
          HfHub.Git.create_branch(id, "dev", ask(context, token: token())),
          HfHub.Git.delete_tag(id, "v1", ask(context, token: token())),
          HfHub.Papers.read("1999.00001", ask(context)),
          Repo.exists(id, ask(context))
        ] do
      assert {:error, %Error{kind: :invalid_response, message: message}} = result
      assert message =~ "expected JSON, got a web page; check :endpoint"
    end
  end

  test "a file of a commit requires no X-Repo-Commit if its etag is a checksum",
       %{id: id, commit: commit} = context do
    dialect(id, "no_commit")

    assert {:error, %Error{kind: :invalid_response}} =
             Download.hf_hub_download(get(context, filename: "sub/a.txt"))

    path = Download.hf_hub_download!(get(context, filename: "sub/a.txt", revision: commit))
    assert File.read!(path) == "hello\n"
    assert Repo.file_exists?(id, "sub/a.txt", ask(context))
  end

  test "a web page with status 200 is not a file, nor does it mean that one exists",
       %{id: id, commit: commit} = context do
    Enum.each(["html_for_json", "html_for_files"], &dialect(id, &1))
    refused = &assert({:error, %Error{kind: :invalid_response}} = &1)

    for revision <- ["main", commit] do
      refused.(Download.hf_hub_download(get(context, filename: "model.safetensors", revision: revision)))
      refused.(Download.snapshot_download(get(context, revision: revision)))
      refused.(Repo.revision_exists(id, revision, ask(context)))
      refused.(Repo.file_exists(id, "config.json", ask(context, revision: revision)))
    end

    refused.(Repo.exists(id, ask(context)))
    refused.(Repo.check_access(id, ask(context)))
    refused.(Repo.check_access(id, ask(context, write: true, token: token())))

    assert_raise Error, fn ->
      Enum.to_list(
        Download.download_stream!(repo_id: id, filename: "config.json", endpoint: context.endpoint)
      )
    end

    assert Path.wildcard(context.cache <> "/models--*/snapshots/*/*") == []
  end

  test "a redirect to an unknown host is not a file, nor does it mean that one exists",
       %{id: id, commit: commit} = context do
    fault("*/#{id}/resolve/*", %{kind: "redirect", location: "http://signin.example/login", code: 302})

    for revision <- ["main", commit] do
      download = Download.hf_hub_download(get(context, filename: "config.json", revision: revision))
      assert {:error, %Error{kind: :invalid_response, message: message}} = download
      assert message =~ "signin.example"
      exists = Repo.file_exists(id, "config.json", ask(context, revision: revision))
      assert {:error, %Error{kind: :invalid_response}} = exists
    end
  end

  test "files cached from a wrong server are replaced by the next call",
       %{id: id, commit: commit} = context do
    name = "model.safetensors"
    good = Download.hf_hub_download!(get(context, filename: name))

    page =
      Path.join(
        context.cache,
        "models--#{String.replace(id, "/", "--")}/blobs/33a64df551425fcc55e4d42a148795d9"
      )

    poison = fn ->
      File.write!(page, "<html>")
      File.rm!(good)
      File.ln_s!("../../blobs/" <> Path.basename(page), good)
    end

    for call <- [
          fn -> Download.hf_hub_download!(get(context, filename: name)) end,
          fn -> Download.hf_hub_download!(get(context, filename: name, revision: commit)) end,
          fn -> Path.join(Download.snapshot_download!(get(context, [])), name) end,
          fn -> Path.join(Download.snapshot_download!(get(context, revision: commit)), name) end
        ] do
      poison.()
      assert call.() == good
      assert File.read!(good) == context.large
    end
  end

  test "a blob of another size counts as missing, and one with a wrong checksum is downloaded again",
       %{large: large} = context do
    name = "model.safetensors"
    good = Download.hf_hub_download!(get(context, filename: name))
    blob = Path.expand(File.read_link!(good), Path.dirname(good))
    File.write!(blob, "12345")
    assert %{will_download?: true} = Download.hf_hub_download!(get(context, filename: name, dry_run: true))
    assert File.read!(Download.hf_hub_download!(get(context, filename: name))) == large
    File.write!(blob, "12345")
    Download.snapshot_download!(get(context, []))
    assert File.read!(good) == large
    File.write!(blob, :binary.copy("x", byte_size(large)))

    assert File.read!(Download.hf_hub_download!(get(context, filename: name, expected_sha256: sha256(large)))) ==
             large

    assert {:ok, %{corrupted_files: 0}} = Cache.validate_integrity(cache_dir: context.cache)
  end
end
