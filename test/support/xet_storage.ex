defmodule HfHub.XetStorage do
  # For tests of Xet storage, against a Local Hub of their own: what its storage was asked for, and the reason for which
  # another way was taken.
  @moduledoc false

  import ExUnit.{Assertions, CaptureLog}
  import HfHub.Case

  alias HfHub.{Commit, Download}

  @doc "Setup: removes all faults before and after the test."
  def watch(_context) do
    control(:delete, "faults")
    hub = endpoint()
    ExUnit.Callbacks.on_exit(fn -> control(:delete, "faults", nil, hub) end)
    {:ok, before: length(log())}
  end

  @doc "Returns options of a call that writes to the Local Hub by Xet."
  def xet(more \\ []), do: write([xet: :auto] ++ more)

  @doc "Returns all requests to the Local Hub."
  def log, do: control(:get, "requests")

  @doc "Returns the requests to the storage since the test began, whose paths do not contain the repository."
  def storage(context, what) do
    for request <- Enum.drop(log(), context.before),
        request["origin"] == "cdn",
        request["path"] =~ what,
        do: request
  end

  @doc "Returns the uploads of objects."
  def objects(context), do: storage(context, "/xet/grants/")

  @doc "Returns the number of bytes of objects that the storage has received."
  def sent(context), do: context |> objects() |> Enum.map(& &1["bytes_received"]) |> Enum.sum()

  @doc "Downloads `a.bin` to a new cache."
  def download(context, id, more) do
    cache = Path.join(context.dir, "cache#{System.unique_integer([:positive])}")
    opts = [repo_id: id, filename: "a.bin", cache_dir: cache, endpoint: endpoint(), retry_delay: 10]
    Download.hf_hub_download(Keyword.merge(opts, more))
  end

  @doc "Downloads `a.bin` to a new cache; returns its content."
  def downloaded(context, id, more) do
    assert {:ok, path} = download(context, id, more)
    File.read!(path)
  end

  @doc "Creates a repository with `a.bin` in Xet storage."
  def stored(context, content) do
    id = writable(context)
    assert {:ok, _info} = Commit.upload_file({:binary, content}, "a.bin", id, xet())
    assert asked(id, "/objects/batch") == []
    id
  end

  @doc "Returns the result of a call, and the reason in its debug log for which another way was taken."
  def with_fallback(call) do
    me = self()
    # Other tests log, too.
    options = [level: :debug, metadata: [:pid], format: "$metadata$message\n"]
    log = capture_log(options, fn -> send(me, {:result, call.()}) end)
    assert_received {:result, result}
    refute log =~ "xet_"
    ours = "pid=#{:erlang.pid_to_list(me)} "
    {result, Enum.find(String.split(log, "\n"), &(&1 =~ ours and &1 =~ "has failed"))}
  end
end
