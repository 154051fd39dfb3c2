defmodule HfHub.Parity.CLIFilesTest do
  # `hf` and the command line of this library, side by side: copies, plans of synchronizations, attachments, papers.
  use HfHub.SideBySide

  import HfHub.TwoHubs, only: [command: 2, plant: 4]

  alias HfHub.{Commit, Discussions}

  defp files(context) do
    for side <- [:theirs, :ours] do
      folder = context.sides[side]

      for path <- Path.wildcard(folder <> "/**"),
          File.regular?(path),
          into: %{},
          do: {Path.relative_to(path, folder), File.read!(path)}
    end
  end

  test "copies of files", context do
    both(context, &write_files(&1, %{"a.txt" => "a", "b/c.bin" => <<0, 255, 10, 13>>, "out/x" => ""}))
    same(context, ~w(repos create me/m --json))
    same(context, ~w(buckets create me/files --json))

    for args <- [
          ~w(cp a.txt hf://me/m --json),
          ~w(cp a.txt hf://me/m/data/ --json),
          ~w(cp b/c.bin hf://me/m/d.bin --quiet),
          ~w(cp a.txt hf://me/m@main/e.txt --json),
          ~w(cp a.txt hf://me/none --json),
          ~w(cp b hf://me/m/),
          ~w(cp none hf://me/m/),
          ~w(cp a.txt b.txt),
          ~w(cp a.txt),
          ~w(cp hf://me/m/data/a.txt --json),
          ~w(cp hf://me/m/d.bin out --json),
          ~w(cp hf://me/m/d.bin new/dir/ --json),
          ~w(cp hf://me/m/d.bin new/name.bin --json),
          ~w(cp hf://me/m/d.bin -),
          ~w(cp hf://me/m/none.txt .),
          ~w(cp hf://me/m .),
          ~w(cp hf://me/m/data/ .),
          ~w(cp - hf://me/m/),
          ~w(cp a.txt hf://buckets/me/files/ --json),
          ~w(cp b/c.bin hf://buckets/me/files/d.bin --json),
          ~w(cp hf://buckets/me/files/d.bin from_bucket --json),
          ~w(cp hf://buckets/me/files/d.bin -),
          ~w(cp hf://buckets/me/files/none .),
          ~w(repos cp a.txt hf://buckets/me/files/),
          ~w(repos cp hf://me/m/data/a.txt again.txt --json),
          ~w(buckets cp a.txt hf://me/m/),
          ~w(buckets cp hf://buckets/me/files/a.txt bucket.txt --json),
          ~w(cp hf://me/m/data/ hf://buckets/me/files/copied/ --json),
          ~w(cp hf://buckets/me/files/a.txt hf://me/m/)
        ],
        do: same(context, args)

    for id <- ["me/m", "hf://buckets/me/files"], do: same(context, listing(id))
    assert [theirs, ours] = files(context)
    assert ours == theirs
  end

  defp listing("hf://buckets/" <> bucket), do: ["buckets", "ls", bucket, "-R", "--quiet"]
  defp listing(repo), do: ["models", "ls", repo, "-R", "--quiet"]

  test "bytes of stdin and stdout are not changed", context do
    on_both(context, &elem(HfHub.Repo.create("me/m", &1), 0))
    bytes = for byte <- 0..255, into: "", do: <<byte>>
    at = [endpoint: context.hubs.ours, token: "hf_me"]
    {elixir, args} = HfHub.Vm.script(context, "HfHub.CLI.main(System.argv())")
    input = Path.join(context.dir, "input")
    File.write!(input, bytes)
    cp = fn src, dst -> ["cp", src, dst, "--endpoint", context.hubs.ours, "--token", "hf_me"] end

    sh = fn line, args_of_cp ->
      System.cmd("sh", ["-c", line, elixir | args ++ args_of_cp], env: HfHub.Vm.env())
    end

    assert {_text, 0} = sh.(~s("$0" "$@" <'#{input}'), cp.("-", "hf://me/m/all.bin"))
    assert {^bytes, 0} = sh.(~s("$0" "$@"), cp.("hf://me/m/all.bin", "-"))
    assert {:ok, stream} = HfHub.Download.download_stream([repo_id: "me/m", filename: "all.bin"] ++ at)
    assert Enum.join(stream) == bytes
  end

  test "plans of synchronizations", context do
    both(context, &write_files(&1, %{"b/a.txt" => "a", "b/logs/1.txt" => "1", "b/logs/2.log" => "22"}))
    same(context, ~w(buckets create me/files --json))
    theirs_and_ours = fn args -> {json(context, args), args} end

    for args <- [
          ~w(sync b hf://buckets/me/files --dry-run),
          ~w(buckets sync b hf://buckets/me/files --dry-run --include *.txt)
        ] do
      {{theirs, ours}, args} = theirs_and_ours.(args)
      assert ours == theirs, Enum.join(args, " ")
    end

    same(context, ~w(sync b hf://buckets/me/files --plan plan.jsonl), stdout: false)
    same(context, ~w(buckets ls me/files --quiet))
    same(context, ~w(sync --apply plan.jsonl --verbose), stdout: false)
    same(context, ~w(buckets ls me/files -R --quiet))
    same(context, ~w(sync --apply plan.jsonl --delete))
    same(context, ~w(sync --apply plan.jsonl b))
    same(context, ~w(sync --apply none.jsonl))
    same(context, ~w(sync))
    same(context, ~w(sync b))
    same(context, ~w(sync b c))
    same(context, ~w(sync hf://buckets/me/files copy), stdout: false)
    same(context, ~w(buckets rm me/files --recursive --include *.log --dry-run))
    same(context, ~w(buckets rm me/files/a.txt --include *.log))
    same(context, ~w(buckets rm me/files --recursive --exclude *.txt --yes --json))
    same(context, ~w(buckets ls me/files -R --quiet))
    [theirs, ours] = files(context)
    assert Map.delete(ours, "plan.jsonl") == Map.delete(theirs, "plan.jsonl")
  end

  # The lines of a plan, without its time.
  defp json(context, args) do
    {0, theirs} = hf(context, args)
    {0, ours} = ours(context, args)

    [theirs, ours] =
      for text <- [theirs, ours] do
        for line <- String.split(text, "\n", trim: true) do
          {:ok, json} = HfHub.Native.run(:parse_json, line)
          json |> Map.drop(["timestamp", "local_mtime"]) |> Map.reject(&match?({_key, nil}, &1))
        end
      end

    {theirs, ours}
  end

  test "attachments of discussions", context do
    png = <<0x89, "PNG\r\n", 0x1A, ?\n>>

    media = %{
      "a.png" => png <> "a",
      "b c.png" => png <> "b",
      "d.mp4" => "\0\0\0\x18ftypmp42",
      "e.mp3" => "ID3\x03"
    }

    both(context, &write_files(&1, media))
    on_both(context, &elem(HfHub.Repo.create("me/m", &1), 0))
    body = "See ![the plot](a.png), ![](<b c.png>) and ![other](none.png)."

    same(
      context,
      ~w(discussions create me/m --title Plots --attach a.png --json --attach) ++
        ["b c.png", "--attach", "d.mp4", "--body", body]
    )

    same(context, ~w(discussions comment me/m 1 --attach e.mp3 --attach a.png#Alt --json))
    same(context, ~w(discussions comment me/m 1))
    same(context, ~w(discussions comment me/m 1 --body x --attach none.png))
    same(context, ~w(discussions comment me/m 1 --body x --attach ../cwd_none/x.txt))
    same(context, ~w(discussions edit me/m 1 abc --attach a.png))

    {theirs, ours} =
      on_both(context, fn at ->
        for %Discussions.Comment{} = comment <- Discussions.get!("me/m", 1, at).events,
            do: String.replace(comment.content, ~r"/production/uploads/[^)\"\s]+", "FILE")
      end)

    assert ours == theirs
    assert hd(ours) =~ "![the plot]("
  end

  test "papers", context do
    path = Path.join(context.dir, "papers.json")

    papers = [
      %{
        id: "1706.03762",
        title: "Attention Is All You Need",
        summary: "A network based solely on attention mechanisms.",
        authors: [%{name: "Ashish Vaswani", hidden: false}],
        publishedAt: "2017-06-12T17:57:34.000Z",
        submittedOnDailyAt: "2025-10-29T00:00:00.000Z",
        submittedOnDailyBy: %{user: "submitter", fullname: "Sub Mitter", avatarUrl: "/a.png"},
        upvotes: 90,
        numComments: 2
      }
    ]

    File.write!(path, HfHub.Native.Nif.to_json(papers))
    command(context, ["papers", "import", path])

    for args <- [
          ~w(papers ls --date 2025-10-29 --json),
          ~w(papers ls --date 2025-10-29),
          ~w(papers ls --sort none),
          ~w(papers search attention --quiet),
          ~w(papers search attention --json),
          ~w(papers info 1706.03762 --json),
          ~w(papers read 1706.03762),
          ~w(papers info 9999.99999),
          ~w(papers read 9999.99999)
        ],
        do: same(context, args)
  end

  test "Spaces: quota, SSH and hot reload", context do
    both(context, &write_files(&1, %{"app.py" => "import gradio"}))
    card = {:binary, "---\nsdk: gradio\nsdk_version: 6.2.0\n---\n"}

    on_both(context, fn at ->
      HfHub.Repo.create!("me/app", [repo_type: :space, space_sdk: :gradio] ++ at)
      HfHub.Repo.create!("me/old", [repo_type: :space, space_sdk: :static] ++ at)
      Commit.upload_file!(card, "README.md", "me/app", [repo_type: :space] ++ at)
      :ok
    end)

    plant(context, "GET", "/api/users/me/zero-gpu-quota", %{"base" => 300, "current" => 120})
    same(context, ~w(spaces zero-gpu quota --json))
    same(context, ~w(spaces zero-gpu quota --quiet))
    same(context, ~w(spaces ssh me/app --dry-run --json), stdout: false)
    same(context, ~w(spaces ssh me/app --dry-run --auto -i key))
    same(context, ~w(spaces ssh me/app --dry-run))
    same(context, ~w(spaces hot-reload me/old -f app.py))

    same(context, ~w(spaces hot-reload me/app -f app.py --skip-summary),
      ours: ~w(spaces hot-reload me/app -f app.py),
      stdout: false
    )

    same(context, ~w(spaces ls me/app -R --quiet))
  end

  test "queries without DuckDB", context do
    same(context, ["datasets", "sql", " ; "])
    same(context, ["datasets", "sql", "select 1;\n.shell ls"])
  end
end
