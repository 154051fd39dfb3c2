defmodule HfHub.Case do
  # Tests against the real Local Hub: each makes repositories of its own, so all can run at once.
  # The Hub's log of requests and its faults are told apart by the repository's name.
  @moduledoc false

  use ExUnit.CaseTemplate

  alias HfHub.{LocalHub, Request}

  # `hub: :own` gives the tests of a module a Local Hub that no other module plants faults in.
  using opts do
    quote do
      import HfHub.Case
      if unquote(opts)[:hub] == :own, do: setup_all(:own_hub)
    end
  end

  setup context do
    Process.put(__MODULE__, context[:hub])
    dir = Path.join(System.tmp_dir!(), "hf_hub_test_#{System.pid()}_#{System.unique_integer([:positive])}")
    File.mkdir_p!(dir)

    on_exit(fn ->
      # Where the library itself is built, its tests lie among the files, and they know the word.
      unless context[:build], do: HfHub.Canary.check!(dir)
      File.rm_rf!(dir)
    end)

    {:ok, dir: dir, cache: Path.join(dir, "cache"), endpoint: endpoint()}
  end

  @doc "The Local Hub of the test, or of the test that started this process: the suite's, or the module's own."
  def hub do
    callers = for caller <- Process.get(:"$callers", []), do: Process.info(caller, :dictionary)
    own = for {:dictionary, entries} <- callers, hub = entries[__MODULE__], do: hub
    Process.get(__MODULE__) || List.first(own) || :persistent_term.get(__MODULE__)
  end

  def endpoint, do: LocalHub.endpoint(hub())

  @doc "Starts the suite's Local Hub."
  def start_hub do
    root = Path.join(System.tmp_dir!(), "hf_hub_test_root_#{System.pid()}")
    hub = start_hub(root)
    :persistent_term.put(__MODULE__, hub)

    ExUnit.after_suite(fn _result ->
      LocalHub.stop(hub)
      # Too late for a test to fail.
      leaks = HfHub.Canary.files(root) ++ HfHub.Canary.seen()
      if leaks != [], do: System.at_exit(fn _ -> exit({:shutdown, IO.inspect(leaks) && 1}) end)
      File.rm_rf!(root)
    end)
  end

  defp start_hub(root) do
    # Parts as small as tests can make them.
    args = ["--multipart-threshold", "1000000", "--part-size", "400000"]
    {:ok, hub} = LocalHub.start_link(root: root, test_control: true, args: args)
    LocalHub.command!(hub, ["user", "add", "reader", "--token", token()])
    hub
  end

  @doc "Setup: a Local Hub for the tests of one module, as the suite's."
  def own_hub(_context) do
    root =
      Path.join(System.tmp_dir!(), "hf_hub_own_root_#{System.pid()}_#{System.unique_integer([:positive])}")

    ExUnit.Callbacks.on_exit(fn ->
      leaks = HfHub.Canary.files(root)
      File.rm_rf!(root)
      if leaks != [], do: raise("a token is in #{inspect(leaks)}")
    end)

    {:ok, hub: start_hub(root)}
  end

  @doc "Unsets variables for a test that sets them, and sets them back after it; for tests that do not run beside others."
  def own_env(names) do
    before = Map.take(System.get_env(), names)
    Enum.each(names, &System.delete_env/1)

    ExUnit.Callbacks.on_exit(fn ->
      Enum.each(names, &System.delete_env/1)
      System.put_env(before)
      for {key, _value} <- Application.get_all_env(:hf_hub), do: Application.delete_env(:hf_hub, key)
    end)
  end

  @doc "A token the suite's Local Hub knows."
  def token, do: "hf_CANARYaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

  @doc "Commits files, a map of names and contents, to a new repository; returns its id and commit."
  def repo(context, files, opts \\ []) do
    id = opts[:id] || "org/repo-#{System.unique_integer([:positive])}-#{System.pid()}"
    folder = folder(context, files)
    commit = LocalHub.import_folder!(hub(), folder, id, Keyword.delete(opts, :id))
    {id, commit}
  end

  @doc "Writes files, a map of names and contents, into a new folder."
  def folder(context, files) do
    folder = Path.join(context.dir, "source#{System.unique_integer([:positive])}")

    for {name, content} <- files do
      path = Path.join(folder, name)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, content)
    end

    folder
  end

  @doc "Setup: a new `:account` of the organization `org`, with a token that may write and one that may not."
  def writer(_context) do
    account = "writer#{System.unique_integer([:positive])}"
    add = fn token, role -> ["user", "add", account, "--org", "org", "--role", role, "--token", token] end
    LocalHub.command!(hub(), add.("hf_w_#{account}", "write"))
    LocalHub.command!(hub(), add.("hf_r_#{account}", "read"))
    {:ok, account: account, writer: "hf_w_#{account}", reader: "hf_r_#{account}"}
  end

  @doc "A repository that the suite's token may write to, with these files; `*.bin` are large ones."
  def writable(context, files \\ %{}, opts \\ []) do
    id = "reader/up-#{System.unique_integer([:positive])}-#{System.pid()}"
    attributes = %{".gitattributes" => "*.bin filter=lfs diff=lfs merge=lfs -text\n"}
    {id, _commit} = repo(context, Map.merge(attributes, files), [id: id] ++ opts)
    id
  end

  @doc "Options of a call that writes to the Local Hub."
  def write(more \\ []), do: Keyword.merge([endpoint: endpoint(), token: token(), retry_delay: 10], more)

  @doc "What a repository holds, read back by a download: name => content."
  def content(context, id, more \\ []) do
    cache = Path.join(context.dir, "cache#{System.unique_integer([:positive])}")
    opts = [repo_id: id, endpoint: endpoint(), cache_dir: cache, token: token()]
    folder = HfHub.Download.snapshot_download!(Keyword.merge(opts, more))

    for path <- Path.wildcard(folder <> "/**", match_dot: true), File.regular?(path), into: %{} do
      {Path.relative_to(path, folder), File.read!(path)}
    end
  end

  @doc "The titles of a repository's commits, the newest first."
  def titles(id, more \\ []), do: for(commit <- HfHub.Git.list_commits!(id, write(more)), do: commit.title)

  @doc "The requests about a repository whose path contains `what`."
  def asked(id, what), do: for(request <- requests(id), request["path"] =~ what, do: request)

  @doc "A file large enough for LFS by its name, with a content of its own."
  def large(bytes), do: :crypto.strong_rand_bytes(bytes)

  @doc "Options that point a call at the Local Hub, with a cache of the test's own."
  def opts(context, more \\ []) do
    Keyword.merge([endpoint: context.endpoint, cache_dir: context.cache, retry_delay: 10], more)
  end

  @doc "What the Hub was asked about a repository, or about a large file by its content."
  def requests(of) do
    needle = if byte_size(of) > 200, do: sha256(of), else: of
    {:ok, found} = test_route(:get, "requests", endpoint()) |> Request.query(path: needle) |> Request.run()
    found
  end

  def sha256(content), do: :crypto.hash(:sha256, content) |> Base.encode16(case: :lower)

  @doc "Plants a fault for paths that contain `match`."
  def fault(match, fault, more \\ %{}) do
    control(:post, "faults", Map.merge(%{match: match, fault: fault}, more))
  end

  @doc """
  Makes a repository speak a dialect (`faults/dialects.json` of the server lists them), and the answers for these
  contents of large files, too. Returns the endpoint.
  """
  def dialect(id, name, contents \\ []) do
    [%{"prefix" => prefix} | _] =
      for repo <- [id | Enum.map(contents, &sha256/1)] do
        control(:post, "dialects", %{dialect: name, repo: repo})
      end

    endpoint() <> prefix
  end

  @doc "Open connections to the origins together."
  def open_connections do
    counts = control(:get, "connections")
    counts["hub"]["open"] + counts["cdn"]["open"]
  end

  @doc "Asks the test routes of a Hub, by default the suite's."
  def control(method, what, body \\ nil, endpoint \\ endpoint()) do
    request = test_route(method, what, endpoint)
    {:ok, answer} = Request.run(if body, do: Request.json(request, body), else: request)
    answer
  end

  defp test_route(method, what, endpoint) do
    Request.new(method, "/_test/:what", [what: what], endpoint: endpoint, retries: 0, token: false)
  end

  @doc "Waits until `fun` returns true."
  def eventually(fun, tries \\ 1000) do
    cond do
      fun.() ->
        true

      tries == 0 ->
        ExUnit.Assertions.flunk("it did not happen")

      true ->
        Process.sleep(10)
        eventually(fun, tries - 1)
    end
  end

  @doc "All files below a folder: name => {:link, target} or {:file, content}."
  def tree(folder) do
    for path <- Path.wildcard(Path.join(folder, "**"), match_dot: true), entry = entry(path), into: %{} do
      {Path.relative_to(path, folder), entry}
    end
  end

  defp entry(path) do
    case File.lstat!(path).type do
      :symlink -> {:link, File.read_link!(path)}
      :regular -> {:file, File.read!(path)}
      :directory -> nil
    end
  end
end
