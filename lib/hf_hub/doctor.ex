defmodule HfHub.Doctor do
  @moduledoc """
  Finds out why calls to the Hub fail on this machine: name resolution, connections, certificates, proxies, the clock, the
  token, the Hub's dialect, the cache folder.

      report = HfHub.Doctor.run()
      IO.puts(report)

  prints one line for each check, and below a failed one what to do about it:

      ok    versions   hf_hub 0.4.1, native library 0.4.1, Elixir 1.14.0, OTP 25, x86_64-pc-linux-gnu
      ok    settings   endpoint (HF_ENDPOINT)
      FAIL  tcp        127.0.0.1:8080: connection refused
                       → nothing listens on this port: check the port in the endpoint, …

  The report contains no token and no password, so it can be pasted into a bug report. `mix hf_hub.doctor` prints it.

  Checks only read from the Hub, with a few small requests. In the cache folder, files are created below a folder that is
  removed at the end.
  """

  alias HfHub.{Config, Options}
  alias HfHub.Config.Source
  alias HfHub.Doctor.{Account, Check, Disk, Hub, Network, Report, Versions}
  alias HfHub.Native.Nif

  @options [
             repo_id: [
               type: :any,
               doc:
                 "Repository to check the access to, in any form that `HfHub.Download` accepts. Its files also show the dialect " <>
                   "of the Hub, for which the default is the first model that the Hub lists."
             ]
           ] ++
             Options.repo_type() ++
             [cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."]] ++
             Keyword.take(Options.common(), [:token, :endpoint, :allow_http_token]) ++
             [
               groups: [
                 type: {:list, {:in, [:network, :hub, :account, :cache]}},
                 default: [:network, :hub, :account, :cache],
                 doc:
                   "Groups of checks to run: `:network` (up to TLS), `:hub` (its responses), `:account` (the token), `:cache`."
               ],
               timeout: [
                 type: :pos_integer,
                 default: 10_000,
                 doc: "Maximum duration of each step over the network, in milliseconds."
               ]
             ]

  @doc """
  Runs all checks and returns their results.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      iex> report = HfHub.Doctor.run(endpoint: "http://127.0.0.1:1", timeout: 1_000)
      iex> for check <- report.checks, check.name == :tcp, do: check.status
      [:error]
  """
  @spec run(keyword()) :: Report.t()
  def run(opts \\ []) do
    opts = Options.validate!(opts, @options)
    checks = Versions.checks()

    if Versions.usable?() and Enum.all?(checks, &(&1.name != :settings or &1.status != :error)) do
      endpoint = String.trim_trailing(opts[:endpoint] || Config.endpoint(), "/")
      place = %{opts: opts, uri: URI.parse(endpoint), endpoint: endpoint, timeout: opts[:timeout]}
      report(checks ++ others(place), endpoint, opts)
    else
      # Every other check would end with the same error.
      report(checks, opts[:endpoint], opts)
    end
  end

  defp report(checks, endpoint, opts),
    do: %Report{checks: Enum.map(checks, &shown(&1, opts)), endpoint: endpoint && masked(endpoint, opts)}

  defp others(place) do
    cache_dir = Source.expand(place.opts[:cache_dir] || Config.cache_dir())
    online(place) ++ if :cache in place.opts[:groups], do: Disk.checks(cache_dir), else: []
  end

  defp online(%{opts: opts} = place) do
    groups = for {group, checks} <- [hub: Hub, account: Account], group in opts[:groups], do: checks

    cond do
      groups == [] and :network not in opts[:groups] -> []
      Config.offline?() -> [offline()]
      true -> reached(place, groups)
    end
  end

  defp offline do
    check(:network, :warning, "offline mode is on, so nothing is requested",
      advice: "unset HF_HUB_OFFLINE, or config :hf_hub, offline: true, to use the network"
    )
  end

  # Requests to a Hub that cannot be reached would fail for the reason that is shown already.
  defp reached(place, groups) do
    {reached?, checks} = Network.checks(place)
    checks ++ if reached?, do: Enum.flat_map(groups, & &1.checks(place)), else: []
  end

  @doc false
  @spec check(atom(), :ok | :warning | :error | :skipped, String.t(), keyword()) :: Check.t()
  def check(name, status, message, more \\ []),
    do: %Check{name: name, status: status, message: message, advice: more[:advice]}

  defp shown(check, opts),
    do: %{check | message: masked(check.message, opts), advice: check.advice && masked(check.advice, opts)}

  # Secrets are recognized by their form; a token that was passed may have any.
  defp masked(text, opts) do
    text = if Versions.usable?(), do: Nif.shown(text, nil), else: text
    if opts[:token] not in [nil, true, false, ""], do: String.replace(text, opts[:token], "****"), else: text
  end
end
