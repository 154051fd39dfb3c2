defmodule HfHub.Parity.DiscussionsTest do
  use HfHub.TwoHubs

  alias HfHub.{Commit, Discussions, Error, Python, Repo}
  alias HfHub.Discussions.{Comment, StatusChange, TitleChange}

  setup context do
    command(context, ["user", "add", "you", "--token", "hf_you"])
    {:ok, you: [endpoint: context.hubs.ours, token: "hf_you"]}
  end

  test "calls about discussions send the same requests", %{ours: ours, you: you} = context do
    theirs(context, """
    warnings.simplefilter("ignore", UserWarning)
    you = HfApi(token="hf_you")
    api.create_repo("acme/r")
    api.create_repo("acme/d", repo_type="dataset")
    you.create_discussion("acme/r", " A question ", description=" Why? ")
    you.create_pull_request("acme/d", "A draft", description="None yet", repo_type="dataset")
    comment = api.comment_discussion("acme/r", 1, "Because\\n")
    api.edit_discussion_comment("acme/r", 1, comment.id.upper(), "Because of **it** 🤗")
    api.hide_discussion_comment("acme/r", 1, comment.id)
    you.rename_discussion("acme/r", 1, "An old question")
    you.change_discussion_status("acme/r", 1, "closed", comment=" Thanks ")
    api.change_discussion_status("acme/r", 1, "open")
    api.change_discussion_status("acme/d", 1, "open", comment="  ", repo_type="dataset")
    api.merge_pull_request("acme/d", 1, comment="Thanks", repo_type="dataset")
    api.get_discussion_details("acme/d", 1, repo_type="dataset")
    info = you.create_commit("acme/r", [CommitOperationAdd("a", b"1")], commit_message="Add a", create_pr=True)
    you.get_discussion_details("acme/r", info.pr_num)
    api.merge_pull_request("acme/r", info.pr_num)
    for count in range(50):
        api.create_discussion("acme/r", f"Title {count}", description="x")
    list(api.get_repo_discussions("acme/r"))
    list(api.get_repo_discussions("acme/r", discussion_type="all", discussion_status="all"))
    list(api.get_repo_discussions("acme/r", author="you", discussion_type="pull_request", discussion_status="closed"))
    next(api.get_repo_discussions("acme/d", repo_type="dataset", discussion_status="open"), None)
    """)

    Repo.create!("acme/r", ours)
    Repo.create!("acme/d", [repo_type: :dataset] ++ ours)
    Discussions.create!("acme/r", " A question ", [description: " Why? "] ++ you)
    draft = [description: "None yet", repo_type: :dataset] ++ you
    Discussions.create_pull_request!("acme/d", "A draft", draft)
    comment = Discussions.comment!("acme/r", 1, "Because\n", ours)
    Discussions.edit_comment!("acme/r", 1, String.upcase(comment.id), "Because of **it** 🤗", ours)
    Discussions.hide_comment!("acme/r", 1, comment.id, ours)
    Discussions.rename!("acme/r", 1, "An old question", you)
    Discussions.change_status!("acme/r", 1, :closed, [comment: " Thanks "] ++ you)
    Discussions.reopen("acme/r", 1, ours) |> Error.unwrap!()
    Discussions.change_status!("acme/d", 1, :open, [comment: "  ", repo_type: :dataset] ++ ours)
    Discussions.merge!("acme/d", 1, [comment: "Thanks", repo_type: :dataset] ++ ours)
    Discussions.get!("acme/d", 1, [repo_type: :dataset] ++ ours)

    info =
      Commit.create("acme/r", [Commit.Operation.add("a", {:binary, "1"})],
        commit_message: "Add a",
        create_pr: true,
        endpoint: you[:endpoint],
        token: you[:token]
      )
      |> Error.unwrap!()

    Discussions.get!("acme/r", info.pr_num, you)
    Discussions.merge!("acme/r", info.pr_num, ours)
    for count <- 0..49, do: Discussions.create!("acme/r", "Title #{count}", [description: "x"] ++ ours)
    assert length(Discussions.list!("acme/r", ours)) == 52
    assert Enum.count(Discussions.stream("acme/r", [type: :all, status: :all] ++ ours)) == 52

    filter = [author: "you", type: :pull_request, status: :closed]
    assert [%{num: 2, status: :merged}] = Discussions.list!("acme/r", filter ++ ours)
    assert Discussions.list!("acme/d", [repo_type: :dataset, status: :open, limit: 1] ++ ours) == []
    assert_same(context)
  end

  # Compares all that a client can see of discussion 1 and its events.
  @see """
  def event(e):
      seen = {"id": e.id, "type": e.type, "author": e.author, "created_at": str(e.created_at)}
      if isinstance(e, DiscussionComment):
          seen |= {"content": e.content, "edited": e.edited, "hidden": e.hidden, "rendered": e.rendered,
                   "edits": e.number_of_edits, "last_edited_by": e.last_edited_by, "updated_at": str(e.last_edited_at),
                   "first": e.edit_history[0]["raw"] if e.edit_history else None}
      elif isinstance(e, DiscussionStatusChange):
          seen |= {"status": e.new_status}
      elif isinstance(e, DiscussionTitleChange):
          seen |= {"from": e.old_title, "to": e.new_title}
      elif isinstance(e, DiscussionCommit):
          seen |= {"summary": e.summary, "oid": e.oid}
      return seen

  d = api.get_discussion_details("acme/r", 1)
  names = ["num", "title", "status", "author", "repo_id", "repo_type", "is_pull_request", "git_reference", "url",
           "conflicting_files", "target_branch", "merge_commit_oid", "diff"]
  seen = {name: getattr(d, name) for name in names}
  seen |= {"created_at": str(d.created_at), "events": [event(e) for e in d.events]}
  ours = json.loads(sys.argv[1])
  assert ours.keys() == seen.keys()
  print([(name, seen[name], ours[name]) for name in seen if seen[name] != ours[name]])
  """

  defp event(%Comment{} = event) do
    Map.merge(base(event), %{
      "content" => event.content,
      "edited" => event.edited,
      "hidden" => event.hidden,
      "rendered" => event.rendered,
      "edits" => length(event.edit_history),
      "first" => List.first(event.edit_history)["raw"],
      "last_edited_by" => event.last_edited_by,
      "updated_at" => time(event.updated_at)
    })
  end

  defp event(%StatusChange{} = event), do: Map.put(base(event), "status", to_string(event.status))

  defp event(%TitleChange{} = event),
    do: Map.merge(base(event), %{"from" => event.old_title, "to" => event.new_title})

  defp event(%Discussions.Commit{} = event),
    do: Map.merge(base(event), %{"summary" => event.summary, "oid" => event.oid})

  defp event(%Discussions.Event{} = event), do: base(event)

  defp base(event),
    do: %{
      "id" => event.id,
      "type" => event.type,
      "author" => event.author,
      "created_at" => time(event.created_at)
    }

  # As Python writes it.
  defp time(time) do
    {micros, _precision} = time.microsecond
    micros = if micros > 0, do: "." <> String.pad_leading("#{micros}", 6, "0")
    Calendar.strftime(time, "%Y-%m-%d %H:%M:%S") <> "#{micros}+00:00"
  end

  defp seen(details) do
    names = ~w(num title author repo_id is_pull_request git_reference url conflicting_files)a
    names = names ++ ~w(target_branch merge_commit_oid diff)a

    for(name <- names, into: %{}, do: {to_string(name), Map.fetch!(details, name)})
    |> Map.put("status", to_string(details.status))
    |> Map.put("repo_type", to_string(details.repo_type))
    |> Map.put("created_at", time(details.created_at))
    |> Map.put("events", Enum.map(details.events, &event/1))
  end

  # Python reads the Hub of this library's calls.
  defp same_details(context) do
    details = Discussions.get!("acme/r", 1, context.ours)
    ours = HfHub.Native.Nif.to_json(seen(details))
    code = "api = HfApi(token='hf_me')\n" <> @see
    assert Python.run!(code, context.hubs.ours, Path.join(context.dir, "cache"), [], [ours]) == "[]"
    details
  end

  test "both clients see the same of a discussion with everything in it", %{ours: ours, you: you} = context do
    Repo.create!("acme/r", ours)

    put = fn text, opts ->
      Commit.upload_file({:binary, text}, "ä <b>.txt", "acme/r", opts) |> Error.unwrap!()
    end

    put.("1\n", ours)
    put.("2\n\r\u2028é", [create_pr: true, commit_description: "Hidden *soon*"] ++ you)
    [first, _commit] = Discussions.get!("acme/r", 1, ours).events
    Discussions.hide_comment!("acme/r", 1, first.id, ours)
    kept = Discussions.comment!("acme/r", 1, "First 🤗\n\n```\n<b>&\"\n```", you)
    Discussions.edit_comment!("acme/r", 1, kept.id, "Second", you)
    own = Discussions.comment!("acme/r", 1, "Mine", ours)
    Discussions.edit_comment!("acme/r", 1, own.id, "Mine, edited", ours)
    Discussions.rename!("acme/r", 1, "Étrange <title>", ours)
    put.("3\n", ours)
    command(context, ["user", "remove", "you"])

    details = same_details(context)
    assert {details.author, details.conflicting_files} == {"deleted", ["ä <b>.txt"]}

    assert [%Comment{hidden: true}, %Discussions.Commit{}, %Comment{edited: true}, %Comment{}, %TitleChange{}] =
             details.events

    # Events of a type that no client knows, and names of files that the Hub does not return.
    for {pattern, with} <- [
          {~s("type":"title-change"), ~s("type":"locking-change")},
          {~S|"filesWithConflicts":\[[^\]]*\]|, ~s("filesWithConflicts":true)},
          {~S|"createdAt":"([^"]*)\.\d+Z"|, ~s("createdAt":"${1}Z")}
        ] do
      control(
        :post,
        "faults",
        %{match: "discussions/1", fault: %{kind: "replace_body", pattern: pattern, with: with}},
        context.hubs.ours
      )
    end

    details = same_details(context)
    assert {details.conflicting_files, List.last(details.events).type} == {true, "locking-change"}
    control(:delete, "faults", nil, context.hubs.ours)

    put.("2\n\r\u2028é", ours)
    Discussions.merge!("acme/r", 1, ours)
    assert %{status: :merged, merge_commit_oid: "" <> _} = same_details(context)
  end
end
