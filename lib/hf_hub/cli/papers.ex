defmodule HfHub.CLI.Papers do
  # Papers on the Hub.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command, Flags, Json}
  alias HfHub.{Error, Papers}

  @id [paper_id: [doc: "Id of the paper at arXiv, such as `1706.03762`"]]

  @impl true
  def noun, do: [name: "papers", summary: "Searches papers, and shows their facts and texts"]

  @impl true
  def commands do
    [
      command("list", &list/1,
        summary: "Lists the daily papers",
        aliases: ["ls"],
        flags:
          [
            date: [type: :string, doc: "Day, such as `2025-10-29`, or `today`"],
            week: [type: :string, doc: "Week, such as `2025-W09`"],
            month: [type: :string, doc: "Month, such as `2025-02`"],
            submitter: [type: :string, doc: "User that submitted the papers"],
            sort: [type: {:in, ~w(publishedAt trending)}, doc: "Order of the results"]
          ] ++ Flags.limit(50),
        examples: ["--sort trending", "--week 2025-W09 --json"]
      ),
      command("search", &search/1,
        summary: "Searches papers",
        args: [query: [doc: "Text to search for"]],
        flags: Flags.limit(20),
        examples: [~s("vision language" --limit 10)]
      ),
      command("info", &info/1, summary: "Shows a paper", args: @id),
      command("read", &read/1, summary: "Prints the page of a paper as Markdown", args: @id)
    ]
  end

  defp command(word, run, fields),
    do: struct!(Command, [words: [word], run: run, hf: "papers #{word}"] ++ fields)

  defp list(call) do
    date = if call.flags[:date], do: [date: date(call.flags.date)], else: []
    opts = date ++ Call.options(call, [:week, :month, :submitter, :sort, :limit])

    with {:ok, papers} <- Papers.list_daily(opts) do
      columns = ~w(id title upvotes comments published_at submitted_by_name)
      {:table, Enum.map(papers, &(Json.row(&1) ++ [submitter(&1)])), id: "id", columns: columns}
    end
  end

  defp date(text) do
    if String.downcase(text) == "today",
      do: :calendar.local_time() |> elem(0) |> Date.from_erl!() |> Date.to_iso8601(),
      else: text
  end

  defp submitter(paper) do
    user = paper.submitted_by
    {"submitted_by_name", (user && (user.fullname || user.username)) || ""}
  end

  defp search(call) do
    with {:ok, papers} <- Papers.list([query: call.args.query] ++ Call.options(call, [:limit])),
         do: {:table, Json.rows(papers), id: "id", columns: ~w(id title summary upvotes published_at)}
  end

  defp info(call) do
    with {:ok, paper} <- found(Papers.info(call.args.paper_id, Call.options(call)), call),
         do: {:record, paper, id: "id"}
  end

  defp read(call) do
    with {:ok, text} <- found(Papers.read(call.args.paper_id, Call.options(call)), call),
         do: {:own, %{content: text}, & &1.content}
  end

  defp found({:error, %Error{kind: :not_found} = error}, call),
    do: {:error, %{error | message: "the Hub has no paper #{call.args.paper_id}"}}

  defp found(result, _call), do: result
end
