defmodule HfHub.Newcomer do
  # A user with a new account, who types into IEx at a terminal and runs commands in a shell.
  @moduledoc false

  import ExUnit.Assertions, only: [flunk: 1]

  alias HfHub.Vm

  # No user has it, so nothing belongs to it but what the test gives it.
  @uid "54321"

  @columns 120

  @doc """
  Returns an account without any files: its home folder, the environment of its programs, and what starts them. If this VM
  does not run as root, only the home folder is new.
  """
  def account(dir, more_env) do
    home = Path.join(dir, "home")
    File.mkdir_p!(home)

    elixir = :elixir |> :code.lib_dir() |> Path.join("../../bin") |> Path.expand()
    path = Enum.join(["#{:code.root_dir()}/bin", elixir, "/usr/bin", "/bin"], ":")

    env = [{"HOME", home}, {"PATH", path}, {"LANG", "C.UTF-8"}, {"TERM", "xterm"} | more_env]
    account = %{home: home, env: env, as: as_user(env)}
    if account.as != [], do: {_, 0} = System.cmd("chown", ["#{@uid}:#{@uid}", home])
    account
  end

  # The installation of Elixir may be one of root only.
  defp as_user(env) do
    as = ["setpriv", "--reuid", @uid, "--regid", @uid, "--clear-groups"]
    root? = match?({"0\n", 0}, System.cmd("id", ["-u"]))
    {_, status} = if root?, do: shell(%{as: as, env: env, home: "/"}, "elixir --version"), else: {"", 1}
    if status == 0, do: as, else: []
  end

  @doc "Runs a line of the shell without a terminal; returns its output and exit status."
  def shell(account, line) do
    [program | args] = command(account, ["sh", "-c", "cd '#{account.home}' && #{line}"])
    System.cmd(program, args, stderr_to_stdout: true)
  end

  defp command(account, command) do
    # Nothing of the environment of this VM.
    names = for {name, value} <- account.env, do: "#{name}=#{value}"
    account.as ++ ["env", "-i"] ++ names ++ command
  end

  @doc "Starts IEx at a terminal, and returns its port once the prompt is there."
  def iex(account) do
    line = "cd '#{account.home}'; stty cols #{@columns} rows 40; exec iex"
    [program | args] = command(account, ["script", "-qefc", line, "/dev/null"])
    port = Vm.open({System.find_executable(program), args}, [:exit_status, :stderr_to_stdout])
    prompt(port, "")
    port
  end

  @doc "Types a line into IEx; returns what it shows below the line until the next prompt."
  def type(iex, code) do
    enter(iex, code)
    iex |> prompt("") |> without_echo(code)
  end

  @doc "Returns a screen without the line that was typed first, which a terminal breaks where it is too long."
  def without_echo(screen, code), do: after_echo(screen, String.replace(code, ~r/\s/, "")) || screen

  defp after_echo(screen, ""), do: screen

  defp after_echo(<<char, rest::binary>>, code) when char <= 32, do: after_echo(rest, code)

  defp after_echo(<<char, rest::binary>>, <<char, code::binary>>), do: after_echo(rest, code)

  # Something else was shown while the line was typed.
  defp after_echo(_screen, _code), do: nil

  @doc "Types a line, without waiting for its end."
  def enter(iex, code) do
    if code =~ "\n", do: raise(ArgumentError, "a newcomer types one line at a time")
    Port.command(iex, code <> "\n")
  end

  @doc "Presses keys, and returns the screen once it contains the text."
  def press(iex, keys, text) do
    Port.command(iex, keys)
    until(iex, "", &(&1 =~ text))
  end

  @doc "Waits until the screen contains the text."
  def see(iex, text), do: until(iex, "", &(&1 =~ text))

  @doc "Waits for the next prompt: IEx also shows the same one again, after what another process has printed."
  def prompt(iex, screen \\ "") do
    last = Process.get({__MODULE__, iex}, 0)

    until(iex, screen, fn plain ->
      case Regex.run(~r/iex\((\d+)\)> \z/, plain) do
        # After an error, the number stays.
        [_all, number] -> String.to_integer(number) > last or plain =~ "** ("
        nil -> false
      end
    end)
  end

  defp remember(iex, plain) do
    seen =
      for [number] <- Regex.scan(~r/iex\((\d+)\)> /, plain, capture: :all_but_first),
          do: String.to_integer(number)

    Process.put({__MODULE__, iex}, Enum.max([Process.get({__MODULE__, iex}, 0) | seen]))
  end

  defp until(iex, screen, done?) do
    plain = plain(screen)

    if done?.(plain) do
      if System.get_env("HF_HUB_TEST_SHOW"), do: IO.puts(plain)
      remember(iex, plain)
      plain
    else
      receive do
        {^iex, {:data, data}} -> until(iex, screen <> data, done?)
        {^iex, {:exit_status, status}} -> flunk("IEx has ended with status #{status}: #{plain}")
      after
        # Compiling the library prints nothing for as long as it takes.
        240_000 -> flunk("nothing more came after: #{plain}")
      end
    end
  end

  @doc "Ends IEx."
  def quit(iex) do
    enter(iex, "System.halt()")
    Vm.ended(iex)
  end

  @doc "Returns what is on the screen as one line: a terminal and `inspect/1` break long ones."
  def unwrapped(screen), do: String.replace(screen, ~r/"? *<>\s*"|\s+/, " ")

  @doc """
  Takes steps of number, title and function, one after the other, prints a line for each, and fails at the end if one has
  failed. A function returns `:by_eye` if more of it is judged by eye, and `:skipped` if it cannot be tried here.
  """
  def walk(steps, context) do
    failed =
      for {number, title, step} <- steps,
          {:failed, why} <- [take(number, title, step, context)],
          do: {number, why}

    if failed != [],
      do: flunk(Enum.map_join(failed, "\n\n", fn {number, why} -> "step #{number}: #{why}" end))
  end

  defp take(number, title, step, context) do
    {micros, verdict} = :timer.tc(fn -> judge(step, context) end)
    seconds = :erlang.float_to_binary(micros / 1.0e6, decimals: 1)
    IO.puts("#{pad(number, 2)}  #{word(verdict)} #{pad(seconds, 5)} s  #{title}")
    verdict
  end

  defp judge(step, context) do
    step.(context)
  rescue
    error -> {:failed, Exception.format(:error, error, __STACKTRACE__)}
  end

  defp word({:failed, _why}), do: "FAILED "
  defp word(:by_eye), do: "by eye "
  defp word(:skipped), do: "skipped"
  defp word(_done), do: "worked "

  defp pad(value, width), do: value |> to_string() |> String.pad_leading(width)

  defp plain(screen), do: String.replace(screen, ~r/\e\[[0-9;?]*[A-Za-z]/, "")
end
