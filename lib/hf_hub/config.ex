defmodule HfHub.Config do
  @moduledoc """
  Where settings come from.

  Each value is looked up when a call needs it: first the call's own option, then
  `config :hf_hub, ...`, then the environment variable that Python's `huggingface_hub` reads,
  then the default. Nothing is remembered, so a variable set in a Livebook cell counts at once.

  | setting | `config :hf_hub` | environment | default |
  |---|---|---|---|
  | endpoint | `:endpoint` | `HF_ENDPOINT` | `https://huggingface.co` |
  | token | `:token` | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, `LB_HF_TOKEN` (a Livebook secret), then the file `HF_TOKEN_PATH` or `$HF_HOME/token` | none |
  | cache folder | `:cache_dir` | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, or `hub` below `HF_HOME` | `~/.cache/huggingface/hub` |
  | offline mode | `:offline` | `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE` | `false` |
  | wait for the first answer (ms) | `:etag_timeout` | `HF_HUB_ETAG_TIMEOUT` (seconds) | 10 000 |
  | wait between two pieces of a body (ms) | `:download_timeout` | `HF_HUB_DOWNLOAD_TIMEOUT` (seconds) | 10 000 |
  | symlinks in the cache | `:symlinks` | `HF_HUB_DISABLE_SYMLINKS` | `true` |
  | proxies | `:http_proxy`, `:https_proxy`, `:no_proxy` | `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` in either case | none |
  | connections for the parts of large files | `:max_connections` | | 8 |
  | bytes a second, all downloads of the VM together | `:max_bandwidth` | | no limit |
  | certificates | `:ca_file` | `SSL_CERT_FILE`, `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `HEX_CACERTS_PATH` | the system's |

  Timeouts are milliseconds here and seconds in the environment, as each side is used to.
  """

  alias HfHub.Bandwidth
  alias HfHub.Native.Nif

  # More to one host than any answers gladly.
  @max_connections 64

  @default_endpoint "https://huggingface.co"

  @doc """
  Returns the Hub's base URL, without a slash at the end.

  ## Examples

      iex> HfHub.Config.endpoint()
      "https://huggingface.co"
  """
  @doc python: "constants.ENDPOINT"
  @spec endpoint() :: String.t()
  def endpoint do
    (app(:endpoint) || env(["HF_ENDPOINT"]) || @default_endpoint) |> String.trim_trailing("/")
  end

  @doc """
  Returns the cache folder that all Hugging Face clients on this machine share.

  ## Examples

      iex> HfHub.Config.cache_dir() |> Path.basename()
      "hub"
  """
  @doc python: "constants.HF_HUB_CACHE"
  @spec cache_dir() :: Path.t()
  def cache_dir do
    path =
      app(:cache_dir) || env(["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]) ||
        Path.join(home(), "hub")

    expand(path)
  end

  @doc """
  Returns whether the network must not be used.

  ## Examples

      iex> HfHub.Config.offline?()
      false
  """
  @doc python: "is_offline_mode"
  @spec offline?() :: boolean()
  def offline? do
    case app(:offline) do
      nil -> true?(env(["HF_HUB_OFFLINE"])) or true?(env(["TRANSFORMERS_OFFLINE"]))
      value -> value == true
    end
  end

  @doc false
  # The token to send: a string given, the stored one for `nil` or `true`, none for `false`.
  @spec token(String.t() | boolean() | nil) :: {:ok, String.t() | nil} | {:error, HfHub.Error.t()}
  def token(false), do: {:ok, nil}
  def token(token) when is_binary(token), do: {:ok, clean(token)}

  def token(nil) do
    if true?(env(["HF_HUB_DISABLE_IMPLICIT_TOKEN"])), do: {:ok, nil}, else: {:ok, stored_token()}
  end

  def token(true) do
    case stored_token() do
      nil ->
        {:error, HfHub.Error.new(:unauthorized, "no token found; set HF_TOKEN, or pass :token as a string")}

      token ->
        {:ok, token}
    end
  end

  @doc false
  # What the engine needs to talk to a Hub, out of a call's options.
  @spec hub(keyword()) :: {:ok, map()} | {:error, HfHub.Error.t()}
  def hub(opts) do
    with {:ok, token} <- token(opts[:token]) do
      {:ok,
       %{
         endpoint: opts[:endpoint] || endpoint(),
         token: token,
         user_agent: user_agent(),
         offline: offline?(),
         connect_timeout: opts[:etag_timeout] || etag_timeout(),
         header_timeout: opts[:etag_timeout] || etag_timeout(),
         idle_timeout: opts[:download_timeout] || download_timeout(),
         timeout: if(opts[:timeout] != :infinity, do: opts[:timeout]),
         retries: min(opts[:retries] || 0, 1000),
         retry_delay: opts[:retry_delay],
         http_proxy: app(:http_proxy) || either_case("HTTP_PROXY") || either_case("ALL_PROXY"),
         https_proxy: app(:https_proxy) || either_case("HTTPS_PROXY") || either_case("ALL_PROXY"),
         no_proxy: app(:no_proxy) || either_case("NO_PROXY"),
         ca_files: ca_files(),
         max_connections: min(opts[:max_connections] || app(:max_connections) || 8, @max_connections),
         max_bandwidth: max_bandwidth(opts[:max_bandwidth])
       }}
    end
  end

  @doc false
  # As `Path.expand/1`, without asking for the current folder where it does not matter.
  @spec expand(Path.t()) :: Path.t()
  def expand("/" <> rest = path) do
    if String.contains?("/" <> rest <> "/", ["//", "/./", "/../"]), do: Path.expand(path), else: path
  end

  def expand(path), do: Path.expand(path)

  @doc false
  def put(key, value), do: Application.put_env(:hf_hub, key, value)

  @doc false
  def symlinks? do
    case app(:symlinks) do
      nil -> not true?(env(["HF_HUB_DISABLE_SYMLINKS"]))
      value -> value == true
    end
  end

  @doc false
  # `nil` where nobody has decided.
  def progress_bars? do
    case env(["HF_HUB_DISABLE_PROGRESS_BARS"]) do
      nil -> nil
      value -> not true?(value)
    end
  end

  @doc false
  def local_hub_executable, do: app(:local_hub_executable) || env(["HF_HUB_SERVER_PATH"])

  @doc false
  def cargo_target_dir, do: env(["CARGO_TARGET_DIR"])

  # The VM's own limit is kept by the engine; `config` may have changed it since.
  defp max_bandwidth(limit) do
    if bytes = app(:max_bandwidth), do: Nif.set_bandwidth(Nif.vm_bandwidth(), bytes)

    case limit do
      nil -> nil
      %Bandwidth{ref: ref} -> ref
      bytes -> Bandwidth.new(bytes).ref
    end
  end

  defp stored_token do
    app_token = app(:token) || env(["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "LB_HF_TOKEN"])
    clean(app_token) || token_file()
  end

  defp token_file do
    path = env(["HF_TOKEN_PATH"]) || Path.join(home(), "token")

    # Raw, because every call comes here: the file server would be a queue for the whole VM.
    with {:ok, file} <- :file.open(expand(path), [:read, :raw, :binary]) do
      text = :file.read(file, 10_000)
      :file.close(file)
      if match?({:ok, _}, text), do: clean(elem(text, 1))
    else
      {:error, _none} -> nil
    end
  end

  defp clean(nil), do: nil

  defp clean(text) do
    case text |> String.replace(["\r", "\n"], "") |> String.trim() do
      "" -> nil
      token -> token
    end
  end

  defp home do
    expand(env(["HF_HOME"]) || Path.join(env(["XDG_CACHE_HOME"]) || "~/.cache", "huggingface"))
  rescue
    # A service without a home folder.
    RuntimeError ->
      raise ArgumentError, "there is no home folder; set HF_HOME (or HF_HUB_CACHE and HF_TOKEN_PATH)"
  end

  defp etag_timeout, do: app(:etag_timeout) || seconds("HF_HUB_ETAG_TIMEOUT") || 10_000
  defp download_timeout, do: app(:download_timeout) || seconds("HF_HUB_DOWNLOAD_TIMEOUT") || 10_000

  defp seconds(name) do
    with text when is_binary(text) <- env([name]),
         {seconds, ""} when seconds > 0 <- Float.parse(text) do
      round(seconds * 1000)
    else
      _unusable -> nil
    end
  end

  defp ca_files do
    file = app(:ca_file) || env(~w(SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HEX_CACERTS_PATH))

    case {file, env(["SSL_CERT_DIR"])} do
      {nil, nil} -> []
      {nil, dir} -> dir |> String.split(":", trim: true) |> Enum.flat_map(&files_in/1)
      {file, _dir} -> files_in(file)
    end
  end

  # REQUESTS_CA_BUNDLE may name a folder.
  defp files_in(path) do
    case File.ls(path) do
      {:ok, names} ->
        for name <- Enum.sort(names), file = Path.join(path, name), File.regular?(file), do: file

      {:error, _no_folder} ->
        [path]
    end
  end

  defp user_agent do
    origin = if origin = env(["HF_HUB_USER_AGENT_ORIGIN"]), do: "; origin/#{origin}", else: ""
    "hf_hub_elixir/#{HfHub.version()}; elixir/#{System.version()}; otp/#{System.otp_release()}#{origin}"
  end

  defp either_case(name), do: env([name, String.downcase(name)])

  # The first variable that is set to something.
  defp env(names) do
    Enum.find_value(names, fn name ->
      case System.get_env(name) do
        value when value in [nil, ""] -> nil
        value -> value
      end
    end)
  end

  @app_types [
    endpoint: :string,
    token: :string,
    cache_dir: :path,
    offline: :boolean,
    symlinks: :boolean,
    etag_timeout: :pos_integer,
    download_timeout: :pos_integer,
    http_proxy: :string,
    https_proxy: :string,
    no_proxy: :string,
    ca_file: :path,
    max_connections: :pos_integer,
    max_bandwidth: :pos_integer,
    local_hub_executable: :path
  ]

  defp app(key) do
    value = Application.get_env(:hf_hub, key)

    cond do
      value in [nil, ""] -> nil
      HfHub.Options.valid_value?(value, @app_types[key]) -> value
      true -> raise ArgumentError, "config :hf_hub, #{inspect(key)} cannot be used; see HfHub.Config"
    end
  end

  defp true?(value), do: is_binary(value) and String.upcase(value) in ~w(1 ON YES TRUE)
end
