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

  require Logger

  alias HfHub.{Bandwidth, Error, Options}
  alias HfHub.Config.{Report, Setting, Source, Token}
  alias HfHub.Native.Nif

  # More to one host than any answers gladly.
  @max_connections 64

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
  def cache_dir, do: expand(Setting.value(:cache_dir))

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

  @doc false
  # What the engine needs to talk to a Hub, out of a call's options.
  @spec hub(keyword()) :: {:ok, map()} | {:error, Error.t()}
  def hub(opts) do
    with {:ok, token} <- Token.find(opts[:token]) do
      network = network(opts)
      if token, do: say_if_withheld(network)
      {:ok, Map.merge(network, secret(token))}
    end
  end

  # Once for each endpoint: public files are read all the same.
  defp say_if_withheld(%{endpoint: endpoint, allow_http_token: allowed, offline: offline}) do
    key = {__MODULE__, :withheld, endpoint}
    why = unless offline or :persistent_term.get(key, false), do: Nif.withheld(endpoint, allowed)

    if why do
      :persistent_term.put(key, true)
      Logger.warning("requests that only read go without the token: #{why}")
    end
  end

  defp network(opts) do
    first = Setting.value(:etag_timeout, opts)

    %{
      endpoint: opts[:endpoint] || endpoint(),
      user_agent: user_agent(),
      offline: offline?(),
      allow_http_token: Setting.value(:allow_http_token, opts),
      connect_timeout: first,
      header_timeout: first,
      idle_timeout: Setting.value(:download_timeout, opts),
      timeout: if(opts[:timeout] != :infinity, do: opts[:timeout]),
      retries: min(opts[:retries] || 0, 1000),
      retry_delay: opts[:retry_delay],
      http_proxy: proxy(:http_proxy),
      https_proxy: proxy(:https_proxy),
      no_proxy: Setting.value(:no_proxy),
      ca_files: ca_files(),
      max_connections: min(Setting.value(:max_connections, opts), @max_connections),
      max_bandwidth: max_bandwidth(opts[:max_bandwidth])
    }
  end

  # A stack trace shows the arguments of a call that fails, so the token is none of them.
  defp secret(nil), do: %{token: nil, token_source: nil}
  defp secret({text, origin}), do: %{token: Nif.secret(text), token_source: Token.place(origin)}

  @doc false
  @spec expand(Path.t()) :: Path.t()
  defdelegate expand(path), to: Source

  @doc false
  def put(key, value), do: Application.put_env(:hf_hub, key, value)

  @doc false
  def delete(key), do: Application.delete_env(:hf_hub, key)

  @doc false
  def symlinks?, do: Setting.value(:symlinks)

  @doc false
  # `nil` where nobody has decided.
  def progress_bars?, do: Setting.value(:progress_bars)

  @doc false
  def local_hub_executable, do: Setting.value(:local_hub_executable)

  @doc false
  def cargo_target_dir, do: Source.env("CARGO_TARGET_DIR")

  # The VM's own limit is kept by the engine; `config` may have changed it since.
  defp max_bandwidth(limit) do
    if bytes = Setting.value(:max_bandwidth), do: Nif.set_bandwidth(Nif.vm_bandwidth(), bytes)

    case limit do
      nil -> nil
      %Bandwidth{ref: ref} -> ref
      bytes -> Bandwidth.new(bytes).ref
    end
  end

  # With its name, for the words of errors.
  defp proxy(name) do
    with {url, origin} when url != nil <- Setting.find(name),
         do: %{url: url, source: Token.place(origin)},
         else: (_ -> nil)
  end

  defp ca_files, do: Enum.flat_map(ca_places(), &files_in/1)

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
    origin = Setting.value(:user_agent_origin)
    origin = if origin, do: "; origin/#{origin}", else: ""
    "hf_hub_elixir/#{HfHub.version()}; elixir/#{System.version()}; otp/#{System.otp_release()}#{origin}"
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
      is_binary(given) -> masked(Token.find(given))
      # Nobody who asks what the settings are wants a token to be made.
      Setting.value(:oidc_resource) -> {"one of the job's own", {:env, "HF_OIDC_RESOURCE"}}
      given || Setting.value(:implicit_token) -> masked({:ok, Token.stored()})
      true -> {nil, {:env, "HF_HUB_DISABLE_IMPLICIT_TOKEN"}}
    end
  end

  defp masked({:ok, {text, origin}}), do: {Token.mask(text), origin}
  defp masked(_none), do: {nil, :default}

  defp ca_places do
    named = List.wrap(Setting.value(:ca_file))
    folders = String.split(Setting.value(:ca_dir) || "", ":", trim: true)

    # Folders that do not exist are usual in SSL_CERT_DIR; if none does, the first is what the
    # error names.
    case {named, Enum.filter(folders, &File.dir?/1)} do
      {[], []} -> Enum.take(folders, 1)
      {[], folders} -> folders
      {named, _folders} -> named
    end
  end
end
