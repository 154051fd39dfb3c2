defmodule HfHub.Case do
  # Tests against the real Local Hub: each creates separate repositories, so all can run concurrently.
  # The Hub's log of requests and its faults are selected by the repository's name.
  @moduledoc false

  use ExUnit.CaseTemplate

  alias HfHub.{LocalHub, Request}

  # `hub: :own` starts a Local Hub for a module that no other module injects faults into.
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
      # If the library itself is built, its tests, which contain the word, are among the files.
      unless context[:build], do: HfHub.Canary.check!(dir)
      File.rm_rf!(dir)
    end)

    {:ok, dir: dir, cache: Path.join(dir, "cache"), endpoint: endpoint()}
  end

  @doc "Returns the Local Hub of the test, or of the test that started this process: the suite's, or the module's."
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
      # After the last test, so none of them can fail.
      fail_suite("the suite has leaked a token", HfHub.Canary.files(root) ++ HfHub.Canary.seen())
      File.rm_rf!(root)
    end)
  end

  @doc "Lets the suite fail if there are such findings."
  def fail_suite(_what, []), do: :ok

  def fail_suite(what, findings) do
    System.at_exit(fn _status ->
      IO.puts(:stderr, "#{what}: #{inspect(findings)}")
      exit({:shutdown, 1})
    end)
  end

  defp start_hub(root) do
    # Small parts, so that small files have several.
    args = ["--multipart-threshold", "1000000", "--part-size", "400000"]
    {:ok, hub} = LocalHub.start_link(root: root, test_control: true, args: args)
    LocalHub.command!(hub, ["user", "add", "reader", "--token", token()])
    hub
  end

  @doc "Setup: starts a separate Local Hub for the tests of one module."
  def own_hub(_context) do
    root =
      Path.join(System.tmp_dir!(), "hf_hub_own_root_#{System.pid()}_#{System.unique_integer([:positive])}")

    ExUnit.Callbacks.on_exit(fn ->
      leaks = HfHub.Canary.files(root)
      File.rm_rf!(root)
      if leaks != [], do: raise("a token was leaked to #{inspect(leaks)}")
    end)

    {:ok, hub: start_hub(root)}
  end

  @doc "Unsets variables for a test that sets them, and restores them after it. For tests that are not async."
  def own_env(names) do
    before = Map.take(System.get_env(), names)
    Enum.each(names, &System.delete_env/1)

    ExUnit.Callbacks.on_exit(fn ->
      Enum.each(names, &System.delete_env/1)
      System.put_env(before)
      for {key, _value} <- Application.get_all_env(:hf_hub), do: Application.delete_env(:hf_hub, key)
    end)
  end

  @doc "Loads the stub of a package, of `test/support`, until the test ends. For tests that are not async."
  def stub(name) do
    path = Path.expand("#{name}_stub.exs", __DIR__)
    modules = for {module, _code} <- Code.compile_file(path), do: module

    ExUnit.Callbacks.on_exit(fn ->
      for module <- modules do
        :code.purge(module)
        :code.delete(module)
      end
    end)
  end

  @doc "Returns a token that is valid at the suite's Local Hub."
  def token, do: "hf_CANARYaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

  @doc "Commits a map of file names to contents to a new repository; returns its id and commit."
  def repo(context, files, opts \\ []) do
    id = opts[:id] || "org/repo-#{System.unique_integer([:positive])}-#{System.pid()}"
    folder = folder(context, files)
    commit = LocalHub.import_folder!(hub(), folder, id, Keyword.delete(opts, :id))
    {id, commit}
  end

  @doc "Writes a map of file names to contents to a new folder."
  def folder(context, files) do
    write_files(Path.join(context.dir, "source#{System.unique_integer([:positive])}"), files)
  end

  @doc "Writes a map of file names to contents to a folder, and returns it."
  def write_files(folder, files) do
    for {name, content} <- files do
      path = Path.join(folder, name)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, content)
    end

    folder
  end

  @doc "Setup: creates a new `:account` in the organization `org`, with a token that may write and one that may not."
  def writer(_context) do
    account = "writer#{System.unique_integer([:positive])}"
    add = fn token, role -> ["user", "add", account, "--org", "org", "--role", role, "--token", token] end
    LocalHub.command!(hub(), add.("hf_w_#{account}", "write"))
    LocalHub.command!(hub(), add.("hf_r_#{account}", "read"))
    {:ok, account: account, writer: "hf_w_#{account}", reader: "hf_r_#{account}"}
  end

  @doc "Creates a repository with these files that the suite's token may write to; `*.bin` are large files."
  def writable(context, files \\ %{}, opts \\ []) do
    id = "reader/up-#{System.unique_integer([:positive])}-#{System.pid()}"
    attributes = %{".gitattributes" => "*.bin filter=lfs diff=lfs merge=lfs -text\n"}
    {id, _commit} = repo(context, Map.merge(attributes, files), [id: id] ++ opts)
    id
  end

  @doc "Returns options of a call that writes to the Local Hub."
  def write(more \\ []), do: Keyword.merge([endpoint: endpoint(), token: token(), retry_delay: 10], more)

  @doc "Downloads a repository; returns a map of file names to contents."
  def content(context, id, more \\ []) do
    cache = Path.join(context.dir, "cache#{System.unique_integer([:positive])}")
    opts = [repo_id: id, endpoint: endpoint(), cache_dir: cache, token: token()]
    folder = HfHub.Download.snapshot_download!(Keyword.merge(opts, more))

    for path <- Path.wildcard(folder <> "/**", match_dot: true), File.regular?(path), into: %{} do
      {Path.relative_to(path, folder), File.read!(path)}
    end
  end

  @doc "Returns the titles of a repository's commits, newest first."
  def titles(id, more \\ []), do: for(commit <- HfHub.Git.list_commits!(id, write(more)), do: commit.title)

  @doc "Returns the requests about a repository whose path contains `what`."
  def asked(id, what), do: for(request <- requests(id), request["path"] =~ what, do: request)

  @doc "Returns random content for a large file."
  def large(bytes), do: :crypto.strong_rand_bytes(bytes)

  @doc "Returns options for a call to the Local Hub, with a separate cache for the test."
  def opts(context, more \\ []) do
    Keyword.merge([endpoint: context.endpoint, cache_dir: context.cache, retry_delay: 10], more)
  end

  @doc "Returns the Hub's log of requests about a repository, or about a large file by its hash."
  def requests(of) do
    needle = if byte_size(of) > 200, do: sha256(of), else: of
    {:ok, found} = test_route(:get, "requests", endpoint()) |> Request.query(path: needle) |> Request.run()
    found
  end

  # Returns the last progress report in the mailbox, and removes all of them.
  def last_progress(last \\ nil) do
    receive do
      {:progress, progress} -> last_progress(progress)
    after
      0 -> last
    end
  end

  # Serves a folder by OTP's own web server until the end of the test; returns its URL.
  def static_files(folder) do
    {:ok, _} = Application.ensure_all_started(:inets)
    folder = to_charlist(folder)
    where = [port: 0, bind_address: {127, 0, 0, 1}, server_name: ~c"static"]
    {:ok, server} = :inets.start(:httpd, where ++ [server_root: folder, document_root: folder])
    ExUnit.Callbacks.on_exit(fn -> :inets.stop(:httpd, server) end)
    "http://127.0.0.1:#{:httpd.info(server)[:port]}"
  end

  def sha256(content), do: :crypto.hash(:sha256, content) |> Base.encode16(case: :lower)

  @doc "Injects a fault for paths that contain `match`."
  def fault(match, fault, more \\ %{}) do
    control(:post, "faults", Map.merge(%{match: match, fault: fault}, more))
  end

  @doc """
  Makes a repository speak a dialect (see `faults/dialects.json` of the server), also in responses with these contents of
  large files. Returns the endpoint.
  """
  def dialect(id, name, contents \\ []) do
    [%{"prefix" => prefix} | _] =
      for repo <- [id | Enum.map(contents, &sha256/1)] do
        control(:post, "dialects", %{dialect: name, repo: repo})
      end

    endpoint() <> prefix
  end

  @doc "Returns the number of open connections to both origins."
  def open_connections do
    counts = control(:get, "connections")
    counts["hub"]["open"] + counts["cdn"]["open"]
  end

  @doc "Sends a request to the test routes of a Hub, by default the suite's."
  def control(method, what, body \\ nil, endpoint \\ endpoint()) do
    request = test_route(method, what, endpoint)
    {:ok, answer} = Request.run(if body, do: Request.json(request, body), else: request)
    answer
  end

  defp test_route(method, what, endpoint) do
    Request.new(method, "/_test/:what", [what: what], endpoint: endpoint, retries: 0, token: false)
  end

  @doc "Mounts a file system until the end of the test."
  def mounted(args) do
    {output, status} = System.cmd("mount", args, stderr_to_stdout: true)
    ExUnit.Assertions.assert(status == 0, output)
    ExUnit.Callbacks.on_exit(fn -> System.cmd("umount", ["-l", List.last(args)]) end)
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

  @doc "Returns all files below a folder: name => {:link, target} or {:file, content}."
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
