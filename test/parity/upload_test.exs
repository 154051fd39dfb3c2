defmodule HfHub.Parity.UploadTest do
  # The PyPI client and this library upload the same to two repositories of one Hub: the trees are
  # equal, and this library sends no more requests.
  use HfHub.Case, async: true

  alias HfHub.{Api, Commit, Python}
  alias HfHub.Commit.Operation

  @moduletag :python

  defp python!(context, code) do
    prelude =
      ~s(warnings.simplefilter("default"\)\napi = HfApi(endpoint="#{endpoint()}", token="#{token()}"\)\n)

    Python.run!(prelude <> code, endpoint(), Path.join(context.dir, "python/hub"))
  end

  defp entries(id) do
    for entry <- Api.list_repo_tree!(id, write(recursive: true)), into: %{} do
      {entry.path, {entry.oid, entry.size, entry.lfs}}
    end
  end

  defp asked_since(id, before) do
    requests = requests(id) |> Enum.drop(before)

    Enum.map(
      requests,
      &{&1["method"], &1["path"] |> String.replace(id, "ID") |> String.replace(~r/[0-9a-f]{32,}/, "HASH")}
    )
  end

  @validate "/api/validate-yaml"
  defp validations, do: Enum.count(control(:get, "requests"), &(&1["path"] == @validate))

  test "a folder becomes the same tree, with no more requests", context do
    files =
      for n <- 1..300,
          into: %{
            "README.md" => "---\nlicense: mit\n---\n# Hi\n",
            ".gitignore" => "*.log\n",
            "x.log" => "ignored",
            "run[1]/model..bin" => large(120_000),
            "same/1.bin" => "same",
            "same/2.bin" => "same",
            "parts.bin" => large(1_100_000),
            "empty.bin" => "",
            "ü/ä ö.txt" => "ü",
            "nul.dat" => <<1, 0, 2>>,
            "skip/me.tmp" => "no",
            ".DS_Store" => "d",
            "__pycache__/a.pyc" => "p"
          },
          do: {"many/#{n}.txt", "file #{n}"}

    dir = folder(context, files)
    there = %{"old/a.txt" => "a", "old/keep.md" => "k", "stay.txt" => "s"}
    [theirs, ours] = for _ <- 1..2, do: writable(context, there)
    options = [ignore_patterns: ["*.tmp"], delete_patterns: ["old/*.txt"], commit_message: "Upload"]

    [before_theirs, before_ours] = Enum.map([theirs, ours], &length(requests(&1)))
    cards = validations()

    python!(context, """
    api.upload_folder(repo_id="#{theirs}", folder_path="#{dir}", commit_message="Upload",
      ignore_patterns=["*.tmp"], delete_patterns=["old/*.txt"])
    """)

    cards_theirs = validations() - cards
    # The Python client uploads what this library leaves out by default.
    Commit.upload_folder!(dir, ours, write([resumable: false, ignore_defaults: false] ++ options))
    cards_ours = validations() - cards - cards_theirs

    assert entries(ours) == entries(theirs)
    asked_theirs = asked_since(theirs, before_theirs)
    asked_ours = asked_since(ours, before_ours)
    [count_theirs, count_ours] = [length(asked_theirs) + cards_theirs, length(asked_ours) + cards_ours]
    assert count_ours <= count_theirs, inspect({asked_theirs, asked_ours}, limit: :infinity)

    # Again, without changes.
    [before_theirs, before_ours] = Enum.map([theirs, ours], &length(requests(&1)))

    python!(
      context,
      ~s|api.upload_folder(repo_id="#{theirs}", folder_path="#{dir}", ignore_patterns=["*.tmp"])|
    )

    asked_theirs = asked_since(theirs, before_theirs)
    Commit.upload_folder!(dir, ours, write(ignore_patterns: ["*.tmp"], ignore_defaults: false))
    asked_ours = asked_since(ours, before_ours)
    assert length(asked_ours) <= length(asked_theirs), inspect({asked_theirs, asked_ours}, limit: :infinity)
    # For an ignored file, the Python client makes an empty commit, and this library none.
    assert entries(ours) == entries(theirs)
    assert hd(titles(ours)) == "Upload"
  end

  test "single files and lists of operations make the same tree, with no more requests", context do
    there = %{"a.txt" => "a", "b.bin" => large(50_000), "d/x.txt" => "x", "gone.txt" => "g"}
    content = large(90_000)
    file = Path.join(context.dir, "new.bin")
    File.write!(file, content)
    [theirs, ours] = for _ <- 1..2, do: writable(context, there)
    [before_theirs, before_ours] = Enum.map([theirs, ours], &length(requests(&1)))

    python!(context, """
    api.upload_file(repo_id="#{theirs}", path_or_fileobj="#{file}", path_in_repo="up/new.bin")
    api.upload_file(repo_id="#{theirs}", path_or_fileobj=b"text", path_in_repo="t.txt")
    api.create_commit(repo_id="#{theirs}", commit_message="m", operations=[
      CommitOperationDelete("d/"), CommitOperationDelete("gone.txt"),
      CommitOperationAdd("d/x.txt", b"x"), CommitOperationAdd("a.txt", b"a"),
      CommitOperationCopy("a.txt", "copy.txt"), CommitOperationCopy("b.bin", "copy.bin")])
    api.delete_files(repo_id="#{theirs}", delete_patterns=["t.*"])
    """)

    Commit.upload_file!({:path, file}, "up/new.bin", ours, write())
    Commit.upload_file!({:binary, "text"}, "t.txt", ours, write())

    operations = [
      Operation.delete("d/"),
      Operation.delete("gone.txt"),
      Operation.add("d/x.txt", {:binary, "x"}),
      Operation.add("a.txt", {:binary, "a"}),
      Operation.copy("a.txt", "copy.txt"),
      Operation.copy("b.bin", "copy.bin")
    ]

    Commit.create!(ours, operations, write(commit_message: "m"))
    Commit.delete_files!(ours, ["t.*"], write())

    asked_theirs = asked_since(theirs, before_theirs)
    asked_ours = asked_since(ours, before_ours)

    assert entries(ours) |> Map.delete("b.bin") |> Map.delete("copy.bin") ==
             entries(theirs) |> Map.delete("b.bin") |> Map.delete("copy.bin")

    assert content(context, ours)["copy.bin"] == there["b.bin"]
    assert length(asked_ours) <= length(asked_theirs), inspect({asked_theirs, asked_ours}, limit: :infinity)
  end

  test "each client finds the other's upload unchanged", context do
    id = writable(context)
    dir = folder(context, files = %{"a.bin" => large(50_000), "b/c.txt" => "c"})
    Commit.upload_folder!(dir, id, write())
    before = titles(id)

    python!(context, """
    api.upload_folder(repo_id="#{id}", folder_path="#{dir}")
    path = api.snapshot_download("#{id}")
    assert open(path + "/b/c.txt").read() == "c"
    """)

    assert titles(id) == before
    assert Map.delete(content(context, id), ".gitattributes") == files
  end
end
