defmodule HfHub.CLI.Datasets.Sql do
  # `datasets sql`: runs a query with DuckDB, whose program must be installed.
  @moduledoc false

  alias HfHub.{Auth, Native}
  alias HfHub.CLI.{Browse, Call, Command}

  @public "https://huggingface.co"

  @doc "Returns the command."
  @spec command() :: Command.t()
  def command do
    Browse.command("datasets", ["sql"], &run/1,
      summary: "Runs an SQL query on files of datasets with DuckDB",
      details:
        "The program `duckdb` must be in PATH. It reads `hf://datasets/…` and the URLs that `datasets parquet` lists; for " <>
          "these it gets the token, and loads its extension httpfs. `hf://` is always the public Hub.",
      args: [sql: [doc: "Query"]],
      examples: [~S|"SELECT count(*) FROM 'hf://datasets/me/data/train.parquet'"|]
    )
  end

  defp run(call) do
    query = call.args.sql |> String.trim() |> String.trim_trailing(";") |> String.trim()

    with :ok <- check(query), {:ok, duckdb} <- program("duckdb"), {:ok, sh} <- program("sh") do
      # The query may end in a comment.
      input = IO.iodata_to_binary([secrets(query, call), query, "\n;\n"])
      shown(answer(sh, duckdb, input))
    end
  end

  defp check(""), do: {:error, "the query is empty"}

  # DuckDB reads these from its input as well; one of them runs programs.
  defp check(query) do
    if query =~ ~r/^\s*\.[[:alpha:]]/m,
      do: {:error, "commands of DuckDB that begin with a dot are not allowed in a query"},
      else: :ok
  end

  defp program(name) do
    case System.find_executable(name) do
      nil -> {:error, "datasets sql runs the program #{name}, which is not in PATH#{hint(name)}"}
      path -> {:ok, path}
    end
  end

  defp hint("duckdb"), do: "; see https://duckdb.org/install"
  defp hint(_shell), do: ""

  # They come by stdin, because other users see the arguments of programs.
  defp secrets(query, call) do
    token = call.flags[:token] || token()

    if token && query =~ "://",
      do: [".output /dev/null\n", secrets_of(Call.endpoint(call), quoted(token)), ".output\n"],
      else: []
  end

  # The slash ends the name of the host. DuckDB sends the second one to the public Hub.
  defp secrets_of(endpoint, token) do
    http =
      "CREATE OR REPLACE SECRET hf_hub_token (TYPE HTTP, BEARER_TOKEN #{token}, SCOPE #{quoted(endpoint <> "/")});\n"

    if endpoint == @public,
      do: [http, "CREATE OR REPLACE SECRET hf_token (TYPE HUGGINGFACE, TOKEN #{token});\n"],
      else: http
  end

  defp quoted(text), do: "'" <> String.replace(text, "'", "''") <> "'"

  defp token do
    case Auth.get_token() do
      {:ok, token} -> token
      {:error, _none} -> nil
    end
  end

  # A port cannot close its program's input, and DuckDB waits for the end of it if a quote of the query is open.
  defp answer(sh, duckdb, input) do
    args = ["-c", ~S(head -c "$1" | "$0" -json), duckdb, "#{byte_size(input)}"]
    port = Port.open({:spawn_executable, sh}, [:binary, :exit_status, args: args])
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
