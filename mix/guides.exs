Code.require_file("guides/command_line.exs", __DIR__)
Code.require_file("guides/from_python.exs", __DIR__)

defmodule HfHub.Guides do
  # The parts of guides that are written from the code. Each is the end of its file, from a heading on, and a test
  # compares it with the code. To write them again:
  #
  #   mix run --no-start -r mix/guides.exs -e HfHub.Guides.write
  @moduledoc false

  alias HfHub.Guides.{CommandLine, FromPython}

  @root Path.expand("..", __DIR__)

  @parts [
    {"guides/command_line.md", "## Options of all commands", CommandLine},
    {"guides/from_python.livemd", "## Names", FromPython}
  ]

  @doc "Returns the guides as `{path, text, expected}`: what the file has, and what it should have."
  @spec all() :: [{Path.t(), String.t(), String.t()}]
  def all do
    for {name, heading, module} <- @parts do
      path = Path.join(@root, name)
      text = File.read!(path)
      [prose | _part] = String.split(text, "\n#{heading}\n", parts: 2)
      {path, text, IO.iodata_to_binary([prose, "\n#{heading}\n\n", module.text()])}
    end
  end

  @doc "Writes the parts into the files."
  @spec write() :: :ok
  def write, do: Enum.each(all(), fn {path, _text, expected} -> File.write!(path, expected) end)
end
