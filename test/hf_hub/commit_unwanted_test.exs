defmodule HfHub.CommitUnwantedTest do
  # Uploads of folders with files that are rarely meant to be published.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.Commit

  @wanted ["code/swp", "data/_.txt", "main.py"]

  @unwanted [
    ".DS_Store",
    ".model-00001-of-00002.safetensors.17-0.1.0-5.incomplete",
    "._main.py",
    "Thumbs.db",
    "code/.ipynb_checkpoints/a.ipynb",
    "code/.main.py.swp",
    "code/__pycache__/a.cpython-312.pyc",
    "code/__pycache__/notes.txt",
    "code/old.pyc",
    "data/.DS_Store"
  ]

  setup context do
    names = @wanted ++ @unwanted ++ [".git/config", ".cache/huggingface/x"]
    {:ok, folder: folder(context, Map.new(names, &{&1, &1})), id: writable(context)}
  end

  defp uploaded(context), do: Map.keys(content(context, context.id)) -- [".gitattributes"]

  defp upload(%{folder: folder, id: id}, more) do
    with_log(fn -> Commit.upload_folder(folder, id, write([resumable: false] ++ more)) end)
  end

  test "leaves them out, and logs how many and how to include them", context do
    assert {{:ok, %{committed?: true}}, log} = upload(context, [])
    assert uploaded(context) == @wanted

    assert log =~
             ~r/10 files were left out by default \("[^"]+", "[^"]+", "[^"]+", …\); pass ignore_defaults: false/
  end

  test "includes them with ignore_defaults: false", context do
    assert {{:ok, _info}, log} = upload(context, ignore_defaults: false)
    assert uploaded(context) == Enum.sort(@wanted ++ @unwanted)
    refute log =~ "left out"
  end

  test "includes those that a pattern names", context do
    assert {{:ok, _info}, log} = upload(context, allow_patterns: ["*.py", "*.pyc", "data/.DS_Store"])

    assert uploaded(context) ==
             ["code/__pycache__/a.cpython-312.pyc", "code/old.pyc", "data/.DS_Store", "main.py"]

    assert log =~ ~s[1 file was left out by default ("._main.py"); pass]
  end

  test "counts only files that the patterns select", context do
    assert {{:ok, _info}, log} = upload(context, ignore_patterns: ["code/", "data/", "Thumbs.db", ".*"])
    assert uploaded(context) == ["main.py"]
    refute log =~ "left out"
  end

  test "a folder with no other files makes no commit", context do
    assert {{:ok, %{committed?: false}}, log} =
             upload(context, allow_patterns: ["code/*"], ignore_patterns: ["*swp"])

    assert log =~ "nothing was committed"
    assert log =~ "the 4 selected files in `#{context.folder}` are left out by default"
  end

  test "upload_large_folder leaves them out too", context do
    large = fn more ->
      with_log(fn -> Commit.upload_large_folder(context.folder, context.id, write(more)) end)
    end

    assert {{:ok, [_commit]}, log} = large.(allow_patterns: [], ignore_patterns: [])
    assert log =~ "10 files were left out by default"
    assert uploaded(context) == @wanted
    assert {{:ok, [_commit]}, _log} = large.(ignore_defaults: false)
    assert uploaded(context) == Enum.sort(@wanted ++ @unwanted)
  end

  test "empty lists of patterns do not filter", context do
    empty = [allow_patterns: [], ignore_patterns: [], delete_patterns: []]
    assert {{:ok, %{committed?: true}}, _log} = upload(context, [ignore_defaults: false] ++ empty)
    assert uploaded(context) == Enum.sort(@wanted ++ @unwanted)
  end

  test "their remains in the repository are deleted like other files", context do
    id = writable(context, %{".DS_Store" => "d"})
    context = %{context | id: id}
    assert {{:ok, _info}, _log} = upload(context, delete_patterns: [".DS_Store"])
    assert uploaded(context) == @wanted
  end
end
