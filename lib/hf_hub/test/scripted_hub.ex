defmodule HfHub.Test.ScriptedHub do
  # A Hub in this VM that serves repositories from maps: a listener of HTTP on this machine, without an executable. It has
  # the routes that downloads, listings and information use; everything else is scripted by the test.
  @moduledoc false

  use GenServer

  alias HfHub.Test.{Connection, Match, Request}

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
       failures: opts.failures,
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

  def handle_call({:asked, request}, _from, state) do
    {fault, faults} = take(state.faults, request, [])
    seen = %Request{method: request.method, path: request.path, query: request.query}
    reply = {length(state.requests), fault, Map.take(state, [:repos, :routes, :token, :failures])}
    {:reply, reply, %{state | faults: faults, requests: [seen | state.requests]}}
  end

  def handle_call({:responds, id, status}, _from, state) do
    at = length(state.requests) - 1 - id
    {:reply, :ok, update_in(state.requests, &List.update_at(&1, at, fn seen -> %{seen | status: status} end))}
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
    method? and Match.path?(fault.match, request.path)
  end
end
