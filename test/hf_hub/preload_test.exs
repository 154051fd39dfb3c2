defmodule HfHub.PreloadTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Lock, Preload}
  alias HfHub.Preload.Status

  defp start!(context, more), do: start_supervised!({Preload, opts(context, more)}, restart: :temporary)

  test "loads a list in the background, and is ready afterwards", context do
    {one, _commit} = repo(context, %{"a.txt" => "a", "b.bin" => "b"})
    {two, _commit} = repo(context, %{"a.txt" => "a"}, repo_type: :dataset)
    fault(one, %{kind: "delay", ms: 300}, %{times: 1})

    preload =
      start!(context, repos: [{one, allow_patterns: ["*.txt"]}, {two, repo_type: :dataset}], progress: self())

    refute Preload.ready?(preload)
    assert %Status{state: :loading} = Preload.status(preload)
    assert {:ok, %{^one => path, ^two => _path}} = Preload.await(preload)
    assert File.ls!(path) == ["a.txt"]
    assert Preload.ready?(preload)
    assert %Status{state: :ready, error: nil, attempt: 1} = Preload.status(preload)
    assert_received {:hf_hub_progress, %HfHub.Progress{activity: :done}}
  end

  test "loads a lock file, and makes no request if the files are there", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    lock = Path.join(context.dir, "hf_hub.lock")
    Lock.pin!(id, lock: lock, endpoint: context.endpoint)
    assert {:ok, %{^id => path}} = Preload.await(start!(context, lock: lock))
    stop_supervised!(Preload)
    before = length(requests(id))

    for repo <- [id, "model/#{id}", {:hf, id}] do
      preload = start!(context, lock: lock, repos: [repo], local_files_only: true)
      assert {:ok, %{^id => ^path}} = Preload.await(preload)
      stop_supervised!(Preload)
    end

    assert length(requests(id)) == before
  end

  test "tries again after a failure, and reports it meanwhile", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    fault(id, %{kind: "status", code: 403}, %{times: 1})
    preload = start!(context, repos: [id], attempt_delay: 50, retries: 0)
    assert {:ok, %{^id => _path}} = Preload.await(preload)
    assert %Status{attempt: 2, error: nil} = Preload.status(preload)
  end

  test "keeps the process after the last attempt with on_failure: :keep", context do
    preload = start!(context, repos: ["org/none"], attempts: 2, attempt_delay: 1, on_failure: :keep)
    assert {:error, %Error{kind: :repo_not_found}} = Preload.await(preload)
    assert %Status{state: :failed, attempt: 2, error: %Error{kind: :repo_not_found}} = Preload.status(preload)
    refute Preload.ready?(preload)
    assert {:error, %Error{kind: :repo_not_found}} = Preload.await(preload)
  end

  test "exits after the last attempt by default, and readiness is false", context do
    preload = start!(context, repos: ["org/none"], attempts: 1)
    ref = Process.monitor(preload)
    assert {:error, %Error{kind: :repo_not_found}} = Preload.await(preload)
    assert_receive {:DOWN, ^ref, :process, ^preload, {:shutdown, %Error{kind: :repo_not_found}}}
    refute Preload.ready?(preload)
  end

  test "with wait: true, starts when the files are there, or not at all", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    assert Preload.ready?(start!(context, repos: [id], wait: true))
    stop_supervised!(Preload)
    child = {Preload, opts(context, repos: ["org/none"], attempts: 1, wait: true)}
    assert {:error, {{%Error{kind: :repo_not_found}, _child}, _}} = start_supervised(child) |> nested()
  end

  # The shape of the supervisor's error depends on the version of Elixir.
  defp nested({:error, {%Error{}, _} = reason}), do: {:error, {reason, nil}}
  defp nested(other), do: other

  test "awaits until a timeout, and its download ends with it", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    fault(id, %{kind: "hang"})
    preload = start!(context, repos: [id])
    assert {:error, %Error{kind: :timeout, message: message}} = Preload.await(preload, 50)
    assert message =~ "the repositories are not loaded after 50 ms: 0 repositories loaded"
    eventually(fn -> requests(id) != [] end)
    eventually(fn -> Preload.status(preload).repo_id == id end)
    assert {:error, %Error{message: message}} = Preload.await(preload, 1)
    assert message =~ "0 repositories loaded; #{id} "
    stop_supervised!(Preload)
    refute Process.alive?(preload)
    eventually(fn -> Enum.all?(requests(id), & &1["aborted"]) end)
  end

  test "a mistake in the options raises at the start, instead of in a process that is restarted" do
    for {opts, message} <- [
          {[], ":repos or :lock is required"},
          {[repos: [{"org/m", revison: "v1"}]], "Did you mean :revision?"},
          {[repos: [{"org/m", max_workers: 0}]], "option :max_workers"},
          {[repos: [{"org/m", local_dir: "x", cache_dir: 1}]], "option :cache_dir"},
          {[repos: [123]], "list of repositories, got: 123"},
          {[repos: [{"org/m", repo_id: "org/other"}]], ":repo_id"},
          {[repos: [{"org/m", dry_run: true}]], ":dry_run"},
          {[repos: [{"org/m", progress_callback: fn _done, _total -> :ok end}]], ":progress_callback"},
          {[repos: [{:hf}]], "list of repositories, got: {:hf}"},
          {[repos: [{:hf, "org/m", token: "hf_secret"}]], "token"},
          {[repos: [{:hf, 1, auth_token: "a secret"}]], "{:hf, 1, [:auth_token]}"},
          {[lock: "l", repos: [{"org/m", :x, token: "a secret"}]], "[:token]"},
          {[repos: ["org/m", {"org/m", repo_type: :dataset}]], ~s(contains "org/m" twice)},
          {[lock: "l", repos: [{"org/m", revision: "v1"}]], "have no options"},
          {[lock: "l", repos: [:org]], "got: :org"}
        ] do
      error = assert_raise ArgumentError, fn -> Preload.start_link(opts) end
      assert error.message =~ message, inspect({opts, error.message})
      refute error.message =~ "hf_secret"
      refute error.message =~ "a secret"
    end
  end

  test "several, with names, are children of one supervisor, and log under their names", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    names = for letter <- ~w(A B), do: Module.concat(__MODULE__, letter)
    for name <- names, do: start_supervised!({Preload, opts(context, name: name, repos: [id])})
    for name <- names, do: assert({:ok, %{^id => _path}} = Preload.await(name))
    none = Module.concat(__MODULE__, None)
    options = opts(context, name: none, repos: ["org/none"], attempts: 1, on_failure: :keep)

    log =
      ExUnit.CaptureLog.capture_log(fn ->
        start_supervised!({Preload, options})
        assert {:error, %Error{}} = Preload.await(none)
      end)

    assert log =~ "#{inspect(none)}: loading failed: "
  end

  test "shows no token, of the call or of a repository, in its state", context do
    secrets = ["hf_CANARYofthecall", "hf_CANARYoftherepository"]
    [one, two] = secrets
    options = [repos: [{"org/none", token: two}], token: one, attempts: 1, on_failure: :keep]
    preload = start!(context, options)
    assert {:error, %Error{}} = Preload.await(preload)

    for shown <- [:sys.get_status(preload), :sys.get_state(preload)],
        secret <- secrets,
        do: refute(inspect(shown, limit: :infinity, printable_limit: :infinity) =~ secret)
  end
end
