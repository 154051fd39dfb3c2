defmodule HfHub.TensorsTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Safetensors}
  alias HfHub.Safetensors.Handle

  @dtypes HfHub.Safetensors.Dtype.names()

  defp write(context, tensors, more \\ []) do
    path = Path.join(context.dir, "m#{System.unique_integer([:positive])}.safetensors")
    Safetensors.write!(path, tensors, more)
    path
  end

  defp write_raw(context, header, data) do
    path = Path.join(context.dir, "raw#{System.unique_integer([:positive])}.safetensors")
    File.write!(path, [<<byte_size(header)::little-64>>, header, data])
    path
  end

  defp entry(dtype, shape, first, last),
    do: ~s({"dtype":"#{dtype}","shape":#{inspect(shape)},"data_offsets":[#{first},#{last}]})

  describe "a file" do
    test "is opened with names, types and shapes, and read tensor by tensor", context do
      {weights, bias} = {large(40 * 4), large(6)}

      path =
        write(context, %{"w" => {"F32", [10, 4], weights}, "b" => {"BF16", [3], bias}},
          metadata: %{"a" => "ü"}
        )

      assert {:ok, %Handle{} = model} = Safetensors.open(path)
      assert model.tensors["w"].shape == [10, 4] and model.tensors["b"].dtype == "BF16"
      assert model.metadata == %{"a" => "ü"} and model.parameter_count == %{"F32" => 40, "BF16" => 3}
      assert Safetensors.tensor!(model, "w") == weights and Safetensors.tensor!(model, "b") == bias
      assert inspect(model) == "#HfHub.Safetensors.Handle<2 tensors, 1 file, 3 BF16, 40 F32>"
      # Other processes read it too.
      assert Task.await(Task.async(fn -> Safetensors.tensor!(model, "b") end)) == bias
      assert Safetensors.close(model) == :ok
      assert {:error, %Error{kind: :io, reason: reason}} = Safetensors.tensor(model, "w")
      assert reason =~ "closed"
      assert {:ok, _model} = Safetensors.open(context.dir, filename: Path.basename(path))
      assert {:ok, _model} = Safetensors.open({:local, path})
    end

    test "is read by rows", context do
      rows = for n <- 0..9, do: <<n, n, n>>
      path = write(context, %{"w" => {"U8", [10, 3], Enum.join(rows)}, "s" => {"I64", [], <<7::64>>}})
      model = Safetensors.open!(path)
      assert Safetensors.tensor!(model, "w", rows: 2..3) == <<2, 2, 2, 3, 3, 3>>
      assert Safetensors.tensor!(model, "w", rows: 8..-1//1) == <<8, 8, 8, 9, 9, 9>>
      assert Safetensors.tensor!(model, "w", rows: -2..-1//1) == <<8, 8, 8, 9, 9, 9>>
      assert Safetensors.tensor!(model, "w", rows: -10..0//1) == <<0, 0, 0>>

      assert {:error, %{kind: :bad_request, message: message}} =
               Safetensors.tensor(model, "w", rows: -11..-1//1)

      assert message =~ "not those of -11..-1"

      for rows <- [0..10, 10..-1//1, -2..-11//1, 5..4//1] do
        assert {:error, %Error{kind: :bad_request, message: message}} =
                 Safetensors.tensor(model, "w", rows: rows)

        assert message =~ "10 rows"
      end

      assert {:error, %Error{kind: :bad_request}} = Safetensors.tensor(model, "s", rows: 0..0)
      assert_raise ArgumentError, ~r/:rows/, fn -> Safetensors.tensor(model, "w", rows: 0..8//2) end
      assert_raise ArgumentError, ~r/name of a tensor/, fn -> Safetensors.tensor(model, :w) end
    end

    test "without the tensor is an error that lists similar names", context do
      model = Safetensors.open!(write(context, for(n <- 1..9, do: {"layer.#{n}.weight", {"U8", [1], <<n>>}})))

      assert {:error, %Error{kind: :not_found, message: message}} =
               Safetensors.tensor(model, "layer.3.weigth")

      assert message =~ ~s(no tensor "layer.3.weigth"; similar: "layer.3.weight")
      assert {:error, %{message: message}} = Safetensors.tensor(model, "zzz")
      assert message =~ ~s(there are 9, such as "layer.1.weight")
      assert_raise Error, ~r/no tensor "x"/, fn -> Safetensors.stream(model, names: ["x"]) end

      model = Safetensors.open!(write(context, [{"w", {"U8", [1], <<1>>}}]))
      assert {:error, %{message: message}} = Safetensors.tensor(model, "zzz")
      assert message =~ ~s(no tensor "zzz"; the only one is "w")
      assert {:error, %{message: message}} = Safetensors.tensor(model, "w", rows: 1..1)
      assert message =~ "has 1 row, not those of 1..1"
    end

    test "is streamed in the order of its data", context do
      tensors =
        for n <- 1..20,
            do:
              {"t#{n}",
               {Enum.at(["F32", "U8", "I64"], rem(n, 3)), [n], large(n * Enum.at([4, 1, 8], rem(n, 3)))}}

      model = Safetensors.open!(write(context, tensors))
      streamed = Enum.to_list(Safetensors.stream(model))

      assert Map.new(streamed, fn {name, _tensor, bytes} -> {name, bytes} end) ==
               Map.new(tensors, fn {name, t} -> {name, elem(t, 2)} end)

      offsets = for {_name, tensor, _bytes} <- streamed, do: tensor.data_offsets
      assert offsets == Enum.sort(offsets)
      assert [{"t2", _, _}, {"t1", _, _}] = Enum.to_list(Safetensors.stream(model, names: ["t1", "t2"]))
    end

    test "that was truncated or changed is an error, and one that was replaced is read as it was", context do
      data = large(4_000_000)
      path = write(context, %{"w" => {"U8", [4_000_000], data}})
      model = Safetensors.open!(path)
      File.cp!(path, path <> ".copy")
      File.rename!(path <> ".copy", path)
      assert Safetensors.tensor!(model, "w") == data
      model = Safetensors.open!(path)
      {:ok, file} = :file.open(path, [:read, :write, :raw])
      {:ok, _position} = :file.position(file, 2_000_000)
      :ok = :file.truncate(file)
      assert {:error, %Error{kind: :io, message: message}} = Safetensors.tensor(model, "w")
      assert message =~ "changed or truncated"
      # Also where the wanted part is still there.
      assert {:error, %Error{kind: :io}} = Safetensors.tensor(model, "w", rows: 0..9)

      path = write(context, %{"w" => {"U8", [4], <<1, 2, 3, 4>>}})
      File.touch!(path, 1_700_000_000)
      model = Safetensors.open!(path)
      size = File.stat!(path).size
      File.open!(path, [:read, :write], &:file.pwrite(&1, size - 1, <<9>>))
      assert File.stat!(path).size == size
      assert {:error, %Error{kind: :io}} = Safetensors.tensor(model, "w")
    end

    test "that is missing, a folder without a model, or a pipe is an error at once", context do
      missing = Path.join(context.dir, "no.safetensors")
      assert {:error, %Error{kind: :entry_not_found, path: ^missing}} = Safetensors.open(missing)
      assert {:error, %Error{kind: :entry_not_found}} = HfHub.GGUF.read({:local, missing})
      assert {:error, %Error{kind: :entry_not_found, message: message}} = Safetensors.open(context.dir)
      assert message =~ "model.safetensors.index.json"
      pipe = Path.join(context.dir, "pipe.safetensors")
      {_output, 0} = System.cmd("mkfifo", [pipe])
      assert {:error, %Error{kind: :io, reason: "not a regular file"}} = Safetensors.open(pipe)
    end
  end

  describe "a hostile header" do
    test "is an error", context do
      deep = String.duplicate("[", 10_000)

      headers = [
        {"list", "[]", ""},
        {"text", "hello", ""},
        {"nested", ~s({"__metadata__":{"a":#{deep}), ""},
        {"twice", ~s({"w":#{entry("U8", [1], 0, 1)},"w":#{entry("U8", [1], 0, 1)}}), "x"},
        {"overlap", ~s({"a":#{entry("U8", [2], 0, 2)},"b":#{entry("U8", [2], 1, 3)}}), "xxx"},
        {"same place", ~s({"a":#{entry("U8", [2], 0, 2)},"b":#{entry("U8", [2], 0, 2)}}), "xx"},
        {"gap", ~s({"a":#{entry("U8", [1], 0, 1)},"b":#{entry("U8", [1], 2, 3)}}), "xxx"},
        {"not at the start", ~s({"a":#{entry("U8", [1], 1, 2)}}), "xx"},
        {"outside", ~s({"a":#{entry("U8", [2], 0, 2)}}), "x"},
        {"more data", ~s({"a":#{entry("U8", [1], 0, 1)}}), "xx"},
        {"size", ~s({"a":#{entry("F32", [2], 0, 4)}}), "xxxx"},
        {"reversed", ~s({"a":#{entry("U8", [0], 4, 0)}}), "xxxx"},
        {"negative", ~s({"a":#{entry("U8", [-1], 0, 1)}}), "x"},
        {"overflow", ~s({"a":#{entry("U8", [4_294_967_296, 4_294_967_296, 2], 0, 1)}}), "x"},
        # Sizes of unknown types are not known either.
        {"overflow of an unknown type", ~s({"a":#{entry("X9", [4_294_967_296, 4_294_967_296], 0, 1)}}), "x"},
        {"count beside zero", ~s({"a":#{entry("U8", [0, 18_446_744_073_709_551_616], 0, 0)}}), ""},
        {"negative beside zero", ~s({"a":#{entry("U8", [0, -1], 0, 0)}}), ""},
        {"reversed at the end", ~s({"a":#{entry("U8", [5], 0, 5)},"b":#{entry("X9", [1], 5, 3)}}), "xxx"},
        {"count", ~s({"a":#{entry("U8", [18_446_744_073_709_551_615], 0, 18_446_744_073_709_551_615)}}), "x"},
        {"long number",
         ~s({"a":#{entry("U8", [1], 0, 1) |> String.replace("[1]", "[#{String.duplicate("9", 9999)}]")}}),
         "x"},
        {"fraction", ~s({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}), "x"},
        {"offsets of text", ~s({"a":{"dtype":"U8","shape":[1],"data_offsets":["0","1"]}}), "x"},
        {"three offsets", ~s({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}), "x"},
        {"no dtype", ~s({"a":{"shape":[1],"data_offsets":[0,1]}}), "x"},
        {"behind", ~s({} {}), ""}
      ]

      for {what, header, data} <- headers do
        path = write_raw(context, header, data)

        assert {:error, %Error{kind: :invalid_response, path: ^path, message: message}} =
                 Safetensors.open(path),
               what

        assert String.length(message) < 1000, what
      end
    end

    test "with an impossible length is not read", context do
      for length <- [3, 2 ** 64 - 1, 100_000_001] do
        path = Path.join(context.dir, "long.safetensors")
        File.write!(path, [<<length::little-64>>, "{}"])
        assert {:error, %Error{kind: :invalid_response}} = Safetensors.open(path)
      end

      # A file that is long enough.
      path = Path.join(context.dir, "sparse.safetensors")
      File.write!(path, <<100_000_001::little-64>>)
      {:ok, file} = :file.open(path, [:read, :write, :raw])
      {:ok, _position} = :file.position(file, 100_000_100)
      :ok = :file.truncate(file)
      assert {:error, %Error{message: message}} = Safetensors.open(path)
      assert message =~ "announced length of 100000001 bytes"

      File.write!(Path.join(context.dir, "long.safetensors"), "1234567")
      assert {:error, %Error{message: message}} = Safetensors.open(Path.join(context.dir, "long.safetensors"))
      assert message =~ "shorter than 8 bytes"
    end

    test "of nearly 100 MB is an error before its values are made", context do
      for text <- ["[1," <> :binary.copy("1,", 49_000_000) <> "1]", :binary.copy("[", 99_000_000)] do
        path = write_raw(context, ~s({"a":) <> text <> "}", "")
        assert {:error, %Error{kind: :invalid_response, message: message}} = Safetensors.open(path)
        assert message =~ "too many values"
      end
    end

    test "of several files may have as many values together as that of one", context do
      # Each file alone is valid. Commas in a text are counted too.
      commas = :binary.copy(",", 2_500_000)

      file = fn name ->
        header = ~s({"__metadata__":{"a":"#{commas}"},"#{name}":#{entry("U8", [1], 0, 1)}})
        <<byte_size(header)::little-64, header::binary, 1>>
      end

      index = ~s({"weight_map":{"a":"a.safetensors","b":"b.safetensors"}})

      files = %{
        "a.safetensors" => file.("a"),
        "b.safetensors" => file.("b"),
        "model.safetensors.index.json" => index
      }

      folder = folder(context, files)
      {id, _commit} = repo(context, files)
      at = [endpoint: context.endpoint]

      assert Map.keys(Safetensors.open!(folder, names: ["a"]).tensors) == ["a"]
      assert {:ok, _file} = Safetensors.file_metadata(id, "b.safetensors", at)

      for result <- [Safetensors.open(folder), Safetensors.open(id, at), Safetensors.metadata(id, at)] do
        assert {:error, %Error{kind: :invalid_response, message: message}} = result
        assert message =~ "too many values"
      end
    end

    test "with any byte changed never gives a tensor outside of the file, or an exception", context do
      path =
        write(context, [{"a", {"F32", [2, 2], large(16)}}, {"b", {"U8", [3], <<1, 2, 3>>}}],
          metadata: %{"x" => "y"}
        )

      content = File.read!(path)
      <<length::little-64, _rest::binary>> = content
      :rand.seed(:exsss, {1, 2, 3})

      for _round <- 1..1000 do
        at = :rand.uniform(length + 8) - 1
        byte = Enum.random([:rand.uniform(256) - 1, ?", ?{, ?[, ?9, ?,, ?0])
        <<before::binary-size(at), _old, rest::binary>> = content
        changed = <<before::binary, byte, rest::binary>>

        for {:ok, header, _left} <- [parse(changed)], {_name, tensor} <- header.tensors do
          {first, last} = tensor.data_offsets
          assert first <= last and header.start + last <= byte_size(changed)
        end
      end
    end

    defp parse(<<length::little-64, text::binary>>) when length <= byte_size(text) do
      file = %HfHub.RandomAccess{name: "x", size: 8 + byte_size(text), from: nil}
      HfHub.Safetensors.Header.parse(file, binary_part(text, 0, length))
    end

    defp parse(_file), do: :error
  end

  describe "writing" do
    test "is refused for what no file can have, and leaves nothing behind", context do
      folder = Path.join(context.dir, "out")
      File.mkdir_p!(folder)
      path = Path.join(folder, "model.safetensors")
      File.write!(path, "as it was")

      for {tensors, message} <- [
            {[{"a", {"U8", [2], "x"}}], ~r/"a".*1 byte, expected 2/},
            {[{"a", {"U8", [2], fn -> ["x", "yy"] end}}], ~r/3 bytes, expected 2/},
            {[{"a", {"U8", [2], Stream.cycle(["x"])}}], ~r/bytes, expected 2/},
            {[{"a", {"U9", [2], "xx"}}], ~r/one of BOOL, F4/},
            {[{"a", {"U8", [-2], "xx"}}], ~r/shape/},
            {[{"a", {"U8", [1 | 2], "x"}}], ~r/shape/},
            # No reader multiplies these, although there is a zero.
            {[{"a", {"U8", [0, 2 ** 64], ""}}], ~r/"a": its shape is larger/},
            {[{"a", {"U8", [2 ** 40, 2 ** 40, 0], ""}}], ~r/"a": its shape is larger/},
            {[{"a", {"F4", [1], "x"}}], ~r/do not end at a byte/},
            {[{"a", 1}], ~r/must be \{dtype, shape, data\}/},
            {[{"a", {"U8", [1], "x"}}, {"a", {"U8", [1], "x"}}], ~r/two tensors named "a"/},
            {[{"__metadata__", {"U8", [1], "x"}}], ~r/expected tensors/}
          ] do
        assert_raise ArgumentError, message, fn -> Safetensors.write(path, tensors) end
      end

      assert_raise ArgumentError, ~r/:metadata/, fn -> Safetensors.write(path, [], metadata: %{"a" => 1}) end
      long = %{"a" => :binary.copy("x", 100_000_000)}
      too_long = ~r/header of `#{path}` would have 100000032 bytes, the format allows 100000000/
      assert_raise ArgumentError, too_long, fn -> Safetensors.write(path, [], metadata: long) end
      broken = Stream.map(1..2, fn _n -> raise "broken" end)
      assert_raise RuntimeError, "broken", fn -> Safetensors.write(path, [{"a", {"U8", [2], broken}}]) end
      assert File.ls!(folder) == ["model.safetensors"] and File.read!(path) == "as it was"
      assert {:error, %Error{kind: :io}} = Safetensors.write(Path.join(folder, "none/m.safetensors"), %{})
    end

    test "names the tensor whose data are of another kind", context do
      path = Path.join(context.dir, "model.safetensors")

      for data <- [
            fn -> nil end,
            fn -> %{} end,
            [:x],
            ["x" | "y"],
            Stream.map([1], &{&1}),
            %{"x" => "y"},
            fn -> [<<1::4>>] end
          ] do
        assert_raise ArgumentError, ~r/invalid tensor "a": its (data|function) must/, fn ->
          Safetensors.write(path, [{"a", {"U8", [1], data}}])
        end
      end

      for tensors <- [nil, 1, "x"],
          do: assert_raise(ArgumentError, ~r/expected tensors/, fn -> Safetensors.write(path, tensors) end)

      assert File.ls!(context.dir) |> Enum.filter(&(&1 =~ "model")) == []
    end

    test "publishes nothing where a folder is in the place of the index", context do
      folder = Path.join(context.dir, "occupied")
      path = Path.join(folder, "model.safetensors")
      File.mkdir_p!(path <> ".index.json")
      tensors = for n <- 1..3, do: {"t#{n}", {"U8", [1], fn -> send(self(), :asked) && "x" end}}
      assert {:error, %Error{kind: :io} = error} = Safetensors.write(path, tensors, max_shard_size: 1)
      assert error.path == path <> ".index.json" and error.message =~ error.path
      assert File.ls!(folder) == ["model.safetensors.index.json"]
      refute_received :asked
    end

    test "removes what a killed writer has left, and nothing of one that still writes", context do
      folder = Path.join(context.dir, "killed")
      File.mkdir_p!(folder)
      path = Path.join(folder, "model.safetensors")
      test = self()

      data = fn ->
        send(test, {:writes, self()})
        receive do: (:go -> "x")
      end

      [killed, other] =
        for shards <- [1, 2] do
          tensors = for n <- 1..shards, do: {"t#{n}", {"U8", [1], data}}
          spawn(fn -> send(test, {:written, Safetensors.write(path, tensors, max_shard_size: 1)}) end)
          assert_receive {:writes, writer}, 10_000
          writer
        end

      reference = Process.monitor(killed)
      Process.exit(killed, :kill)
      assert_receive {:DOWN, ^reference, _, _, _}

      File.write!(
        Path.join(folder, ".model-00001-of-00009.safetensors.17.incomplete"),
        "of an earlier version"
      )

      File.write!(Path.join(folder, ".other.safetensors.17.incomplete"), "of another model")
      strange = ".model.safetensors.#{System.pid()}-99999999999.0.0-1.incomplete"
      File.write!(Path.join(folder, strange), "of no process")
      ended = ".model.safetensors.99999999-0.1.0-1.incomplete"
      File.write!(Path.join(folder, ended), "of a VM that has ended")
      # Process 1 stands for a VM that writes the same model.
      running = ".model.safetensors.1-0.1.0-1.incomplete"
      File.write!(Path.join(folder, running), "of another VM")
      assert length(File.ls!(folder)) == 7
      Safetensors.write!(path, %{"new" => {"U8", [1], "x"}})

      assert [
               ".model-00001-of-00002.safetensors." <> _writer,
               ".other.safetensors.17.incomplete",
               "model.safetensors"
             ] = Enum.sort(File.ls!(folder)) -- if(File.dir?("/proc/self"), do: [running], else: [])

      send(other, :go)
      assert_receive {:writes, ^other}, 10_000
      send(other, :go)
      assert_receive {:written, {:ok, [_first, _second, _index]}}, 10_000
    end

    test "streams data that does not fit into memory", context do
      path = Path.join(context.dir, "big.safetensors")
      piece = :binary.copy(<<7>>, 1_000_000)

      assert [^path] =
               Safetensors.write!(path, [
                 {"w", {"U8", [50, 1_000_000], fn -> Stream.map(1..50, fn _n -> piece end) end}}
               ])

      model = Safetensors.open!(path)
      assert Safetensors.tensor!(model, "w", rows: 49..49) == piece
    end

    test "in shards gives a folder that is opened by its index, without files of an earlier model", context do
      folder = Path.join(context.dir, "sharded")
      File.mkdir_p!(folder)
      path = Path.join(folder, "model.safetensors")
      Safetensors.write!(path, %{"old" => {"U8", [1], "x"}})
      Safetensors.write!(Path.join(folder, "other.safetensors"), %{"other" => {"U8", [1], "x"}})
      tensors = for n <- 1..7, do: {"t#{n}", {"U8", [n], large(n)}}
      paths = Safetensors.write!(path, tensors, max_shard_size: 8, metadata: %{"step" => "7"})

      assert Enum.sort(File.ls!(folder)) ==
               Enum.sort(["other.safetensors" | Enum.map(paths, &Path.basename/1)])

      assert {:ok, model} = Safetensors.open(folder)
      assert map_size(model.files) == length(paths) - 1
      assert model.metadata == %{"total_size" => 28, "step" => "7"}
      assert Safetensors.open!(hd(paths)).metadata == %{"step" => "7"}
      for {name, {"U8", _shape, bytes}} <- tensors, do: assert(Safetensors.tensor!(model, name) == bytes)
      assert length(Enum.to_list(Safetensors.stream(model))) == 7
      Safetensors.write!(path, %{"new" => {"U8", [1], "x"}})
      assert Enum.sort(File.ls!(folder)) == ["model.safetensors", "other.safetensors"]
    end
  end

  describe "an index" do
    test "that leads out of its folder, or names what is not there, is an error", context do
      folder = folder(context, %{"x" => ""})
      Safetensors.write!(Path.join(folder, "s.safetensors"), %{"w" => {"U8", [1], "x"}})

      for {index, kind} <- [
            {~s({"weight_map":{"w":"../x.safetensors"}}), :invalid_name},
            {~s({"weight_map":{"w":"/etc/passwd"}}), :invalid_name},
            {~s({"weight_map":{"w":"s.safetensors","v":"s.safetensors"}}), :invalid_response},
            {~s({"weight_map":{"w":"none.safetensors"}}), :entry_not_found},
            {~s({"weight_map":{"w":1}}), :invalid_response},
            {~s({"weight_map":[]}), :invalid_response},
            {~s(1), :invalid_response}
          ] do
        File.write!(Path.join(folder, "model.safetensors.index.json"), index)
        assert {:error, %Error{kind: ^kind}} = Safetensors.open(folder), index
      end
    end
  end

  describe "a repository" do
    setup context do
      tensors = [
        {"big", {"U8", [1000, 1000], large(1_000_000)}},
        {"wanted", {"F32", [500, 500], large(1_000_000)}}
      ]

      {:ok, tensors: Map.new(tensors), content: File.read!(write(context, tensors))}
    end

    test "is read by ranges: a header, and the wanted tensor", %{tensors: tensors, content: file} = context do
      {id, commit} = repo(context, %{"model.safetensors" => file})
      assert {:ok, model} = Safetensors.open(id, endpoint: context.endpoint, cache_dir: context.cache)
      opened = length(requests(file))
      assert Safetensors.tensor!(model, "wanted") == elem(tensors["wanted"], 2)

      assert Safetensors.tensor!(model, "wanted", rows: 499..499) ==
               binary_part(elem(tensors["wanted"], 2), 998_000, 2000)

      asked = for %{"method" => "GET", "range" => "bytes=" <> range} <- requests(file), do: range

      bytes =
        for range <- asked,
            [first, last] = String.split(range, "-"),
            do: String.to_integer(last) - String.to_integer(first) + 1

      assert length(asked) == opened + 2

      # The first 100 kB of the file, which end before the tensor begins here, and not a byte more than the tensor.
      assert [_head, 1_000_000, 2000] = bytes
      assert hd(bytes) <= 100_001

      # Later commits do not change what an open model reads.
      other = folder(context, %{"model.safetensors" => large(300)})
      HfHub.LocalHub.import_folder!(hub(), other, id)
      assert Safetensors.tensor!(model, "big") == elem(tensors["big"], 2)
      assert {:ok, _old} = Safetensors.open({:hf, id, revision: commit}, endpoint: context.endpoint)
    end

    test "is streamed by few requests, in the order of its data", context do
      sizes = for n <- 1..40, do: {"s#{n}", Enum.at([0, 1000, 300_000], rem(n, 3))}
      tensors = for {name, size} <- [{"large", 5_000_000} | sizes], do: {name, {"U8", [size], large(size)}}
      content = File.read!(write(context, tensors))
      {id, _commit} = repo(context, %{"model.safetensors" => content})
      model = Safetensors.open!(id, endpoint: context.endpoint, cache_dir: context.cache)
      opened = length(requests(content))
      streamed = Enum.to_list(Safetensors.stream(model))

      assert Enum.sort(for {name, _tensor, bytes} <- streamed, do: {name, bytes}) ==
               Enum.sort(for {name, {_, _, bytes}} <- tensors, do: {name, bytes})

      # 4 MB of small tensors, around a large one.
      assert length(requests(content)) - opened <= 4
      some = ["s1", "s2", "s4", "s8", "large"]

      assert Enum.map(Safetensors.stream(model, names: some), fn {name, tensor, bytes} ->
               {name, tensor.shape, byte_size(bytes)}
             end)
             |> Enum.sort() ==
               Enum.sort(
                 for name <- some, {^name, {_, shape, bytes}} <- tensors, do: {name, shape, byte_size(bytes)}
               )
    end

    test "is read from the cache where it is cached",
         %{tensors: tensors, content: file} = context do
      {id, _commit} = repo(context, %{"sub/model.safetensors" => file})
      opts = [endpoint: context.endpoint, cache_dir: context.cache]
      HfHub.Download.hf_hub_download!([repo_id: id, filename: "sub/model.safetensors"] ++ opts)
      before = length(requests(file))
      model = Safetensors.open!({:hf, id, subdir: "sub"}, opts)
      assert Safetensors.tensor!(model, "big") == elem(tensors["big"], 2)
      assert length(requests(file)) == before
    end

    test "with an index is read from the shard of each tensor", context do
      folder = Path.join(context.dir, "up")
      File.mkdir_p!(folder)
      tensors = for n <- 1..4, do: {"t#{n}", {"U8", [300_000], large(300_000)}}
      Safetensors.write!(Path.join(folder, "model.safetensors"), tensors, max_shard_size: 600_000)
      id = "org/shards-#{System.unique_integer([:positive])}"
      HfHub.LocalHub.import_folder!(hub(), folder, id)
      model = Safetensors.open!(id, endpoint: context.endpoint)
      assert map_size(model.files) == 2 and model.metadata == %{"total_size" => 1_200_000}
      for {name, {_, _, bytes}} <- tensors, do: assert(Safetensors.tensor!(model, name) == bytes)
    end

    test "without a model, or with a file that ends early, is an error", %{content: file} = context do
      {id, _commit} = repo(context, %{"config.json" => "{}"})
      opts = [endpoint: context.endpoint, retries: 0]
      assert {:error, %Error{kind: :entry_not_found, message: message}} = Safetensors.open(id, opts)
      assert message =~ "no safetensors model"
      assert {:error, %Error{kind: :repo_not_found}} = Safetensors.open("org/none", opts)
      index = %{"model.safetensors.index.json" => ~s({"weight_map":{"a":"gone.safetensors"}})}
      {sharded, _commit} = repo(context, index)
      assert {:error, %Error{kind: :entry_not_found} = error} = Safetensors.open(sharded, opts)
      assert error.message =~ "gone.safetensors" and error.path == "gone.safetensors"
      {id, _commit} = repo(context, %{"model.safetensors" => file})
      model = Safetensors.open!(id, opts)
      fault(sha256(file), %{kind: "drop", after: 1000}, %{times: 3})
      assert {:error, %Error{kind: :transport}} = Safetensors.tensor(model, "wanted")
    end
  end

  @tag :python
  test "what is written is what Python's safetensors writes, byte for byte", context do
    python = HfHub.Python.executable()
    names = ["w", "b\"\\/\n\x01ü😀", "a.b", "z"]
    dtypes = @dtypes -- ["F6_E2M3", "F6_E3M2"]

    tensors =
      for {dtype, n} <- Enum.with_index(dtypes), name <- names do
        shape = Enum.at([[], [2], [2, 3], [0, 5]], :erlang.phash2({n, name}, 4))
        shape = if dtype == "F4", do: shape ++ [2], else: shape
        size = div(Enum.product(shape) * HfHub.Safetensors.Dtype.bits(dtype), 8)
        {"#{name}.#{dtype}", {dtype, shape, large(size)}}
      end

    for {metadata, most} <- [{nil, nil}, {%{"format" => "pt"}, nil}, {%{"k\"ü" => "v\n"}, 50}] do
      ours = Path.join(context.dir, "ours#{most}#{is_nil(metadata)}")
      File.mkdir_p!(ours)

      paths =
        Safetensors.write!(
          Path.join(ours, "model.safetensors"),
          Enum.shuffle(tensors),
          Enum.reject([metadata: metadata, max_shard_size: most], &match?({_, nil}, &1))
        )

      for path <- paths, Path.extname(path) == ".safetensors" do
        {output, status} =
          System.cmd(python, ["-c", again(), path, path <> ".theirs"], stderr_to_stdout: true)

        assert status == 0, output
        assert File.read!(path) == File.read!(path <> ".theirs")
      end
    end
  end

  # Reads a file with the library and writes it again.
  defp again do
    """
    import sys, json
    from safetensors import deserialize, serialize_file, TensorSpec
    import ctypes
    kinds = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16",
      "I32": "int32", "U32": "uint32", "F32": "float32", "F64": "float64", "I64": "int64", "U64": "uint64", "C64": "complex64",
      "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu", "F4": "float4_e2m1fn_x2",
      "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz"}
    text = open(sys.argv[1], "rb").read()
    length = int.from_bytes(text[:8], "little")
    metadata = json.loads(text[8:8 + length]).get("__metadata__")
    keep, specs = [], {}
    for name, info in reversed(deserialize(text)):
        data = bytes(info["data"])
        buffer = ctypes.create_string_buffer(data, max(len(data), 1))
        keep.append(buffer)
        shape = list(info["shape"])
        if info["dtype"] == "F4": shape[-1] //= 2
        specs[name] = TensorSpec(dtype=kinds[info["dtype"]], shape=shape, data_ptr=ctypes.addressof(buffer), data_len=len(data))
    serialize_file(specs, sys.argv[2], metadata)
    """
  end

  @tag :python
  test "shards and index are those of the Python client", context do
    tensors = for n <- 1..9, do: {"t#{n}ü", {"U8", [n], large(n)}}
    folder = Path.join(context.dir, "shards")
    File.mkdir_p!(folder)

    for {most, metadata} <- [{5, nil}, {8, %{"format" => "pt", "ü" => "\"\n😀"}}, {20, %{"total_size" => "1"}}] do
      given = if metadata, do: [metadata: metadata], else: []
      Safetensors.write!(Path.join(folder, "model.safetensors"), tensors, [max_shard_size: most] ++ given)

      theirs =
        HfHub.Python.run!(
          """
          state = {f"t{n}ü": n for n in range(1, 10)}
          split = split_state_dict_into_shards_factory(state, get_storage_size=lambda n: n, filename_pattern="model{suffix}.safetensors", max_shard_size=#{most})
          metadata = json.loads(#{inspect(HfHub.Native.Nif.to_json(metadata || %{}))})
          print(json.dumps({"metadata": {**split.metadata, **metadata}, "weight_map": split.tensor_to_filename}, indent=2), end="")
          """,
          context.endpoint,
          context.cache
        )

      assert File.read!(Path.join(folder, "model.safetensors.index.json")) == theirs
    end
  end
end
