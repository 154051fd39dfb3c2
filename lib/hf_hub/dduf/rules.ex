defmodule HfHub.DDUF.Rules do
  # What the DDUF format allows in its archive, as in the Python client.
  @moduledoc false

  @extensions ~w(.json .model .safetensors .txt)
  @index "model_index.json"
  @configs ~w(config.json tokenizer_config.json preprocessor_config.json scheduler_config.json)

  @doc "Returns the name of the entry that lists the parts of the model."
  @spec index() :: String.t()
  def index, do: @index

  @doc "Returns why a file cannot be an entry; `nil` if it can."
  @spec refused(String.t()) :: String.t() | nil
  def refused(name) do
    segments = String.split(name, "/")

    cond do
      name =~ "\\" -> "names must have the separator /"
      Path.extname(name) not in @extensions -> "allowed are files with #{Enum.join(@extensions, ", ")}"
      length(segments) > 2 -> "folders in folders are not allowed"
      Enum.any?(segments, &(&1 in ["", ".", ".."])) -> "it is not a path in the archive"
      true -> nil
    end
  end

  @doc "Checks the names of the entries against the index."
  @spec check([String.t()], term()) :: :ok | {:error, String.t()}
  def check(names, %{} = index) do
    folders = for name <- names, [folder, _file] <- [String.split(name, "/")], uniq: true, do: folder
    unlisted = Enum.find(folders, &(not is_map_key(index, &1)))
    bare = Enum.find(folders, fn folder -> not Enum.any?(@configs, &("#{folder}/#{&1}" in names)) end)

    cond do
      unlisted -> {:error, "the folder #{inspect(unlisted)} is not in #{@index}"}
      bare -> {:error, "the folder #{inspect(bare)} has none of #{Enum.join(@configs, ", ")}"}
      true -> :ok
    end
  end

  def check(_names, _index), do: {:error, "#{@index} is missing, or is not a JSON object"}
end
