defmodule HfHub.DDUF do
  @moduledoc """
  DDUF files: the models of a diffusion pipeline in one ZIP archive without compression.

      {:ok, entries} = HfHub.DDUF.read("hf://DDUF/FLUX.1-dev-DDUF/FLUX.1-dev-Q4-BNB.dduf")
      {:ok, config} = HfHub.DDUF.content(entries["vae/config.json"])

  Of a file on the Hub, only its directory is received, and then the content of the entries that are read.
  """

  alias HfHub.Config.Source
  alias HfHub.DDUF.{Entry, Rules, Writer, Zip}
  alias HfHub.{Error, LocalFiles, Native, Options, RandomAccess}

  @read Options.one_file()

  @typedoc "Content of an entry: a file on this machine, or bytes."
  @type content :: {:path, Path.t()} | {:binary, binary()}

  @doc """
  Returns the entries of a DDUF file by their names, without their contents.

  The source is as for `HfHub.GGUF.read/2`, with the extension `.dduf`. What does not follow the format is an error of kind
  `:invalid_response`: compressed entries, other kinds of files, folders that `model_index.json` does not list. So are more
  than 10,000 entries, and an index of more than 16 MiB.

  ## Options

  #{Options.docs(@read)}

  ## Examples

      {:ok, entries} =
        HfHub.DDUF.read("DDUF/FLUX.1-dev-DDUF", filename: "FLUX.1-dev-Q4-BNB.dduf")

      Map.keys(entries)
  """
  @doc python: "read_dduf_file"
  @spec read(Path.t() | HfHub.repository() | HfHub.repo(), keyword()) ::
          {:ok, %{String.t() => Entry.t()}} | {:error, Error.t()}
  def read(source, opts \\ []) do
    opts = Options.validate!(opts, @read, source)

    with {:ok, file} <- RandomAccess.source(source, ".dduf", opts),
         {:error, error} <- entries(file) do
      RandomAccess.close(file)
      {:error, error}
    end
  end

  @doc "Same as `read/2`, but returns the entries or raises `HfHub.Error`."
  @spec read!(Path.t() | HfHub.repository() | HfHub.repo(), keyword()) :: %{String.t() => Entry.t()}
  def read!(source, opts \\ []), do: Error.unwrap!(read(source, opts))

  defp entries(file) do
    found = Zip.entries(&bytes(file, &1, &2), file.size, &refused/1)

    entries =
      for {name, offset, length} <- found,
          into: %{},
          do: {name, %Entry{filename: name, offset: offset, length: length, source: file}}

    case Rules.check(Map.keys(entries), index(entries[Rules.index()])) do
      :ok -> {:ok, entries}
      {:error, why} -> invalid(file, why)
    end
  catch
    {:invalid, why} -> invalid(file, why)
    {:failed, error} -> {:error, error}
  end

  defp refused(names) do
    refused = Enum.find_value(names, &((why = Rules.refused(&1)) && {&1, why}))

    cond do
      refused -> "its entry #{Rules.shown(elem(refused, 0))} is not allowed: #{elem(refused, 1)}"
      Enum.uniq(names) != names -> "it has two entries of one name"
      true -> nil
    end
  end

  defp index(nil), do: nil

  defp index(entry) do
    if why = Rules.too_long(entry.length), do: throw({:invalid, why})
    with {:ok, json} <- Native.run(:parse_json, bytes(entry.source, entry.offset, entry.length)), do: json
  end

  defp bytes(file, first, length) do
    case RandomAccess.read(file, first, length) do
      {:ok, bytes} -> bytes
      {:error, error} -> throw({:failed, error})
    end
  end

  defp invalid(file, why), do: {:error, RandomAccess.invalid(file, "DDUF", why)}

  @doc """
  Returns the content of an entry.

  ## Examples

      entries = HfHub.DDUF.read!("FLUX.1-dev.dduf")
      {:ok, json} = HfHub.DDUF.content(entries["model_index.json"])
  """
  @doc python: "DDUFEntry.read_text"
  @spec content(Entry.t()) :: {:ok, binary()} | {:error, Error.t()}
  def content(%Entry{source: file} = entry), do: RandomAccess.read(file, entry.offset, entry.length)

  @doc "Same as `content/1`, but returns the content or raises `HfHub.Error`."
  @spec content!(Entry.t()) :: binary()
  def content!(entry), do: Error.unwrap!(content(entry))

  @doc """
  Writes a DDUF file of entries, `{name, content}`, and returns its path.

  The contents are read one after another. A name or a structure that the format does not allow is an error of kind
  `:invalid_archive`, and leaves an existing file as it is.

  ## Examples

      HfHub.DDUF.export("model.dduf", [
        {"model_index.json", {:binary, ~s({"vae": ["diffusers", "AutoencoderKL"]})}},
        {"vae/config.json", {:path, "vae/config.json"}}
      ])
      #=> {:ok, "/work/model.dduf"}
  """
  @doc python: "export_entries_as_dduf"
  @spec export(Path.t(), Enumerable.t({String.t(), content()})) :: {:ok, Path.t()} | {:error, Error.t()}
  def export(path, entries), do: Writer.write(Source.expand(path), entries)

  @doc "Same as `export/2`, but returns the path or raises `HfHub.Error`."
  @spec export!(Path.t(), Enumerable.t({String.t(), content()})) :: Path.t()
  def export!(path, entries), do: Error.unwrap!(export(path, entries))

  @doc """
  Writes a DDUF file of a folder that a diffusion pipeline was saved to, and returns its path.

  Files that the format does not allow, such as images and those in folders of folders, are left out.

  ## Examples

      HfHub.DDUF.export_folder("model.dduf", "stable-diffusion-v1-4")
      #=> {:ok, "/work/model.dduf"}
  """
  @doc python: "export_folder_as_dduf"
  @spec export_folder(Path.t(), Path.t()) :: {:ok, Path.t()} | {:error, Error.t()}
  def export_folder(path, folder) do
    with {:ok, files} <- LocalFiles.all(Source.expand(folder)) do
      names = for {name, _info} <- Enum.sort(files), Rules.refused(name) == nil, do: name
      export(path, for(name <- names, do: {name, {:path, Path.join(folder, name)}}))
    end
  end

  @doc "Same as `export_folder/2`, but returns the path or raises `HfHub.Error`."
  @spec export_folder!(Path.t(), Path.t()) :: Path.t()
  def export_folder!(path, folder), do: Error.unwrap!(export_folder(path, folder))
end
