defmodule HfHub.DDUFTest do
  use HfHub.Case, async: true

  alias HfHub.{DDUF, Error}
  alias HfHub.DDUF.Zip

  @index ~s({"_class_name": "Pipe", "vae": ["diffusers", "Autoencoder"]})

  defp good do
    [
      {"model_index.json", {:binary, @index}},
      {"vae/config.json", {:binary, "{}"}},
      {"vae/ü.safetensors", {:binary, large(20_000)}}
    ]
  end

  defp path(context, name \\ "model.dduf"), do: Path.join(context.dir, name)

  # An archive without the checks of `DDUF.export/2`.
  defp archive(context, entries, limit \\ 0xFFFFFFFF) do
    path = path(context, "archive#{System.unique_integer([:positive])}.dduf")
    File.touch!(path)
    {:ok, file} = :file.open(path, [:read, :write, :raw, :binary])
    pieces = for {name, {:binary, bytes}} <- entries, do: {name, [bytes]}
    Zip.write(pieces, fn at, bytes -> :ok = :file.pwrite(file, at, bytes) end, limit)
    :ok = :file.close(file)
    path
  end

  test "what cannot be a path is an ArgumentError" do
    for wrong <- [:x, nil, {:hf, "me/m", auth_token: "hush"}, %{token: "hush"}],
        call <- [&DDUF.export(&1, []), &DDUF.export_folder("x.dduf", &1), &HfHub.Safetensors.write(&1, %{})] do
      message = Exception.message(assert_raise(ArgumentError, fn -> call.(wrong) end))
      assert message =~ "expected a path" and not (message =~ "hush")
    end
  end

  test "a file has the entries that were exported", context do
    path = path(context)
    assert DDUF.export(path, good()) == {:ok, path}
    assert {:ok, entries} = DDUF.read(path)

    for {name, {:binary, bytes}} <- good(),
        name != "vae/ü.safetensors",
        do: assert(DDUF.content!(entries[name]) == bytes)

    assert %{length: 20_000, offset: offset} = weights = entries["vae/ü.safetensors"]
    assert {:ok, bytes} = DDUF.content(weights)
    assert binary_part(File.read!(path), offset, 20_000) == bytes
    assert inspect(weights) == "#HfHub.DDUF.Entry<vae/ü.safetensors, 20000 bytes>"

    # The same content makes the same file.
    again = for {name, entry} <- Enum.sort(entries), do: {name, {:binary, DDUF.content!(entry)}}
    assert File.read!(DDUF.export!(path(context, "again.dduf"), again)) == File.read!(path)
    assert File.ls!(context.dir) |> Enum.sort() == ["again.dduf", "model.dduf"]
  end

  test "a folder is exported without the files that are not allowed", context do
    files = %{
      "model_index.json" => @index,
      "vae/config.json" => "{}",
      "README.md" => "",
      "vae/a/b.json" => ""
    }

    path =
      DDUF.export_folder!(
        path(context),
        folder(context, Map.put(files, "vae/model.txt", String.duplicate("a", 99)))
      )

    assert path |> DDUF.read!() |> Map.keys() == ["model_index.json", "vae/config.json", "vae/model.txt"]
    assert {:error, %Error{kind: :io}} = DDUF.export_folder(path, path(context, "none"))
  end

  test "a file on the Hub is read by ranges", context do
    DDUF.export!(path(context), good())
    {id, _commit} = repo(context, %{"m.dduf" => File.read!(path(context))})
    entries = DDUF.read!(id, opts(context, filename: "m.dduf"))
    assert entries["model_index.json"] |> DDUF.content!() == @index
    assert entries["vae/ü.safetensors"].length == 20_000
    assert {:error, %Error{kind: :entry_not_found}} = DDUF.read(id, opts(context, filename: "none.dduf"))
  end

  test "sizes of 64 bits are written and read", context do
    for limit <- [1, 60, 20_000] do
      entries = context |> archive(good(), limit) |> DDUF.read!()
      assert entries["vae/ü.safetensors"].length == 20_000
      assert DDUF.content!(entries["vae/config.json"]) == "{}"
    end
  end

  test "what the format does not allow is an error, and leaves the file as it is", context do
    path = path(context)
    File.write!(path, "before")
    # What a call that was killed has left.
    File.write!(Path.join(context.dir, ".#{Path.basename(path)}.99999999-0.1.0-1.incomplete"), "x")

    for {entries, message} <- [
          {tl(good()), "model_index.json is missing"},
          {[{"model_index.json", {:binary, "[]"}}], "not a JSON object"},
          {[{"model_index.json", {:binary, "{"}}], "not a JSON object"},
          {[{"model_index.json", {:binary, ""}}], "not a JSON object"},
          {good() ++ [{"unet/config.json", {:binary, ""}}], ~s("unet" is not in model_index.json)},
          {List.delete_at(good(), 1), ~s("vae" has none of config.json)},
          {good() ++ [{"vae/x.png", {:binary, ""}}], "allowed are files with .json"},
          {good() ++ [{"a/b/c.json", {:binary, ""}}], "folders in folders"},
          {good() ++ [{"../c.json", {:binary, ""}}], "not a path"},
          {good() ++ [{"vae\\c.json", {:binary, ""}}], "separator"}
        ] do
      assert {:error, %Error{kind: :invalid_archive} = error} = DDUF.export(path, entries)
      assert error.message =~ message
      assert {:error, %Error{kind: :invalid_response} = error} = context |> archive(entries) |> DDUF.read()
      assert error.message =~ message
    end

    twice = good() ++ [hd(good())]
    assert {:error, %Error{message: message}} = DDUF.export(path, twice)
    assert message =~ "two entries"
    assert {:error, %Error{message: message}} = context |> archive(twice) |> DDUF.read()
    assert message =~ "two entries"

    assert {:error, %Error{kind: :io}} = DDUF.export(path, good() ++ [{"a.json", {:path, path <> "x"}}])
    assert_raise ArgumentError, fn -> DDUF.export(path, [{"a.json", "content"}]) end
    assert File.read!(path) == "before"
    refute Enum.any?(File.ls!(context.dir), &(&1 =~ "incomplete"))
  end

  test "a file that cannot be read is no invalid file, whichever request fails", context do
    # More than what one request receives, so that the directory, the headers and the index are requests of their own.
    entries = [{"vae/a.safetensors", {:binary, large(200_000)}} | Enum.reverse(Enum.take(good(), 2))]
    {id, _commit} = repo(context, %{"m.dduf" => File.read!(DDUF.export!(path(context), entries))})
    read = fn -> DDUF.read(id, opts(context, filename: "m.dduf", retries: 0)) end

    before = length(requests(id))
    assert {:ok, %{"model_index.json" => _index}} = read.()
    count = length(requests(id)) - before
    assert count > 5

    for skip <- 0..(count - 1) do
      fault(id, %{kind: "status", code: 403}, %{skip: skip, times: 1})
      assert {^skip, {:error, %Error{kind: :forbidden}}} = {skip, read.()}
    end
  end

  test "what an archive announces has limits", context do
    many = for number <- 1..10_001, do: {"#{number}.json", {:binary, ""}}
    bytes = File.read!(path = archive(context, [hd(many)]))
    # The entry in the directory, which is between the content and the last 22 bytes, as often.
    {at, _length} = :binary.match(bytes, <<"PK", 1, 2>>)
    entry = binary_part(bytes, at, byte_size(bytes) - at - 22)
    length = 10_001 * byte_size(entry)
    last = <<"PK", 5, 6, 0::64, length::little-32, at::little-32, 0::16>>
    File.write!(path, [binary_part(bytes, 0, at), String.duplicate(entry, 10_001), last])
    assert {:error, %Error{kind: :invalid_response, message: message}} = DDUF.read(path)
    assert message =~ "more than 10000 entries"
    assert {:error, %Error{kind: :invalid_archive}} = DDUF.export(path(context), many)

    index = [{"model_index.json", {:binary, "{}" <> String.duplicate(" ", 16 * 1_048_576)}}]

    assert {:error, %Error{kind: :invalid_response, message: message}} =
             context |> archive(index) |> DDUF.read()

    assert message =~ "model_index.json has more than 16 MiB"
    assert {:error, %Error{kind: :invalid_archive}} = DDUF.export(path(context), index)

    # Names are checked before the headers of the entries, each of which is a request of a file on the Hub.
    path = archive(context, good() ++ [{"vae/x.png", {:binary, ""}}])
    bytes = path |> File.read!() |> String.replace("PK" <> <<3, 4>>, "none")
    File.write!(path, bytes)
    assert {:error, %Error{message: message}} = DDUF.read(path)
    assert message =~ "allowed are files with"
  end

  test "the work for the names grows as their number" do
    work = fn number ->
      folders = for folder <- 1..number, do: "f#{folder}"
      names = for folder <- folders, do: folder <> "/scheduler_config.json"
      {:reductions, before} = Process.info(self(), :reductions)
      assert DDUF.Rules.check(names, Map.new(folders, &{&1, []})) == :ok
      {:reductions, later} = Process.info(self(), :reductions)
      later - before
    end

    assert work.(4_000) < 3 * work.(2_000)
  end

  test "names are text that fits into an archive", context do
    for {name, message} <- [
          {<<255, ".json">>, "not UTF-8"},
          {String.duplicate("a", 65_531) <> ".json", "65535"}
        ] do
      assert {:error, %Error{kind: :invalid_archive} = error} =
               DDUF.export(path(context), good() ++ [{name, {:binary, ""}}])

      assert error.message =~ message
      assert byte_size(error.message) < 1_000
    end

    assert {:error, %Error{kind: :invalid_response} = error} =
             context |> archive(good() ++ [{<<255, ".json">>, {:binary, ""}}]) |> DDUF.read()

    assert error.message =~ "not UTF-8"
  end

  test "a damaged archive is an error", context do
    bytes = File.read!(DDUF.export!(path(context), good()))
    size = byte_size(bytes)

    # In the headers before and after the contents.
    damaged =
      [binary_part(bytes, 0, size - 1), "", "PK", binary_part(bytes, 100, size - 100)] ++
        for(
          at <- Enum.take_every(0..140, 5) ++ Enum.take_every((size - 330)..(size - 1), 7),
          do: flipped(bytes, at)
        )

    for {bytes, number} <- Enum.with_index(damaged) do
      path = path(context, "damaged#{number}.dduf")
      File.write!(path, bytes)

      case DDUF.read(path) do
        {:ok, entries} ->
          for {_name, entry} <- entries, do: assert(byte_size(DDUF.content!(entry)) == entry.length)

        {:error, %Error{kind: kind}} ->
          assert kind == :invalid_response
      end
    end
  end

  defp flipped(bytes, at) do
    <<before::binary-size(at), byte, rest::binary>> = bytes
    <<before::binary, Bitwise.bxor(byte, 0x41), rest::binary>>
  end
end
