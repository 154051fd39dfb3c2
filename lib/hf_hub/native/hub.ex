defmodule HfHub.Native.Hub do
  # The network settings of a call, in one map for the engine.
  @moduledoc false

  require Logger

  alias HfHub.Auth.Credentials
  alias HfHub.{Bandwidth, Config, Error}
  alias HfHub.Config.{Setting, Source, Token}
  alias HfHub.Error.Hint
  alias HfHub.Native.Nif

  # Servers reject or slow down clients with more connections.
  @max_connections 64

  @version Mix.Project.config()[:version]

  @doc "Returns the version of this library. It is here because the user agent names it, and `HfHub` is built on this module."
  @spec version() :: String.t()
  def version, do: @version

  @doc "Returns the network settings of a call, from its options and `HfHub.Config`."
  @spec config(keyword()) :: {:ok, map()} | {:error, Error.t()}
  def config(opts) do
    with {:ok, token} <- Credentials.find(opts[:token]) do
      network = network(opts)
      if token, do: warn_if_withheld(network)
      {:ok, Map.merge(network, secret(token))}
    end
  end

  # Logged once per endpoint. Requests for public files succeed without the token.
  defp warn_if_withheld(%{endpoint: endpoint, allow_http_token: allowed, offline: offline}) do
    key = {__MODULE__, :withheld, endpoint}
    origin = unless offline or :persistent_term.get(key, false), do: Nif.withheld(endpoint, allowed)

    if origin do
      :persistent_term.put(key, true)

      Logger.warning(
        "the token is not sent with requests that only read: it could be read in transit to #{origin} over plain http" <>
          Hint.sentence(%{"hint" => "allow_http_token", "origin" => origin})
      )
    end
  end

  defp network(opts) do
    first = Setting.value(:etag_timeout, opts)

    %{
      endpoint: opts[:endpoint] || Config.endpoint(),
      user_agent: user_agent(),
      offline: opts[:offline] || Config.offline?(),
      allow_http_token: Setting.value(:allow_http_token, opts),
      connect_timeout: first,
      header_timeout: opts[:header_timeout] || first,
      idle_timeout: Setting.value(:download_timeout, opts),
      timeout: if(opts[:timeout] != :infinity, do: opts[:timeout]),
      retries: min(opts[:retries] || 0, 1000),
      retry_delay: opts[:retry_delay],
      http_proxy: proxy(:http_proxy),
      https_proxy: proxy(:https_proxy),
      no_proxy: Setting.value(:no_proxy),
      ca_files: ca_files(),
      max_connections: min(Setting.value(:max_connections, opts), @max_connections),
      max_bandwidth: max_bandwidth(opts[:max_bandwidth]),
      xet: if(Keyword.has_key?(opts, :xet), do: xet(Setting.value(:xet, opts)))
    }
  end

  defp xet(false), do: nil

  defp xet(mode) do
    %{
      mode: if(mode == true, do: :always, else: :auto),
      cache_dir: Source.expand(Setting.value(:xet_cache_dir)),
      buffer: Setting.value(:xet_buffer)
    }
  rescue
    # Without a home folder, as some services are, there is no place for the folder.
    ArgumentError -> nil
  end

  # A stack trace may show the arguments of a failed call, so the token is passed as an opaque reference.
  defp secret(nil), do: %{token: nil, token_source: nil}
  defp secret({text, origin}), do: %{token: Nif.secret(text), token_source: Token.place(origin)}

  # The engine holds the VM's limit, which `config :hf_hub` may have changed since.
  defp max_bandwidth(limit) do
    if bytes = Setting.value(:max_bandwidth), do: Nif.set_bandwidth(Nif.vm_bandwidth(), bytes)

    case limit do
      nil -> nil
      %Bandwidth{ref: ref} -> ref
      bytes -> Bandwidth.new(bytes).ref
    end
  end

  # With its source, for error messages.
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
    origin = if text = Setting.value(:user_agent_origin), do: "origin/#{text}"
    own = ["hf_hub_elixir/#{@version}", "elixir/#{System.version()}", "otp/#{System.otp_release()}"]
    Enum.join(own ++ Enum.reject([Setting.value(:user_agent), origin], &is_nil/1), "; ")
  end

  defp ca_places do
    named = List.wrap(Setting.value(:ca_file))
    folders = String.split(Setting.value(:ca_dir) || "", ":", trim: true)

    # SSL_CERT_DIR often lists folders that do not exist. If none exists, the error names the first.
    case {named, Enum.filter(folders, &File.dir?/1)} do
      {[], []} -> Enum.take(folders, 1)
      {[], folders} -> folders
      {named, _folders} -> named
    end
  end
end
