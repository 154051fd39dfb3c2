defmodule HfHub.GGUF do
  @moduledoc """
  Reads the header of GGUF files, the format of llama.cpp: metadata and the table of tensors, without the values.

      {:ok, header} = HfHub.GGUF.read("hf://ggml-org/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf")
      header.metadata["general.architecture"]
      #=> "gemma3"

  Of a file on the Hub, only the header is received, a few megabytes of gigabytes: most of it is the vocabulary.
  """

  alias HfHub.{Error, Options, RandomAccess}
  alias HfHub.GGUF.{Header, Parser}

  @read Options.one_file()

  @doc """
  Reads the header of a file.

  The source is a path, `{:local, path}`, or a repository with the name of a file. A string that begins with `/`, `.` or
  `~`, ends with `.gguf` or is the name of something in the working directory is a path. A cached file of a repository is
  read from the cache, also while the Hub cannot be asked.

  Nothing in a header is trusted: counts that do not fit into the file, overlapping or misaligned tensors, repeated names,
  deep nesting and headers of more than 64 MiB or 4 million values are errors of kind `:invalid_response`. Versions 2 and 3
  are supported, little-endian and big-endian.

  ## Options

  #{Options.docs(@read)}

  ## Examples

      {:ok, header} =
        HfHub.GGUF.read("ggml-org/gemma-3-1b-it-GGUF", filename: "gemma-3-1b-it-Q4_K_M.gguf")

      hd(header.tensors).type
      #=> "Q8_0"
  """
  @spec read(Path.t() | HfHub.repository() | HfHub.repo(), keyword()) ::
          {:ok, Header.t()} | {:error, Error.t()}
  def read(source, opts \\ []) do
    opts = Options.validate!(opts, @read, source)

    with {:ok, file} <- RandomAccess.source(source, ".gguf", opts) do
      result = Parser.parse(file)
      RandomAccess.close(file)
      result
    end
  end

  @doc "Same as `read/2`, but returns the header or raises `HfHub.Error`."
  @spec read!(Path.t() | HfHub.repository() | HfHub.repo(), keyword()) :: Header.t()
  def read!(source, opts \\ []), do: Error.unwrap!(read(source, opts))
end
