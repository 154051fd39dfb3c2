defmodule HfHub.Parity.DDUFTest do
  # Both clients read the DDUF files that both write.
  use HfHub.Case, async: true

  alias HfHub.{DDUF, Python}
  alias HfHub.DDUF.Zip

  @moduletag :python

  test "both clients see the same entries in files of both", context do
    files = %{
      "model_index.json" => ~s({"vae": []}),
      "vae/config.json" => "{}",
      "vae/ü.txt" => "ü",
      "vae/model.safetensors" => large(50_000),
      "preview.png" => ""
    }

    folder = folder(context, files)
    [ours, theirs, wide] = for name <- ~w(ours theirs wide), do: Path.join(context.dir, name <> ".dduf")
    DDUF.export_folder!(ours, folder)

    # With sizes of 64 bits everywhere.
    {:ok, file} = :file.open(wide, [:read, :write, :raw, :binary])
    pieces = for {name, content} <- Map.delete(files, "preview.png"), do: {name, [content]}
    Zip.write(pieces, &(:ok = :file.pwrite(file, &1, &2)), 1)
    :ok = :file.close(file)

    script = """
    import hashlib, zipfile
    from huggingface_hub import export_folder_as_dduf, read_dduf_file
    export_folder_as_dduf(#{inspect(theirs)}, #{inspect(folder)})
    for path in [#{inspect(ours)}, #{inspect(theirs)}, #{inspect(wide)}]:
        assert zipfile.ZipFile(path).testzip() is None
        for name, entry in sorted(read_dduf_file(path).items()):
            with entry.as_mmap() as content:
                print(name, entry.offset, entry.length, hashlib.sha256(content).hexdigest())
    """

    theirs_shown = Python.run!(script, context.endpoint, Path.join(context.dir, "cache"))

    shown =
      for path <- [ours, theirs, wide], {name, entry} <- Enum.sort(DDUF.read!(path)) do
        "#{name} #{entry.offset} #{entry.length} #{sha256(DDUF.content!(entry))}"
      end

    assert length(shown) == 12
    assert String.split(theirs_shown, "\n", trim: true) == shown
  end
end
