defmodule HfHub.Test.Connection do
  # One connection to a scripted Hub: reads requests and writes responses, with their faults.
  @moduledoc false

  alias HfHub.Test.{Plan, Routes}

  @reasons %{
    200 => "OK",
    206 => "Partial Content",
    401 => "Unauthorized",
    404 => "Not Found",
    429 => "Too Many Requests"
  }

  @doc "Accepts a connection and serves it until it ends."
  @spec serve(:gen_tcp.socket(), pid()) :: :ok
  def serve(listener, hub) do
    with {:ok, socket} <- :gen_tcp.accept(listener) do
      GenServer.cast(hub, :accepted)
      requests(socket, hub)
    end

    :ok
  end

  defp requests(socket, hub) do
    with {:ok, request} <- read(socket),
         plan = plan(hub, request),
         :ok <- write(socket, request.method, plan),
         :ok <- :inet.setopts(socket, packet: :http_bin) do
      requests(socket, hub)
    else
      _ended -> :gen_tcp.close(socket)
    end
  end

  # Here and not in the process of the Hub, so that a function of the test may call the Hub, take its time, and fail.
  defp plan(hub, request) do
    {id, fault, script} = GenServer.call(hub, {:asked, request}, :infinity)
    plan = Plan.new(fault, fn -> respond(request, script) end)
    :ok = GenServer.call(hub, {:responds, id, plan.status}, :infinity)
    plan
  end

  defp respond(request, script) do
    Routes.respond(request, script)
  catch
    kind, reason ->
      Agent.update(script.failures, &[{kind, reason, __STACKTRACE__} | &1])

      Routes.failed(
        "the route #{request.method} #{request.path} of the scripted Hub failed; the end of the test shows why"
      )
  end

  # What is no request ends the connection; it must not reach the process of the Hub.
  defp read(socket) do
    with {:ok, {:http_request, method, {:abs_path, target}, _version}} <- :gen_tcp.recv(socket, 0),
         {:ok, headers} <- headers(socket, %{}),
         {:ok, body} <- body(socket, headers) do
      [path | query] = String.split(target, "?", parts: 2)

      {:ok,
       %{
         method: to_string(method),
         path: URI.decode(path),
         query: List.first(query) || "",
         headers: headers,
         body: body
       }}
    else
      _no_request -> :ended
    end
  end

  defp headers(socket, headers) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, {:http_header, _, name, _, value}} ->
        headers(socket, Map.put(headers, name |> to_string() |> String.downcase(), value))

      {:ok, :http_eoh} ->
        {:ok, headers}

      _no_header ->
        :ended
    end
  end

  # An upload whose length is not known before is sent in chunks.
  defp body(socket, %{"transfer-encoding" => coding}) do
    if String.downcase(coding) == "chunked", do: chunks(socket, []), else: :ended
  end

  defp body(socket, headers) do
    case Integer.parse(headers["content-length"] || "0") do
      {length, ""} when length > 0 -> bytes(socket, length)
      _none -> {:ok, ""}
    end
  end

  defp chunks(socket, before) do
    with {:ok, line} <- line(socket),
         {length, _extension} when length > 0 <- Integer.parse(line, 16),
         {:ok, chunk} <- bytes(socket, length),
         {:ok, _end} <- line(socket) do
      chunks(socket, [before, chunk])
    else
      {0, _extension} -> with :ok <- trailers(socket), do: {:ok, IO.iodata_to_binary(before)}
      _no_chunk -> :ended
    end
  end

  defp trailers(socket) do
    with {:ok, line} <- line(socket), do: if(line in ["\r\n", "\n"], do: :ok, else: trailers(socket))
  end

  defp line(socket), do: with(:ok <- :inet.setopts(socket, packet: :line), do: :gen_tcp.recv(socket, 0))

  defp bytes(socket, length),
    do: with(:ok <- :inet.setopts(socket, packet: :raw), do: :gen_tcp.recv(socket, length))

  defp write(_socket, _method, %{fault: :hang}), do: Process.sleep(:infinity)
  defp write(_socket, _method, %{fault: :hang_up}), do: :hang_up

  defp write(socket, method, %{fault: {:delay, ms}} = plan) do
    Process.sleep(ms)
    write(socket, method, %{plan | fault: nil})
  end

  defp write(socket, method, plan) do
    body = if method == "HEAD", do: "", else: plan.body

    with :ok <- :gen_tcp.send(socket, head(plan)) do
      case plan.fault do
        {fault, after_bytes} when fault in [:cut, :stall] and after_bytes < byte_size(body) ->
          part(socket, fault, binary_part(body, 0, after_bytes))

        _whole ->
          :gen_tcp.send(socket, body)
      end
    end
  end

  defp part(socket, fault, bytes) do
    with :ok <- :gen_tcp.send(socket, bytes),
         do: if(fault == :stall, do: Process.sleep(:infinity), else: :cut)
  end

  # A response to HEAD has the length of the body that it lacks.
  defp head(plan) do
    length =
      if List.keymember?(plan.headers, "content-length", 0),
        do: [],
        else: [{"content-length", byte_size(plan.body)}]

    lines = for {name, value} <- plan.headers ++ length, do: [name, ": ", to_string(value), "\r\n"]
    ["HTTP/1.1 #{plan.status} #{@reasons[plan.status] || "Status"}\r\n", lines, "\r\n"]
  end
end
