defmodule HfHub.CommitBelowTest do
  # Commits to a folder in the reference of a repository.
  use HfHub.Case, async: true

  alias HfHub.{Cards, Commit, Error}
  alias HfHub.Commit.Operation

  setup context do
    id =
      writable(context, %{"f.txt" => "root", "s/f.txt" => "below", "s/t/g.txt" => "deep", "a.tmp" => "root"})

    {:ok, id: id, forms: [{:hf, id, subdir: "s"}, "hf://#{id}/s", "#{endpoint()}/#{id}/tree/main/s/"]}
  end

  defp files(context), do: Map.delete(content(context, context.id), ".gitattributes")

  test "adds, copies and deletes files below it", %{id: id, forms: [tuple, uri, page]} = context do
    assert {:ok, _info} = Commit.upload_file({:binary, "new"}, "f.txt", tuple, write())

    operations = [
      Operation.add("large.bin", {:binary, large(50_000)}),
      Operation.copy("f.txt", "u/f.txt"),
      Operation.copy("f.txt", "u/root.txt", src_repo_id: id)
    ]

    assert {:ok, _info} = Commit.create(uri, operations, write(commit_message: "both", verify: true))
    assert {:ok, _info} = Commit.delete_file("f.txt", page, write())
    assert {:ok, _info} = Commit.delete_folder("t", tuple, write())

    assert {:ok, [add]} =
             Commit.preupload_lfs_files(uri, [Operation.add("p.bin", {:binary, large(60_000)})], write())

    assert add.path_in_repo == "p.bin"
    assert {:ok, _info} = Commit.create(uri, [add], write(commit_message: "preuploaded"))

    assert %{"f.txt" => "root", "a.tmp" => "root", "s/u/f.txt" => "new", "s/u/root.txt" => "root"} =
             files = files(context)

    assert Enum.sort(Map.keys(files)) ==
             ~w(a.tmp f.txt s/large.bin s/p.bin s/u/f.txt s/u/root.txt)
  end

  test "uploads a folder to it, and deletes only below it", %{forms: forms} = context do
    folder = folder(context, %{"f.txt" => "uploaded", "h.txt" => "h"})

    for {place, path, prefix} <- Enum.zip([forms, [nil, "x", "./"], ["s/", "s/x/", "s/"]]) do
      opts = write([resumable: false, delete_patterns: "*"] ++ HfHub.Options.given(path_in_repo: path))
      assert {:ok, _info} = Commit.upload_folder(folder, place, opts)
      files = files(context)
      assert {files[prefix <> "h.txt"], files["f.txt"], files["a.tmp"]} == {"h", "root", "root"}
      refute files["h.txt"]
    end

    assert files(context)["s/f.txt"] == "uploaded"
    assert {:ok, _commits} = Commit.upload_large_folder(folder, {:hf, context.id, subdir: "l"}, write())
    assert files(context)["l/h.txt"] == "h"
  end

  test "deletes the files that match below it", %{id: id} = context do
    add = Operation.add("[s]*/f.txt", {:binary, "odd"})
    Commit.create!(id, [add], write(commit_message: "a folder with the characters of patterns"))
    assert {:ok, %{committed?: true}} = Commit.delete_files({:hf, id, subdir: "[s]*"}, "*", write())
    assert Map.keys(files(context)) == ~w(a.tmp f.txt s/f.txt s/t/g.txt)
    assert {:ok, %{committed?: true}} = Commit.delete_files("hf://#{id}/s", ["t/", "*.tmp"], write())
    assert Map.keys(files(context)) == ~w(a.tmp f.txt s/f.txt)
  end

  test "accepts no path that leads out of it", %{forms: [tuple | _more]} = context do
    before = files(context)

    for path <- ["", "/", "/f.txt", "../f.txt", ".."],
        call <- [&Commit.upload_file({:binary, "x"}, &1, tuple, &2), &Commit.delete_folder(&1, tuple, &2)] do
      assert {:error, %Error{kind: :invalid_name}} = call.(path, write())
    end

    folder = folder(context, %{"f.txt" => "x"})

    assert {:error, %Error{kind: :invalid_name}} =
             Commit.upload_folder(folder, tuple, write(path_in_repo: "../x"))

    assert files(context) == before
  end

  test "stores a card below it", %{forms: [tuple | _more]} = context do
    assert {:ok, _info} = Cards.push_to_hub("---\nlicense: mit\n---\n# Card\n", tuple, write())
    assert files(context)["s/README.md"] =~ "# Card"
    refute files(context)["README.md"]
  end
end
