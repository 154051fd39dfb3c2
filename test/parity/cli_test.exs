defmodule HfHub.Parity.CLITest do
  # `hf` and the command line of this library, side by side: results, exit statuses, and what is on disk and on the Hub.
  use HfHub.SideBySide

  import HfHub.TwoHubs, only: [command: 2]

  alias HfHub.{Api, Git}

  defp files(context, id, opts \\ []) do
    {theirs, ours} = on_both(context, &Api.list_repo_files!(id, opts ++ &1))
    assert ours == theirs
    ours
  end

  defp refs(context, id) do
    {theirs, ours} =
      on_both(context, fn at ->
        refs = Git.list_refs!(id, at)
        {Enum.map(refs.branches, & &1.name), Enum.map(refs.tags, & &1.name)}
      end)

    assert ours == theirs
    ours
  end

  test "repositories, branches and tags", context do
    same(context, ~w(repos create me/a --json))
    same(context, ~w(repos create me/a))
    same(context, ~w(repos create me/a --exist-ok --json))
    same(context, ~w(repos create datasets/me/d --private --json))
    same(context, ~w(repos create datasets/me/d --type model))
    same(context, ~w(repos create spaces/me/s --sdk static --quiet))
    same(context, ~w(repos branch create me/a dev --json))
    same(context, ~w(repos branch create me/a dev))
    same(context, ~w(repos tag create me/a v1 -m First --json))
    same(context, ~w(repos tag create me/a v1))
    same(context, ~w(repos tag list me/a --json))
    same(context, ~w(repos tag ls me/a --quiet))
    assert [["dev", "main"], ["v1"]] = context |> refs("me/a") |> sorted()
    same(context, ~w(repos tag delete me/a v1 --yes --json))
    same(context, ~w(repos tag delete me/a none --yes))
    same(context, ~w(repos branch delete me/a dev --json))
    same(context, ~w(repos settings me/a --gated auto --json))
    same(context, ~w(repos settings me/a))
    same(context, ~w(repos duplicate me/a me/b --json))
    same(context, ~w(repos move me/b me/c --json))
    same(context, ~w(repos ls --json))
    same(context, ~w(repos ls --type dataset))
    same(context, ~w(repos ls --quiet --search me/c))
    same(context, ~w(repos delete me/c --yes --json))
    same(context, ~w(repos delete me/c --yes))
    same(context, ~w(repos delete me/c --yes --missing-ok --json))
    same(context, ~w(repos delete me/a --json))
    assert [] == files(context, "me/a") -- [".gitattributes"]
  end

  defp sorted([branches, tags]), do: [Enum.sort(branches), tags]

  test "uploads and downloads", context do
    both(
      context,
      &write_files(&1, %{"m/a.txt" => "a", "m/sub/b.json" => "{}", "m/c.bin" => "c", "one.txt" => "1"})
    )

    same(context, ~w(upload me/m m --json))
    assert ["a.txt", "c.bin", "sub/b.json"] = files(context, "me/m") -- [".gitattributes"]
    same(context, ~w(upload me/m one.txt --json))
    same(context, ~w(upload me/m one.txt data/1.txt --quiet --commit-message One))
    same(context, ~w(upload hf://datasets/me/data m train --json))
    same(context, ~w(upload me/m m . --include *.json --delete data/* --revision dev --json))
    same(context, ~w(upload me/m m . --exclude *.bin --create-pr --json))
    same(context, ~w(upload me/m))
    same(context, ~w(upload me/m none))
    assert "sub/b.json" in files(context, "me/m", revision: "dev")
    assert "train/a.txt" in files(context, "me/data", repo_type: :dataset)

    same(context, ~w(download me/m --json))
    same(context, ~w(download me/m a.txt --quiet))
    same(context, ~w(download me/m a.txt one.txt --local-dir out --json))
    same(context, ~w(download me/m sub/ --local-dir sub_only))
    same(context, ~w(download datasets/me/data --include *.json --local-dir data))
    same(context, ~w(download hf://me/m@dev/sub/b.json --local-dir uri))
    same(context, ~w(download me/m --dry-run --json --cache-dir dry))
    same(context, ~w(download me/m none.txt))
    same(context, ~w(download me/none))
    same(context, ~w(download me/m --revision none))
    same(context, ~w(download me/m --local-dir x --cache-dir y))
    same(context, ~w(download me/m sub/ --include *.json))
    same(context, ~w(download hf://me/m --revision dev))
    same(context, ~w(download me/m --nonsense))
    same(context, ~w(download), stdout: false)
    assert [theirs, ours] = for(side <- [:theirs, :ours], do: on_disk(context.sides[side]))
    # A dry run of `hf` records where the branch points to.
    assert ours == Map.delete(theirs, "dry/models--me--m/refs/main")

    same(context, ~w(repos delete-files me/m sub/ *.bin --json))
    assert ["a.txt", "data/1.txt", "one.txt"] = files(context, "me/m") -- [".gitattributes"]
  end

  # The files of the user; clients also have files of their own below `.cache`.
  defp on_disk(folder) do
    for path <- Path.wildcard(folder <> "/**"),
        File.regular?(path),
        into: %{},
        do: {Path.relative_to(path, folder), File.read!(path)}
  end

  test "logins", context do
    same(context, ~w(auth whoami --json))
    same(context, ~w(auth whoami --quiet))
    same(context, ~w(auth token))

    command(context, ~w(user add me --token hf_second --token-name second))
    context = Map.put(context, :token, false)
    same(context, ~w(auth whoami --json))
    same(context, ~w(auth token))
    same(context, ~w(auth login --json), stdout: false)
    same(context, ~w(auth login --token hf_me), stdout: false)
    same(context, ~w(auth login --token hf_second), stdout: false)
    same(context, ~w(auth login --token hf_wrong), stdout: false)
    assert "hf_second\n" == same(context, ~w(auth token))
    same(context, ~w(auth switch --token-name local), stdout: false)
    same(context, ~w(auth switch --token-name none), stdout: false)
    assert "hf_me\n" == same(context, ~w(auth token))
    same(context, ~w(auth whoami))
    listed = same(context, ~w(auth list), stdout: false)
    assert listed =~ "local" and listed =~ "second" and not (listed =~ "hf_second")
    same(context, ~w(auth logout --token-name second), stdout: false)
    # `hf` reports success.
    assert {1, _output} = ours(context, ~w(auth logout --token-name second))
    same(context, ~w(auth logout), stdout: false)
    same(context, ~w(auth logout), stdout: false)
    same(context, ~w(auth whoami))
  end
end
