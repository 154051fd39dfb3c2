defmodule HfHub.CommitNothingTest do
  # Calls without a commit return committed?: false and log the reason.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.Commit
  alias HfHub.Commit.{CommitInfo, Operation}

  # The log may contain lines of other tests; the repository's name selects those of this test.
  defp logged(id, fun) do
    log = capture_log(fn -> send(self(), {:result, fun.()}) end)
    assert_received {:result, result}
    lines = for line <- String.split(log, "\n"), line =~ id, do: line
    {result, Enum.join(lines, "\n")}
  end

  defp head(id), do: hd(HfHub.Git.list_commits!(id, write())).id

  defp nothing(id, why, fun) do
    before = head(id)
    assert {{:ok, %CommitInfo{committed?: false} = info}, log} = logged(id, fun)
    assert info.oid == before and head(id) == before
    assert info.commit_url == "#{endpoint()}/#{id}/commit/#{before}"
    assert log =~ "[warning]"
    assert log =~ ~s(nothing was committed to "#{id}": #{why})
    info
  end

  test "an ignored file makes no commit", context do
    id = writable(context, %{".gitignore" => "*.log\nout/\n"})
    excluded = "the repository's .gitignore excludes "
    nothing(id, excluded <> ~s("a.log"), fn -> Commit.upload_file({:binary, "x"}, "a.log", id, write()) end)

    dir = folder(context, for(n <- 1..5, into: %{}, do: {"out/#{n}.txt", "#{n}"}))

    nothing(id, excluded <> ~s("out/1.txt", "out/2.txt", "out/3.txt" and 2 more), fn ->
      Commit.upload_folder(dir, id, write())
    end)

    assert {{:ok, []}, log} = logged(id, fn -> Commit.upload_large_folder(dir, id, write()) end)
    assert log =~ "nothing was committed"
  end

  test "files that a preupload marked as ignored make no commit", context do
    id = writable(context, %{".gitignore" => "*.log\n"})
    {:ok, [add]} = Commit.preupload_lfs_files(id, [Operation.add("#{id}.log", {:binary, "x"})], write())
    assert add.upload_mode == :ignored
    {{:ok, info}, log} = logged(id, fn -> Commit.create(id, [add], write(commit_message: "m")) end)
    refute info.committed?
    assert log =~ ~s("#{id}.log" is not committed: it matches the repository's .gitignore)
  end

  test "an unchanged file makes no commit", context do
    id = writable(context, %{".gitignore" => "*.log\n", "a.txt" => "a", "b.bin" => large(2000)})
    add = fn -> Commit.upload_file({:binary, "a"}, "a.txt", id, write()) end
    info = nothing(id, "the file has not changed", add)
    assert info.commit_message == "Upload a.txt with hf_hub"

    dir = folder(context, Map.drop(content(context, id), [".gitattributes"]))
    nothing(id, "none of 3 files has changed", fn -> Commit.upload_folder(dir, id, write()) end)

    File.write!(Path.join(dir, "x.log"), "x")

    nothing(id, ~s(none of 3 files has changed, and the repository's .gitignore excludes "x.log"), fn ->
      Commit.upload_folder(dir, id, write())
    end)

    copy = [Operation.copy("a.txt", "a.txt")]
    nothing(id, "the file has not changed", fn -> Commit.create(id, copy, write(commit_message: "m")) end)
  end

  test "patterns without a match make no commit", context do
    id = writable(context, %{"a.txt" => "a"})
    dir = folder(context, %{"a.txt" => "a", ".git/config" => "c"})
    why = "no file in `#{dir}` matches the patterns"
    nothing(id, why, fn -> Commit.upload_folder(dir, id, write(allow_patterns: "*.safetensors")) end)
    nothing(id, why, fn -> Commit.upload_folder(dir, id, write(ignore_patterns: "*")) end)
    nothing(id, "no file matches the patterns", fn -> Commit.delete_files(id, "*.none", write()) end)
  end

  test "an empty folder and an empty list make no commit", context do
    id = writable(context)
    dir = folder(context, %{".git/config" => "c"})
    nothing(id, "`#{dir}` has no files", fn -> Commit.upload_folder(dir, id, write()) end)
    nothing(id, "there are no changes", fn -> Commit.create(id, [], write(commit_message: "m")) end)
  end

  test "a commit has committed?: true, and logs ignored files", context do
    id = writable(context, %{".gitignore" => "*.log\n"})
    operations = [Operation.add("a.log", {:binary, "l"}), Operation.add("a.txt", {:binary, "t"})]
    create = fn -> Commit.create(id, operations, write(commit_message: "m")) end
    {result, log} = with_log(create)
    assert {:ok, %CommitInfo{committed?: true} = info} = result
    assert info.oid == head(id)
    assert log =~ ~s(the repository's .gitignore excludes "a.log", which are not in the commit)
    assert {:ok, %CommitInfo{committed?: true}} = Commit.delete_file("a.txt", id, write())

    dir = folder(context, %{"b.txt" => "b"})
    assert {:ok, [%CommitInfo{committed?: true}]} = Commit.upload_large_folder(dir, id, write())
    assert {:ok, %CommitInfo{committed?: true}} = Commit.upload_folder(dir, id, write(path_in_repo: "more"))
  end
end
