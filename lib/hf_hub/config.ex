defmodule HfHub.Config do
  @moduledoc """
  The settings of the library and their sources.

  Each setting is looked up when a call needs it: first the call's option, then
  `config :hf_hub, ...`, then the environment variables that the Python client reads,
  then the default. Values are not cached, so a variable set in a Livebook cell takes effect at once.
  `explain/1` returns every setting with its value and source.

  #{HfHub.Config.Setting.docs()}

  Timeouts are in milliseconds, except in the environment, where they are in seconds as in the Python client. In paths,
  `~` and `$VARIABLE` are expanded as in a shell. An empty variable counts as not set. `1`, `on`, `yes` and `true` are
  true, in upper or lower case; any other value is false.

  ## The token

  A call sends the token of the first of these sources that has one:

    1. the option `:token`; `token: false` sends none
    2. `config :hf_hub, token: …` or `HfHub.Auth.set_token/1`
    3. in a CI job that sets `HF_OIDC_RESOURCE`, the token that the Hub returns in exchange for the id token in
       `HF_OIDC_ID_TOKEN` or the id token of a GitHub Actions job
    4. the variables `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN` and `LB_HF_TOKEN` (a Livebook secret)
    5. the file that `HfHub.Auth.login/1` writes

  Over plain HTTP the token is sent to this machine only. Requests to another plain HTTP Hub omit it if they only read,
  with a warning in the log; requests that change something return an error. To send the token to trusted origins
  (scheme, host and port, compared exactly) over a network where others can read it, list them in
  `config :hf_hub, allow_http_token: ["http://hub.lan:8080"]`, the variable `HF_HUB_ALLOW_HTTP_TOKEN` or the option
  `:allow_http_token`.

  ## Proxies and certificates

  The URL of a proxy begins with `http://`, `https://`, `socks5://` or `socks5h://` (the proxy resolves host names), and
  may contain `user:password@`. `NO_PROXY` lists hosts (with their subdomains), addresses, networks such as
  `10.0.0.0/8`, or `*`; ports are ignored. Requests to this machine never use a proxy.

  Configured certificates replace those of the system. If one of them cannot be read, calls return an error.

  ## Variables of the Python client without effect

    * `HF_ASSETS_CACHE`, `HUGGINGFACE_ASSETS_CACHE`: for files of downstream libraries
    * `HF_HUB_VERBOSITY`, `HF_DEBUG`: use the levels of `Logger`
    * `HF_HUB_DISABLE_TELEMETRY`, `DISABLE_TELEMETRY`, `DO_NOT_TRACK`: this library sends no telemetry
    * `HF_HUB_DISABLE_UPDATE_CHECK`, `HF_HUB_DISABLE_EXPERIMENTAL_WARNING`, `HF_HUB_DISABLE_SYMLINKS_WARNING`, `NO_COLOR`,
      `TQDM_POSITION`: this library has no such output
    * `HF_XET_*` except `HF_XET_CACHE`, `HF_HUB_ENABLE_HF_TRANSFER`: for the transfer libraries of the Python client; use
      `:max_connections`, `:max_bandwidth` and `:xet_buffer`
    * `HF_INFERENCE_ENDPOINT`: no longer in use
    * `OAUTH_*`, `OPENID_PROVIDER_URL`, `SPACE_ID`, `SPACE_HOST`, `WEBHOOK_SECRET`: for servers inside a Space
    * `VERTEX_PRODUCT` and others of Google Colab, `CLAUDE_CONFIG_DIR`, `EAGER_IMPORT`: for Python and its notebooks
  """

  alias HfHub.Config.{Report, Setting, Source, Token}
  alias HfHub.Options

  @doc """
  Returns the Hub's base URL, without a trailing slash.

  ## Examples

      iex> HfHub.Config.endpoint()
      "https://huggingface.co"
  """
  @doc python: "constants.ENDPOINT"
  @spec endpoint() :: String.t()
  def endpoint, do: String.trim_trailing(Setting.value(:endpoint), "/")

  @doc """
  Returns the cache folder that all Hugging Face clients on this machine share.

  ## Examples

      iex> HfHub.Config.cache_dir() |> Path.basename()
      "hub"
  """
  @doc python: "constants.HF_HUB_CACHE"
  @spec cache_dir() :: Path.t()
  def cache_dir, do: Source.expand(Setting.value(:cache_dir))

  @doc """
  Returns whether offline mode is on, in which no network requests are made.

  ## Examples

      iex> HfHub.Config.offline?()
      false
  """
  @doc python: "is_offline_mode"
  @spec offline?() :: boolean()
  def offline?, do: Setting.value(:offline)

  @doc """
  Returns the HTTP options of 0.3, for other HTTP clients: those of `config :hf_hub, http_opts: […]`, or else the timeout
  of this library's own requests, and 0.3's `:pool_timeout`.

  Of the configured options, this library uses `:receive_timeout`, for `:etag_timeout` and `:download_timeout` if these are
  not set.

  ## Examples

      iex> HfHub.Config.http_opts()
      [receive_timeout: 10_000, pool_timeout: 5_000]
  """
  @spec http_opts() :: keyword()
  def http_opts do
    Source.app(:http_opts, :keyword) ||
      [receive_timeout: Setting.value(:download_timeout), pool_timeout: 5_000]
  end

  @doc """
  Returns the cache options of 0.3: those of `config :hf_hub, cache_opts: […]`, or else 0.3's defaults.

  If configured, `:max_size` is the size that `HfHub.Cache.evict/1` reduces the cache to when it is called without a limit.
  Nothing is evicted without such a call, because all Hugging Face clients on this machine share the cache.

  ## Examples

      iex> HfHub.Config.cache_opts()
      [max_size: 10_737_418_240, eviction_policy: :lru]
  """
  @spec cache_opts() :: keyword()
  def cache_opts do
    Source.app(:cache_opts, :keyword) || [max_size: 10 * 1024 * 1024 * 1024, eviction_policy: :lru]
  end

  @explained Keyword.take(Options.transfer(), [
               :endpoint,
               :token,
               :allow_http_token,
               :etag_timeout,
               :download_timeout
             ]) ++
               Keyword.take(Options.transfer(), [:max_connections, :max_bandwidth]) ++
               [cache_dir: [type: :path, doc: "Cache folder."]]

  @doc """
  Returns every setting with its value and source.

  With options, the report shows the settings of a call with these options. Tokens and passwords are masked.

  ## Options

  #{Options.docs(@explained)}

  ## Examples

      iex> report = HfHub.Config.explain(endpoint: "https://mirror.example")
      iex> Enum.find(report.settings, &(&1.name == :endpoint)).origin
      :option

  IEx shows the report as a table:

      #HfHub.Config.Report<
      endpoint             https://huggingface.co        default
      token                hf_****Qx3f                   HF_TOKEN
      cache_dir            /data/hub                     HF_HUB_CACHE
      …
  """
  @spec explain(keyword()) :: Report.t()
  def explain(opts \\ []) do
    opts = Options.validate!(opts, @explained)
    [endpoint | others] = for name <- Setting.names(), do: setting(name, Setting.find(name, opts))
    %Report{settings: [endpoint, setting(:token, shown_token(opts[:token])) | others]}
  end

  defp setting(name, {value, origin}) do
    %Setting{name: name, value: shown(name, value), origin: origin}
  end

  @urls [:endpoint, :inference_endpoints_url, :inference_catalog_url, :http_proxy, :https_proxy]

  defp shown(name, url) when name in @urls and is_binary(url) do
    String.replace(url, ~r"(?<=//)[^/@]*@|^[^/@]*@", "****@")
  end

  defp shown(_name, value), do: value

  defp shown_token(given) do
    cond do
      given == false -> {nil, :option}
      is_binary(given) -> masked(Token.given(given))
      # A report must not send the request that exchanges the job's id token.
      Setting.value(:oidc_resource) -> {"issued to the CI job", {:env, "HF_OIDC_RESOURCE"}}
      given || Setting.value(:implicit_token) -> masked(Token.stored())
      true -> {nil, {:env, "HF_HUB_DISABLE_IMPLICIT_TOKEN"}}
    end
  end

  defp masked({text, origin}), do: {Token.mask(text), origin}
  defp masked(nil), do: {nil, :default}
end
