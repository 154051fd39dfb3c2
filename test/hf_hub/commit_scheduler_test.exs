defmodule HfHub.CommitSchedulerTest do
  use HfHub.Case, async: true

  alias HfHub.{Api, CommitScheduler, Error}
  alias HfHub.Commit.CommitInfo

  # The first commit is made at once, later ones by `trigger/2` only, unless a test passes another interval.
  defp start(context, more) do
    me = self()
    id = "reader/scheduled-#{System.unique_integer([:positive])}"
    report = fn result -> send(me, {:committed, result}) end

    opts =
      [repo_id: id, every: 3_600_000, on_commit: report, endpoint: context.endpoint, token: token()] ++
        [folder: Path.join(context.dir, "watched")]

    {id, start_supervised!({CommitScheduler, Keyword.merge(opts, more)})}
  end

  defp change(context, files), do: write_files(Path.join(context.dir, "watched"), files)

  defp text(id, path, context) do
    opts = [repo_id: id, filename: path, endpoint: context.endpoint, token: token()]
    opts |> HfHub.Download.download_stream!() |> Enum.join()
  end

  defp files(id, context),
    do: Enum.sort(Api.list_repo_files!(id, endpoint: context.endpoint, token: token())) -- [".gitattributes"]

  # Changes in the second of the last commit count as changed again.
  defp older(context, path),
    do: File.touch!(Path.join([context.dir, "watched", path]), System.os_time(:second) - 5)

  test "commits what is new or has changed, and nothing without a change", context do
    change(context, %{
      "a.txt" => "a",
      "sub/b.txt" => "b",
      ".git/config" => "",
      "sub/.DS_Store" => "",
      "sub/.cache/c" => ""
    })

    for path <- ["a.txt", "sub/b.txt"], do: older(context, path)
    {id, scheduler} = start(context, path_in_repo: "run")
    assert_receive {:committed, {:ok, %CommitInfo{committed?: true}}}, 20_000
    assert files(id, context) == ["run/a.txt", "run/sub/b.txt"]
    assert {:ok, nil} = CommitScheduler.trigger(scheduler)
    change(context, %{"a.txt" => "a and more", "c.txt" => "c"})
    assert {:ok, %CommitInfo{}} = CommitScheduler.trigger(scheduler)
    assert files(id, context) == ["run/a.txt", "run/c.txt", "run/sub/b.txt"]
    assert text(id, "run/a.txt", context) == "a and more"
  end

  test "leaves one commit with squash_history: true, and all files with ignore_defaults: false", context do
    change(context, %{"a.txt" => "a", ".DS_Store" => "x"})
    {id, scheduler} = start(context, squash_history: true, ignore_defaults: false)
    assert_receive {:committed, {:ok, %CommitInfo{}}}, 20_000
    change(context, %{"b.txt" => "b"})
    assert {:ok, %CommitInfo{}} = CommitScheduler.trigger(scheduler)
    assert [_one] = titles(id)
    assert files(id, context) == [".DS_Store", "a.txt", "b.txt"]
  end

  @tag timeout: 20_000
  test "commits regular files only, and runs on when a program of :on_commit has ended", context do
    change(context, %{"a.txt" => "a"})
    {_, 0} = System.cmd("mkfifo", [Path.join([context.dir, "watched", "pipe"])])
    {id, scheduler} = start(context, on_commit: fn _result -> System.cmd("true", []) end)
    assert {:ok, _commit} = CommitScheduler.trigger(scheduler)
    assert {:ok, _commit} = CommitScheduler.trigger(scheduler)
    assert :sys.get_state(scheduler).repo == id
    assert files(id, context) == ["a.txt"]
  end

  test "commits again and again, and the last changes when it is stopped", context do
    change(context, %{"log.txt" => "1", "log.tmp" => "x"})
    {id, scheduler} = start(context, every: 50, ignore_patterns: ["*.tmp"])
    assert_receive {:committed, {:ok, %CommitInfo{}}}, 20_000
    change(context, %{"log.txt" => "12"})
    assert_receive {:committed, {:ok, %CommitInfo{}}}, 20_000
    :sys.suspend(scheduler)
    change(context, %{"log.txt" => "123"})
    :sys.resume(scheduler)
    assert :ok = CommitScheduler.stop(scheduler)
    assert text(id, "log.txt", context) == "123"
    assert files(id, context) == ["log.txt"]
  end

  test "a file that grows during its commit is committed up to where it was", context do
    change(context, %{"log.txt" => String.duplicate("x", 100_000)})
    {id, scheduler} = start(context, [])
    path = Path.join([context.dir, "watched", "log.txt"])

    writer =
      Task.async(fn ->
        for _line <- 1..200, do: File.write!(path, "line\n", [:append])
        CommitScheduler.trigger(scheduler)
      end)

    assert {:ok, _commit} = CommitScheduler.trigger(scheduler)
    assert {:ok, _commit} = Task.await(writer, 30_000)
    assert byte_size(text(id, "log.txt", context)) == 101_000
    refute_received {:committed, {:error, _error}}
  end

  test "an error is returned and reported, and the files are part of the next commit", context do
    change(context, %{"a.txt" => "a"})
    {id, scheduler} = start(context, endpoint: "http://127.0.0.1:1", retries: 0)
    assert {:error, %Error{kind: :transport}} = CommitScheduler.trigger(scheduler)
    assert_received {:committed, {:error, %Error{}}}
    assert Process.alive?(scheduler)
    assert {:error, %Error{}} = Api.repo_info(id, endpoint: context.endpoint, token: token())
  end

  test "no report of a supervisor shows the token", context do
    {_id, scheduler} = start(context, endpoint: "http://127.0.0.1:1", retries: 0)
    children = inspect(Supervisor.which_children(ExUnit.fetch_test_supervisor() |> elem(1)), limit: :infinity)
    refute children =~ token()
    refute inspect(CommitScheduler.child_spec(token: token()), limit: :infinity) =~ token()
    refute inspect(:sys.get_status(scheduler), limit: :infinity) =~ token()
  end

  test "an option that is missing or wrong raises" do
    assert_raise ArgumentError, ~r/:folder/, fn -> CommitScheduler.start_link(repo_id: "me/x") end

    assert_raise ArgumentError, ~r/:every/, fn ->
      CommitScheduler.start_link(repo_id: "me/x", folder: ".", every: 0)
    end
  end
end
