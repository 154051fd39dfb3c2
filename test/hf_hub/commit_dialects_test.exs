defmodule HfHub.CommitDialectsTest do
  # Uploads to servers other than the public Hub, which the Local Hub emulates.
  use HfHub.Case, async: true

  alias HfHub.{Commit, Error}
  alias HfHub.Commit.{CommitInfo, Operation}

  defp start(context, dialect) do
    bytes = large(3000)
    files = %{"old/x.txt" => "x", "s.txt" => "small", "m.bin" => large(3000), "gone.txt" => "g"}
    id = writable(context, files)
    opts = write(endpoint: dialect(id, dialect, [bytes]), verify: true, retries: 1)
    {id, bytes, opts}
  end

  for dialect <-
        ~w(kohakuhub commits_sha256 tree_oids_opaque json_with_mark json_with_nan giftless artifactory no_commit) do
    test "#{dialect}: files and folders are uploaded, copied and deleted", context do
      {id, bytes, opts} = start(context, unquote(dialect))
      dir = folder(context, %{"a.txt" => "a", "sub/c.txt" => "c"})
      assert {:ok, %CommitInfo{committed?: true}} = Commit.upload_file({:binary, "f"}, "f.txt", id, opts)

      assert {:ok, %CommitInfo{committed?: true} = info} =
               Commit.upload_file({:binary, bytes}, "f.bin", id, opts)

      assert info.commit_url =~ "/#{id}/commit/#{info.oid}"
      assert {:ok, %CommitInfo{}} = Commit.upload_folder(dir, id, opts ++ [delete_patterns: "old/*"])
      assert {:ok, _commits} = Commit.upload_large_folder(dir, id, opts)
      assert {:ok, %CommitInfo{}} = Commit.delete_file("gone.txt", id, opts)
      assert {:ok, %CommitInfo{}} = Commit.delete_files(id, "f.*", opts)
      assert {:ok, %CommitInfo{committed?: false}} = Commit.delete_files(id, "*.none", opts)
      copies = [Operation.copy("s.txt", "s2.txt"), Operation.copy("m.bin", "m2.bin")]
      assert {:ok, %CommitInfo{}} = Commit.create(id, copies, opts ++ [commit_message: "m"])

      assert {:ok, %CommitInfo{pr_num: 1}} =
               Commit.upload_file({:binary, "p"}, "p.txt", id, opts ++ [create_pr: true])

      tree =
        HfHub.Git.list_commits!(id, write())
        |> hd()
        |> then(&HfHub.Api.list_repo_files!(id, write(revision: &1.id)))

      assert Enum.sort(tree) == ~w(.gitattributes a.txt m.bin m2.bin s.txt s2.txt sub/c.txt)
    end
  end

  test "a commit whose response is lost is found on a server with commits of 64 digits", context do
    {id, _bytes, opts} = start(context, "kohakuhub")
    before = length(titles(id))
    fault("#{id}/commit/", %{kind: "lose_answer"}, %{times: 1})
    assert {:ok, %CommitInfo{committed?: true} = info} = Commit.upload_file({:binary, "f"}, "f.txt", id, opts)
    assert byte_size(info.oid) == 64
    assert length(titles(id)) == before + 1
  end

  test "an error in a response with status 200 keeps its reason", context do
    {id, _bytes, opts} = start(context, "commit_refused")
    dir = folder(context, %{"a.txt" => "a"})

    for result <- [
          Commit.upload_file({:binary, "f"}, "f.txt", id, opts),
          Commit.upload_folder(dir, id, opts),
          Commit.delete_file("gone.txt", id, opts)
        ] do
      assert {:error, %Error{kind: :bad_request} = error} = result
      assert error.message == "the Hub rejected the commit: hook refused"
      assert error.details == %{"success" => false, "error" => "hook refused"}
    end

    assert length(asked(id, "/commit/")) == 3
  end

  test "a web page instead of JSON is an error that names it", context do
    {id, _bytes, opts} = start(context, "html_for_json")

    for result <- [
          Commit.upload_file({:binary, "f"}, "f.txt", id, opts),
          Commit.delete_files(id, "*.txt", opts)
        ] do
      assert {:error, %Error{kind: :invalid_response} = error} = result
      assert error.message =~ "it is an HTML page; check the endpoint"
    end
  end
end
