defmodule HfHub.Config do
  @moduledoc """
  Where settings come from.

  Each value is looked up when a call needs it: first the call's own option, then
  `config :hf_hub, ...`, then the environment variable that Python's `huggingface_hub` reads,
  then the default. Nothing is remembered, so a variable set in a Livebook cell counts at once.
  `explain/1` shows what every setting is and why.

  #{HfHub.Config.Setting.docs()}

  Timeouts are milliseconds here and seconds in the environment, as each side is used to. In paths, `~` and
  `$VARIABLE` stand for what they do in a shell. A variable that is set to nothing is not set; `1`, `on`, `yes` and
  `true` mean yes, in any case.

  ## The token

  The first of these that holds one: the option `:token`; `config :hf_hub, token: …` (or `HfHub.Auth.set_token/1`); in a CI
  job that sets `HF_OIDC_RESOURCE`, one that the Hub gives for the identity in `HF_OIDC_ID_TOKEN` or that of a GitHub job; the
  variables `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN` and `LB_HF_TOKEN` (a Livebook secret); the file that
  `HfHub.Auth.login/1` writes. `token: false` sends none.

  Over plain http the token is sent to this machine only. A Hub elsewhere that speaks plain http is read without it, which is
  logged once, and requests that change something are refused. `config :hf_hub, allow_http_token: ["http://hub.lan:8080"]`, the
  variable `HF_HUB_ALLOW_HTTP_TOKEN` or the option `:allow_http_token` name origins (scheme, host and port, exactly) that get it
  all the same: in a network where everybody on the way may read it.

  ## Proxies and certificates

  A proxy is `http://`, `https://` or `socks5://` (`socks5h://` lets the proxy look names up), with
  `user:password@` if it asks for that. `NO_PROXY` lists hosts (with their subdomains), addresses, networks such as
  `10.0.0.0/8`, or `*`; ports are ignored. This machine is never asked through a proxy.

  Certificates that are named replace those of the system. Where one of them cannot be read, calls fail and say so.

  ## Variables of Python's client that mean nothing here

    * `HF_ASSETS_CACHE`, `HUGGINGFACE_ASSETS_CACHE`: for libraries that keep files of their own
    * `HF_HUB_VERBOSITY`, `HF_DEBUG`: `Logger` has levels
    * `HF_HUB_DISABLE_TELEMETRY`, `DISABLE_TELEMETRY`, `DO_NOT_TRACK`: nothing is sent that could be turned off
    * `HF_HUB_DISABLE_UPDATE_CHECK`, `HF_HUB_DISABLE_EXPERIMENTAL_WARNING`, `HF_HUB_DISABLE_SYMLINKS_WARNING`, `NO_COLOR`,
      `TQDM_POSITION`: about output that does not exist
    * `HF_XET_*`, `HF_HUB_DISABLE_XET`, `HF_HUB_ENABLE_HF_TRANSFER`: about transfers by another library; those of this one take
      `:max_connections` and `:max_bandwidth`
    * `HF_HUB_DISABLE_SHARED_BLOBS`: shared blobs are read where they are, and none are made
    * `HF_INFERENCE_ENDPOINT`: an address that is no longer in use
    * `OAUTH_*`, `OPENID_PROVIDER_URL`, `SPACE_ID`, `SPACE_HOST`, `WEBHOOK_SECRET`: for servers inside a Space
    * `VERTEX_PRODUCT` and others of Google Colab, `CLAUDE_CONFIG_DIR`, `EAGER_IMPORT`: about Python and its notebooks
  """

  alias HfHub.Config.{Report, Setting, Source, Token}
  alias HfHub.Options

  @doc """
  Returns the Hub's base URL, without a slash at the end.

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
  Returns whether the network must not be used.

  ## Examples

      iex> HfHub.Config.offline?()
      false
  """
  @doc python: "is_offline_mode"
  @spec offline?() :: boolean()
  def offline?, do: Setting.value(:offline)

  @explained Keyword.take(Options.transfer(), [
               :endpoint,
               :token,
               :allow_http_token,
               :etag_timeout,
               :download_timeout
             ]) ++
               Keyword.take(Options.transfer(), [:max_connections, :max_bandwidth]) ++
               [cache_dir: [type: :path, doc: "the cache folder."]]

  @doc """
  Returns what every setting is, and where that comes from: for those who wonder why.

  Options that calls take can be given, to see what such a call would do. Tokens and passwords are masked.

  ## Options

  #{Options.docs(@explained)}

  ## Examples

      iex> report = HfHub.Config.explain(endpoint: "https://mirror.example")
      iex> Enum.find(report.settings, &(&1.name == :endpoint)).origin
      :option

  In IEx it is a table:

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

  defp shown(name, url) when name in [:endpoint, :http_proxy, :https_proxy] and is_binary(url) do
    String.replace(url, ~r"(?<=//)[^/@]*@|^[^/@]*@", "****@")
  end

  defp shown(_name, value), do: value

  defp shown_token(given) do
    cond do
      given == false -> {nil, :option}
      is_binary(given) -> masked(Token.given(given))
      # Nobody who asks what the settings are wants a token to be made.
      Setting.value(:oidc_resource) -> {"one of the job's own", {:env, "HF_OIDC_RESOURCE"}}
      given || Setting.value(:implicit_token) -> masked(Token.stored())
      true -> {nil, {:env, "HF_HUB_DISABLE_IMPLICIT_TOKEN"}}
    end
  end

  defp masked({text, origin}), do: {Token.mask(text), origin}
  defp masked(nil), do: {nil, :default}
end
