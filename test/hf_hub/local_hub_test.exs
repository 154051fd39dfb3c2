defmodule HfHub.LocalHubTest do
  use HfHub.Case, async: true

  alias HfHub.{Download, Error, LocalHub}

  test "serves imported files, and imports the same files only once", context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"))
    source = Path.join(context.dir, "source")
    File.mkdir_p!(source)
    File.write!(Path.join(source, "a.txt"), "a")
    commit = LocalHub.import_folder!(hub, source, "me/data", repo_type: :dataset)
    assert LocalHub.import_folder!(hub, source, "me/data", repo_type: :dataset) == commit

    opts = [
      repo_id: "me/data",
      repo_type: :dataset,
      endpoint: LocalHub.endpoint(hub),
      cache_dir: context.cache
    ]

    assert File.read!(Download.hf_hub_download!([filename: "a.txt"] ++ opts)) == "a"
    assert LocalHub.stop(hub) == :ok
    assert {:error, %Error{kind: :io, message: message}} = LocalHub.command(hub, ["--help"])
    assert message =~ "is not running"
    assert {:error, %Error{kind: :io}} = LocalHub.import_folder(hub, source, "me/data")
    assert {:error, %Error{kind: :transport}} = Download.hf_hub_download([filename: "b", retries: 0] ++ opts)
  end

  test "a stop of a Hub that ends because its owner has exited succeeds", context do
    parent = self()

    {owner, monitor} =
      spawn_monitor(fn ->
        send(parent, LocalHub.start_link(root: Path.join(context.dir, "hub")))
        receive do: (:exit -> :ok)
      end)

    assert_receive {:ok, hub}, 30_000
    send(owner, :exit)
    assert_receive {:DOWN, ^monitor, :process, ^owner, :normal}
    assert LocalHub.stop(hub) == :ok
    refute Process.alive?(hub)
  end

  test "several, with names, run in a supervision tree", context do
    names = for letter <- ~w(A B), do: Module.concat(__MODULE__, letter)
    for name <- names, do: start_supervised!({LocalHub, root: Path.join(context.dir, "#{name}"), name: name})
    assert ["http://127.0.0.1:" <> one, "http://127.0.0.1:" <> two] = Enum.map(names, &LocalHub.endpoint/1)
    assert one != two
  end

  test "the environment disables Xet for clients of a Hub without it", context do
    for {opts, disabled} <- [{[], nil}, {[xet: false], "1"}] do
      {:ok, hub} = LocalHub.start_link([root: Path.join(context.dir, "hub")] ++ opts)
      assert LocalHub.environment(hub)["HF_HUB_DISABLE_XET"] == disabled
      LocalHub.stop(hub)
    end
  end

  test "failures are errors", context do
    root = Path.join(context.dir, "hub")

    assert {:error, %Error{kind: :io, message: message}} =
             LocalHub.start_link(root: root, executable: "/missing")

    assert message =~ "/missing"
    file = Path.join(context.dir, "file")
    File.write!(file, "")
    assert {:error, %Error{kind: :io, message: message}} = LocalHub.start_link(root: file)
    assert message =~ "cannot create"
    assert {:error, %Error{kind: :io}} = LocalHub.start_link(root: root, executable: file)

    {:ok, hub} = LocalHub.start_link(root: root)
    assert {:error, %Error{}} = LocalHub.import_folder(hub, "/missing", "me/x")
    assert {:error, %Error{}} = LocalHub.import_folder(hub, context.dir, "--help")

    assert {:error, %Error{kind: :bad_request}} =
             LocalHub.command(hub, ["repo", "rename", "me/none", "me/other"])

    assert LocalHub.command!(hub, ["--help"]) =~ "Commands:"

    "http://127.0.0.1:" <> port = LocalHub.endpoint(hub)

    assert {:error, %Error{kind: :io, message: message}} =
             LocalHub.start_link(root: root, port: String.to_integer(port))

    assert message =~ "Address already in use"
    assert LocalHub.stop(hub) == :ok
    assert LocalHub.stop(hub) == :ok
  end

  test "ends with its owner", context do
    me = self()

    owner =
      spawn(fn ->
        {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"))
        send(me, hub)
        Process.sleep(:infinity)
      end)

    assert_receive hub when is_pid(hub), 10_000
    monitor = Process.monitor(hub)
    Process.exit(owner, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^hub, {:shutdown, :killed}}, 5_000
  end
end
