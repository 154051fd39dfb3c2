defmodule HfHub.DiscussionsTest do
  use HfHub.Case, async: true

  alias HfHub.{Commit, Discussions, Error, Git, Repo}
  alias HfHub.Discussions.{Comment, Discussion, DiscussionDetails, Event, StatusChange, TitleChange}

  doctest Discussions.Comment
  doctest Discussions.Commit
  doctest Discussion
  doctest DiscussionDetails
  doctest Event
  doctest StatusChange
  doctest TitleChange

  # The repository belongs to the suite's account, `reader`; the writer is another one.
  setup :writer
  setup context, do: {:ok, id: writable(context, %{"a.txt" => "1\n"})}

  defp as(token, more \\ []), do: write([token: token] ++ more)

  defp put(id, text, opts), do: Commit.upload_file({:binary, text}, "a.txt", id, opts)

  test "a discussion is opened, commented and closed", %{id: id, writer: writer, account: account} do
    assert {:ok, %DiscussionDetails{num: 1, title: "A question", status: :open, author: ^account} = opened} =
             Discussions.create(id, " A question ", as(writer, description: " **Why?** "))

    assert opened.url == "#{endpoint()}/#{id}/discussions/1"
    assert {opened.repo_id, opened.repo_type, opened.is_pull_request} == {id, :model, false}

    assert {opened.git_reference, opened.target_branch, opened.conflicting_files, opened.diff} ==
             {nil, nil, nil, nil}

    assert [%Comment{content: "**Why?**", author: ^account, edited: false, hidden: false} = first] =
             opened.events

    assert first.rendered == "<p><strong>Why?</strong></p>\n"
    assert %DateTime{} = first.created_at

    assert {:ok, %Comment{content: "Because <b>", edit_history: []} = added} =
             Discussions.comment(id, 1, "Because <b>", write())

    assert {:ok, %Comment{edited: true, content: "Because", last_edited_by: "reader"} = edited} =
             Discussions.edit_comment(id, 1, String.upcase(added.id), "Because", write())

    assert [%{"raw" => "Because <b>"}] = edited.edit_history
    assert DateTime.compare(edited.updated_at, added.created_at) != :lt

    assert {:ok, %TitleChange{old_title: "A question", new_title: "An old question"}} =
             Discussions.rename(id, 1, "An old question", as(writer))

    assert {:ok, %StatusChange{status: :closed, author: ^account} = closed} =
             Discussions.close(id, 1, as(writer, comment: "Thanks"))

    assert {:ok, %StatusChange{status: :open}} = Discussions.reopen(id, 1, write())

    assert {:ok, %Comment{hidden: true, hidden_by: "reader"} = hidden} =
             Discussions.hide_comment(id, 1, first.id, write())

    refute hidden.content =~ "Why"

    details = Discussions.get!(id, 1, as(writer))
    assert {details.title, details.status, details.author} == {"An old question", :open, account}

    assert [
             ^hidden,
             ^edited,
             %TitleChange{},
             %Comment{content: "Thanks"},
             ^closed,
             %StatusChange{status: :open}
           ] = details.events

    # The default description names this library.
    assert [%Comment{content: "Discussion opened with" <> _}] =
             Discussions.create!(id, "Again", as(writer)).events
  end

  test "a draft is filled by commits, opened and merged", %{id: id, writer: writer} do
    assert {:ok, %DiscussionDetails{num: 1, status: :draft, is_pull_request: true} = draft} =
             Discussions.create_pull_request(id, "Better", as(writer))

    assert {draft.git_reference, draft.target_branch} == {"refs/pr/1", "refs/heads/main"}
    assert {draft.conflicting_files, draft.diff, draft.merge_commit_oid, draft.head_sha} == {[], "", nil, nil}

    commit = put(id, "2\n", as(writer, revision: draft.git_reference)) |> Error.unwrap!()
    assert {:error, %Error{kind: :conflict} = error} = Discussions.merge(id, 1, write())
    assert error.message =~ "This pull request is a draft; open it first with HfHub.Discussions.change_status"
    assert Discussions.change_status!(id, "refs/pr/1", "open", as(writer)).status == :open
    assert Discussions.merge(id, 1, write(comment: "Thanks")) == :ok

    merged = Discussions.get!(id, 1, as(writer))
    assert {merged.status, merged.head_sha} == {:merged, commit.oid}
    assert merged.merge_commit_oid == Git.resolve_revision!(id, write(revision: "main"))
    assert merged.diff =~ "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-1\n+2\n"
    assert hd(titles(id)) == "Better (#1)"

    assert [
             %Comment{},
             %Discussions.Commit{summary: summary, oid: oid},
             _open,
             %Comment{},
             %StatusChange{status: :merged}
           ] = merged.events

    assert {summary, oid} == {commit.commit_message, commit.oid}

    for refused <- [
          Discussions.merge(id, 1, write()),
          Discussions.close(id, 1, write()),
          put(id, "3\n", as(writer, revision: "refs/pr/1"))
        ] do
      assert {:error, %Error{kind: :conflict, message: message}} = refused
      assert message =~ "This pull request has already been merged; further changes need another pull request"
      refute message =~ ":parent_commit"
    end

    assert Discussions.get!(id, 1, as(writer, diff: false)).diff == nil
  end

  test "a commit opens a pull request, and returns what get/3 takes", %{id: id, writer: writer} do
    commit = put(id, "2\n", as(writer, create_pr: true, commit_message: "Change a")) |> Error.unwrap!()
    assert commit.pr_num == 1

    for num <- [commit.pr_num, commit.pr_url, commit.pr_revision] do
      assert {:ok, %{num: 1, status: :open, title: "Change a", url: url}} =
               Discussions.get(id, num, as(writer))

      assert url == commit.pr_url
    end

    put(id, "3\n", write()) |> Error.unwrap!()
    assert Discussions.get!(id, 1, write()).conflicting_files == ["a.txt"]
    assert {:error, %Error{kind: :conflict} = error} = Discussions.merge(id, commit.pr_url, write())

    assert error.message =~
             "merge conflicts: a.txt; commit the merged files with revision: \"refs/pr/1\", then merge"

    assert error.details["filesWithConflicts"] == ["a.txt"]

    put(id, "3\n", as(writer, revision: commit.pr_revision)) |> Error.unwrap!()
    assert Discussions.merge!(id, 1, write()) == :ok

    put(id, "4\n", as(writer, create_pr: true)) |> Error.unwrap!()
    Discussions.close(id, 2, write()) |> Error.unwrap!()
    assert {:error, %Error{kind: :conflict} = error} = put(id, "5\n", as(writer, revision: "refs/pr/2"))
    assert error.message =~ "This discussion is closed; open it again with HfHub.Discussions.reopen"
    assert {:error, %Error{message: message}} = Discussions.close(id, 2, write())
    assert message =~ "already closed"
  end

  test "lists have filters, are lazy and take as many requests as pages", %{id: id, writer: writer} do
    for number <- 1..50, do: Discussions.create!(id, "Title #{number}", as(writer))
    Discussions.create_pr(id, "A draft", write()) |> Error.unwrap!()
    put(id, "2\n", as(writer, create_pr: true)) |> Error.unwrap!()
    Discussions.merge!(id, 52, write())
    Discussions.close(id, 1, write()) |> Error.unwrap!()
    numbers = fn opts -> for found <- Discussions.list!(id, as(writer, opts)), do: found.num end

    pages = fn fun ->
      before = length(asked(id, ~r/discussions$/) |> Enum.filter(&(&1["method"] == "GET")))
      {fun.(), length(asked(id, ~r/discussions$/) |> Enum.filter(&(&1["method"] == "GET"))) - before}
    end

    assert pages.(fn -> numbers.([]) end) == {Enum.to_list(52..1), 2}
    assert pages.(fn -> numbers.(limit: 3) end) == {[52, 51, 50], 1}
    assert pages.(fn -> Discussions.stream(id, as(writer)) |> Enum.take(2) |> length() end) == {2, 1}
    assert pages.(fn -> numbers.(type: :discussion) end) == {Enum.to_list(50..1), 1}
    assert numbers.(type: :pull_request, status: :all) == [52, 51]
    assert numbers.(status: :closed) == [52, 1]
    assert numbers.(status: :merged) == [52]
    assert numbers.(status: "draft") == [51]
    assert numbers.(status: :open, type: :pull_request) == [51]
    assert numbers.(author: "reader") == [51]
    assert numbers.(author: "nobody") == []

    assert [%Discussion{status: :merged, is_pull_request: true, git_reference: "refs/pr/52"} = merged | _] =
             Discussions.list!(id, as(writer, limit: 1))

    assert {merged.repo_id, merged.repo_type, merged.num_comments} == {id, :model, 0}
    assert inspect(merged) =~ ~r/#HfHub.Discussions.Discussion<52, .*, merged, /
  end

  test "errors have the Hub's words and a next step", %{id: id, writer: writer, reader: reader} do
    Discussions.create!(id, "A question", write())
    [%{id: comment}] = Discussions.get!(id, 1, write()).events

    refused = fn {:error, %Error{kind: kind, message: message}} -> {kind, message} end

    for {result, kind, words} <- [
          {Discussions.comment(id, 1, "x", as(reader)), :forbidden,
           "write token to take part in discussions; create a token"},
          {Discussions.comment(id, 1, "x", as(false)), :repo_not_found, "LB_HF_TOKEN) or pass :token"},
          {Discussions.rename(id, 1, "Mine", as(writer)), :forbidden,
           "Only the author of a discussion, or those with write access, can change it; ask"},
          {Discussions.edit_comment(id, 1, comment, "x", as(writer)), :forbidden,
           "Only the author of a comment can edit it; ask the author"},
          {Discussions.hide_comment(id, 1, comment, as(writer)), :forbidden, "can hide it; ask"},
          {Discussions.merge(id, 1, as(writer)), :forbidden, "rights to change this repository"},
          {Discussions.merge(id, 1, write()), :bad_request, "not a pull request"},
          {Discussions.get(id, 99, write()), :not_found,
           "Discussion not found; HfHub.Discussions.list(repo_id) returns"},
          {Discussions.edit_comment(id, 1, String.duplicate("0", 24), "x", write()), :not_found,
           "Comment not found"},
          {Discussions.create("reader/none-of-it", "A question", write()), :repo_not_found, "not found"}
        ] do
      assert {^kind, message} = refused.(result)
      assert message =~ words
    end

    Repo.update_settings(id, write(discussions_disabled: true)) |> Error.unwrap!()
    assert {:forbidden, message} = refused.(Discussions.list(id, write()))
    assert message =~ "Discussions are disabled for this repo; with write access, HfHub.Repo.update_settings"
    assert {:forbidden, message} = refused.(put(id, "2\n", as(writer, create_pr: true)))
    assert message =~ "Discussions are disabled for this repo; with write access, HfHub.Repo.update_settings"
  end

  test "bad input is refused before a request", %{id: id} do
    for num <- [
          0,
          -1,
          1.0,
          "1",
          "refs/pr/0",
          "refs/pr/1/x",
          "https://hub/me/x/discussions/1/files",
          nil,
          "refs/pr/1\n"
        ] do
      assert {:error, %Error{kind: :invalid_name, message: message}} = Discussions.get(id, num, write())
      assert message =~ "invalid number of a discussion #{inspect(num)}: expected a positive integer"
      assert {:error, %Error{kind: :invalid_name}} = Discussions.comment(id, num, "x", write())
      assert {:error, %Error{kind: :invalid_name}} = Discussions.merge(id, num, write())
    end

    for {title, got} <- [
          {" ab ", "got 2"},
          {String.duplicate("é", 201), "got 201"},
          {nil, "got something else"},
          {<<255>>, "got something else"}
        ] do
      assert {:error, %Error{kind: :bad_request, message: message}} = Discussions.create(id, title, write())
      assert message == "invalid title: expected a text of 3 to 200 characters, #{got}"
      assert {:error, %Error{kind: :bad_request}} = Discussions.rename(id, 1, title, write())
    end

    long = String.duplicate("x", 65_537)
    text = String.duplicate("0", 24)

    for {text, got} <- [{" \n", "got 0"}, {long, "got 65537"}, {:x, "got something else"}],
        comment = String.duplicate("a", 24) do
      expected = "invalid comment: expected a text of 1 to 65536 characters, #{got}"

      assert {:error, %Error{kind: :bad_request, message: ^expected}} =
               Discussions.comment(id, 1, text, write())

      assert {:error, %Error{message: ^expected}} = Discussions.edit_comment(id, 1, comment, text, write())
    end

    assert {:error, %Error{kind: :bad_request}} = Discussions.create(id, "Title", write(description: long))
    assert {:error, %Error{kind: :bad_request}} = Discussions.merge(id, 1, write(comment: long))

    for bad <- ["", "../x", "#{text}0", String.duplicate("g", 24), 7] do
      assert {:error, %Error{kind: :invalid_name, message: message}} =
               Discussions.hide_comment(id, 1, bad, write())

      assert message =~ "expected 24 hex digits"
    end

    for status <- [:merged, "draft", nil, 1] do
      message = "invalid status #{inspect(status)}: expected :open or :closed"
      assert_raise ArgumentError, message, fn -> Discussions.change_status(id, 1, status, write()) end
    end

    assert_raise ArgumentError, ~r/:type.*:discussion/, fn -> Discussions.list(id, write(type: :issue)) end

    assert_raise ArgumentError, ~r/:status.*:merged/, fn ->
      Discussions.list(id, write(status: "reopened"))
    end

    assert requests(id <> "/discussions") == []
  end

  test "discussions of datasets, under old names, and with references of other forms",
       %{writer: writer} = context do
    id = writable(context, %{"a.txt" => "1"}, repo_type: :dataset)
    opened = Discussions.create!("hf://datasets/#{id}", "About data", as(writer))
    assert {opened.url, opened.repo_type} == {"#{endpoint()}/datasets/#{id}/discussions/1", :dataset}
    Repo.move(id, id <> "-moved", write(repo_type: :dataset)) |> Error.unwrap!()
    assert [%{num: 1}] = Discussions.list!(id, as(writer, repo_type: :dataset))
    assert %Comment{} = Discussions.comment!(id, 1, "By the old name", as(writer, repo_type: :dataset))
    assert Discussions.get!(id, 1, as(writer, repo_type: :dataset)).repo_id == id <> "-moved"
    assert {:error, %Error{kind: :invalid_name}} = Discussions.get("#{id}@v1", 1, write())
  end

  test "a list ends where the Hub has no more, whatever it counts", %{id: id} do
    page = fn json -> fault("#{id}/discussions", %{kind: "body", text: json}, %{times: 1}) end
    found = ~s({"num": 1, "title": "One", "repo": {"name": "#{id}", "type": "model"}})

    for {json, found} <- [
          {~s({"count": 100, "start": 0, "discussions": []}), []},
          {~s({"count": "many", "start": 0, "discussions": [#{found}]}), [1]},
          {~s({"discussions": [#{found}]}), [1]}
        ] do
      page.(json)
      assert for(one <- Discussions.list!(id, write()), do: one.num) == found
    end

    for json <- [~s({"count": 1, "start": 0}), ~s({"discussions": {}}), ~s({"discussions": [7]}), "[]"] do
      page.(json)
      assert {:error, %Error{kind: :invalid_response}} = Discussions.list(id, write())
    end
  end

  test "names a discussion that was opened, though its details cannot be read", %{id: id} do
    fault("#{id}/discussions/1", %{kind: "status", code: 500}, %{times: 9})

    assert {:error, %Error{kind: :server, message: message}} =
             Discussions.create(id, "Title", write(retries: 0))

    assert message =~ "opened number 1, but could not read its details: "
    page = ~s({"url": "x", "pullRequest": false})
    fault("#{id}/discussions", %{kind: "body", text: page}, %{times: 1})

    assert {:error, %Error{kind: :invalid_response, message: message}} =
             Discussions.create(id, "Title", write())

    assert message =~ "the number of the discussion is missing"
  end

  test "decodes what no field expects" do
    details =
      DiscussionDetails.from_response(%{
        "num" => 1,
        "isPullRequest" => true,
        "filesWithConflicts" => true,
        "status" => "locked",
        "events" => [
          %{"id" => "1", "type" => "locking-change", "data" => %{"locked" => true}},
          %{"id" => "2", "type" => "comment", "author" => nil, "data" => nil},
          %{"id" => "3", "type" => "comment", "data" => %{"latest" => [], "history" => 7}},
          %{"id" => "4", "type" => 5, "createdAt" => "never"},
          %{"id" => "5", "type" => "status-change", "data" => %{"status" => "reported"}}
        ]
      })

    assert {details.conflicting_files, details.status, details.git_reference} == {true, "locked", "refs/pr/1"}

    assert [
             %Event{type: "locking-change", author: "deleted", raw: %{"data" => %{"locked" => true}}},
             %Comment{author: "deleted", content: nil, edited: false, edit_history: []},
             %Comment{content: nil, edit_history: []},
             %Event{type: 5, created_at: "never"},
             %StatusChange{status: "reported"}
           ] = details.events

    for files <- [false, nil, "a", [1, "a"]] do
      expected = %{false => false, nil => nil, "a" => nil, [1, "a"] => ["a"]}[files]
      assert DiscussionDetails.from_response(%{"filesWithConflicts" => files}).conflicting_files == expected
    end

    for events <- ["x", [%{"type" => "comment"}], [nil]] do
      assert_raise Error, fn -> DiscussionDetails.from_response(%{"events" => events}) end
    end
  end

  test "the URL of another repository's discussion is refused before a request", %{id: id} do
    {:ok, opened} = Discussions.create(id, "A question", write())
    comment = fn url -> Discussions.comment(id, url, "x", write()) end

    for {page, named} <- [
          {"me/priv", "model me/priv"},
          {"datasets/#{id}", "dataset #{id}"},
          {"gpt2", "model gpt2"}
        ] do
      url = "#{endpoint()}/#{page}/discussions/1"
      assert {:error, %Error{kind: :invalid_name, message: message}} = comment.(url)
      assert message =~ "is the URL of a discussion of #{named}, not of "
      assert {:error, %Error{kind: :invalid_name, message: ^message}} = Discussions.get(id, url, write())
      assert {:error, %Error{kind: :invalid_name, message: ^message}} = Discussions.merge(id, url, write())
    end

    for url <- ["https://elsewhere.example/#{id}/discussions/1", "#{endpoint()}/a/b/c/discussions/1"] do
      assert {:error, %Error{kind: :invalid_name, message: message}} = comment.(url)
      assert message =~ "is not the URL of a discussion of the endpoint or of the public Hub"
    end

    {:error, %Error{message: message}} = comment.("http://ada:s3cret@elsewhere.example/a/b/discussions/1")
    refute message =~ "s3cret"

    for url <- [
          opened.url,
          "https://huggingface.co/#{id}/discussions/1",
          "#{endpoint()}/#{String.upcase(id)}/discussions/1"
        ] do
      assert {:ok, %Comment{}} = comment.(url)
    end
  end
end
