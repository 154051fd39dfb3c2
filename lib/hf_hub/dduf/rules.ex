defmodule HfHub.DDUF.Rules do
  # What the DDUF format allows in its archive, as in the Python client.
  @moduledoc false

  @extensions ~w(.json .model .safetensors .txt)
  @index "model_index.json"
  @configs ~w(config.json tokenizer_config.json preprocessor_config.json scheduler_config.json)

  # Far more than any model has. Each entry has a header to read, which is a request of a file on the Hub, and the index is
  # read whole.
  @most_entries 10_000
  @largest_index 16 * 1024 * 1024

  # The length of a name has 16 bits in an archive.
  @longest_name 0xFFFF

  @doc "Returns the name of the entry that lists the parts of the model."
  @spec index() :: String.t()
  def index, do: @index

  @doc "Returns the maximum number of entries."
  @spec most_entries() :: pos_integer()
  def most_entries, do: @most_entries

  @doc "Returns why an index of this length is not read; `nil` if it is."
  @spec too_long(non_neg_integer()) :: String.t() | nil
  def too_long(length), do: if(length > @largest_index, do: "#{@index} has more than 16 MiB")

  @doc "Returns why a file cannot be an entry; `nil` if it can."
  @spec refused(binary()) :: String.t() | nil
  def refused(name) when byte_size(name) > @longest_name, do: "names have at most #{@longest_name} bytes"

  def refused(name) do
    segments = String.split(name, "/")

    cond do
      not String.valid?(name) -> "its name is not UTF-8"
      name =~ "\\" -> "names must have the separator /"
      Path.extname(name) not in @extensions -> "allowed are files with #{Enum.join(@extensions, ", ")}"
      length(segments) > 2 -> "folders in folders are not allowed"
      Enum.any?(segments, &(&1 in ["", ".", ".."])) -> "it is not a path in the archive"
      true -> nil
    end
  end

  @doc "Returns a name as messages show it."
  @spec shown(binary()) :: String.t()
  def shown(name), do: inspect(name, printable_limit: 200, limit: 50)

  @doc "Checks the names of the entries against the index."
  @spec check([String.t()], term()) :: :ok | {:error, String.t()}
  def check(names, %{} = index) do
    # As many as an archive announces: a list would be searched once for each folder.
    all = MapSet.new(names)
    folders = for name <- names, [folder, _file] <- [String.split(name, "/")], uniq: true, do: folder
    unlisted = Enum.find(folders, &(not is_map_key(index, &1)))
    bare = Enum.find(folders, fn folder -> not Enum.any?(@configs, &("#{folder}/#{&1}" in all)) end)

    cond do
      unlisted -> {:error, "the folder #{shown(unlisted)} is not in #{@index}"}
      bare -> {:error, "the folder #{shown(bare)} has none of #{Enum.join(@configs, ", ")}"}
      true -> :ok
    end
  end

  def check(_names, _index), do: {:error, "#{@index} is missing, or is not a JSON object"}
end
