defmodule HfHub.Python do
  # The PyPI client as a peer: runs a script against a Hub and a cache.
  @moduledoc false

  use GenServer

  # The names are those of the code only: loading all would take longer than most scripts.
  @prelude """
  import json, re, sys, warnings
  warnings.simplefilter("error")
  # A deprecation warning of the client's own code.
  warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)
  import huggingface_hub
  code = sys.argv.pop(1)
  words = set(re.findall(r"\\w+", code))
  exec(f"from huggingface_hub import {', '.join(n for n in huggingface_hub.__all__ if n in words) or '__version__'}")
  exec(compile(code, "<code>", "exec"))
  """

  @doc "Runs Python code and returns its trimmed output."
  def run!(code, endpoint, cache, env \\ [], args \\ []) do
    env = [{"HF_ENDPOINT", endpoint}, {"HF_HUB_CACHE", cache}] ++ env(Path.dirname(cache)) ++ env

    case run(@prelude, [code | args], env) do
      {output, 0} -> String.trim(output)
      {output, status} -> raise "Python ended with #{status}:\n#{output}"
    end
  end

  @doc "Runs the Python client's `hf`; returns what it printed, to stderr too, and its exit status."
  def hf(args, env), do: run("from huggingface_hub.cli.hf import main\nmain()\n", args, env, file: "hf")

  @doc "Runs Python code in a process; returns what it printed, to stderr too, and its exit status."
  def run(code, args, env, opts \\ []) do
    socket = open(code, args, env, opts)
    :ok = :gen_tcp.shutdown(socket, :write)
    ended(socket, "")
  end

  defp ended(socket, output) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, data} ->
        ended(socket, output <> data)

      {:error, :closed} ->
        size = byte_size(output) - 2

        case output do
          <<output::binary-size(size), 0, status>> -> {output, status}
          # Killed by a signal.
          _output -> {output, :killed}
        end
    end
  end

  @doc """
  Starts a process that runs Python code; returns a socket that is its standard input and output.

  Its options are `:file`, the name of the code; `:cd`, the folder; and `:stderr`, a file in place of the socket.
  """
  def open(code, args, env, opts \\ []) do
    env = for {name, value} <- Map.merge(System.get_env(), Map.new(env)), value, into: %{}, do: {name, value}
    opts = Map.merge(%{file: nil, stderr: nil, cd: File.cwd!()}, Map.new(opts))
    task = Map.merge(opts, %{code: code, args: args, env: env}) |> HfHub.Native.Nif.to_json()
    {:ok, socket} = :gen_tcp.connect({:local, server()}, 0, [:binary, active: false])
    :ok = :gen_tcp.send(socket, [<<IO.iodata_length(task)::32>>, task])
    socket
  end

  @doc "Returns the next line of the output of such a process, without its end."
  def line(socket, before \\ "") do
    {:ok, data} = :gen_tcp.recv(socket, 0, 60_000)

    if String.ends_with?(data, "\n"),
      do: String.trim_trailing(before <> data, "\n"),
      else: line(socket, before <> data)
  end

  @doc "Returns environment variables for a process with its home in a folder."
  def env(folder) do
    [{"HF_HOME", Path.join(folder, "home")}] ++
      for what <- ~w(XET TELEMETRY PROGRESS_BARS), do: {"HF_HUB_DISABLE_" <> what, "1"}
  end

  def executable do
    System.get_env("HF_HUB_TEST_PYTHON") || Path.expand("_build/python/bin/python")
  end

  # The socket of the suite's server, which the first test that needs it starts.
  defp server do
    with {:error, {:already_started, _pid}} <- GenServer.start(__MODULE__, [], name: __MODULE__), do: :ok
    GenServer.call(__MODULE__, :socket, 60_000)
  end

  @impl true
  def init(_opts) do
    socket = Path.join(System.tmp_dir!(), "hf_hub_test_python_#{System.pid()}")
    File.rm(socket)
    args = [Path.expand("python_server.py", __DIR__), socket]
    port = Port.open({:spawn_executable, executable()}, [:binary, :exit_status, line: 1000, args: args])

    receive do
      {^port, {:data, {:eol, "ready"}}} -> {:ok, {port, socket}}
      {^port, {:exit_status, status}} -> {:stop, {:python_ended, status}}
    end
  end

  @impl true
  def handle_call(:socket, _from, {_port, socket} = state), do: {:reply, socket, state}
end
