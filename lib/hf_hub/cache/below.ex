defmodule HfHub.Cache.Below do
  # A cache in the `hub` folder of the configured cache folder: for hf_hub 0.3, the setting named the folder above.
  @moduledoc false

  require Logger

  @prefixes ~w(models-- datasets-- spaces--)

  @doc "Logs, once per VM and folder, that a cache below the configured folder is not used. Returns the folder."
  @spec warn(Path.t()) :: Path.t()
  def warn(cache_dir) do
    key = {__MODULE__, cache_dir}

    unless :persistent_term.get(key, false) do
      :persistent_term.put(key, true)
      below = Path.join(cache_dir, "hub")
      if cache?(below), do: Logger.warning(message(cache_dir, below))
    end

    cache_dir
  end

  defp cache?(folder) do
    case File.ls(folder) do
      {:ok, names} -> Enum.any?(names, &String.starts_with?(&1, @prefixes))
      {:error, _none} -> false
    end
  end

  defp message(cache_dir, below) do
    "the cache in `#{below}` is not used, because the cache folder is `#{cache_dir}`; hf_hub 0.3 stored files in its " <>
      "folder hub: to use them, set config :hf_hub, cache_dir: #{inspect(below)}"
  end
end
