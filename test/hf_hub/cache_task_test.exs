defmodule HfHub.CacheTaskTest do
  use HfHub.Case, async: false

  import ExUnit.CaptureIO

  alias HfHub.{Cache, Download, Vm}
  alias Mix.Tasks.HfHub.Cache, as: Task

  setup context do
    {id, commit} = repo(context, %{"config.json" => "{}", "model.safetensors" => large(300_000)})
    Download.snapshot_download!(opts(context, repo_id: id))
    {:ok, id: id, commit: commit}
  end

  # Returns the exit status and the output.
  defp run(context, args, input \\ ""), do: command(args ++ ["--cache-dir", context.cache], input)

  defp command(args, input \\ "") do
    me = self()

    output =
      capture_io(:stderr, fn ->
        output =
          capture_io([input: input], fn ->
            send(me, {:status, status(fn -> Task.run(args) end)})
          end)

        IO.write(:stderr, output)
      end)

    assert_received {:status, status}
    {status, output}
  end

  defp status(work) do
    work.()
    0
  catch
    :exit, {:shutdown, status} -> status
  end

  test "ls fits into 80 columns, and prints JSON", context do
    {0, output} = run(context, ["ls"])
    assert output =~ "model/#{context.id}" and output =~ "main" and output =~ "1 repository"
    assert output |> String.split("\n") |> Enum.all?(&(String.length(&1) <= 80))
    assert {0, output} = run(context, ["ls", "--revisions"])
    assert output =~ String.slice(context.commit, 0, 8)
    assert {0, "{" <> _ = json} = run(context, ["ls", "--json"])
    assert json =~ ~s("repo_id":"#{context.id}")
  end

  test "the cache folder is that of config/runtime.exs", context do
    project =
      folder(context, %{
        "mix.exs" => """
        defmodule Consumer.MixProject do
          use Mix.Project
          def project, do: [app: :consumer, version: "0.1.0"]
        end
        """,
        "config/runtime.exs" => "import Config\nconfig :hf_hub, cache_dir: #{inspect(context.cache)}\n"
      })

    ebin = Application.app_dir(:hf_hub, "ebin")
    env = Vm.env([{"ERL_FLAGS", "-pa #{ebin}"}, {"MIX_ENV", "dev"}])
    args = ["hf_hub.cache", "ls"]
    assert {output, 0} = System.cmd("mix", args, cd: project, env: env, stderr_to_stdout: true)
    assert output =~ "model/#{context.id}"
  end

  test "ls shows the size of partial files", context do
    [folder] = Path.wildcard(context.cache <> "/models--*")
    partial = Path.join([folder, "blobs", String.duplicate("a", 40) <> ".0123abcd.incomplete"])
    File.write!(partial, large(48_000_000))
    assert {0, output} = run(context, ["ls"])
    assert output =~ " + 48.0 MB"
    assert output =~ "partial files: 48.0 MB in 1 file; prune removes old ones"
    assert output |> String.split("\n") |> Enum.all?(&(String.length(&1) <= 80))
    assert {0, output} = run(context, ["rm", context.id, "--dry-run"])
    assert output =~ ~r/would remove: 1 repository, 1 revision, 1 partial file, 48\.\d MB/
    assert {0, output} = run(context, ["prune", "--older-than", "0", "--dry-run"])
    assert output =~ "1 partial file, 48.0 MB"
  end

  test "rm asks for confirmation before it deletes", context do
    where = [repo_id: context.id, filename: "config.json", cache_dir: context.cache]
    assert {0, output} = run(context, ["rm", context.id, "--dry-run"])
    assert output =~ "would remove: 1 repository"
    assert {1, output} = run(context, ["rm", context.id], "n\n")
    assert output =~ "nothing was deleted" and Cache.cached?(where)
    assert {1, output} = run(context, ["rm", "org/none", "--yes"])
    assert output =~ "not in the cache: org/none"
    assert {0, output} = run(context, ["rm", context.id], "y\n")
    assert output =~ "removed: 1 repository" and not Cache.cached?(where)
  end

  test "rm rejects a file as a target", context do
    where = [repo_id: context.id, filename: "config.json", cache_dir: context.cache]

    for target <- ["hf://#{context.id}/config.json", "hf://#{context.id}@v9", "hf://datasets/#{context.id}"] do
      assert {1, output} = run(context, ["rm", target, "--yes"])
      assert output =~ "not in the cache: #{target}"
      assert Cache.cached?(where)
    end

    assert {0, output} = run(context, ["rm", "hf://#{context.id}@main", "--yes"])
    assert output =~ "1 revision" and not Cache.cached?(where)
  end

  test "rm removes a damaged repository", context do
    [blob | _] = Path.wildcard(context.cache <> "/models--*/blobs/*")
    File.rm!(blob)
    assert {0, output} = run(context, ["ls"])
    assert output =~ "warning: a snapshot references a missing blob"
    assert {1, _output} = run(context, ["rm", "model/org/none", "--yes"])
    assert {0, output} = run(context, ["rm", "model/#{context.id}"], "y\n")
    assert output =~ "models--" and output =~ "removed: 1 repository"
    assert Path.wildcard(context.cache <> "/models--*") == []
  end

  test "--json requires --yes instead of asking", context do
    stale =
      Path.join([hd(Path.wildcard(context.cache <> "/models--*")), "snapshots", String.duplicate("a", 40)])

    File.mkdir_p!(stale)
    assert {0, "{" <> _json} = run(context, ["prune", "--json"])
    assert File.dir?(stale)
    assert {1, output} = run(context, ["prune", "--json", "--older-than", "0"])
    assert output =~ ~s("error":"cancelled") and output =~ "pass --yes" and File.dir?(stale)
    assert {0, "{" <> _json} = run(context, ["prune", "--json", "--older-than", "0", "--yes"])
    refute File.exists?(stale)
  end

  test "adopt moves files of hf_hub 0.3 into the shared layout, and names the others", context do
    old = Path.join([hd(Path.wildcard(context.cache <> "/models--*")), "snapshots/main"])
    File.mkdir_p!(old)
    File.write!(Path.join(old, "config.json"), "{}")
    File.write!(Path.join(old, "model.safetensors"), "other")
    own_env(["HF_ENDPOINT"])
    System.put_env("HF_ENDPOINT", context.endpoint)
    assert {0, output} = run(context, ["ls"])
    assert output =~ "warning: files of hf_hub 0.3" and output =~ old and output =~ "mix hf_hub.cache adopt"
    assert {1, output} = run(context, ["adopt", "--dry-run"])
    assert output =~ "would adopt 1 file, 2 B; 1 file left where they are"
    assert File.exists?(Path.join(old, "config.json"))
    assert {1, output} = run(context, ["adopt", context.id, "--quiet"])
    assert output =~ "adopted: model/#{context.id} main (1 file, 2 B)"
    assert output =~ "different: model/#{context.id} main model.safetensors"
    assert File.ls!(old) == ["model.safetensors"]
    File.rm_rf!(old)
    assert {0, "{" <> json} = run(context, ["adopt", "--json"])
    assert json =~ ~s("files":0)
  end

  test "ls replaces control characters in names", context do
    for name <- ["evil\e[2J", String.duplicate("長", 60), String.duplicate("long-name-", 12)] do
      repo = Path.join(context.cache, "datasets--org--" <> name)
      File.mkdir_p!(Path.join([repo, "snapshots", context.commit]))
      File.mkdir_p!(Path.join(repo, "refs"))
      File.write!(Path.join([repo, "refs", String.duplicate("b", 100)]), context.commit)
    end

    for args <- [["ls"], ["ls", "--revisions"]] do
      assert {0, output} = run(context, args)
      refute output =~ "\e"
      lines = String.split(output, "\n")
      assert Enum.count(lines, &(&1 =~ "datasets/" or &1 =~ "dataset/org/")) == 3
      for line <- lines, do: assert(columns(line) <= 80, line)
    end

    assert {0, output} = run(context, ["ls", "--revisions"])
    assert length(String.split(output, String.slice(context.commit, 0, 8))) == 5
    assert {0, "{" <> _json} = run(context, ["ls", "--json"])
  end

  defp columns(line),
    do: line |> String.to_charlist() |> Enum.map(&if(&1 in 0x2E80..0xA4CF, do: 2, else: 1)) |> Enum.sum()

  test "verify exits with 1 if a file is corrupt", context do
    assert {0, output} = run(context, ["verify", "--quiet"])
    assert output =~ "3 files, 3 valid"
    [blob] = Path.wildcard(context.cache <> "/models--*/blobs/" <> String.duplicate("?", 64))
    File.write!(blob, "corrupt")
    assert {1, output} = run(context, ["verify", context.id, "--quiet"])
    assert output =~ "corrupted: model/#{context.id} model.safetensors"
  end

  test "verify compares a folder, or what is cached, with the repository on the Hub", context do
    own_env(["HF_ENDPOINT"])
    System.put_env("HF_ENDPOINT", context.endpoint)
    {id, _commit} = repo(context, %{"a.txt" => "1", "b.txt" => "2"})
    folder = folder(context, %{"a.txt" => "other", "c.txt" => "3"})

    assert {1, output} = command(["verify", id, "--local-dir", folder, "--quiet"])
    assert output =~ "corrupted: a.txt\nmissing: .gitattributes\nmissing: b.txt\nextra: c.txt\n"
    assert output =~ "1 file compared, 1 corrupted, 2 missing, 1 extra"

    File.write!(Path.join(folder, "a.txt"), "1")
    assert {0, _output} = command(["verify", "model/#{id}", "--local-dir", folder, "--quiet"])

    for flag <- ["--fail-on-missing-files", "--fail-on-extra-files"],
        do: assert({1, _output} = command(["verify", id, "--local-dir", folder, flag]))

    File.rm!(Path.join(folder, "c.txt"))
    assert {0, output} = command(["verify", id, "--local-dir", folder, "--fail-on-extra-files", "--json"])
    assert output =~ ~s("missing_paths":[".gitattributes","b.txt"])

    for {args, message} <- [
          {["--local-dir", folder], "requires the repository"},
          {[id, "--local-dir", folder, "--repair"], "mutually exclusive"},
          {[id, "--local-dir", folder, "--cache-dir", context.cache], "mutually exclusive"}
        ] do
      assert {1, output} = command(["verify" | args])
      assert output =~ message
    end

    Download.hf_hub_download!(opts(context, repo_id: id, filename: "a.txt"))
    assert {0, _output} = run(context, ["verify", id, "--fail-on-extra-files", "--quiet"])
    assert {1, _output} = run(context, ["verify", id, "--fail-on-missing-files", "--quiet"])
  end

  test "verify and adopt take the names that ls prints, and no others", context do
    {id, commit} = repo(context, %{"a.csv" => "1"}, repo_type: :dataset)
    Download.snapshot_download!(opts(context, repo_id: id, repo_type: :dataset))
    own_env(["HF_ENDPOINT"])
    System.put_env("HF_ENDPOINT", context.endpoint)

    for name <- [id, "dataset/#{id}", "hf://datasets/#{id}", commit] do
      assert {0, output} = run(context, ["verify", name, "--quiet"])
      assert output =~ "2 files, 2 valid", name
      assert {0, output} = run(context, ["adopt", name, "--quiet"])
      assert output =~ "adopted 0 files", name
    end

    for command <- ["verify", "adopt"], name <- ["model/#{id}", "no/such", "hf://no/such"] do
      assert {1, output} = run(context, [command, name, "--quiet"])

      assert output =~
               "not in the cache: #{name}; pass repositories or revisions that cache ls shows"
    end
  end

  test "exports, imports and moves", context do
    archive = Path.join(context.dir, "a.tar")
    assert {0, _output} = run(context, ["export", archive, context.id, "--quiet"])
    there = %{context | cache: Path.join(context.dir, "there")}
    assert {0, output} = run(there, ["import", archive, "--quiet"])
    assert output =~ "imported: model/#{context.id}"
    moved = Path.join(context.dir, "moved")
    assert {0, _output} = run(there, ["move", moved, "--quiet"])
    assert [%{repo_id: id}] = Cache.scan!(cache_dir: moved).repos
    assert id == context.id
  end

  test "exits with 2 for invalid arguments", context do
    assert {2, _} = run(context, [])
    assert {2, _} = run(context, ["rm"])
    assert {2, output} = run(context, ["ls", "--nonsense"])
    assert output =~ "unknown option --nonsense"
  end
end
