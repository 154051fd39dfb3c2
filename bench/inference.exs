# Measures streams of HfHub.Inference against a server in another VM, which sends events as a model's server does.
# Prints lines of figures. Usage, after `MIX_ENV=prod mix compile`: elixir -pa _build/prod/lib/hf_hub/ebin bench/inference.exs
#
#   * first token: from the call until the first event is in the caller's hands, less the same over a raw socket. Both
#     open a connection of their own; they take turns.
#   * streams: many at once in one VM, each with an event every 100 ms. Its memory is the growth of the VM's peak.
#   * slow readers: the server sends as fast as it can, and each reader takes 10 events a second.
#   * sockets: those that the VM has after halting all streams, less those before. Connections whose stream has ended are
#     kept for the next request instead.
alias HfHub.Inference

defmodule Bench.Server do
  # Each path is a pace: `/fast`, or the milliseconds between two events.
  @events 30

  def run do
    {:ok, listener} =
      :gen_tcp.listen(0, [
        :binary,
        active: false,
        packet: :raw,
        backlog: 2_000,
        nodelay: true,
        reuseaddr: true
      ])

    {:ok, port} = :inet.port(listener)
    IO.puts(port)
    for _acceptor <- 1..4, do: spawn_link(fn -> accept(listener) end)
    # Ends with the VM that measures.
    IO.read(:line)
  end

  defp accept(listener) do
    {:ok, socket} = :gen_tcp.accept(listener)
    serving = spawn(fn -> receive(do: (:go -> serve(socket, ""))) end)
    :ok = :gen_tcp.controlling_process(socket, serving)
    send(serving, :go)
    accept(listener)
  end

  defp serve(socket, read) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, more} ->
        if whole?(read <> more), do: reply(socket, read <> more), else: serve(socket, read <> more)

      {:error, _closed} ->
        :ok
    end
  end

  # The body is small, and ends with the messages' brackets.
  defp whole?(request), do: request =~ "\r\n\r\n" and String.ends_with?(request, "}")

  defp reply(socket, request) do
    [_all, pace] = Regex.run(~r{^POST /(\w+)/}, request)

    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    first = chunk(event("first"))
    :gen_tcp.send(socket, head <> first)
    events(socket, pace, @events - 1)
  end

  # The connection can be used again.
  defp events(socket, _pace, 0) do
    :gen_tcp.send(socket, chunk("data: [DONE]\n\n") <> "0\r\n\r\n")
    serve(socket, "")
  end

  defp events(socket, "fast", left) do
    if :gen_tcp.send(socket, chunk(event(String.duplicate("x", 8_000)))) == :ok,
      do: events(socket, "fast", left)
  end

  defp events(socket, pace, left) do
    Process.sleep(String.to_integer(pace))
    if :gen_tcp.send(socket, chunk(event("token"))) == :ok, do: events(socket, pace, left - 1)
  end

  defp event(text) do
    ~s(data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,) <>
      ~s("delta":{"content":"#{text}"},"finish_reason":null}]}\n\n)
  end

  defp chunk(data), do: Integer.to_string(byte_size(data), 16) <> "\r\n" <> data <> "\r\n"
end

