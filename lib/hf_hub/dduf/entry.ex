defmodule HfHub.DDUF.Entry do
  @moduledoc """
  A file in a DDUF file. Python: `DDUFEntry`.

  Its content is the `:length` bytes of the DDUF file from `:offset`; `HfHub.DDUF.content/1` reads them.
  """

  use HfHub.Schema,
    filename: {:string, "path in the DDUF file"},
    offset: {:integer, "position of the first byte"},
    length: {:integer, "length of the content in bytes"},
    source: {:any, "open DDUF file; for internal use", json: false}

  defimpl Inspect do
    def inspect(entry, _opts), do: HfHub.Brief.line(entry, [entry.filename, {entry.length, "bytes"}])
  end
end
