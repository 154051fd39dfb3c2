defmodule HfHub.ExtractTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Extract}

  doctest HfHub.Extract

  defp tar(context, name, entries, opts \\ []) do
    path = Path.join(context.dir, name)
    entries = for {entry, content} <- entries, do: {String.to_charlist(entry), content}
    :ok = :erl_tar.create(String.to_charlist(path), entries, opts)
    path
  end

  test "unpacks every format", context do
    out = &Path.join(context.dir, &1)
    entries = [{"a/b.txt", "hello"}]
    {:ok, _} = :zip.create(String.to_charlist(out.("x.zip")), [{String.to_charlist("a/b.txt"), "hello"}])
    tar(context, "x.tar", entries)
    tar(context, "x.tar.gz", entries, [:compressed])
    {_, 0} = System.cmd("xz", ["-k", out.("x.tar")])

    for name <- ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz"] do
      folder = out.("out_#{name}")
      assert Extract.extract(out.(name), folder) == {:ok, folder}
      assert File.read!(Path.join(folder, "a/b.txt")) == "hello", name
    end

    File.write!(out.("y.txt.gz"), :zlib.gzip("text"))
    assert Extract.extract!(out.("y.txt.gz"), out.("y.txt")) == out.("y.txt")
    assert File.read!(out.("y.txt")) == "text"
  end

  test "leaves no file of an archive that escapes the destination", context do
    path = tar(context, "evil.tar", [{"../evil.txt", "x"}])

    assert {:error, %Error{kind: :invalid_archive, message: message}} =
             Extract.extract(path, Path.join(context.dir, "out"))

    assert message =~ "evil.tar"
    assert File.ls!(context.dir) == ["evil.tar"]
  end

  test "rejects an archive that exceeds a limit", context do
    path = tar(context, "bomb.tar.gz", [{"zeros", :binary.copy(<<0>>, 20_000_000)}], [:compressed])
    out = Path.join(context.dir, "out")

    assert {:error, %Error{kind: :invalid_archive, message: message}} =
             Extract.extract(path, out, max_size: 1_000_000)

    assert message =~ ":max_size"
    refute File.exists?(out)
    assert {:ok, ^out} = Extract.extract(path, out, max_size: 20_000_000)

    path = tar(context, "many.tar", for(n <- 1..3, do: {"f#{n}", ""}), [])

    assert {:error, %Error{kind: :invalid_archive, message: message}} =
             Extract.extract(path, out <> "2", max_entries: 2)

    assert message =~ ":max_entries"
    assert {:ok, _out} = Extract.extract(path, out <> "2", max_entries: 3)
  end

  test "returns an error for a file that is not an archive", context do
    path = Path.join(context.dir, "x.zip")
    File.write!(path, "no archive")
    assert {:error, %Error{kind: :invalid_archive}} = Extract.extract(path, Path.join(context.dir, "out"))

    assert {:error, %Error{kind: :io}} =
             Extract.extract(Path.join(context.dir, "none.tar"), Path.join(context.dir, "out"))

    assert {:error, %Error{kind: :invalid_archive}} =
             Extract.extract(Path.join(context.dir, "x.txt"), context.dir)
  end
end