defmodule Bench.Streams do
  @hello [%{role: "user", content: "hello"}]

  def open(port, pace) do
    client = Inference.new(base_url: "http://127.0.0.1:#{port}/#{pace}/v1", token: false, retries: 0)
    Inference.chat_completion!(client, @hello, stream: true)
  end

  def first_token(port) do
    pairs =
      for round <- 1..520 do
        ours = fn -> micro(fn -> [_chunk] = port |> open("100") |> Enum.take(1) end) end
        raw = fn -> micro(fn -> raw(port) end) end
        if rem(round, 2) == 0, do: {ours.(), raw.()}, else: swap({raw.(), ours.()})
      end

    # The first ones load code.
    {ours, raw} = pairs |> Enum.drop(20) |> Enum.unzip()
    overheads = Enum.zip_with(ours, raw, &-/2)

    IO.puts(
      "first token: ours #{quantiles(ours)}, raw socket #{quantiles(raw)}, overhead #{quantiles(overheads)}"
    )
  end

  defp swap({a, b}), do: {b, a}

  defp raw(port) do
    body = ~s({"messages":[{"content":"hello","role":"user"}],"model":"dummy","stream":true})

    request =
      "POST /100/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n" <>
        "content-length: #{byte_size(body)}\r\n\r\n#{body}"

    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false, nodelay: true])
    :ok = :gen_tcp.send(socket, request)
    until_event(socket, "")
    :gen_tcp.close(socket)
  end

  defp until_event(socket, read) do
    {:ok, more} = :gen_tcp.recv(socket, 0)
    if not (read <> more =~ "}\n\n"), do: until_event(socket, read <> more)
  end

  defp micro(fun) do
    start = System.monotonic_time(:microsecond)
    fun.()
    System.monotonic_time(:microsecond) - start
  end

  defp quantiles(times) do
    sorted = Enum.sort(times)

    at = fn part ->
      :erlang.float_to_binary(Enum.at(sorted, trunc(part * (length(sorted) - 1))) / 1_000, decimals: 2)
    end

    "#{at.(0.5)} ms (median), #{at.(0.95)} ms (95 %)"
  end

  def many(port, count) do
    warm(port)
    before = {peak!(), sockets()}

    {time, ended} =
      :timer.tc(fn ->
        1..count
        |> Enum.map(fn _stream -> Task.async(fn -> port |> open("100") |> Enum.count() end) end)
        |> Task.await_many(60_000)
      end)

    true = Enum.all?(ended, &(&1 == 30))
    report("#{count} streams of 30 events in #{Float.round(time / 1_000_000, 1)} s", before, count)
  end

  def slow(port, count) do
    warm(port)
    before = {peak!(), sockets()}

    1..count
    |> Enum.map(fn _stream ->
      Task.async(fn ->
        port |> open("fast") |> Stream.each(fn _chunk -> Process.sleep(100) end) |> Enum.take(50)
      end)
    end)
    |> Task.await_many(60_000)

    report("#{count} slow readers for 5 s", before, count)
  end

  def halted(port, count) do
    warm(port)
    before = sockets()

    for _round <- 1..div(count, 100),
        do:
          Enum.map(1..100, fn _ -> Task.async(fn -> port |> open("1000") |> Enum.take(1) end) end)
          |> Task.await_many(60_000)

    IO.puts("#{count} halted streams: #{settled(before)} sockets left")
  end

  defp warm(port), do: for(_stream <- 1..20, do: port |> open("1") |> Enum.count())

  defp report(what, {peak, sockets}, count) do
    grown = peak!() - peak
    left = settled(sockets)

    IO.puts(
      "#{what}: peak memory +#{grown} KB, #{Float.round(grown / count, 1)} KB each; #{left} connections kept for reuse"
    )
  end

  # Closing takes a moment.
  defp settled(before, tries \\ 100) do
    left = sockets() - before
    if left <= 0 or tries == 0, do: max(left, 0), else: Process.sleep(20) && settled(before, tries - 1)
  end

  defp sockets do
    {:ok, names} = File.ls("/proc/self/fd")
    Enum.count(names, &match?({:ok, "socket:" <> _rest}, File.read_link("/proc/self/fd/" <> &1)))
  end

  # The peak of resident memory in KB, and it begins again here.
  defp peak! do
    :erlang.garbage_collect()
    [_all, peak] = Regex.run(~r/VmHWM:\s+(\d+)/, File.read!("/proc/self/status"))
    File.write!("/proc/self/clear_refs", "5")
    String.to_integer(peak)
  end
end

case System.argv() do
  ["serve"] ->
    Bench.Server.run()

  [] ->
    args = ["-pa", List.to_string(:code.lib_dir(:hf_hub)) <> "/ebin", __ENV__.file, "serve"]
    elixir = System.find_executable("elixir")
    server = Port.open({:spawn_executable, elixir}, [:binary, {:line, 100}, args: args])
    port = receive(do: ({^server, {:data, {:eol, line}}} -> String.to_integer(line)))
    IO.puts("hf_hub #{HfHub.version()} (Elixir #{System.version()}, OTP #{System.otp_release()})")
    Bench.Streams.first_token(port)
    Bench.Streams.many(port, 1_000)
    Bench.Streams.slow(port, 100)
    Bench.Streams.halted(port, 1_000)
end
