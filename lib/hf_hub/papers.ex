defmodule HfHub.Papers do
  @moduledoc """
  Papers on the Hub: search, details and the daily papers.

      {:ok, paper} = HfHub.Papers.info("1706.03762")
      paper.title
  """

  alias HfHub.{Decode, Error, Options, Request}
  alias HfHub.Papers.Paper

  @stream [query: [type: :string, doc: "Words to search for."]] ++ Options.common()

  @list [limit: [type: :pos_integer, doc: "Maximum number of papers to return."]] ++ @stream

  @daily [
           limit: [type: :pos_integer, doc: "Maximum number of papers to return; the Hub defaults to 50."],
           sort: [
             type: {:in, [:published_at, :trending]},
             spellings: [{"publishedAt", :published_at}],
             doc: "`:published_at` (newest first) or `:trending`."
           ],
           date: [type: :string, doc: "Day, such as `\"2025-10-29\"`. Defaults to the most recent papers."],
           week: [type: :string, doc: "Week, such as `\"2025-W09\"`."],
           month: [type: :string, doc: "Month, such as `\"2025-02\"`."],
           submitter: [type: :string, doc: "User who submitted the paper."]
         ] ++ Options.common()

  @page [page: [type: :non_neg_integer, aliases: [:p], doc: "Page number, starting at 0."]]

  @doc """
  Returns the details of a paper, by its arXiv id.

  ## Options

  #{Options.docs(Options.common())}

  ## Examples

      {:ok, paper} = HfHub.Papers.info("1706.03762")
      for model <- paper.linked_models, do: model.id
  """
  @doc python: "paper_info"
  @spec info(String.t(), keyword()) :: {:ok, Paper.t()} | {:error, Error.t()}
  def info(id, opts \\ []) do
    opts = Options.validate!(opts, Options.common())

    with {:ok, id} <- id(id),
         do: Request.new(:get, "/api/papers/:id", [id: id], opts) |> Request.run(&paper/1)
  end

  @doc "Same as `info/2`, but returns the paper or raises `HfHub.Error`."
  @spec info!(String.t(), keyword()) :: Paper.t()
  def info!(id, opts \\ []), do: Error.unwrap!(info(id, opts))

  @doc """
  Returns a paper's page as Markdown. Options: those of `info/2`.

  ## Examples

      {:ok, "# Attention Is All You Need" <> _rest} = HfHub.Papers.read("1706.03762")
  """
  @doc python: "read_paper"
  @spec read(String.t(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def read(id, opts \\ []) do
    opts = Options.validate!(opts, Options.common())

    with {:ok, id} <- id(id),
         do: Request.new(:get, "/papers/:id", [id: id <> ".md"], opts) |> Request.run(&Decode.text/1)
  end

  @doc "Same as `read/2`, but returns the text or raises `HfHub.Error`."
  @spec read!(String.t(), keyword()) :: String.t()
  def read!(id, opts \\ []), do: Error.unwrap!(read(id, opts))

  @doc """
  Searches papers, best match first.

  ## Options

  #{Options.docs(@list)}

  ## Examples

      {:ok, papers} = HfHub.Papers.list(query: "attention", limit: 10)
  """
  @doc python: "list_papers"
  @spec list(keyword()) :: {:ok, [Paper.t()]} | {:error, Error.t()}
  def list(opts \\ []) do
    opts = Options.validate!(opts, @list)
    Request.list(search(opts), opts[:limit], &paper/1)
  end

  @doc "Same as `list/1`, but returns the papers or raises `HfHub.Error`."
  @spec list!(keyword()) :: [Paper.t()]
  def list!(opts \\ []), do: Error.unwrap!(list(opts))

  @doc """
  Searches papers and returns a lazy stream. Options: those of `list/1` but `:limit`.

  ## Examples

      HfHub.Papers.stream(query: "attention") |> Enum.take(3)
  """
  @doc python: "list_papers"
  @spec stream(keyword()) :: Enumerable.t()
  def stream(opts \\ []), do: Request.stream(search(Options.validate!(opts, @stream)), &paper/1)

  @doc """
  Returns one page of the daily papers of a day, week or month.

  ## Options

  #{Options.docs(@page ++ @daily)}

  ## Examples

      {:ok, papers} = HfHub.Papers.list_daily(date: "2025-10-29")
  """
  @doc python: "list_daily_papers"
  @spec list_daily(keyword()) :: {:ok, [Paper.t()]} | {:error, Error.t()}
  def list_daily(opts \\ []) do
    opts = Options.validate!(opts, @page ++ @daily)
    Request.list(daily(opts, opts[:page]), opts[:limit], &paper/1)
  end

  @doc "Same as `list_daily/1`, but returns the papers or raises `HfHub.Error`."
  @spec list_daily!(keyword()) :: [Paper.t()]
  def list_daily!(opts \\ []), do: Error.unwrap!(list_daily(opts))

  @doc """
  Returns the daily papers as a lazy stream over all pages. Options: those of `list_daily/1` but `:page`;
  `:limit` is the page size.

  ## Examples

      HfHub.Papers.stream_daily(month: "2025-02")
      |> Stream.filter(&(&1.upvotes > 100))
      |> Enum.take(5)
  """
  @doc python: "list_daily_papers"
  @spec stream_daily(keyword()) :: Enumerable.t()
  def stream_daily(opts \\ []) do
    opts = Options.validate!(opts, @daily)

    # These pages have no Link header.
    daily(opts, nil) |> Request.paginate({:number, "p", 0}) |> Request.stream(&paper/1)
  end

  defp search(opts) do
    Request.new(:get, "/api/papers/search", [], opts) |> Request.query(q: opts[:query], limit: opts[:limit])
  end

  defp daily(opts, page) do
    sort = if opts[:sort] == :published_at, do: "publishedAt", else: opts[:sort]

    Request.new(:get, "/api/daily_papers", [], opts)
    |> Request.query(
      [p: page, limit: opts[:limit], sort: sort] ++ Keyword.take(opts, [:date, :week, :month, :submitter])
    )
  end

  # Lists have the paper in an envelope, whose fields say when and by whom it was submitted.
  defp paper(%{"paper" => %{} = paper} = json) do
    day = %{"submittedOnDailyAt" => json["publishedAt"], "submittedOnDailyBy" => json["submittedBy"]}
    present = Map.reject(day, fn {_name, value} -> value == nil end)

    merged =
      json |> Map.drop(["paper", "publishedAt", "submittedBy"]) |> Map.merge(present) |> Map.merge(paper)

    %{Decode.struct(Paper, merged) | raw: json}
  end

  defp paper(json), do: Decode.struct(Paper, json)

  # An id of dots or with a slash would select a different route.
  defp id(id) do
    if is_binary(id) and id =~ ~r/\A[\w.\-]*\w[\w.\-]*\z/,
      do: {:ok, id},
      else:
        {:error,
         Error.new(
           :invalid_name,
           "#{inspect(id, printable_limit: 100)} is not an arXiv id such as 1706.03762"
         )}
  end
end
