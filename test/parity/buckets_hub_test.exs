defmodule HfHub.Parity.BucketsHubTest do
  # Both clients at one Local Hub: the Python client uploads, this library reads and changes.
  use HfHub.Case, async: true

  alias HfHub.{Buckets, Error, Python}
  alias HfHub.Buckets.Operation

  @moduletag :python
  @moduletag timeout: 180_000

  setup :writer

  setup context do
    {:ok, ours: [endpoint: context.endpoint, token: context.writer, retry_delay: 10]}
  end

  defp python(context, code) do
    prelude = "import os, pathlib\nfrom huggingface_hub.errors import *\n"
    login = "api = HfApi(token=#{inspect(context.writer)})\nme = #{inspect(context.account)}\n"
    env = [{"HF_XET_CACHE", Path.join(context.dir, "xet")}]
    Python.run!(prelude <> login <> code, context.endpoint, context.cache, env)
  end

  test "what the Python client has uploaded is listed, downloaded, copied and deleted",
       %{ours: ours} = context do
    big = Path.join(context.dir, "big.bin")
    File.write!(big, large(3_000_000))
    bucket = "org/data-#{context.account}"

    python(context, """
    print(api.create_bucket(#{inspect(bucket)}, private=True).bucket_id)
    files = [(#{inspect(big)}, "d/big.bin"), (b"hello", "hello.txt"), (b"", "empty"), (b"{}", "d/e/x.json")]
    api.batch_bucket_files(#{inspect(bucket)}, add=files)
    """)

    assert %{private: true, total_files: 4, size: 3_000_007} = Buckets.get!(bucket, ours)

    assert bucket in for(
             found <- Buckets.list!([namespace: "org", search: context.account] ++ ours),
             do: found.id
           )

    paths = fn opts -> for entry <- Buckets.list_tree!(bucket, opts ++ ours), do: {entry.type, entry.path} end
    assert paths.(recursive: false) == [folder: "d", file: "empty", file: "hello.txt"]
    assert paths.(prefix: "d", recursive: false) == [folder: "d"]
    assert paths.(prefix: "d/", recursive: false) == [file: "d/big.bin", folder: "d/e"]
    assert paths.(prefix: "h") == [file: "hello.txt"]
    assert length(paths.([])) == 4

    assert [%{path: "d/e/x.json", content_type: "application/json", size: 2} = json] =
             Buckets.paths_info!(bucket, ["d/e/x.json", "d", "nope"], ours)

    assert Buckets.file_metadata!(bucket, "d/big.bin", ours).size == 3_000_000
    local = Path.join(context.dir, "local")
    names = ["d/big.bin", "empty", "hello.txt"]
    assert {:ok, [one, two, three]} = Buckets.download(bucket, names, [local_dir: local] ++ ours)
    assert File.read!(one) == File.read!(big) and File.read!(two) == "" and File.read!(three) == "hello"

    # A private bucket does not exist for others.
    for opts <- [[token: false, endpoint: context.endpoint], write()] do
      assert {:error, %Error{kind: kind}} = Buckets.get(bucket, opts)
      assert kind in [:repo_not_found, :no_token]
      assert {:error, %Error{}} = Buckets.download(bucket, [json], [local_dir: local] ++ opts)
    end

    :ok = Buckets.copy!("hf://buckets/#{bucket}/d", "hf://buckets/#{bucket}/copy", ours)
    :ok = Buckets.batch!(bucket, [Operation.delete("hello.txt"), Operation.delete("d/e/x.json")], ours)
    unknown = Operation.add("no", {:xet, String.duplicate("1b", 32)})
    assert {:error, %Error{kind: :bad_request} = error} = Buckets.batch(bucket, [unknown], ours)
    assert [%{"path" => "no"}] = error.details["failed"]
    assert {:ok, plan} = Buckets.sync("hf://buckets/#{bucket}", local, [delete: true] ++ ours)

    assert for(%{action: action, path: path} <- plan.operations, do: {action, path}) |> Enum.sort() == [
             delete: "hello.txt",
             download: "copy/big.bin",
             download: "copy/e/x.json",
             skip: "d/big.bin",
             skip: "empty"
           ]

    assert File.read!(Path.join(local, "copy/big.bin")) == File.read!(big)
    :ok = Buckets.update_settings!(bucket, [private: false] ++ ours)
    assert Buckets.get!(bucket, write()).private == false
    moved = "#{context.account}/moved"
    assert Buckets.move!(bucket, moved, ours).repo_id == moved
    assert {:error, %Error{kind: :repo_not_found}} = Buckets.get(bucket, ours)

    assert python(context, """
           print([e.path for e in api.list_bucket_tree(me + "/moved", recursive=True)], [b.id == me + "/moved" for b in api.list_buckets()])
           api.delete_bucket(me + "/moved")
           """) == "['copy/big.bin', 'copy/e/x.json', 'd/big.bin', 'empty'] [True]"

    assert {:error, %Error{kind: :repo_not_found}} = Buckets.delete(moved, ours)
    :ok = Buckets.delete!(moved, [missing_ok: true] ++ ours)
  end

  test "contents are copied only from where the caller may read them", %{ours: ours} = context do
    python(context, """
    api.create_bucket("org/secret-" + me, private=True)
    api.batch_bucket_files("org/secret-" + me, add=[(b"secret", "s.txt")])
    """)

    [%{xet_hash: hash}] = Buckets.list_tree!("org/secret-#{context.account}", ours)
    own = "reader/b-#{context.account}"
    Buckets.create!(own, write())

    for {source, type} <- [{"org/secret-#{context.account}", :bucket}, {own, :bucket}, {"org/none", :model}] do
      copy = Operation.copy("s.txt", hash, source, source_type: type)
      assert {:error, %Error{kind: :bad_request}} = Buckets.batch(own, [copy], write())
    end

    assert {:error, %Error{}} = Buckets.batch(own, [Operation.add("s.txt", {:xet, hash})], write())
    assert {:error, %Error{kind: :forbidden}} = Buckets.create("reader/x", ours)
    assert {:error, %Error{kind: :forbidden}} = Buckets.batch(own, [Operation.delete("x")], ours)
    assert {:error, %Error{kind: :conflict}} = Buckets.create(own, write())
    assert Buckets.create!(String.upcase(own), write(exist_ok: true)).repo_id == own
  end

  test "the Python client synchronizes folders, and its command line works", context do
    assert python(context, """
           import subprocess, sys
           os.makedirs("#{context.dir}/in/sub")
           for n in range(3):
               pathlib.Path(f"#{context.dir}/in/sub/{n}.txt").write_text(str(n))
           hf = [os.path.join(os.path.dirname(sys.executable), "hf"), "buckets"]
           def run(*args):
               return subprocess.run(hf + list(args) + ["--token", #{inspect(context.writer)}], check=True, capture_output=True, text=True).stdout
           bucket = "hf://buckets/" + me + "/cli"
           run("create", me + "/cli", "--private")
           run("sync", "#{context.dir}/in", bucket + "/p")
           run("sync", bucket + "/p", "#{context.dir}/out")
           run("cp", bucket + "/p/sub/1.txt", "#{context.dir}/one.txt")
           run("rm", me + "/cli/p", "--recursive", "--include", "*/2.txt", "--yes")
           print(pathlib.Path("#{context.dir}/one.txt").read_text(), len(list(pathlib.Path("#{context.dir}/out").rglob("*.txt"))))
           print("p/sub/0.txt" in run("list", me + "/cli", "-R"), "2.txt" in run("list", me + "/cli", "-R"))
           run("delete", me + "/cli", "--yes")
           """) == "1 3\nTrue False"
  end

  test "what this library has uploaded is listed, downloaded and copied by the Python client",
       %{ours: ours} = context do
    bucket = "#{context.account}/ours"
    content = large(2_000_000)
    file = Path.join(folder(context, %{"big.bin" => content}), "big.bin")
    File.touch!(file, {{2026, 2, 6}, {17, 37, 57}})
    Buckets.create!(bucket, ours)

    add = [
      {{:path, file}, "d/big.bin"},
      {{:binary, "hello"}, "hello.txt"},
      {{:stream, ["a", "b"]}, "é.json"},
      {{:binary, ""}, "empty"}
    ]

    [big | _others] = Buckets.upload!(bucket, add, ours)

    assert python(context, """
           bucket = #{inspect(bucket)}
           files = {f.path: f for f in api.list_bucket_tree(bucket, recursive=True)}
           print(sorted((f.path, f.size) for f in files.values()))
           print(files["d/big.bin"].xet_hash == #{inspect(big.xet_hash)}, files["d/big.bin"].mtime.isoformat())
           out = "#{context.dir}/theirs/"
           api.download_bucket_files(bucket, [(f, out + f.path) for f in files.values()])
           print(pathlib.Path(out + "d/big.bin").read_bytes() == pathlib.Path(#{inspect(file)}).read_bytes())
           print(pathlib.Path(out + "é.json").read_text(), pathlib.Path(out + "hello.txt").read_text(), pathlib.Path(out + "empty").stat().st_size)
           # The same content has the same hash, and its parts are not sent again.
           api.batch_bucket_files(bucket, add=[(#{inspect(file)}, "theirs.bin")])
           print([f.xet_hash for f in api.get_bucket_paths_info(bucket, ["theirs.bin"])] == [files["d/big.bin"].xet_hash])
           api.copy_files(f"hf://buckets/{bucket}/d/", f"hf://buckets/{bucket}/e/")
           """) ==
             """
             [('d/big.bin', 2000000), ('empty', 0), ('hello.txt', 5), ('é.json', 2)]
             True 2026-02-06T17:37:57+00:00
             True
             ab hello 0
             True\
             """

    assert [%{size: 2_000_000}] = Buckets.paths_info!(bucket, ["e/big.bin"], ours)
  end

  test "each client continues the synchronization of the other, and applies its plans",
       %{ours: ours} = context do
    local = folder(context, %{"a" => "a", "d/b" => "b", "skip.tmp" => "t"})
    address = "hf://buckets/#{context.account}/sync/p"
    Buckets.create!("#{context.account}/sync", ours)
    actions = fn plan -> for operation <- plan.operations, do: {operation.action, operation.path} end
    ours_too = [exclude: "*.tmp", delete: true] ++ ours
    assert actions.(Buckets.sync!(local, address, ours_too)) == [upload: "a", upload: "d/b"]

    sync = fn from, to, more ->
      python(context, """
      plan = api.sync_bucket(#{inspect(from)}, #{inspect(to)}, delete=True, exclude=["*.tmp"], quiet=True#{more})
      print([(o.action, o.path) for o in plan.operations])
      """)
    end

    assert sync.(local, address, "") == "[('skip', 'a'), ('skip', 'd/b')]"
    File.write!(Path.join(local, "d/b"), "longer")
    File.rm!(Path.join(local, "a"))
    theirs = Path.join(context.dir, "theirs.jsonl")
    assert sync.(local, address, ", plan=#{inspect(theirs)}") == "[('delete', 'a'), ('upload', 'd/b')]"
    assert actions.(Buckets.apply_plan!(theirs, ours)) == [delete: "a", upload: "d/b"]
    assert sync.(local, address, "") == "[('skip', 'd/b')]"

    write_files(local, %{"new" => "n"})
    saved = Path.join(context.dir, "ours.jsonl")
    Buckets.sync!(local, address, [plan: saved] ++ ours_too)
    python(context, "api.sync_bucket(apply=#{inspect(saved)})")
    assert actions.(Buckets.sync!(local, address, ours_too)) == [skip: "d/b", skip: "new"]
    out = Path.join(context.dir, "out")
    assert actions.(Buckets.sync!(address, out, ours_too)) == [download: "d/b", download: "new"]
    assert File.read!(Path.join(out, "d/b")) == "longer"
  end

  test "both clients synchronize a folder to the same volume of jobs", %{ours: ours} = context do
    local = folder(context, %{"a.txt" => "a"})
    volume = HfHub.Jobs.sync_volume!(local, "/in", ours)

    assert python(context, """
           volume = api.sync_job_volume(#{inspect(local)}, "/in")
           print(volume.type, volume.source, volume.mount_path, volume.path, volume.read_only)
           """) =~ "bucket #{volume.source} /in #{volume.path} True"

    assert [%{path: path}] =
             Buckets.list_tree!(volume.source, [recursive: true] ++ ours) |> Enum.filter(& &1.size)

    assert path == volume.path <> "/a.txt"
  end
end
