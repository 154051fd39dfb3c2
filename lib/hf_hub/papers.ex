defmodule HfHub.Papers do
  @moduledoc """
  Papers that the Hub knows: found by words, or as the papers of a day.

      {:ok, paper} = HfHub.Papers.info("1706.03762")
      paper.title
  """

  alias HfHub.{Error, Options, Request}
  alias HfHub.Papers.Paper

  @stream [query: [type: :string, doc: "words to look for."]] ++ Options.common()

  @list [limit: [type: :pos_integer, doc: "at most so many."]] ++ @stream

  @daily [
           limit: [type: :pos_integer, doc: "at most so many; the Hub's own default is 50."],
           sort: [type: {:in, [:published_at, :trending]}, doc: "the newest first, or what moves most."],
           date: [type: :string, doc: "a day such as `\"2025-10-29\"`. By default the newest ones."],
           week: [type: :string, doc: "a week such as `\"2025-W09\"`."],
           month: [type: :string, doc: "a month such as `\"2025-02\"`."],
           submitter: [type: :string, doc: "only those that this user submitted."]
         ] ++ Options.common()

  @page [page: [type: :non_neg_integer, doc: "the page, from 0."]]

  @doc """
  Returns what the Hub says about a paper, by its arXiv id.

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
         do: Request.new(:get, "/api/papers/:id", [id: id], opts) |> Request.run(&Paper.from_json/1)
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
         do: Request.new(:get, "/papers/:id", [id: id <> ".md"], opts) |> Request.run(&HfHub.Decode.text/1)
  end

  @doc "Same as `read/2`, but returns the text or raises `HfHub.Error`."
  @spec read!(String.t(), keyword()) :: String.t()
  def read!(id, opts \\ []), do: Error.unwrap!(read(id, opts))

  @doc """
  Returns papers that have some words, the best first.

  ## Options

  #{Options.docs(@list)}

  ## Examples

      {:ok, papers} = HfHub.Papers.list(query: "attention", limit: 10)
  """
  @doc python: "list_papers"
  @spec list(keyword()) :: {:ok, [Paper.t()]} | {:error, Error.t()}
  def list(opts \\ []) do
    opts = Options.validate!(opts, @list)
    Request.list(search(opts), opts[:limit], &Paper.from_json/1)
  end

  @doc "Same as `list/1`, but returns the papers or raises `HfHub.Error`."
  @spec list!(keyword()) :: [Paper.t()]
  def list!(opts \\ []), do: Error.unwrap!(list(opts))

  @doc """
  Returns papers that have some words as a stream. Options: those of `list/1` but `:limit`.

  ## Examples

      HfHub.Papers.stream(query: "attention") |> Enum.take(3)
  """
  @doc python: "list_papers"
  @spec stream(keyword()) :: Enumerable.t()
  def stream(opts \\ []), do: Request.stream(search(Options.validate!(opts, @stream)), &Paper.from_json/1)

  @doc """
  Returns the daily papers of a day, week or month: one page of them.

  ## Options

  #{Options.docs(@page ++ @daily)}

  ## Examples

      {:ok, papers} = HfHub.Papers.list_daily(date: "2025-10-29")
  """
  @doc python: "list_daily_papers"
  @spec list_daily(keyword()) :: {:ok, [Paper.t()]} | {:error, Error.t()}
  def list_daily(opts \\ []) do
    opts = Options.validate!(opts, @page ++ @daily)
    Request.list(daily(opts, opts[:page]), opts[:limit], &Paper.from_json/1)
  end

  @doc "Same as `list_daily/1`, but returns the papers or raises `HfHub.Error`."
  @spec list_daily!(keyword()) :: [Paper.t()]
  def list_daily!(opts \\ []), do: Error.unwrap!(list_daily(opts))

  @doc """
  Returns the daily papers as a stream over all pages. Options: those of `list_daily/1` but `:page`;
  `:limit` is what a page has.

  ## Examples

      HfHub.Papers.stream_daily(month: "2025-02") |> Stream.filter(&(&1.upvotes > 100)) |> Enum.take(5)
  """
  @doc python: "list_daily_papers"
  @spec stream_daily(keyword()) :: Enumerable.t()
  def stream_daily(opts \\ []) do
    opts = Options.validate!(opts, @daily)

    # There is no link to the next page; an empty one is the last.
    Stream.iterate(0, &(&1 + 1))
    |> Stream.map(
      &(daily(opts, &1)
        |> Request.stream(fn json -> Paper.from_json(json) end)
        |> Enum.to_list())
    )
    |> Stream.take_while(&(&1 != []))
    |> Stream.flat_map(& &1)
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

  # A dot or a slash too many would be another route.
  defp id(id) do
    if is_binary(id) and id =~ ~r/\A[\w.\-]*\w[\w.\-]*\z/,
      do: {:ok, id},
      else:
        {:error,
         Error.new(:invalid_name, "#{inspect(id, printable_limit: 100)} is no arXiv id such as 1706.03762")}
  end
end
