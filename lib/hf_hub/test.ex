defmodule HfHub.Test do
  @moduledoc ~S"""
  Hubs for the ExUnit suites of applications that use this library.

  A test starts a Hub with the repositories that it needs, and passes `opts/2` to the code that it tests. Each test has
  a Hub and a cache of its own, so tests can be `async: true`, and no request leaves the machine.

      defmodule MyApp.ModelsTest do
        use ExUnit.Case, async: true
        import HfHub.Test

        test "loads the model" do
          hub = start_hub(%{"org/model" => %{"config.json" => ~s({"hidden_size": 2})}})
          assert MyApp.Models.hidden_size("org/model", opts(hub)) == 2
        end

        test "reports an outage of the Hub" do
          hub = start_hub(%{"org/model" => %{"config.json" => "{}"}})
          fault(hub, "config.json", {:status, 503})
          assert {:error, :unavailable} = MyApp.Models.hidden_size("org/model", opts(hub))
          assert [%{status: 503} | _retries] = requests(hub, "config.json")
        end
      end

  Code that takes no options reads the settings of `HfHub.Config`; `configure/1` sets them for a test that is not async.

  ## Two kinds of Hub

  | | `start_hub/2` | `start_local_hub/2` |
  |---|---|---|
  | what it is | a server in this VM, of maps | the Local Hub, a program (see `HfHub.LocalHub`) |
  | needs | nothing | the executable, which is built once with cargo |
  | starts in | a millisecond | a few milliseconds |
  | downloads, snapshots, listings, information | yes | yes |
  | uploads, commits, branches, users, rights, git | no; script them with `:routes` | yes |

  Both are started under the supervisor of the test and end with it. A request for which a scripted Hub has no route is an
  error of status 501 that names the route.

  ## Faults

  `fault/4` makes requests fail whose path contains a text, or matches a pattern in which `*` also matches `/`:

  | fault | effect |
  |---|---|
  | `{:status, code}`, `{:status, code, headers}` | the response has this status and no body |
  | `{:rate_limit, seconds}` | 429, and the time to wait |
  | `{:cut, bytes}` | the connection ends after this number of bytes of the body |
  | `{:stall, bytes}` | nothing more is sent after this number of bytes, and the connection stays open |
  | `{:body, text}` | the body is another text |
  | `{:corrupt, offset}` | one bit of the body differs |
  | `{:delay, milliseconds}` | the response is late |
  | `:hang` | no response is sent |
  | `:hang_up` | the connection ends before the response |

  The Hub that a test of retries waits for should retry soon: `opts/2` contains `retry_delay: 10`.
  """

  alias HfHub.Config.Source
  alias HfHub.LocalHub
  alias HfHub.{Options, Request}
  alias HfHub.Test.{Fault, Hub, Match, Script, ScriptedHub}

  @token "hf_test"

  @scripted [
    token: [
      type: :string,
      default: @token,
      doc: "Token for which the Hub returns an account. No other request requires one."
    ],
    routes: [
      type: :map,
      default: %{},
      doc:
        "Responses by method and path, such as `%{\"GET /api/models\" => [%{id: \"org/model\"}]}`. A response is " <>
          "`{status, headers, body}`, `{status, json}`, JSON, or a function that gets the request as a map of `:method`, " <>
          "`:path`, `:query`, `:headers` and `:body`, and returns one of these. If it raises, or an assertion in it fails, " <>
          "the test fails."
    ]
  ]

  @local [
    args: [type: {:list, :string}, default: [], doc: "Additional arguments of `hf_hub_server serve`."],
    executable: [type: :string, doc: "Path of the server executable; see `HfHub.LocalHub`."]
  ]

  @fault [
    times: [
      type: {:or, [:pos_integer, {:in, [:infinity]}]},
      default: :infinity,
      doc: "Number of requests to affect."
    ],
    skip: [
      type: :non_neg_integer,
      default: 0,
      doc: "Number of matching requests that are not affected first."
    ],
    method: [type: :string, doc: "Method of the requests, such as `\"GET\"`. Defaults to any."]
  ]

  @type repos :: %{String.t() => %{String.t() => binary()}}

  @type fault ::
          {:status, pos_integer()}
          | {:status, pos_integer(), [{String.t(), String.t()}]}
          | {:rate_limit, non_neg_integer()}
          | {:cut | :stall | :corrupt | :delay, non_neg_integer()}
          | {:body, String.t()}
          | :hang
          | :hang_up

  @doc """
  Starts a scripted Hub for the running test.

  The keys of `repos` are ids, which begin with `datasets/` or `spaces/` for other repositories than models; the values
  are maps of file names to contents. The only branch is `main`.

  ## Options

  #{Options.docs(@scripted)}

  ## Examples

      hub =
        HfHub.Test.start_hub(%{
          "org/model" => %{"config.json" => "{}"},
          "datasets/org/data" => %{"a.csv" => "1"}
        })

      HfHub.Download.hf_hub_download!(
        HfHub.Test.opts(hub, repo_id: "org/model", filename: "config.json")
      )
  """
  @spec start_hub(repos(), keyword()) :: Hub.t()
  def start_hub(repos \\ %{}, opts \\ []) do
    opts = Options.validate!(opts, @scripted)
    given = %{token: opts[:token], repos: Script.repos!(repos), routes: Script.routes!(opts[:routes])}
    pid = start_supervised!(ScriptedHub, Map.put(given, :failures, failures()))
    hub(:scripted, pid, GenServer.call(pid, :endpoint), opts[:token])
  end

  # The Hub has ended when the test ends, so this process is not one of its supervisor.
  defp failures do
    {:ok, failures} = Agent.start(fn -> [] end)

    on_exit(fn ->
      found = Agent.get(failures, & &1)
      Agent.stop(failures)
      with {kind, reason, stacktrace} <- List.last(found), do: :erlang.raise(kind, reason, stacktrace)
    end)

    failures
  end

  @doc """
  Starts a Local Hub for the running test, with the repositories, and an account `tester` whose token may write.

  ## Options

  #{Options.docs(@local)}

  ## Examples

      hub = HfHub.Test.start_local_hub(%{"org/model" => %{"config.json" => "{}"}})
      HfHub.Commit.upload_file!({:binary, "weights"}, "model.bin", "tester/new", HfHub.Test.opts(hub))
  """
  @spec start_local_hub(repos(), keyword()) :: Hub.t()
  def start_local_hub(repos \\ %{}, opts \\ []) do
    opts = Options.validate!(opts, @local)
    repos = Script.repos!(repos)
    folder = folder()

    pid =
      start_supervised!(
        LocalHub,
        [root: Path.join(folder, "root"), test_control: true] ++ Options.given(opts)
      )

    token = pid |> LocalHub.command!(["user", "add", "tester"]) |> String.trim()
    hub = hub(:local, pid, LocalHub.endpoint(pid), token)
    for {repo, files} <- repos, do: put_repo(hub, repo, files)
    hub
  end

  defp hub(kind, pid, endpoint, token),
    do: %Hub{kind: kind, pid: pid, endpoint: endpoint, token: token, cache_dir: Path.join(folder(), "cache")}

  # Not called by name: ExUnit is not an application that this library depends on.
  defp start_supervised!(module, argument) do
    child = %{id: {module, make_ref()}, start: {module, :start_link, [argument]}}
    apply(ExUnit.Callbacks, :start_supervised!, [child])
  end

  defp on_exit(fun), do: apply(ExUnit.Callbacks, :on_exit, [fun])

  defp folder do
    name = "hf_hub_test_#{System.pid()}_#{System.unique_integer([:positive])}"
    folder = Path.join(System.tmp_dir!(), name)
    File.mkdir_p!(folder)
    on_exit(fn -> File.rm_rf!(folder) end)
    folder
  end

  @doc """
  Returns the options of a call to the Hub: its endpoint and token, a cache folder of the test, and short delays between
  retries. `more` takes precedence.

  The cache folder is left out if `cache_dir: nil` is given, for calls that have no such option.

  ## Examples

      HfHub.Api.model_info("org/model", HfHub.Test.opts(hub, cache_dir: nil))
  """
  @spec opts(Hub.t(), keyword()) :: keyword()
  def opts(hub, more \\ []) do
    [endpoint: hub.endpoint, token: hub.token, cache_dir: hub.cache_dir, retry_delay: 10]
    |> Keyword.merge(more)
    |> Options.given()
  end

  @doc """
  Sets the endpoint, the token and the cache folder of the VM to those of the Hub, and turns offline mode off, until the
  test ends.

  For tests of code that takes no options. Such a test must not be async.

  ## Examples

      setup do
        HfHub.Test.configure(HfHub.Test.start_hub(%{"org/model" => %{"config.json" => "{}"}}))
      end
  """
  @spec configure(Hub.t()) :: :ok
  def configure(hub) do
    given = [
      endpoint: {hub.endpoint, :string},
      token: {hub.token, :string},
      cache_dir: {hub.cache_dir, :path},
      offline: {false, :boolean}
    ]

    for {key, {value, type}} <- given do
      before = Source.app(key, type)
      Source.put(key, value)
      on_exit(fn -> if before == nil, do: Source.delete(key), else: Source.put(key, before) end)
    end

    :ok
  end

  @doc """
  Creates a repository, or commits other files to it. A scripted Hub then has these files only.

  ## Examples

      HfHub.Test.put_repo(hub, "org/model", %{"config.json" => ~s({"version": 2})})
  """
  @spec put_repo(Hub.t(), String.t(), %{String.t() => binary()}) :: :ok
  def put_repo(%Hub{kind: :scripted} = hub, repo, files),
    do: GenServer.call(hub.pid, {:put, repo, Script.files!(repo, files)})

  def put_repo(%Hub{kind: :local} = hub, repo, files) do
    source = folder()

    for {name, content} <- Script.files!(repo, files) do
      path = Path.join(source, name)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, content)
    end

    {id, type} = Script.typed(repo)
    LocalHub.import_folder!(hub.pid, source, id, repo_type: type)
    :ok
  end

  @doc """
  Makes requests fail whose path contains `match`, or matches it as a pattern; the module docs list the faults.

  ## Options

  #{Options.docs(@fault)}

  ## Examples

      HfHub.Test.fault(hub, "model.safetensors", {:cut, 1_000}, times: 1)
  """
  @spec fault(Hub.t(), String.t(), fault(), keyword()) :: :ok
  def fault(%Hub{} = hub, match, fault, opts \\ []) do
    Match.check!(match)
    opts = Options.validate!(opts, @fault)
    rule = Fault.native!(fault)

    case hub.kind do
      :scripted -> GenServer.call(hub.pid, {:fault, Map.merge(Map.new(opts), %{match: match, fault: fault})})
      :local -> plant(hub, Map.merge(limits(opts), %{match: match, fault: rule}))
    end
  end

  defp limits(opts) do
    times = if opts[:times] == :infinity, do: %{}, else: %{times: opts[:times]}
    method = if opts[:method], do: %{method: opts[:method]}, else: %{}
    Map.merge(%{skip: opts[:skip]}, Map.merge(times, method))
  end

  defp plant(hub, rule) do
    {:ok, _added} = control(:post, "faults", hub) |> Request.json(rule) |> Request.run()
    :ok
  end

  @doc """
  Removes all faults of the Hub.

  ## Examples

      HfHub.Test.clear_faults(hub)
      #=> :ok
  """
  @spec clear_faults(Hub.t()) :: :ok
  def clear_faults(%{kind: :scripted} = hub), do: GenServer.call(hub.pid, :clear_faults)

  def clear_faults(%{kind: :local} = hub) do
    :ok = Request.effect(control(:delete, "faults", hub))
  end

  @doc """
  Returns the requests that the Hub has received, in their order. `match` selects them as in `fault/4`.

  ## Examples

      assert [] = HfHub.Test.requests(hub, "model.safetensors")
  """
  @spec requests(Hub.t(), String.t()) :: [HfHub.Test.Request.t()]
  def requests(%Hub{} = hub, match \\ "") do
    Match.check!(match)
    for request <- received(hub), Match.path?(match, request.path), do: request
  end

  defp received(%{kind: :scripted} = hub), do: GenServer.call(hub.pid, :requests)

  defp received(%{kind: :local} = hub) do
    {:ok, requests} = Request.run(control(:get, "requests", hub), [HfHub.Test.Request])
    requests
  end

  defp control(method, what, hub),
    do: Request.new(method, "/_test/:what", [what: what], endpoint: hub.endpoint, retries: 0, token: false)
end
