defmodule HfHub.Parity.VerificationTest do
  # Both clients compare a folder with the Hub, and read the listings that either has stored, with the same results.
  use HfHub.Case, async: true

  alias HfHub.{Cache, Download, Python}

  @moduletag :python

  setup context do
    files = %{"a.txt" => "1", "sub/b.txt" => "2", "model.safetensors" => large(20_000)}
    {id, commit} = repo(context, files)
    {:ok, id: id, commit: commit}
  end

  defp python(context, script), do: Python.run!(script, context.endpoint, context.cache)

  test "a folder has the same mismatches, missing and extra files", context do
    folder = Path.join(context.dir, "folder")
    Download.snapshot_download!(opts(context, repo_id: context.id, local_dir: folder))
    write_files(folder, %{"sub/b.txt" => "other", "model.safetensors" => "", "new.txt" => "", ".git/x" => ""})
    File.rm!(Path.join(folder, "a.txt"))

    theirs =
      python(context, """
      r = HfApi(endpoint="#{context.endpoint}").verify_repo_checksums("#{context.id}", local_dir="#{folder}")
      print(r.revision, r.checked_count, r.missing_paths, r.extra_paths, r.verified_path)
      for m in r.mismatches: print(m["path"], m["expected"], m["actual"], m["algorithm"])
      """)

    found = Cache.verify_folder!(folder, context.id, endpoint: context.endpoint)
    listed = &("[" <> Enum.map_join(&1, ", ", fn path -> "'#{path}'" end) <> "]")
    missing = listed.(found.missing_paths)
    first = "#{found.revision} #{found.checked_count} #{missing} #{listed.(found.extra_paths)} #{folder}"
    names = %{sha256: "sha256", git_sha1: "git-sha1"}
    rest = for m <- found.mismatches, do: "#{m.path} #{m.expected} #{m.actual} #{names[m.algorithm]}"
    assert String.split(theirs, "\n", trim: true) == [first | rest]
    assert length(rest) == 2
  end

  test "the listing of a commit is that of the client that has stored it", context do
    show = """
    from huggingface_hub import get_cached_repo_tree
    for f in sorted(get_cached_repo_tree("#{context.id}"), key=lambda f: f.path):
        print(f.path, f.size, f.blob_id, f.xet_hash)
    """

    Download.snapshot_download!(opts(context, repo_id: context.id, allow_patterns: "a.txt"))
    assert python(context, show) |> String.split("\n", trim: true) == ours(context)

    File.rm_rf!(context.cache)

    download =
      ~s|snapshot_download("#{context.id}", allow_patterns="a.txt", endpoint="#{context.endpoint}")\n|

    theirs = python(context, "from huggingface_hub import snapshot_download\n" <> download <> show)
    assert String.split(theirs, "\n", trim: true) == ours(context)
  end

  defp ours(context) do
    for file <- Cache.tree!(context.id, cache_dir: context.cache),
        do: "#{file.path} #{file.size} #{file.oid} #{file.xet_hash || "None"}"
  end
end
