defmodule HfHub.Parity.XetTest do
  # The Python client with hf_xet and this library exchange files by Xet, and send as much for the same changes.
  use HfHub.Case, async: true

  alias HfHub.{Commit, Download, LocalHub, Python}

  @moduletag :python
  @moduletag timeout: 180_000

  setup context do
    hubs =
      for name <- [:theirs, :ours], into: %{} do
        {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "#{name}"), test_control: true)
        LocalHub.command!(hub, ["user", "add", "me", "--token", token()])
        {:ok, _repo} = HfHub.Repo.create("me/x", endpoint: LocalHub.endpoint(hub), token: token())
        {name, LocalHub.endpoint(hub)}
      end

    {:ok, hubs: hubs}
  end

  defp python!(context, endpoint, code) do
    env = [
      {"HF_TOKEN", token()},
      {"HF_HUB_DISABLE_XET", "0"},
      {"HF_HUB_DISABLE_SHARED_BLOBS", "1"},
      {"HF_XET_CACHE", Path.join(context.dir, "python_xet")}
    ]

    Python.run!(code, endpoint, Path.join(context.dir, "python_cache"), env)
  end

  defp ours(endpoint), do: [endpoint: endpoint, token: token(), xet: :auto]

  # Bytes that the storage of a Hub has received for objects and for the lists of their chunks.
  defp sent(endpoint) do
    for request <- control(:get, "requests", nil, endpoint),
        request["path"] =~ ~r"^/(xet/grants|v[12]/(xorbs|shards))" do
      request["bytes_received"]
    end
    |> Enum.sum()
  end

  test "each client downloads what the other one has uploaded", context do
    [first, second] = [large(3_000_000), large(2_000_000)]
    endpoint = context.hubs.ours
    folder = folder(context, %{"a.bin" => first, "b.bin" => second})
    assert {:ok, _info} = Commit.upload_file({:path, folder <> "/a.bin"}, "a.bin", "me/x", ours(endpoint))

    assert sha256(first) ==
             python!(context, endpoint, """
             import hashlib, pathlib
             HfApi().upload_file(path_or_fileobj="#{folder}/b.bin", path_in_repo="b.bin", repo_id="me/x")
             print(hashlib.sha256(pathlib.Path(hf_hub_download("me/x", "a.bin")).read_bytes()).hexdigest())
             """)

    opts = [repo_id: "me/x", filename: "b.bin", cache_dir: context.cache, endpoint: endpoint, token: token()]
    assert File.read!(Download.hf_hub_download!([xet: true] ++ opts)) == second
    requests = control(:get, "requests", nil, endpoint)
    refute Enum.any?(requests, &(&1["path"] =~ ~r"/objects/batch|^/lfs/"))
  end

  test "both clients send as much for a file and for a changed one", context do
    content = large(20_000_000)

    <<head::binary-size(7_000_000), _cut::binary-size(300_000), middle::binary-size(5_000_000), tail::binary>> =
      content

    folder =
      folder(context, %{"1" => content, "2" => head <> large(1_000_000) <> middle <> large(4_096) <> tail})

    figures =
      for version <- [1, 2] do
        file = "#{folder}/#{version}"
        assert {:ok, _info} = Commit.upload_file({:path, file}, "a.bin", "me/x", ours(context.hubs.ours))

        python!(context, context.hubs.theirs, """
        HfApi().upload_file(path_or_fileobj="#{file}", path_in_repo="a.bin", repo_id="me/x")
        """)

        {sent(context.hubs.ours), sent(context.hubs.theirs)}
      end

    for {ours, theirs} <- figures, do: assert_in_delta(ours, theirs, theirs / 100)
    [{first, _}, {second, _}] = figures
    assert second - first < 1_600_000
  end
end
