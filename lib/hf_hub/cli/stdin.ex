defmodule HfHub.CLI.Stdin do
  # What a command reads from stdin, where an argument is `-`.
  @moduledoc false

  alias HfHub.Auth.Prompt
  alias HfHub.CLI.Output
  alias HfHub.Config.Source

  @doc "Returns the bytes of stdin as a stream that is read once, or why there are none."
  @spec bytes() :: {:ok, Enumerable.t()} | {:error, String.t()}
  def bytes, do: with(:ok <- check(), do: {:ok, IO.binstream(:stdio, 65_536)})

  @doc "Returns the text of stdin, or why there is none."
  @spec text() :: {:ok, String.t()} | {:error, String.t()}
  def text do
    with :ok <- check() do
      case IO.read(:stdio, :eof) do
        text when is_binary(text) -> {:ok, text}
        :eof -> {:ok, ""}
        {:error, _reason} -> {:error, "cannot read stdin: it is not UTF-8"}
      end
    end
  end

  # The VM opens /dev/null in the place of a closed stdin, which only the launcher sees. It waits without an end for the
  # bytes of a folder.
  defp check do
    cond do
      Source.env("HF_HUB_CLOSED_STDIN") ->
        {:error, "cannot read stdin: it is closed"}

      File.dir?("/dev/stdin") ->
        {:error, "cannot read stdin: it is a folder"}

      true ->
        if Prompt.typed?(),
          do: Output.note("Reading what is typed here; Ctrl-D at the start of a line ends it")

        :ok
    end
  end
end
