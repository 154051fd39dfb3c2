defmodule HfHub.GGUFTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, GGUF}
  alias HfHub.GGUF.{Header, Tensor}

  defp text(text), do: <<byte_size(text)::little-64, text::binary>>
  defp entry(key, type, value), do: text(key) <> <<type::little-32>> <> value
  defp list(type, items), do: <<type::little-32, length(items)::little-64>> <> Enum.join(items)
  defp u32(number), do: <<number::little-32>>

  defp tensor(name, shape, type, offset) do
    text(name) <>
      u32(length(shape)) <>
      for(size <- shape, into: "", do: <<size::little-64>>) <> <<type::little-32, offset::little-64>>
  end

  defp file(entries, tensors, data, opts \\ []) do
    header =
      "GGUF" <>
        u32(opts[:version] || 3) <>
        <<opts[:tensors] || length(tensors)::little-64, opts[:entries] || length(entries)::little-64>> <>
        Enum.join(entries) <> Enum.join(tensors)

    header <> :binary.copy(<<0>>, rem(32 - rem(byte_size(header), 32), 32)) <> data
  end

  defp good do
    entries = [
      entry("general.architecture", 8, text("llama")),
      entry("u8", 0, <<200>>),
      entry("i8", 1, <<200>>),
      entry("i16", 3, <<-2::little-16>>),
      entry("f32", 6, <<1.5::float-little-32>>),
      entry("nan", 6, <<0, 0, 0xC0, 0x7F>>),
      entry("f64", 12, <<0::48, 0xF0, 0xFF>>),
      entry("bool", 7, <<1>>),
      entry("u64", 10, <<2 ** 63::little-64>>),
      entry("tokens", 9, list(8, [text("a"), text("ü")])),
      entry("nested", 9, list(9, [list(5, [u32(1)]), list(5, [])]))
    ]

    file(
      entries,
      [tensor("w", [32, 2], 8, 0), tensor("b", [3], 0, 96), tensor("new", [7], 99, 128)],
      large(200)
    )
  end

  defp write(context, content) do
    path = Path.join(context.dir, "f#{System.unique_integer([:positive])}.gguf")
    File.write!(path, content)
    path
  end

  test "returns metadata and the table of tensors", context do
    assert {:ok, %Header{} = header} = GGUF.read(write(context, good()))
    assert header.version == 3 and header.alignment == 32

    assert header.metadata == %{
             "general.architecture" => "llama",
             "u8" => 200,
             "i8" => -56,
             "i16" => -2,
             "f32" => 1.5,
             "nan" => :nan,
             "f64" => :neg_infinity,
             "bool" => true,
             "u64" => 2 ** 63,
             "tokens" => ["a", "ü"],
             "nested" => [[1], []]
           }

    assert [
             %Tensor{name: "w", type: "Q8_0", shape: [32, 2], offset: 0, size: 68, parameter_count: 64},
             _b,
             new
           ] = header.tensors

    assert new.type == "99" and new.size == nil
    assert header.parameter_count == %{"Q8_0" => 64, "F32" => 3, "99" => 7}
    assert header.data_offset == byte_size(good()) - 200
    assert inspect(header) =~ "#HfHub.GGUF.Header<llama, 3 tensors"
  end

  test "reads big-endian files", context do
    text = &(<<byte_size(&1)::64>> <> &1)
    entry = fn key, type, value -> text.(key) <> <<type::32>> <> value end

    entries = [
      entry.("general.architecture", 8, text.("llama")),
      entry.("u8", 0, <<200>>),
      entry.("i16", 3, <<-2::16>>),
      entry.("u32", 4, <<1::32>>),
      entry.("f32", 6, <<1.5::float-32>>),
      entry.("inf", 6, <<0x7F, 0x80, 0, 0>>),
      entry.("f64", 12, <<-2.25::float-64>>),
      entry.("bool", 7, <<1>>),
      entry.("i64", 11, <<-3::64>>),
      entry.("tokens", 9, <<8::32, 2::64>> <> text.("a") <> text.("ü"))
    ]

    w = text.("w") <> <<2::32, 32::64, 2::64, 8::32, 32::64>>
    v = text.("v") <> <<1::32, 8::64, 24::32, 0::64>>
    header = <<"GGUF", 3::32, 2::64, length(entries)::64>> <> Enum.join(entries) <> v <> w
    content = header <> :binary.copy(<<0>>, 32 - rem(byte_size(header), 32)) <> large(100)

    assert {:ok, %Header{version: 3, big_endian?: true} = header} = GGUF.read(write(context, content))

    assert header.metadata == %{
             "general.architecture" => "llama",
             "u8" => 200,
             "i16" => -2,
             "u32" => 1,
             "f32" => 1.5,
             "inf" => :infinity,
             "f64" => -2.25,
             "bool" => true,
             "i64" => -3,
             "tokens" => ["a", "ü"]
           }

    assert [%Tensor{name: "v", type: "I8", shape: [8], offset: 0}, %Tensor{} = w] = header.tensors
    assert {w.name, w.type, w.shape, w.offset, w.size} == {"w", "Q8_0", [32, 2], 32, 68}
    refute GGUF.read!(write(context, good())).big_endian?
  end

  test "reads a long header from the Hub by growing ranges, without the data", context do
    tokens = for n <- 1..40_000, do: text("token #{n}")
    content = file([entry("tokens", 9, list(8, tokens))], [tensor("w", [4_000_000], 24, 0)], large(4_000_000))

    {id, _commit} =
      repo(context, %{"m.gguf" => content, ".gitattributes" => "*.gguf filter=lfs diff=lfs merge=lfs -text\n"})

    opts = [endpoint: context.endpoint, cache_dir: context.cache]
    assert {:ok, header} = GGUF.read(id, [filename: "m.gguf"] ++ opts)
    assert length(header.metadata["tokens"]) == 40_000

    asked =
      for %{"range" => "bytes=" <> range} <- requests(content),
          [first, last] = String.split(range, "-"),
          do: String.to_integer(last) - String.to_integer(first) + 1

    assert Enum.sum(asked) <= 2 * header.data_offset + 100_001
    assert GGUF.read!("hf://#{id}/m.gguf", opts) == header
    assert {:error, %Error{kind: :entry_not_found}} = GGUF.read(id, [filename: "n.gguf", retries: 0] ++ opts)
    assert_raise ArgumentError, ~r/:filename is required/, fn -> GGUF.read(id, opts) end
    HfHub.Download.hf_hub_download!([repo_id: id, filename: "m.gguf"] ++ opts)
    assert GGUF.read!({:hf, id}, [filename: "m.gguf"] ++ opts) == header
  end

  test "rejects hostile headers", context do
    deep = Enum.reduce(1..10, list(4, []), fn _level, inner -> list(9, [inner]) end)
    w = tensor("w", [8], 24, 0)

    for {what, content} <- [
          {"empty", ""},
          {"magic", "GGML" <> :binary.copy(<<0>>, 50)},
          {"version 1", file([], [], "", version: 1)},
          {"version 9", file([], [], "", version: 9)},
          {"big-endian version 9", "GGUF" <> <<9::32>> <> :binary.copy(<<0>>, 50)},
          {"big-endian count", "GGUF" <> <<3::32, 1::little-64, 0::64>> <> :binary.copy(<<0>>, 50)},
          {"count of tensors", file([], [], "", tensors: 2 ** 63)},
          {"count of entries", file([], [], "", entries: 2 ** 60)},
          {"more entries", file([entry("a", 0, <<1>>)], [], "", entries: 9)},
          {"length of a string", file([entry("a", 8, <<2 ** 64 - 1::little-64>>)], [], "")},
          {"length of a list", file([entry("a", 9, <<0::little-32, 2 ** 40::little-64>>)], [], "")},
          {"length of a list of lists",
           file([entry("a", 9, <<9::little-32, 50::little-64>>)], [], large(200))},
          {"nesting", file([entry("a", 9, deep)], [], large(500))},
          {"type", file([entry("a", 13, <<1>>)], [], "")},
          {"boolean", file([entry("a", 7, <<2>>)], [], "")},
          {"repeated key", file([entry("a", 0, <<1>>), entry("a", 0, <<1>>)], [], "")},
          {"repeated tensor", file([], [w, tensor("w", [8], 24, 32)], large(64))},
          {"overlap", file([], [tensor("v", [40], 24, 0), tensor("w", [8], 24, 32)], large(64))},
          {"unaligned", file([], [tensor("w", [8], 24, 8)], large(64))},
          {"outside", file([], [tensor("w", [8], 24, 64)], large(64))},
          {"overflow", file([], [tensor("w", [2 ** 40, 2 ** 40], 24, 0)], large(64))},
          {"huge offset", file([], [tensor("w", [8], 24, 2 ** 64 - 32)], large(64))},
          {"blocks", file([], [tensor("w", [31], 8, 0)], large(64))},
          {"overflow of an unknown type", file([], [tensor("w", [2 ** 40, 2 ** 40], 99, 0)], large(64))},
          {"nine dimensions", file([], [tensor("w", List.duplicate(1, 9), 24, 0)], large(64))},
          {"huge alignment", file([entry("general.alignment", 10, <<2 ** 40::little-64>>)], [], "")},
          {"long header", file([entry("a", 8, text(:binary.copy("a", 68_000_000)))], [], "")},
          {"dimensions", file([], [text("w") <> u32(2 ** 31)], large(64))},
          {"alignment", file([entry("general.alignment", 4, u32(0))], [], "")},
          {"odd alignment", file([entry("general.alignment", 4, u32(24))], [], "")}
        ] do
      path = write(context, content)
      assert {:error, %Error{kind: :invalid_response, path: ^path, message: message}} = GGUF.read(path), what
      assert String.length(message) < 600, what
    end
  end

  test "rejects counts before anything is read for them", context do
    for content <- [
          file([], [], "", tensors: 2 ** 63),
          file([], [], "", entries: 2 ** 60),
          file([entry("a", 8, <<2 ** 64 - 1::little-64>>)], [], ""),
          file([entry("a", 9, <<0::little-32, 2 ** 40::little-64>>)], [], ""),
          file([entry("a", 9, <<9::little-32, 50::little-64>>)], [], large(200))
        ] do
      assert {:error, %Error{message: message}} = GGUF.read(write(context, content))
      assert message =~ "more than fit into it"
    end
  end

  test "rejects more entries, tensors and items of lists than a header of a model has", context do
    for content <- [
          file([], [], large(24 * 250_001), tensors: 250_001),
          file([], [], large(13 * 1_000_001), entries: 1_000_001),
          file([entry("a", 9, <<0::little-32, 4_000_001::little-64>> <> large(4_000_001))], [], "")
        ] do
      assert {:error, %Error{message: message}} = GGUF.read(write(context, content))
      assert message =~ "too many entries, tensors and items of lists"
    end
  end

  test "any changed byte, and any end, gives a header or an error", context do
    content = good()
    path = write(context, content)
    :rand.seed(:exsss, {1, 2, 3})

    for _round <- 1..400 do
      at = :rand.uniform(byte_size(content) - 200) - 1
      <<before::binary-size(at), _byte, rest::binary>> = content
      changed = if rem(at, 5) == 0, do: before, else: <<before::binary, :rand.uniform(256) - 1, rest::binary>>
      File.write!(path, changed)

      case GGUF.read(path) do
        {:ok, header} ->
          for tensor <- header.tensors,
              do: assert(header.data_offset + tensor.offset + (tensor.size || 0) <= byte_size(changed))

        {:error, error} ->
          assert error.kind == :invalid_response
      end
    end
  end
end
