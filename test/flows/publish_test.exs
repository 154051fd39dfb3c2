defmodule HfHub.Flows.PublishTest do
  # The life cycle of a repository with this library, observed by the PyPI client, which
  # lists the same files and commits, and downloads the same bytes.
  use HfHub.Case, async: true

  alias HfHub.{Api, Commit, Download, Error, Git, Python, Repo}
  alias HfHub.Commit.Operation

  @moduletag :python
  @moduletag timeout: 300_000

  setup :writer

  setup context do
    id = "#{context.account}/flow-#{System.unique_integer([:positive])}"
    {:ok, id: id, write: [endpoint: context.endpoint, token: context.writer, retry_delay: 10]}
  end

  @odd %{
    "config.json" => ~s({"layers": 2}\n),
    "run[1]/metrics {x}.csv" => "1,2\n",
    "model..bin" => "not large",
    "ü/文件 #1?.txt" => "unicode",
    "with space/a b.txt" => "x",
    "-dash.txt" => "-",
    ".hidden" => "h",
    "empty.txt" => "",
    "empty.bin" => "",
    "%41.txt" => "percent",
    "a+b&c=d.txt" => "query"
  }

  test "the Python client sees a repository from creation to deletion", %{id: id, write: write} = context do
    large = large(300_000)
    files = Map.merge(@odd, %{"model.safetensors" => large, "copy/again.safetensors" => large})
    folder = folder(context, Map.merge(files, %{".git/config" => "no", ".cache/x" => "no"}))

    # create, upload
    assert Repo.create!(id, [private: true] ++ write).repo_id == id
    first = Commit.upload_folder!(folder, id, [commit_message: "Release"] ++ write)
    assert first.pr_url == nil and first.commit_message == "Release"
    assert [%{id: oid, title: "Release"}, _begin] = Git.list_commits!(id, write)
    assert oid == first.oid
    assert listed(id, write) == Enum.sort([".gitattributes" | Map.keys(files)])
    # The same content was uploaded once.
    assert Enum.count(requests(large), &(&1["method"] == "PUT")) == 1

    # branch, tag
    Git.create_branch!(id, "dev", write)
    Git.create_tag!(id, "v1", [message: "First"] ++ write)
    Commit.upload_file!({:binary, "on dev"}, "dev.txt", id, [revision: "dev"] ++ write)
    assert "dev.txt" in listed(id, [revision: "dev"] ++ write) and "dev.txt" not in listed(id, write)

    # pull request
    operations = [
      Operation.add("new.txt", {:stream, ["in ", "pieces"]}),
      Operation.delete("ü/"),
      Operation.delete(".hidden"),
      Operation.copy("model.safetensors", "moved.safetensors"),
      Operation.copy("config.json", "config2.json")
    ]

    pull = Commit.create!(id, operations, [commit_message: "Change much", create_pr: true] ++ write)
    assert pull.pr_num == 1 and pull.pr_revision == "refs/pr/1"
    changed = listed(id, [revision: pull.pr_revision] ++ write)
    assert changed -- listed(id, write) == ["config2.json", "moved.safetensors", "new.txt"]
    assert listed(id, write) -- changed == [".hidden", "ü/文件 #1?.txt"]

    # no changes, no commit
    before = length(Git.list_commits!(id, write))
    again = Commit.upload_folder!(folder, id, write)
    assert again.oid == first.oid and length(Git.list_commits!(id, write)) == before

    # the view of the Python client
    assert seen_by_python(context, "main") == hashes(files)
    assert Map.delete(seen_by_python(context, "dev"), "dev.txt") == hashes(files)
    theirs = seen_by_python(context, "refs/pr/1")
    assert theirs["moved.safetensors"] == sha256(large) and theirs["new.txt"] == sha256("in pieces")
    path = Download.snapshot_download!([repo_id: id, cache_dir: context.cache] ++ write)
    for {name, content} <- files, do: assert(File.read!(Path.join(path, name)) == content, name)

    # delete
    Commit.delete_file!("model..bin", id, write)
    Commit.delete_folder!("run[1]", id, write)
    Commit.delete_files!(id, ["*.safetensors", "empty.*"], write)
    kept = Map.keys(files) -- ["model..bin", "run[1]/metrics {x}.csv", "empty.txt", "empty.bin"]
    kept = Enum.reject(kept, &String.ends_with?(&1, ".safetensors"))
    assert listed(id, write) == Enum.sort([".gitattributes" | kept])
    Git.delete_branch!(id, "dev", write)
    Git.delete_tag!(id, "v1", write)
    Git.super_squash!(id, [message: "All"] ++ write)
    assert [%{title: "All"}] = Git.list_commits!(id, write)
    assert seen_by_python(context, "main") == hashes(Map.take(files, kept))

    Repo.delete!(id, write)
    assert {:error, %Error{kind: :repo_not_found}} = Commit.upload_file({:binary, "x"}, "x", id, write)
  end

  test "a folder uploaded by either client makes the same tree", %{id: id, write: write} = context do
    files = Map.merge(@odd, %{"w.bin" => large(50_000), "README.md" => "---\nlicense: mit\n---\n# Hi\n"})
    folder = folder(context, files)
    theirs = id <> "-theirs"
    for repo <- [id, theirs], do: Repo.create!(repo, write)
    Commit.upload_folder!(folder, id, [path_in_repo: "a b"] ++ write)

    python(context, """
    HfApi(token="#{context.writer}").upload_folder(repo_id="#{theirs}", folder_path="#{folder}", path_in_repo="a b")
    """)

    tree = fn repo ->
      for entry <- Api.list_repo_tree!(repo, [recursive: true] ++ write),
          do: {entry.path, entry.oid, entry.lfs}
    end

    assert Enum.sort(tree.(id)) == Enum.sort(tree.(theirs))
  end

  test "each client continues a repository of the other",
       %{id: id, write: write} = context do
    {one, two} = {large(40_000), large(40_000)}
    folder = folder(context, %{"one.bin" => one, "two.bin" => two, "t.txt" => "t"})

    python(context, """
    api = HfApi(token="#{context.writer}")
    api.create_repo("#{id}")
    api.upload_file(path_or_fileobj="#{folder}/one.bin", path_in_repo="one.bin", repo_id="#{id}")
    """)

    Commit.upload_folder!(folder, id, write)
    for content <- [one, two], do: assert(Enum.count(requests(content), &(&1["method"] == "PUT")) == 1)
    head = hd(Git.list_commits!(id, write)).id

    python(context, """
    info = HfApi(token="#{context.writer}").upload_folder(repo_id="#{id}", folder_path="#{folder}")
    assert info.oid == "#{head}", info
    """)
  end

  defp listed(id, opts), do: id |> Api.list_repo_files!(opts) |> Enum.sort()

  defp hashes(files), do: Map.new(files, fn {name, content} -> {name, sha256(content)} end)

  # The hashes of all files in a new snapshot of the Python client, except those that the Hub adds.
  defp seen_by_python(context, revision) do
    cache = Path.join(context.dir, "theirs#{System.unique_integer([:positive])}")

    output =
      Python.run!(
        """
        import hashlib, pathlib
        root = pathlib.Path(snapshot_download("#{context.id}", revision="#{revision}", token="#{context.writer}"))
        for path in root.rglob("*"):
            if path.is_file():
                print(hashlib.sha256(path.read_bytes()).hexdigest(), path.relative_to(root))
        """,
        context.endpoint,
        cache
      )

    for line <- String.split(output, "\n"), into: %{} do
      [hash, name] = String.split(line, " ", parts: 2)
      {name, hash}
    end
    |> Map.delete(".gitattributes")
  end

  defp python(context, code), do: Python.run!(code, context.endpoint, Path.join(context.dir, "python"))
end
