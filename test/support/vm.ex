defmodule HfHub.Vm do
  # Separate VMs, for tests that end a VM or require several.
  @moduledoc false

  @doc "Writes a script and returns the command that runs it with this build of the library."
  def script(context, body) do
    path = Path.join(context.dir, "script#{System.unique_integer([:positive])}.exs")
    File.write!(path, body)
    paths = Enum.flat_map(:code.get_path(), &["-pa", to_string(&1)])
    {System.find_executable("elixir"), paths ++ [path]}
  end

  @doc "Returns the environment of a child process, which runs on the OTP of this VM."
  def env(more \\ []), do: [{"PATH", "#{:code.root_dir()}/bin:#{System.get_env("PATH")}"} | more]

  @doc "Starts a command as a port."
  def open({executable, args}, opts, more_env \\ []) do
    env = for {name, value} <- env(more_env), do: {String.to_charlist(name), String.to_charlist(value)}
    Port.open({:spawn_executable, executable}, [:binary, args: args, env: env] ++ opts)
  end

  @doc "Runs a command to its end; returns its output and exit status."
  def run({executable, args}, more_env \\ []) do
    System.cmd(executable, args, env: env(more_env), stderr_to_stdout: true)
  end

  @doc "Returns a command that runs below another program."
  def below({executable, args}, [program | before]) do
    {System.find_executable(program), before ++ [executable | args]}
  end

  @doc "Returns an environment in which `flock` always succeeds, by a preloaded library."
  def no_locks(context) do
    library = Path.join(context.dir, "no_locks.so")

    unless File.exists?(library) do
      source = Path.join(context.dir, "no_locks.c")
      File.write!(source, "int flock(int fd, int operation) { return 0; }\n")
      {_, 0} = System.cmd("cc", ["-shared", "-fPIC", "-o", library, source])
    end

    [{"LD_PRELOAD", library}]
  end

  @doc "Waits for the end of a port's program; returns its output and exit status."
  def ended(port, output \\ "") do
    receive do
      {^port, {:data, data}} -> ended(port, output <> data)
      {^port, {:exit_status, status}} -> {output, status}
    after
      60_000 -> {output, :running}
    end
  end

  @doc "Kills a port's program with SIGKILL, unless it has ended."
  def kill(port) do
    with {:os_pid, pid} <- Port.info(port, :os_pid),
         do: System.cmd("kill", ["-9", to_string(pid)], stderr_to_stdout: true)
  end
end
