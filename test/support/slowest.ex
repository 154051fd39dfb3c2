defmodule HfHub.Slowest do
  # A formatter that ends a run with its ten slowest tests. `mix test --slowest` would run them one by one.
  @moduledoc false

  use GenServer

  @shown 10

  @impl true
  def init(_opts), do: {:ok, []}

  @impl true
  def handle_cast({:test_finished, test}, tests) do
    {:noreply, Enum.take(Enum.sort([{test.time, test.module, test.name} | tests], :desc), @shown)}
  end

  def handle_cast({:suite_finished, _times}, tests) do
    IO.puts("\nSlowest tests:")
    for {time, module, name} <- tests, do: IO.puts("#{seconds(time)} s  #{inspect(module)} #{name}")
    {:noreply, tests}
  end

  def handle_cast(_event, tests), do: {:noreply, tests}

  defp seconds(microseconds),
    do: :io_lib.format("~6.1f", [microseconds / 1_000_000]) |> IO.iodata_to_binary()
end
