defmodule HfHub.Vm do
  # VMs of their own, for what would end this one, or needs several.
  @moduledoc false

  @doc "Writes a script and returns the command that runs it with this build of the library."
  def script(context, body) do
    path = Path.join(context.dir, "script#{System.unique_integer([:positive])}.exs")
    File.write!(path, body)
    paths = Enum.flat_map(:code.get_path(), &["-pa", to_string(&1)])
    {System.find_executable("elixir"), paths ++ [path]}
  end

  @doc "The environment of a child: it runs on the OTP of this VM, whatever else is installed."
  def env(more \\ []), do: [{"PATH", "#{:code.root_dir()}/bin:#{System.get_env("PATH")}"} | more]

  @doc "Starts a command as a port."
  def open({executable, args}, opts, more_env \\ []) do
    env = for {name, value} <- env(more_env), do: {String.to_charlist(name), String.to_charlist(value)}
    Port.open({:spawn_executable, executable}, [:binary, args: args, env: env] ++ opts)
  end

  @doc "Runs a command to its end: what it printed, and its exit status."
  def run({executable, args}, more_env \\ []) do
    System.cmd(executable, args, env: env(more_env), stderr_to_stdout: true)
  end

  @doc "Puts another program before a command."
  def below({executable, args}, [program | before]) do
    {System.find_executable(program), before ++ [executable | args]}
  end

  @doc "Ends a port's program as a power cut would."
  def kill(port) do
    {:os_pid, pid} = Port.info(port, :os_pid)
    System.cmd("kill", ["-9", to_string(pid)])
  end
end
