defmodule HfHub.NewcomerTest do
  # The first ten minutes of a new user, in thirty steps: typed into IEx at a terminal, run in a shell and in a release, by
  # an account without any files, on a machine without cargo. Prints a line for each step.
  # HF_HUB_TEST_SHOW=1 also prints what the user sees, for those who judge it by eye.
  use HfHub.Case, async: false

  import HfHub.Newcomer

  alias HfHub.{AccessRequests, Checkout, Commit, LocalHub, Python}

  Code.require_file("../support/bumblebee_reader.exs", __DIR__)

  @moduletag :build
  @moduletag :terminal
  @moduletag timeout: 300_000

  @bert "google-bert/bert-base-cased"
  @writer "hf_CANARYnewcomerwwwwwwwwwwwwwwwwwwwwww"
  @reader "hf_CANARYnewcomerrrrrrrrrrrrrrrrrrrrrrr"

  setup context do
    checkout = Checkout.copy(Path.join(context.dir, "hf_hub"))
    Checkout.release(checkout)
    hub = start(context)
    Process.put(HfHub.Case, hub)
    contents = publish(context, hub)
    account = account(context.dir, [{"HF_ENDPOINT", LocalHub.endpoint(hub)}])

    {:ok,
     hub: hub,
     endpoint: LocalHub.endpoint(hub),
     checkout: checkout,
     contents: contents,
     account: account,
     cache: Path.join(account.home, ".cache/huggingface/hub")}
  end

  defp start(context, more \\ []) do
    {:ok, hub} = LocalHub.start_link([root: Path.join(context.dir, "hub"), test_control: true] ++ more)
    hub
  end

  # What is on the Hub; returns the contents of large files.
  defp publish(context, hub) do
    for {token, role} <- [{@writer, "write"}, {@reader, "read"}],
        do: LocalHub.command!(hub, ["user", "add", "me", "--token", token, "--role", role])

    bert = %{"config.json" => ~s({"architectures": ["BertModel"]}), "tokenizer.json" => "{}"}
    contents = for name <- [:bert, :big, :stopped, :shared, :outage], into: %{}, do: {name, large(20_000_000)}
    config = %{"config.json" => "{}"}
    repo(context, Map.put(bert, "model.safetensors", contents.bert), id: @bert)
    repo(context, Map.put(config, "onnx/model.onnx", "x"), id: "org/extra")

    for name <- [:big, :stopped, :shared, :outage],
        do: repo(context, Map.put(config, "model.safetensors", contents[name]), id: "org/#{name}")

    repo(context, config, id: "meta/gated", gated: :auto)
    repo(context, %{"a file [1].csv" => "1,2"}, id: "org/data", repo_type: :dataset)
    for n <- 1..6, do: repo(context, config, id: "org/whisper-#{n}")
    contents
  end

  # Connections are so slow that there is something to see.
  defp slow(content, bytes_per_second \\ 2_000_000),
    do: fault(sha256(content), %{kind: "throttle", bytes_per_second: bytes_per_second})

  defp download(id, filename, more \\ ""),
    do: ~s|HfHub.Download.hf_hub_download(repo_id: "#{id}", filename: "#{filename}"#{more})|

  test "thirty steps", context do
    iex = iex(context.account)
    context = Map.put(context, :iex, iex)

    walk(
      [
        {1, "reads how to install at the top of the README", &reads_readme/1},
        {2, "installs without cargo, by Mix.install", &installs/1},
        {3, "finds modules by TAB, and their docs by h", &finds_docs/1},
        {4, "downloads a file", &downloads/1},
        {5, "downloads it again, from the cache", &downloads_again/1},
        {6, "reads it, and so does Python", &reads/1},
        {7, "mistypes an option", &mistypes_options/1},
        {8, "mistypes a repository, a file and a revision", &mistypes_names/1},
        {9, "pastes an id, a URL, a URI and a tuple", &pastes/1},
        {10, "needs a token for a gated model", &needs_token/1},
        {11, "sets the token in Livebook, and runs the cell again", &sets_token/1},
        {12, "asks whose token it is", &asks_whoami/1},
        {13, "downloads a repository, and watches the progress", &watches/1},
        {14, "stops a download in the middle", &stops/1},
        {15, "continues it", &continues/1},
        {16, "downloads the same file in two notebooks at once", &downloads_twice/1},
        {17, "loses the Hub during a download, and gets it back", &loses_hub/1},
        {18, "sets a proxy", &sets_proxy/1},
        {19, "works offline", &works_offline/1},
        {20, "looks at the cache, and deletes a repository", &frees_space/1},
        {21, "passes a model to Bumblebee as a folder", &passes_folder/1},
        {22, "runs unchanged Bumblebee code offline", &seeds_bumblebee/1},
        {23, "shows progress in an own interface", &receives_progress/1},
        {24, "searches models, also lazily", &searches/1},
        {25, "downloads a file of a dataset with an unusual name", &downloads_dataset/1},
        {26, "uploads a file, without and with the right to", &uploads/1},
        {27, "downloads by a Mix task without a terminal", &runs_task/1},
        {28, "builds a release, and runs it elsewhere", &runs_release/1},
        {29, "has no room on the disk", &has_no_room/1},
        {30, "asks the doctor", &asks_doctor/1}
      ],
      context
    )
  end

  defp reads_readme(context) do
    top = context.checkout |> Path.join("README.md") |> File.stream!() |> Enum.take(40) |> Enum.join()
    for text <- ["{:hf_hub, path:", "Mix.install(", "cargo", "Linux x86-64"], do: assert(top =~ text)
    :by_eye
  end

  defp installs(%{iex: iex} = context) do
    screen = type(iex, ~s|Mix.install([{:hf_hub, path: "#{context.checkout}"}])|)
    assert screen =~ "Downloading the native part of hf_hub from http://127.0.0.1"
    assert screen =~ ":ok\n" or screen =~ ":ok\r\n"
    refute screen =~ ~r/warning|error/i
  end

  defp finds_docs(%{iex: iex}) do
    screen = press(iex, "HfHub.\t", "Webhooks")
    for name <- ~w(Api Auth Cache Commit Download Repo), do: assert(screen =~ name)
    # Clears the line.
    press(iex, "\x15:line\n", ~r/iex\(\d+\)> \z/)
    screen = type(iex, "h HfHub")
    for name <- ~w(Download Commit Api Repo Git Cards Cache), do: assert(screen =~ "HfHub.#{name}")
    screen = type(iex, "h HfHub.Download.hf_hub_download")
    assert screen =~ "repo_id: \"openai-community/gpt2\"" and screen =~ ":progress"
    :by_eye
  end

  defp downloads(%{iex: iex} = context) do
    screen = type(iex, "{:ok, path} = " <> download(@bert, "config.json"))
    name = "models--google-bert--bert-base-cased"
    assert screen =~ ~r"#{context.cache}/#{name}/snapshots/[0-9a-f]{40}/config.json"
  end

  defp downloads_again(%{iex: iex}) do
    before = length(asked(@bert, "/resolve/"))
    screen = type(iex, "{:ok, ^path} = " <> download(@bert, "config.json"))
    assert screen =~ ~r/\n\{:ok,/
    # Only asks whether the branch has moved.
    assert length(asked(@bert, "/resolve/")) <= before + 1
  end

  defp reads(%{iex: iex} = context) do
    assert type(iex, "File.read!(path)") =~ "BertModel"

    if File.exists?(Python.executable()) do
      code = ~s|print(try_to_load_from_cache("#{@bert}", "config.json"))|
      assert Python.run!(code, context.endpoint, context.cache) =~ "/snapshots/"
    end
  end

  defp mistypes_options(%{iex: iex}) do
    for typo <- ["repoid:", "repo:"] do
      screen = type(iex, ~s|HfHub.Download.hf_hub_download(#{typo} "bert", filename: "config.json")|)
      assert screen =~ "(ArgumentError)" and screen =~ "Did you mean :repo_id?"
    end
  end

  defp mistypes_names(%{iex: iex}) do
    repo = type(iex, download("google-bert/bert-base-casd", "config.json"))
    assert repo =~ ":repo_not_found"
    file = type(iex, download(@bert, "confg.json"))
    assert file =~ ":entry_not_found" and file =~ ~S(similar: \"config.json\")
    revision = type(iex, download(@bert, "config.json", ~s|, revision: "mian"|))
    assert revision =~ ":revision_not_found" and revision =~ "main"
    refute repo <> file <> revision =~ "connection"
  end

  defp pastes(%{iex: iex}) do
    for repo <- [
          ~s|"https://huggingface.co/#{@bert}"|,
          ~s|"https://huggingface.co/#{@bert}/tree/main"|,
          ~s|"hf://#{@bert}@main"|,
          ~s|{:hf, "#{@bert}"}|
        ] do
      assert type(iex, ~s|HfHub.Download.hf_hub_download(repo_id: #{repo}, filename: "config.json")|) =~
               "{:ok,"
    end

    url = "https://huggingface.co/#{@bert}/blob/main/config.json"
    assert type(iex, ~s|HfHub.Download.hf_hub_download(repo_id: "#{url}")|) =~ "{:ok,"
    # A repository of the Hub's first days, which this Hub does not have.
    assert type(iex, download("gpt2", "config.json")) =~ "as \\\"namespace/name\\\""
  end

  defp needs_token(%{iex: iex} = context) do
    screen = type(iex, download("meta/gated", "config.json"))
    assert screen =~ ":gated_repo" and unwrapped(screen) =~ "#{context.endpoint}/meta/gated"
    assert unwrapped(screen) =~ "LB_HF_TOKEN"
  end

  # The user has accepted the terms on the page.
  defp sets_token(%{iex: iex} = context) do
    :ok = AccessRequests.request!("meta/gated", endpoint: context.endpoint, token: @writer)
    type(iex, ~s|System.put_env("LB_HF_TOKEN", "#{@reader}")|)
    assert type(iex, download("meta/gated", "config.json")) =~ "{:ok,"
  end

  defp asks_whoami(%{iex: iex}) do
    screen = type(iex, "{:ok, me} = HfHub.Auth.whoami()")
    assert screen =~ "Whoami<me, read token"
    bad = type(iex, ~s|HfHub.Auth.whoami(token: "hf_" <> "bad")|)
    assert bad =~ ":unauthorized"
    screen = screen <> type(iex, "HfHub.Config.explain()")
    refute screen =~ @reader or bad =~ "hf_bad"
  end

  defp watches(%{iex: iex, contents: contents}) do
    slow(contents.big, 4_000_000)
    patterns = ~s|allow_patterns: ["*.json", "*.safetensors"], progress: true|
    screen = type(iex, ~s|HfHub.Download.snapshot_download(repo_id: "org/big", #{patterns})|)
    [line] = for line <- String.split(screen, "\n"), line =~ "%", do: line
    assert line =~ ~r" MB of 20.0 MB  [01]/2 files  .* MB/s  0:0\d left"
    assert line =~ "2/2 files  done"
    assert screen =~ "{:ok,"
  end

  defp stops(%{iex: iex, contents: contents}) do
    slow(contents.stopped)
    type(iex, "cell = spawn(fn -> #{download("org/stopped", "model.safetensors", ", progress: true")} end)")
    see(iex, " MB of ")
    type(iex, "Process.exit(cell, :kill)")
    eventually(fn -> Enum.all?(requests(contents.stopped), & &1["aborted"]) end)
    control(:delete, "faults")
  end

  defp continues(%{iex: iex}) do
    screen = type(iex, download("org/stopped", "model.safetensors", ", progress: true"))
    assert screen =~ "done, resumed at " and screen =~ "{:ok,"
  end

  defp downloads_twice(%{iex: iex, contents: contents} = context) do
    slow(contents.shared)
    other = iex(context.account)
    # As Livebook evaluates the first cell of a guide.
    guide = Path.join(context.checkout, "guides/quickstart.livemd")
    type(other, ~s|[_all, cell] = Regex.run(~r/```elixir\\n(.*?)```/s, File.read!("#{guide}"))|)
    screen = type(other, ~s|Code.eval_string(cell, [], file: "#{guide}#cell:1")|)
    assert screen =~ "{:ok,"
    # The second installation has nothing to do.
    refute screen =~ ~r/Downloading|Compiling/
    call = download("org/shared", "model.safetensors", ", progress: true")
    enter(iex, call)
    seen = see(iex, " MB of ")
    enter(other, call)
    waiting = see(other, "waiting for another process")
    control(:delete, "faults")
    assert prompt(iex, seen) =~ "{:ok,"
    assert prompt(other, waiting) =~ "{:ok,"
    quit(other)
  end

  # A minute, if there is time; a user sees the same.
  defp loses_hub(%{iex: iex, contents: contents} = context) do
    slow(contents.outage)
    enter(iex, download("org/outage", "model.safetensors", ", progress: true"))
    seen = see(iex, " MB of ")
    LocalHub.stop(context.hub)
    seen = seen <> see(iex, "connection lost: gives up in ")
    if System.get_env("HF_HUB_TEST_LONG"), do: Process.sleep(50_000)
    Process.put(HfHub.Case, start(context, port: URI.parse(context.endpoint).port))
    assert prompt(iex, seen) =~ "{:ok,"
  end

  defp sets_proxy(%{iex: iex}) do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, ip: {127, 0, 0, 1}, packet: :line])
    {:ok, port} = :inet.port(listener)
    type(iex, ~s|System.put_env("HTTP_PROXY", "http://127.0.0.1:#{port}")|)
    enter(iex, ~s|HfHub.Api.model_info("org/model", endpoint: "http://hub.example", retries: 0)|)
    {:ok, socket} = :gen_tcp.accept(listener, 10_000)

    assert {:ok, "GET http://hub.example/api/models/org/model HTTP/1.1\r\n"} =
             :gen_tcp.recv(socket, 0, 10_000)

    :gen_tcp.close(socket)
    prompt(iex)
    type(iex, ~s|System.delete_env("HTTP_PROXY")|)
  end

  defp works_offline(%{iex: iex}) do
    type(iex, ~s|System.put_env("HF_HUB_OFFLINE", "1")|)
    assert type(iex, download(@bert, "config.json")) =~ "{:ok,"
    screen = unwrapped(type(iex, download(@bert, "tokenizer.json")))
    assert screen =~ ":not_cached" and screen =~ "offline" and screen =~ "tokenizer.json"
    type(iex, ~s|System.delete_env("HF_HUB_OFFLINE")|)
  end

  defp frees_space(%{iex: iex} = context) do
    assert type(iex, "HfHub.Cache.cache_stats()") =~ "org/big"
    folder = Path.join(context.cache, "models--org--big")
    screen = type(iex, ~s|HfHub.Cache.delete_revisions(["org/big"])|)
    assert screen =~ "{:ok," and screen =~ "freed"
    refute File.exists?(folder)
    :by_eye
  end

  defp passes_folder(%{iex: iex, contents: contents}) do
    screen = unwrapped(type(iex, ~s|{:ok, {:local, folder}} = HfHub.Bumblebee.repo("#{@bert}")|))
    assert [_all, folder] = Regex.run(~r/{:local, *"([^"]+)"}/, screen)

    assert Map.keys(BumblebeeReader.files({:local, folder})) ==
             ~w(config.json model.safetensors tokenizer.json)

    {:ok, path} = BumblebeeReader.download({:local, folder}, "model.safetensors", nil)
    assert File.read!(path) == contents.bert
  end

  defp seeds_bumblebee(%{iex: iex, contents: contents} = context) do
    assert type(iex, ~s|HfHub.Bumblebee.seed_cache("#{@bert}")|) =~ "{:ok,"
    opts = [cache_dir: Path.join(context.account.home, ".cache/bumblebee"), offline: true]
    {:ok, path} = BumblebeeReader.download({:hf, @bert, opts}, "model.safetensors", nil)
    assert File.read!(path) == contents.bert
  end

  defp receives_progress(%{iex: iex}) do
    type(iex, download(@bert, "model.safetensors", ", progress: self(), force_download: true"))
    screen = type(iex, "flush()")
    assert screen =~ "{:hf_hub_progress,\n" or screen =~ "{:hf_hub_progress,\r\n"
    assert screen =~ "activity: :done"
  end

  defp searches(%{iex: iex}) do
    assert type(iex, ~s|HfHub.Api.list_models!(search: "whisper", limit: 5) \|> Enum.map(& &1.id)|) =~
             "org/whisper-"

    screen = type(iex, ~s|HfHub.Api.list_models(search: "whisper", limit: 5)|)
    assert length(String.split(screen, "\n")) < 40

    assert type(iex, ~s|HfHub.Api.stream_models(search: "whisper") \|> Enum.take(3) \|> length()|) =~
             ~r/\n3\r?\n/
  end

  defp downloads_dataset(%{iex: iex}) do
    screen = type(iex, download("org/data", "a file [1].csv", ", repo_type: :dataset"))
    assert unwrapped(screen) =~ "/a file [1].csv\"}"
  end

  defp uploads(%{iex: iex} = context) do
    upload = ~s|HfHub.Commit.upload_file({:binary, "hello"}, "notes/hello.txt", "me/test"|
    type(iex, ~s|System.put_env("LB_HF_TOKEN", "#{@writer}")|)
    assert type(iex, ~s|HfHub.Repo.create("me/test")|) =~ "{:ok,"
    assert unwrapped(type(iex, upload <> ~s|, token: "#{@reader}")|)) =~ "write permission"
    assert unwrapped(type(iex, upload <> ")")) =~ "#{context.endpoint}/me/test/commit/"
    assert content(context, "me/test", token: @writer)["notes/hello.txt"] == "hello"
    assert %{} = Commit.delete_file!("notes/hello.txt", "me/test", endpoint: context.endpoint, token: @writer)
  end

  defp runs_task(context) do
    project(context)
    line = "cd app && mix hf_hub.download #{@bert} --include '*.json'"
    assert {output, 0} = shell(context.account, line)
    assert output =~ "/snapshots/" and not (output =~ "%")
    assert {output, 1} = shell(context.account, "cd app && mix hf_hub.download org/none --include '*.json'")
    assert output =~ "org/none"
    refute output =~ "** ("
  end

  defp runs_release(context) do
    assert {output, 0} =
             shell(context.account, "cd app && mix release --quiet && mv _build/dev/rel/app ~/moved")

    refute output =~ "warning"
    File.rm_rf!(Path.join(context.account.home, "app"))
    call = ~s|IO.puts(HfHub.Download.hf_hub_download!(repo_id: "#{@bert}", filename: "config.json"))|
    assert {output, 0} = shell(context.account, "moved/bin/app eval '#{call}'")
    assert output =~ context.cache
  end

  # Mix.install has compiled the library for the same environment.
  defp project(context) do
    app = Path.join(context.account.home, "app")

    shell(
      context.account,
      "mkdir -p app/_build && cp -a $(ls -d .cache/mix/installs/*/*/_build | head -1)/. app/_build"
    )

    File.write!(Path.join(app, "mix.exs"), """
    defmodule App.MixProject do
      use Mix.Project
      def project, do: [app: :app, version: "1.0.0", deps: [{:hf_hub, path: "#{context.checkout}"}]]
    end
    """)
  end

  defp has_no_room(%{iex: iex, contents: contents} = context) do
    disk = Path.join(context.account.home, "disk")
    File.mkdir!(disk)

    case System.cmd("mount", ["-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", disk], stderr_to_stdout: true) do
      {_, 0} ->
        on_exit(fn -> System.cmd("umount", ["-l", disk]) end)
        before = length(requests(contents.bert))
        screen = type(iex, download(@bert, "model.safetensors", ~s|, cache_dir: "#{disk}"|))
        assert unwrapped(screen) =~ ~r/needs 20\.0 MB.*4\.[012] MB/
        assert length(requests(contents.bert)) == before

      _no_right ->
        :skipped
    end
  end

  defp asks_doctor(%{iex: iex}) do
    screen = type(iex, "HfHub.Doctor.run()")
    assert screen =~ ~r/ok +token/ and screen =~ ~r/ok +locks/
    refute screen =~ @writer
    screen = type(iex, ~s|HfHub.Doctor.run(endpoint: "http://127.0.0.1:1")|)
    assert screen =~ ~r/FAIL +tcp/ and screen =~ "nothing listens"
    quit(iex)
  end
end
