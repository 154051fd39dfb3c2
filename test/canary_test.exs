defmodule HfHub.CanaryTest do
  # Calls with a token that must not appear anywhere; see HfHub.Canary, which checks every other
  # test in the same way.
  use HfHub.Case, async: false

  require Logger

  alias HfHub.{Api, Auth, Canary, Config, Download, Error, Git, LocalHub, Request}

  @names ~w(HF_HOME HF_ENDPOINT HF_TOKEN HTTPS_PROXY)

  setup context do
    own_env(@names)
    System.put_env(%{"HF_HOME" => Path.join(context.dir, "home"), "HF_ENDPOINT" => context.endpoint})

    user = "canary#{System.unique_integer([:positive])}"
    token = "hf_CANARY#{System.unique_integer([:positive])}"
    LocalHub.command!(hub(), ["user", "add", user, "--org", "org", "--token", token])
    {:ok, user: user, token: token}
  end

  # Everything that a user could print of a result.
  defp shown(term) do
    texts = [inspect(term, limit: :infinity, printable_limit: :infinity)]
    texts = if is_exception(term), do: [Exception.message(term) | texts], else: texts
    Enum.each(texts, &refute(&1 =~ Canary.word()))
    term
  end

  defp fails(result) do
    assert {:error, %Error{} = error} = result
    shown(error)
  end

  defp succeeds(result) do
    assert {:ok, value} = result
    shown(value)
  end

  test "reading, downloading and failing show no token", %{token: token} = context do
    {id, _commit} = repo(context, %{"a.txt" => "a", "b.safetensors" => large(300_000)}, private: true)
    {gated, _commit} = repo(context, %{"a.txt" => "a"}, gated: :manual, id: "stranger/#{Path.basename(id)}")
    opts = opts(context, token: token)
    api = Keyword.take(opts, [:endpoint, :token])

    succeeds(Download.hf_hub_download([repo_id: id, filename: "b.safetensors"] ++ opts))
    succeeds(Download.snapshot_download([repo_id: id] ++ opts))

    shown(Download.download_stream!([repo_id: id, filename: "a.txt"] ++ Keyword.delete(opts, :cache_dir)))
    |> Enum.to_list()

    succeeds(Api.model_info(id, api))
    succeeds(Api.list_models(api ++ [author: "org", limit: 5]))
    shown(Api.stream_models(api)) |> Enum.take(1)
    succeeds(Git.list_refs(id, api))
    succeeds(Auth.whoami([cache: true] ++ api))
    shown(Config.explain(api))
    shown(Request.new(:get, "/api/models", [], api))

    fails(Download.hf_hub_download([repo_id: id, filename: "none"] ++ opts))
    fails(Download.hf_hub_download([repo_id: gated, filename: "a.txt"] ++ opts))
    fails(Download.snapshot_download([repo_id: id <> "x"] ++ opts))
    fails(Api.model_info("https://me:#{token}@elsewhere.example/a/b", api))
    fails(Api.model_info({:hf, :a, auth_token: token}, api))
    fails(Auth.validate_token(token <> "x"))
    fails(Auth.validate_token(token <> "\u0001"))

    # Plain HTTP to an untrusted host.
    assert fails(HfHub.Repo.create(id, Keyword.put(api, :endpoint, "http://hub.invalid"))).kind ==
             :unauthorized

    # A server that echoes the request.
    fault(id, %{kind: "status", code: 403, body: ~s({"error": "who is #{token}?"})}, %{times: 1})
    assert fails(Api.model_info(id, api)).status == 403
  end

  test "responses that repeat the token in any field do not show it", %{token: token} = context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    api = opts(context, token: token) |> Keyword.delete(:cache_dir)
    "hf_" <> rest = token
    escaped = "\\u0068f_" <> rest
    percent = "%68%66_" <> rest

    for headers <- [
          %{"x-request-id" => "Bearer " <> token},
          %{"x-error-message" => "no #{percent}"},
          %{"x-repo-commit" => token, "x-request-id" => percent}
        ],
        body <- [~s({"error": "who", "#{escaped}": [{"a": "#{escaped}", "b": "#{percent}"}]}), "#{token}"] do
      fault(id, %{kind: "status", code: 403, headers: headers, body: body}, %{times: 1})
      assert fails(Api.model_info(id, api)).status == 403
    end

    # Tokens in names and in the target of a redirect.
    for {name, value} <- [{"x-repo-commit", token}, {"etag", "\"{#{token}}\""}, {"x-linked-size", token}] do
      fault("/resolve/main/a.txt", %{kind: "header", name: name, value: value}, %{times: 3})
      shown(Download.hf_hub_download([repo_id: id, filename: "a.txt"] ++ opts(context, token: token)))
    end

    fault(id, %{kind: "redirect", location: "/api/models/org/#{percent}"}, %{times: 1})
    fails(Api.model_info(id, api))
    # A token in place of a name.
    long = "hf_CANARY" <> String.duplicate("aB3", 9)
    fails(Api.model_info(long, api))
    fails(Auth.switch(long))
    fails(Auth.logout(name: long))
  end

  test "a token of the wrong type is not part of the stack trace", %{token: token} do
    for call <- [
          fn -> Auth.set_token({token}) end,
          fn -> Auth.validate_token([token]) end,
          fn -> Auth.validate_token!(%{token: token}) end,
          fn -> Auth.switch({token}) end,
          fn -> Auth.login(token: {token}) end,
          fn -> Auth.login(token) end,
          fn -> Auth.auth_headers(token: [token]) end,
          fn -> Auth.whoami(token: {token}) end,
          fn -> Auth.logout(token) end,
          fn ->
            Download.hf_hub_download(
              repo_id: "a/b",
              filename: "c",
              repo_type: token <> String.duplicate("a1", 20)
            )
          end,
          fn -> HfHub.Repo.create("a/b", repo_type: :space, space_secrets: {token}) end,
          # Options in place of a missing argument.
          fn -> Api.paths_info("a/b", token: token) end,
          fn -> Git.create_tag("a/b", token: token) end,
          fn -> HfHub.Commit.create("a/b", [token: token], []) end,
          fn -> HfHub.Commit.delete_files("a/b", token: token) end,
          fn -> HfHub.Commit.upload_file({:path, "a"}, [token: token], "a/b") end,
          fn -> HfHub.Commit.delete_file([token: token], "a/b") end,
          fn -> HfHub.DatasetFiles.resolve("a/b", nil, token: token) end
        ] do
      try do
        call.()
        flunk("nothing is raised")
      rescue
        error in ArgumentError -> shown({error, __STACKTRACE__})
      end
    end
  end

  test "logging in and out shows no token", %{token: token, dir: dir, user: user} do
    Auth.login!(token: token)
    shown(Auth.list_tokens!())
    shown(:persistent_term.get())
    System.put_env("HF_TOKEN", token <> "x")
    fails(Auth.whoami())
    fails(Auth.logout())
    System.delete_env("HF_TOKEN")

    Auth.login!(
      method: :browser,
      show: &LocalHub.command!(hub(), ["user", "approve", shown(&1).user_code, user])
    )

    shown(Auth.list_tokens!())
    Auth.logout!()
    assert Canary.files(dir) == []
  end

  test "a process that crashes with a token does not show it", %{token: token} = context do
    Process.flag(:trap_exit, true)
    opts = opts(context, token: token)

    crashes = [
      fn -> Download.hf_hub_download!([repo_id: "org/none", filename: "a"] ++ opts) end,
      fn -> Download.hf_hub_download([repo_id: "org/none", filenam: "a"] ++ opts) end,
      fn -> Api.model_info("org/none", token: {token}) end,
      # A token in a wrong place.
      fn -> Auth.whoami(token) end,
      # Invalid arguments of a native function, which are part of the crash report.
      fn -> Request.run(Request.new(:get, "/api/models", [], timeout: -1, token: token)) end,
      fn -> Enum.to_list(Download.download_stream!(repo_id: "org/none", filename: "x", token: token)) end
    ]

    for crash <- crashes do
      {:ok, pid} = Task.start_link(crash)
      assert_receive {:EXIT, ^pid, {reason, _stack}}, 20_000
      shown(reason)
    end

    # The state of a running process, and the crash report of a killed one.
    shown(:sys.get_state(hub()))
    shown(:sys.get_status(hub()))
  end

  test "the canary detects a token in logs and errors" do
    planted = Canary.planted() <> to_string(System.unique_integer([:positive]))
    Logger.debug("planted: #{planted}")
    error = Error.new(:internal, planted)
    {:ok, pid} = Task.start(fn -> raise planted end)
    ref = Process.monitor(pid)
    assert_receive {:DOWN, ^ref, :process, _pid, _reason}

    places = fn ->
      for {_word, place, text} <- Canary.seen(Canary.planted()), text =~ planted, do: elem(place, 0)
    end

    eventually(fn ->
      Enum.sort(Enum.uniq(places.())) == [:error, :log] and Enum.count(places.(), &(&1 == :log)) >= 2
    end)

    assert error.message == planted
  end

  test "the canary searches files, except token files", %{dir: dir} do
    names = ["cache/blobs/x", "home/token", "home/stored_tokens", "cache/.locks/y"]
    write_files(dir, Map.new(names, &{&1, <<0, 255, Canary.planted()::binary, 0>>}))

    found = for path <- Canary.files(dir, Canary.planted()), do: Path.relative_to(path, dir)
    assert Enum.sort(found) == ["cache/.locks/y", "cache/blobs/x"]
  end

  test "what the suite writes to another cache is found", context do
    names = [
      "models--org--repo-7-#{System.pid()}",
      "models--org--model",
      ".locks/buckets--org--b-7-#{System.pid()}"
    ]

    for name <- names, do: File.mkdir_p!(Path.join(context.cache, name))
    found = for path <- HfHub.OwnHome.strays(context.cache), do: Path.relative_to(path, context.cache)
    assert found == [hd(names), List.last(names)]
  end
end
