defmodule HfHub.Terminal do
  # Programs at a real terminal, which `script` provides.
  @moduledoc false

  import ExUnit.Assertions, only: [flunk: 1]

  alias HfHub.Vm

  @doc """
  Runs a line of the shell at a terminal, and types each reply once its text is on the screen. Returns the exit status and
  the screen.
  """
  def run(line, replies, env) do
    script = {System.find_executable("script"), ["-qefc", line, "/dev/null"]}
    script |> Vm.open([:exit_status, :stderr_to_stdout], [{"TERM", "xterm"} | env]) |> talk(replies, "")
  end

  defp talk(port, replies, screen) do
    replies =
      with [{text, reply} | rest] <- replies, true <- screen =~ text do
        # Waits until the echo is off before the reply is typed.
        Process.sleep(300)
        Port.command(port, reply)
        rest
      else
        _not_yet -> replies
      end

    receive do
      {^port, {:data, data}} -> talk(port, replies, screen <> data)
      {^port, {:exit_status, status}} -> {status, screen}
    after
      60_000 -> flunk("nothing more came after: #{screen}")
    end
  end
end
