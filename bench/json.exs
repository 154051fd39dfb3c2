# Fetches a list several times; prints the milliseconds of each. See json_list.py.
# Usage: elixir -pa EBIN json.exs maps|structs ENDPOINT ROUNDS
alias HfHub.{Api, Request}

[task, endpoint, rounds] = System.argv()
opts = [endpoint: endpoint, token: false]

fetch =
  case task do
    "maps" -> fn -> {:ok, _models} = Request.run(Request.new(:get, "/api/models", [], opts)) end
    "structs" -> fn -> {:ok, _models} = Api.list_models(opts) end
  end

for _round <- 1..String.to_integer(rounds) do
  # Each round in a process of its own, as calls are made: its memory is gone at its end. Only the length is sent to
  # this one: sending the list would copy it, and copy what its items share.
  count = fn -> with {:ok, models} <- fetch.(), do: length(models) end
  start = System.monotonic_time(:microsecond)
  many = count |> Task.async() |> Task.await(:infinity)
  true = many > 0 != String.ends_with?(endpoint, "/empty")
  IO.puts((System.monotonic_time(:microsecond) - start) / 1_000)
end
