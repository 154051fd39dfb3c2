defmodule HfHub.Slowest do
  # A formatter that lists the ten slowest tests that take more than a second. `mix test --slowest` would run all
  # tests one by one.
  @moduledoc false

  use GenServer

  @shown 10

  @impl true
  def init(_opts), do: {:ok, []}

  @impl true
  def handle_cast({:test_finished, test}, tests) do
    tests = if test.time > 1_000_000, do: [{test.time, test.module, test.name} | tests], else: tests
    {:noreply, tests |> Enum.sort(:desc) |> Enum.take(@shown)}
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
