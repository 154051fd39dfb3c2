defmodule HfHub.Auth.Prompt do
  # Prompts at a terminal; a secret is read without echo.
  @moduledoc false

  alias HfHub.Error

  @doc "Returns whether there is a terminal to prompt at."
  @spec terminal?() :: boolean()
  def terminal?, do: match?({:ok, _columns}, :io.columns()) or tty() != nil

  @doc "Returns whether stdin is a terminal."
  @spec typed?() :: boolean()
  def typed?, do: tty() != nil

  @doc "Prompts for one of the choices, and returns its number, from 1. The first is the default."
  @spec choose(String.t(), [String.t()]) :: pos_integer()
  def choose(question, choices) do
    IO.puts(question)
    for {choice, number} <- Enum.with_index(choices, 1), do: IO.puts("  #{number}) #{choice}")

    with text when is_binary(text) <- IO.gets("Number [1]: "),
         {number, ""} when number in 1..length(choices)//1 <- Integer.parse(String.trim(text)) do
      number
    else
      _first -> 1
    end
  end

  @doc "Prompts for a secret without echo."
  @spec secret(String.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def secret(label) do
    IO.write(label)

    # Only the Erlang shell implements `get_password`; without it, stty turns the echo off.
    case :io.get_password() do
      {:error, _unknown} -> unseen(tty())
      answer -> typed(answer)
    end
  end

  defp unseen(nil) do
    {:error,
     Error.new(
       :no_token,
       "cannot prompt for a token without a terminal; set HF_TOKEN (in Livebook the secret HF_TOKEN, LB_HF_TOKEN), or pass :token or method: :browser"
     )}
  end

  defp unseen(tty) do
    guard = guard(tty)

    case stty(tty, "-echo") do
      {_output, 0} ->
        try do
          typed(IO.gets(""))
        after
          stty(tty, "echo")
          Port.close(guard)
        end

      _failure ->
        unseen(nil)
    end
  end

  # Turns the echo on when this VM ends, however it does: Ctrl-C in a Mix task leads to a menu that ends it at once.
  defp guard(tty) do
    script = ~s(trap '' INT; cat >/dev/null; stty #{stty_flag()} "$0" echo)
    Port.open({:spawn_executable, "/bin/sh"}, [:hide, args: ["-c", script, tty]])
  end

  defp typed(text) when is_binary(text) or is_list(text) do
    IO.puts("")
    {:ok, to_string(text)}
  end

  defp typed(_end_of_input), do: unseen(nil)

  # Programs that the VM starts have no controlling terminal, so stty opens it by name.
  defp stty(tty, mode) do
    System.cmd("stty", [stty_flag(), tty, mode], stderr_to_stdout: true)
  rescue
    ErlangError -> {"", 127}
  end

  defp stty_flag, do: if(match?({:unix, :linux}, :os.type()), do: "-F", else: "-f")

  defp tty do
    case File.read_link("/proc/#{System.pid()}/fd/0") do
      {:ok, "/dev/pts/" <> _number = path} -> path
      {:ok, "/dev/tty" <> _number = path} -> path
      {:ok, _file} -> nil
      {:error, _no_proc} -> listed_tty()
    end
  end

  # For systems without /proc.
  defp listed_tty do
    case System.cmd("ps", ["-o", "tty=", "-p", System.pid()], stderr_to_stdout: true) do
      {name, 0} -> if (name = String.trim(name)) =~ ~r/\A\w+\z/, do: "/dev/" <> name
      _failure -> nil
    end
  rescue
    ErlangError -> nil
  end
end
