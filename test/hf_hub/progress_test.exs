defmodule HfHub.ProgressTest do
  use ExUnit.Case, async: true

  alias HfHub.{Brief, Progress}
  alias HfHub.Progress.Reporter

  @running %Progress{
    activity: :downloading,
    bytes_done: 40_100_000,
    bytes_total: 90_900_000,
    files_total: 1,
    speed: 10_000_000,
    eta: 5080
  }

  test "a line shows bytes, speed, time left and status" do
    assert Progress.Line.text(@running, "model.safetensors", 80) ==
             "model.safetensors   44%  40.1 MB of 90.9 MB  10.0 MB/s  0:05 left"

    assert Progress.Line.text(%{@running | files_done: 3, files_total: 13}, "org/name", 80) =~ "3/13 files"
    assert Progress.Line.text(%{@running | bytes_total: nil}, "x", 80) =~ "x  40.1 MB"
    done = %{@running | activity: :done, bytes_done: 90_900_000, bytes_resumed: 143_000_000, eta: nil}
    assert Progress.Line.text(done, "x", 80) =~ "100%  90.9 MB of 90.9 MB  done, resumed at 143.0 MB"

    assert Progress.Line.text(%{@running | activity: :rate_limited, wait: 41_200}, "x", 80) =~
             "rate limited, 42 s left"

    assert Progress.Line.text(%{@running | activity: :waiting_for_lock}, "x", 100) =~
             "waiting for another process"

    assert Progress.Line.text(%Progress{}, "x", 80) == "x  "
  end

  test "a line shows hours, and that the connection was lost" do
    text = &Progress.Line.text(Map.merge(@running, &1), "x", 100)
    assert text.(%{eta: 7_384_000}) =~ "2:03:04 left"
    assert text.(%{activity: :stalled, wait: 41_200}) =~ "connection lost: gives up in 42 s"
    assert text.(%{activity: :stalled, wait: nil}) =~ "stalled: no data received"
  end

  test "a line never exceeds the terminal" do
    for columns <- [20, 40, 80, 200] do
      line = Progress.Line.text(@running, String.duplicate("long", 50), columns)
      assert String.length(line) < columns
    end
  end

  test "sizes are decimal" do
    assert for(size <- [0, 999, 1000, 90_868_376, 5_000_000_000], do: Brief.size(size)) ==
             ["0 B", "999 B", "1.0 kB", "90.9 MB", "5.0 GB"]
  end

  test "speed and time left are computed" do
    {:ok, agent} = Agent.start_link(fn -> nil end)
    reporter = Reporter.start(fn progress -> Agent.update(agent, fn _ -> progress end) end, "x")

    event = %{
      activity: :downloading,
      wait: nil,
      file: "x",
      bytes_done: 0,
      bytes_total: 1000,
      bytes_resumed: 0
    }

    event = Map.merge(event, %{bytes_received: 0, files_done: 0, files_total: 1})
    reporter = Reporter.report(reporter, %{event | bytes_done: 2, bytes_received: 2})
    # Of two bytes at once, the time left would be hours.
    assert %{eta: nil} = Agent.get(agent, & &1)
    Process.sleep(500)
    reporter = Reporter.report(reporter, %{event | bytes_done: 500, bytes_received: 500})
    progress = Agent.get(agent, & &1)
    assert progress.speed in 1..1000
    assert progress.eta == div(500 * 1000, progress.speed)
    Reporter.stop(reporter, :done)
    assert Agent.get(agent, & &1).activity == :done
  end

  test "a terminal shows one line that is overwritten" do
    parent = self()
    terminal = spawn_link(fn -> terminal(parent) end)
    leader = Process.group_leader()
    Process.group_leader(self(), terminal)

    event = %{
      activity: :downloading,
      wait: nil,
      file: "x",
      bytes_done: 500,
      bytes_total: 1000,
      bytes_resumed: 0
    }

    event = Map.merge(event, %{bytes_received: 500, files_done: 0, files_total: 1})
    reporter = Reporter.report(Reporter.start(true, "model.safetensors"), event)
    Reporter.stop(reporter, :done)
    Process.group_leader(self(), leader)

    assert_received {:written, "\rmodel.safetensors   50%  500 B of 1.0 kB" <> _}
    assert_received {:written, "\rmodel.safetensors   50%  500 B of 1.0 kB  done" <> rest}
    assert String.trim(rest) == ""
    assert_received {:written, "\n"}
  end

  test "a line ends if its owner is killed" do
    parent = self()
    terminal = spawn_link(fn -> terminal(parent) end)

    owner =
      spawn(fn ->
        Process.group_leader(self(), terminal)

        event = %{
          activity: :downloading,
          wait: nil,
          file: "x",
          bytes_done: 5,
          bytes_total: 10,
          bytes_resumed: 0
        }

        event = Map.merge(event, %{bytes_received: 5, files_done: 0, files_total: 1})
        Reporter.report(Reporter.start(true, "model"), event)
        Process.sleep(:infinity)
      end)

    assert_receive {:written, "\rmodel   50%" <> _}
    Process.exit(owner, :kill)
    assert_receive {:written, "\n"}
  end

  defp terminal(parent) do
    receive do
      {:io_request, from, ref, request} ->
        reply =
          case request do
            {:get_geometry, :columns} -> 80
            {:put_chars, :unicode, text} -> send(parent, {:written, IO.chardata_to_string(text)}) && :ok
          end

        send(from, {:io_reply, ref, reply})
        terminal(parent)
    end
  end

  test "nothing is shown without a terminal" do
    {:ok, io} = StringIO.open("")
    leader = Process.group_leader()
    Process.group_leader(self(), io)
    reporter = Reporter.start(true, "x")
    Process.group_leader(self(), leader)
    assert reporter == nil
    assert StringIO.contents(io) == {"", ""}
  end

  test "a receiver with a full mailbox gets no further reports" do
    silent = spawn(fn -> Process.sleep(:infinity) end)
    event = %{activity: :downloading, wait: nil, file: nil, bytes_done: 0, bytes_total: nil, bytes_resumed: 0}
    event = Map.merge(event, %{bytes_received: 0, files_done: 0, files_total: 1})

    reporter =
      Enum.reduce(1..500, Reporter.start(silent, "x"), fn _, reporter -> Reporter.report(reporter, event) end)

    Reporter.stop(reporter, :done)
    {:messages, messages} = Process.info(silent, :messages)
    assert length(messages) <= 51
    assert {:hf_hub_progress, %Progress{activity: :done}} = List.last(messages)
  end
end
