defmodule HfHub.CLI.Ssh do
  # Connects to a container with the program ssh. It needs the terminal for itself, so the launcher runs it once the VM has
  # ended; elsewhere the command is printed.
  @moduledoc false

  alias HfHub.CLI.{Call, Command, Output}
  alias HfHub.Config.Source

  @doc "Returns the flags."
  @spec flags() :: Command.rules()
  def flags do
    [
      identity_file: [type: :path, short: "i", doc: "File of the private key"],
      dry_run: [type: :boolean, doc: "Prints the command, and does not run it"]
    ]
  end

  @doc "Connects to a host, of which the Hub has sent the names."
  @spec connect(Call.t(), String.t() | nil, String.t() | nil, pos_integer() | nil) :: Output.shown()
  def connect(call, user, host, port) do
    # A name that begins with a dash would be an option of ssh.
    if name?(user) and name?(host) do
      key = if call.flags[:identity_file], do: ["-i", call.flags.identity_file], else: []
      port = if port, do: ["-p", to_string(port)], else: []
      run(["ssh"] ++ key ++ port ++ ["#{user}@#{host}"], call)
    else
      {:error, "the Hub sent an invalid address for SSH: #{inspect(user)} at #{inspect(host)}"}
    end
  end

  defp name?(text), do: is_binary(text) and text =~ ~r/\A[A-Za-z0-9][A-Za-z0-9._-]*\z/

  defp run(words, %{flags: %{dry_run: true}}), do: {:own, %{command: words}, &shell(&1.command)}

  defp run(words, _call) do
    case Source.env("HF_HUB_RUN_NEXT") do
      nil ->
        [{:text, shell(words)}, {:note, "Hint: bin/hf_hub runs this command itself; a Mix task cannot"}]

      file ->
        File.write!(file, Enum.map(words, &[Base.encode64(&1), "\n"]))
        {:note, "Running #{shell(words)}"}
    end
  end

  @doc "Returns words as a line of the shell."
  @spec shell([String.t()]) :: String.t()
  def shell(words), do: Enum.map_join(words, " ", &quoted/1)

  defp quoted(word) do
    if word =~ ~r"\A[\w@%+=:,./-]+\z",
      do: word,
      else: "'" <> String.replace(word, "'", ~S('"'"')) <> "'"
  end
end
