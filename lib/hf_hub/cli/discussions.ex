defmodule HfHub.CLI.Discussions do
  # Discussions and pull requests.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.Discussions
  alias HfHub.CLI.{Call, Command, Flags, Json, Output, Values}
  alias HfHub.CLI.Discussions.Attached

  @num [num: [type: :integer, doc: "Number of the discussion or pull request"]]

  @body [
    body: [type: :string, doc: "Text, as Markdown"],
    body_file: [type: :path, doc: "File with the text; `-` is stdin"]
  ]

  @comment [comment: [type: :string, doc: "Comment to add"]]

  @impl true
  def noun, do: [name: "discussions", summary: "Manages discussions and pull requests"]

  @impl true
  def commands do
    one = Flags.repo_id() ++ @num

    [
      command("list", &list/1,
        summary: "Lists discussions and pull requests",
        aliases: ["ls"],
        args: Flags.repo_id(),
        flags:
          [
            status: [type: {:in, ~w(open closed merged draft all)}, short: "s", default: "open", doc: "State"],
            kind: [type: {:in, ~w(all discussion pull_request)}, short: "k", default: "all", doc: "Kind"],
            author: [type: :string, doc: "User that opened it"]
          ] ++ Flags.limit(30)
      ),
      command("info", &info/1, summary: "Shows a discussion with its comments", args: one),
      command("create", &create/1,
        summary: "Opens a discussion or a pull request",
        args: Flags.repo_id(),
        flags:
          [
            title: [type: :string, required: true, doc: "Title"],
            pull_request: [type: :boolean, names: ["pull-request", "pr"], doc: "Opens a pull request"]
          ] ++ @body ++ Attached.flags(),
        examples: [~s(me/my-model --title "Typo in the card" --body "It has no license.")]
      ),
      command("comment", &comment/1, summary: "Adds a comment", args: one, flags: @body ++ Attached.flags()),
      command("edit", &edit/1,
        summary: "Changes a comment",
        args: one ++ [comment_id: [doc: "Id of the comment, as `info --json` shows it"]],
        flags: @body ++ Attached.flags()
      ),
      command("close", &status(&1, "Closed", "Close"),
        summary: "Closes it",
        args: one,
        flags: @comment ++ Flags.yes()
      ),
      command("reopen", &status(&1, "Reopened", "Reopen"),
        summary: "Opens it again",
        args: one,
        flags: @comment ++ Flags.yes()
      ),
      command("rename", &rename/1, summary: "Changes the title", args: one ++ [new_title: [doc: "New title"]]),
      command("merge", &merge/1, summary: "Merges a pull request", args: one, flags: @comment ++ Flags.yes()),
      command("diff", &diff/1, summary: "Prints the changes of a pull request", args: one)
    ]
  end

  defp command(word, run, fields) do
    flags = Keyword.get(fields, :flags, []) ++ Flags.repo_type()

    struct!(
      Command,
      [words: [word], run: run, hf: "discussions #{word}"] ++ Keyword.put(fields, :flags, flags)
    )
  end

  @columns ~w(num title is_pull_request status author created_at)

  # The Hub counts drafts as open and merged ones as closed, and so do its filters.
  defp list(call) do
    opts = Call.options(call, [:repo_type, :author, :limit, :status, {:kind, :type}])

    with {:ok, found} <- Discussions.list(call.args.repo_id, opts),
         do: {:table, Enum.map(found, &(Json.row(&1) ++ endpoint(call))), id: "num", columns: @columns}
  end

  defp info(call) do
    with {:ok, details} <- Discussions.get(call.args.repo_id, call.args.num, options(call)),
         do: {:record, Map.new(Json.row(details) ++ endpoint(call)), id: "num"}
  end

  defp endpoint(call), do: [{"endpoint", Call.endpoint(call)}]

  defp create(call) do
    pull_request? = call.flags[:pull_request] || false
    open = if pull_request?, do: &Discussions.create_pull_request/3, else: &Discussions.create/3

    with {:ok, text} <- Attached.text(call, Values.body(call.flags) || ""),
         opts = [description: text] ++ options(call),
         {:ok, found} <- open.(call.args.repo_id, call.flags.title, opts) do
      kind = if pull_request?, do: "pull request", else: "discussion"
      ref = if pull_request?, do: "refs/pr/#{found.num}"

      {:done, "Created #{kind} ##{found.num} on #{call.args.repo_id}",
       num: found.num, url: found.url, ref: ref}
    end
  end

  defp comment(call) do
    with {:ok, text} <- body(call),
         {:ok, _comment} <- Discussions.comment(call.args.repo_id, call.args.num, text, options(call)),
         do: done(call, "Commented on", [])
  end

  defp edit(%{args: %{repo_id: repo, num: num, comment_id: id}} = call) do
    with {:ok, text} <- body(Map.update!(call, :flags, &Map.delete(&1, :attach))),
         {:ok, text} <- Attached.text(call, text),
         {:ok, _comment} <- Discussions.edit_comment(repo, num, id, text, options(call)),
         do: done(call, "Edited comment #{id} on", comment_id: id)
  end

  defp body(call) do
    case {Values.body(call.flags), call.flags[:attach]} do
      {text, nil} when text in [nil, ""] -> {:usage, "pass --body or --body-file"}
      {text, _files} -> Attached.text(call, text || "")
    end
  end

  defp status(%{args: %{repo_id: repo, num: num}} = call, done, question) do
    change = if question == "Close", do: &Discussions.close/3, else: &Discussions.reopen/3

    with :ok <- Output.confirm(call, "#{question} ##{num} on '#{repo}'?"),
         {:ok, _change} <- change.(repo, num, Call.options(call, [:repo_type, :comment])),
         do: done(call, done, [])
  end

  defp rename(%{args: %{repo_id: repo, num: num, new_title: title}} = call) do
    with {:ok, _change} <- Discussions.rename(repo, num, title, options(call)),
         do: done(call, "Renamed", title: title)
  end

  defp merge(%{args: %{repo_id: repo, num: num}} = call) do
    with :ok <- Output.confirm(call, "Merge ##{num} on '#{repo}'?"),
         :ok <- Discussions.merge(repo, num, Call.options(call, [:repo_type, :comment])),
         do: done(call, "Merged", [])
  end

  defp diff(call) do
    with {:ok, details} <- Discussions.get(call.args.repo_id, call.args.num, options(call)),
         do: {:own, %{diff: details.diff}, &if(&1.diff in [nil, ""], do: "No diff available.", else: &1.diff)}
  end

  defp options(call), do: Call.options(call, [:repo_type])

  defp done(%{args: %{repo_id: repo, num: num}}, words, facts),
    do: {:done, "#{words} ##{num} in #{repo}", [num: num, repo: repo] ++ facts}
end
