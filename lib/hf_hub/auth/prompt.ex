defmodule HfHub.Auth.Prompt do
  # Talks to a person at a terminal, who must not see the secret they type.
  @moduledoc false

  alias HfHub.Error

  @doc "Whether somebody sits at a terminal."
  @spec terminal?() :: boolean()
  def terminal?, do: match?({:ok, _columns}, :io.columns()) or tty() != nil

  @doc "Lets a person choose one of some sentences: the number of the choice, from 1."
  @spec choose(String.t(), [String.t()]) :: pos_integer()
  def choose(question, sentences) do
    IO.puts(question)
    for {sentence, number} <- Enum.with_index(sentences, 1), do: IO.puts("  #{number}) #{sentence}")

    with text when is_binary(text) <- IO.gets("Number [1]: "),
         {number, ""} when number in 1..length(sentences)//1 <- Integer.parse(String.trim(text)) do
      number
    else
      _first -> 1
    end
  end

  @doc "Asks for a secret without showing what is typed."
  @spec secret(String.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def secret(label) do
    IO.write(label)

    # Shells know how; a program that was started without one has to tell the terminal itself.
    case :io.get_password() do
      {:error, _unknown} -> unseen(tty())
      answer -> typed(answer)
    end
  end

  defp unseen(nil) do
    {:error,
     Error.new(
       :no_token,
       "no token can be asked for without a terminal; set HF_TOKEN, pass :token, or method: :browser"
     )}
  end

  defp unseen(tty) do
    case stty(tty, "-echo") do
      {_output, 0} ->
        try do
          typed(IO.gets(""))
        after
          stty(tty, "echo")
        end

      _failure ->
        unseen(nil)
    end
  end

  defp typed(text) when is_binary(text) or is_list(text) do
    IO.puts("")
    {:ok, to_string(text)}
  end

  defp typed(_end_of_input), do: unseen(nil)

  # Our programs have no controlling terminal, so it is opened by its name.
  defp stty(tty, mode) do
    flag = if match?({:unix, :linux}, :os.type()), do: "-F", else: "-f"
    System.cmd("stty", [flag, tty, mode], stderr_to_stdout: true)
  rescue
    ErlangError -> {"", 127}
  end

  defp tty do
    case File.read_link("/proc/#{System.pid()}/fd/0") do
      {:ok, "/dev/pts/" <> _number = path} -> path
      {:ok, "/dev/tty" <> _number = path} -> path
      {:ok, _file} -> nil
      {:error, _no_proc} -> listed_tty()
    end
  end

  # Systems without /proc.
  defp listed_tty do
    case System.cmd("ps", ["-o", "tty=", "-p", System.pid()], stderr_to_stdout: true) do
      {name, 0} -> if (name = String.trim(name)) =~ ~r/\A\w+\z/, do: "/dev/" <> name
      _failure -> nil
    end
  rescue
    ErlangError -> nil
  end
end
