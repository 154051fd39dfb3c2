defmodule HfHub.CLI.Datasets.Sql do
  # `datasets sql`: runs a query with DuckDB, whose program must be installed.
  @moduledoc false

  alias HfHub.{Auth, Native}
  alias HfHub.CLI.{Browse, Call, Command}

  @doc "Returns the command."
  @spec command() :: Command.t()
  def command do
    Browse.command("datasets", ["sql"], &run/1,
      summary: "Runs an SQL query on files of datasets with DuckDB",
      details:
        "The program `duckdb` must be in PATH. It reads `hf://datasets/…` and the URLs that `datasets parquet` lists; for " <>
          "these it gets the token, and loads its extension httpfs.",
      args: [sql: [doc: "Query"]],
      examples: [~S|"SELECT count(*) FROM 'hf://datasets/me/data/train.parquet'"|]
    )
  end

  defp run(call) do
    query = call.args.sql |> String.trim() |> String.trim_trailing(";") |> String.trim()

    with :ok <- check(query), {:ok, duckdb} <- program() do
      duckdb |> answer(Enum.map(secrets(query, call), &"#{&1}\n") ++ [query, ";\n.exit\n"]) |> shown()
    end
  end

  defp check(""), do: {:error, "the query is empty"}

  # DuckDB reads these from its input as well; one of them runs programs.
  defp check(query) do
    if query =~ ~r/^\s*\.[[:alpha:]]/m,
      do: {:error, "commands of DuckDB that begin with a dot are not allowed in a query"},
      else: :ok
  end

  defp program do
    case System.find_executable("duckdb") do
      nil ->
        {:error, "datasets sql runs the program duckdb, which is not in PATH; see https://duckdb.org/install"}

      path ->
        {:ok, path}
    end
  end

  # They come by stdin, because other users see the arguments of programs.
  defp secrets(query, call) do
    token = call.flags[:token] || token()

    if token && query =~ "://" do
      [token, endpoint] = for text <- [token, Call.endpoint(call)], do: String.replace(text, "'", "''")

      [
        ".output /dev/null",
        "CREATE OR REPLACE SECRET hf_hub_token (TYPE HTTP, BEARER_TOKEN '#{token}', SCOPE '#{endpoint}');",
        "CREATE OR REPLACE SECRET hf_token (TYPE HUGGINGFACE, TOKEN '#{token}');",
        ".output"
      ]
    else
      []
    end
  end

  defp token do
    case Auth.get_token() do
      {:ok, token} -> token
      {:error, _none} -> nil
    end
  end

  defp answer(duckdb, input) do
    port = Port.open({:spawn_executable, duckdb}, [:binary, :exit_status, args: ["-json"]])
    Port.command(port, input)
    collect(port, [])
  end

  defp collect(port, pieces) do
    receive do
      {^port, {:data, piece}} -> collect(port, [pieces, piece])
      {^port, {:exit_status, 0}} -> {:ok, IO.iodata_to_binary(pieces)}
      {^port, {:exit_status, status}} -> {:failed, status}
    end
  end

  # DuckDB has written why to stderr.
  defp shown({:failed, status}), do: {:error, "DuckDB ended with exit status #{status}"}
  defp shown({:ok, text}), do: text |> String.trim() |> rows()

  defp rows(""), do: {:error, "the query returns no rows; expected a SELECT"}

  defp rows(text) do
    with {:ok, rows} <- Native.run(:parse_json, text) do
      columns = columns(rows, text)
      {:table, for(row <- rows, do: for(name <- columns, do: {name, row[name]})), []}
    end
  end

  defp columns([], _text), do: []

  # Maps have lost their order, which is that of the query.
  defp columns([row | _more], text) do
    Enum.sort_by(Map.keys(row), fn name ->
      case :binary.match(text, Native.Nif.to_json(name) <> ":") do
        {at, _length} -> at
        :nomatch -> byte_size(text)
      end
    end)
  end
end
