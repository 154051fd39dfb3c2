defmodule HfHub.Config.Source do
  # Reads the sources of settings. Only this file reads environment variables and the application environment.
  @moduledoc false

  alias HfHub.Options

  @doc "Returns the value of a key in `config :hf_hub`. Raises `ArgumentError` on a value of the wrong type."
  @spec app(atom(), term()) :: term()
  def app(key, type) do
    value = Application.get_env(:hf_hub, key)

    cond do
      value in [nil, ""] -> nil
      Options.valid_value?(value, type) -> value
      true -> invalid!(inspect(key), type)
    end
  end

  # HTTP clients accept `:infinity`; the engine's timeouts are numbers.
  @day 86_400_000

  # What the library does anyway.
  @no_choice [eviction_policy: :lru]

  @doc """
  Returns an entry of a keyword list in `config :hf_hub`. Raises `ArgumentError` on a value of the wrong type. Every other
  entry has no effect, which is logged once.
  """
  @spec app_entry(atom(), atom(), term()) :: term()
  def app_entry(key, entry, type) do
    {value, others} = Keyword.pop(app(key, :keyword) || [], entry)

    for {other, _value} <- others -- @no_choice do
      Options.warn_no_effect("config :hf_hub, #{key}: [#{other}: …]", "see HfHub.Config for the settings")
    end

    value = if value == :infinity, do: @day, else: value

    if value == nil or Options.valid_value?(value, type),
      do: value,
      else: invalid!("#{key}: [#{entry}: …]", type)
  end

  # Without the value, which may be a token.
  @spec invalid!(String.t(), term()) :: no_return()
  defp invalid!(setting, type) do
    raise ArgumentError,
          "invalid value of config :hf_hub, #{setting}: expected #{Options.type_name(type)}; see HfHub.Config"
  end

  @doc "Returns whether the application has chosen a format of logs, under this key of `config :logger`."
  @spec log_format?(atom()) :: boolean()
  def log_format?(key), do: Application.get_env(:logger, key, [])[:format] != nil

  @doc "Returns the text of an environment variable; `nil` if it is empty or not set."
  @spec env(String.t()) :: String.t() | nil
  def env(name) do
    case System.get_env(name) do
      "" -> nil
      value -> value
    end
  end

  @doc "Returns the value of an environment variable in the given format; `nil` if it is invalid."
  @spec env(String.t(), term()) :: term()
  def env(name, form) do
    with text when is_binary(text) <- env(name), do: read(text, form)
  end

  @doc "Returns whether a text means true, by the rule of the Python client."
  @spec true?(String.t() | nil) :: boolean()
  def true?(text), do: is_binary(text) and String.upcase(text) in ~w(1 ON YES TRUE)

  @doc "Same as `Path.expand/1`, but does not ask the file server for the current folder if the path is absolute."
  @spec expand(Path.t()) :: Path.t()
  def expand("/" <> rest = path) do
    if String.contains?("/" <> rest <> "/", ["//", "/./", "/../"]), do: Path.expand(path), else: path
  end

  # Options in the place of a path, which may contain a token; other lists are charlists.
  def expand([{name, _value} | _more] = opts) when is_atom(name),
    do: raise(ArgumentError, "expected a path, got: #{Options.shown(opts)}")

  def expand(other) when not is_binary(other) and not is_list(other),
    do: raise(ArgumentError, "expected a path, got: #{Options.sort(other)}")

  def expand(path) do
    Path.expand(path)
  rescue
    # Raised for a service without a home folder.
    RuntimeError ->
      raise ArgumentError,
            "cannot expand #{inspect(path)}: no home folder; set HF_HOME (or HF_HUB_CACHE and HF_TOKEN_PATH)"
  end

  defp read(text, :text), do: text
  defp read(text, :flag), do: true?(text)
  defp read(text, :no_flag), do: not true?(text)
  defp read(text, {:if_true, value}), do: if(true?(text), do: value)
  defp read(text, :path), do: text |> with_variables() |> expand()
  defp read(text, {:below, below}), do: expand(Path.join(with_variables(text), below))

  defp read(text, :list), do: for(item <- String.split(text, ","), (item = String.trim(item)) != "", do: item)

  defp read(text, :seconds) do
    case Float.parse(text) do
      {seconds, ""} when seconds > 0 -> round(seconds * 1000)
      _unusable -> nil
    end
  end

  # Same as Python's `os.path.expandvars`: the name of a variable that is not set is kept.
  defp with_variables(text) do
    Regex.replace(~r/\$(?:(\w+)|\{([^}]*)\})/, text, fn written, bare, braced ->
      System.get_env(if(bare == "", do: braced, else: bare)) || written
    end)
  end

  @doc "Sets a key of the application environment, for this VM."
  @spec put(atom(), term()) :: :ok
  def put(key, value), do: Application.put_env(:hf_hub, key, value)

  @doc "Deletes a key of the application environment, for this VM."
  @spec delete(atom()) :: :ok
  def delete(key), do: Application.delete_env(:hf_hub, key)
end
