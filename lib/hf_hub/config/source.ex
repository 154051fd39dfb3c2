defmodule HfHub.Config.Source do
  # Where a value can come from, looked at now: nothing but this file reads the environment
  # or the application's.
  @moduledoc false

  alias HfHub.Options

  @doc "What `config :hf_hub` says about a key; a value of the wrong type raises."
  @spec app(atom(), term()) :: term()
  def app(key, type) do
    value = Application.get_env(:hf_hub, key)

    cond do
      value in [nil, ""] -> nil
      Options.valid_value?(value, type) -> value
      true -> raise ArgumentError, "config :hf_hub, #{inspect(key)} cannot be used; see HfHub.Config"
    end
  end

  @doc "The text of a variable; one that is set to nothing is not set."
  @spec env(String.t()) :: String.t() | nil
  def env(name) do
    case System.get_env(name) do
      "" -> nil
      value -> value
    end
  end

  @doc "What a variable says, in the form that is asked for; `nil` where it cannot be used."
  @spec env(String.t(), term()) :: term()
  def env(name, form) do
    with text when is_binary(text) <- env(name), do: read(text, form)
  end

  @doc "Whether a text means yes, as Python's client has it."
  @spec true?(String.t() | nil) :: boolean()
  def true?(text), do: is_binary(text) and String.upcase(text) in ~w(1 ON YES TRUE)

  @doc "As `Path.expand/1`, without asking for the current folder where it does not matter."
  @spec expand(Path.t()) :: Path.t()
  def expand("/" <> rest = path) do
    if String.contains?("/" <> rest <> "/", ["//", "/./", "/../"]), do: Path.expand(path), else: path
  end

  def expand(path) do
    Path.expand(path)
  rescue
    # A service without a home folder.
    RuntimeError ->
      raise ArgumentError, "there is no home folder; set HF_HOME (or HF_HUB_CACHE and HF_TOKEN_PATH)"
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

  # Python's `os.path.expandvars`: a variable that is not set stays as it is written.
  defp with_variables(text) do
    Regex.replace(~r/\$(?:(\w+)|\{([^}]*)\})/, text, fn written, bare, braced ->
      System.get_env(if(bare == "", do: braced, else: bare)) || written
    end)
  end

  @doc "Changes what the application's config says, for this VM."
  @spec put(atom(), term()) :: :ok
  def put(key, value), do: Application.put_env(:hf_hub, key, value)

  @doc "Removes what the application's config says, for this VM."
  @spec delete(atom()) :: :ok
  def delete(key), do: Application.delete_env(:hf_hub, key)
end
