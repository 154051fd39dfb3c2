defmodule HfHub.Test.ScriptedHub do
  # A Hub in this VM that serves repositories from maps: a listener of HTTP on this machine, without an executable. It has
  # the routes that downloads, listings and information use; everything else is scripted by the test.
  @moduledoc false

  use GenServer

  alias HfHub.Test.{Connection, Request, Routes}

  @doc "Starts a Hub with the options of `HfHub.Test.start_hub/2`."
  @spec start_link(map()) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts)

  @impl true
  def init(opts) do
    # A connection that fails does not end the Hub.
    Process.flag(:trap_exit, true)
    listening = [:binary, packet: :http_bin, active: false, reuseaddr: true, backlog: 128, ip: {127, 0, 0, 1}]
    {:ok, listener} = :gen_tcp.listen(0, listening)
    {:ok, port} = :inet.port(listener)
    for _acceptor <- 1..4, do: accept(listener)

    {:ok,
     %{
       listener: listener,
       endpoint: "http://127.0.0.1:#{port}",
       repos: opts.repos,
       routes: opts.routes,
       token: opts.token,
       faults: [],
       requests: []
     }}
  end

  # The process that accepts a connection serves it, and so owns its socket.
  defp accept(listener) do
    hub = self()
    spawn_link(fn -> Connection.serve(listener, hub) end)
  end

  @impl true
  def handle_cast(:accepted, state) do
    accept(state.listener)
    {:noreply, state}
  end

  @impl true
  def handle_call(:endpoint, _from, state), do: {:reply, state.endpoint, state}
  def handle_call(:requests, _from, state), do: {:reply, Enum.reverse(state.requests), state}
  def handle_call({:fault, fault}, _from, state), do: {:reply, :ok, update_in(state.faults, &(&1 ++ [fault]))}
  def handle_call(:clear_faults, _from, state), do: {:reply, :ok, %{state | faults: []}}
  def handle_call({:put, repo, files}, _from, state), do: {:reply, :ok, put_in(state.repos[repo], files)}

  def handle_call({:respond, request}, _from, state) do
    {fault, faults} = take(state.faults, request, [])
    response = if answers?(fault), do: nil, else: Routes.respond(request, state)
    plan = planned(fault, response)
    seen = %Request{method: request.method, path: request.path, query: request.query, status: plan.status}
    {:reply, plan, %{state | faults: faults, requests: [seen | state.requests]}}
  end

  @impl true
  def handle_info(_exit, state), do: {:noreply, state}

  defp take([], _request, passed), do: {nil, Enum.reverse(passed)}

  defp take([fault | rest], request, passed) do
    cond do
      not matches?(fault, request) -> take(rest, request, [fault | passed])
      fault.skip > 0 -> take(rest, request, [%{fault | skip: fault.skip - 1} | passed])
      fault.times == :infinity -> {fault.fault, Enum.reverse(passed) ++ [fault | rest]}
      fault.times > 1 -> {fault.fault, Enum.reverse(passed) ++ [%{fault | times: fault.times - 1} | rest]}
      true -> {fault.fault, Enum.reverse(passed) ++ rest}
    end
  end

  defp matches?(fault, request) do
    method? = fault.method in [nil, request.method]
    method? and HfHub.Test.Match.path?(fault.match, request.path)
  end

  # A fault that replaces the response.
  defp answers?({:status, _code}), do: true
  defp answers?({:status, _code, _headers}), do: true
  defp answers?({:rate_limit, _seconds}), do: true
  defp answers?(fault), do: fault in [:hang, :hang_up]

  defp planned({:status, code}, _response), do: plan({code, [], ""})
  defp planned({:status, code, headers}, _response), do: plan({code, headers, ""})
  defp planned({:rate_limit, seconds}, _response), do: plan({429, [{"retry-after", "#{seconds}"}], ""})
  defp planned(fault, nil), do: %{plan({nil, [], ""}) | fault: fault}
  defp planned({:body, text}, {status, headers, _body}), do: plan({status, headers, text})
  defp planned({:corrupt, at}, {status, headers, body}), do: plan({status, headers, corrupt(body, at)})
  defp planned(fault, response), do: %{plan(response) | fault: fault}

  defp plan({status, headers, body}), do: %{status: status, headers: headers, body: body, fault: nil}

  defp corrupt(body, at) when at < byte_size(body) do
    <<before::binary-size(at), byte, rest::binary>> = body
    <<before::binary, Bitwise.bxor(byte, 1), rest::binary>>
  end

  defp corrupt(body, _beyond), do: body
end
