defmodule HfHub.SafetensorsTest do
  use HfHub.Case, async: true

  alias HfHub.{Error, Safetensors}
  alias HfHub.Safetensors.{FileMetadata, Metadata, Tensor}

  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more

  # Files of the real format: length, header, values.
  defp file(tensors, metadata \\ %{"format" => "pt"}) do
    {entries, size} =
      Enum.map_reduce(tensors, 0, fn {name, dtype, bytes, shape}, offset ->
        ends = offset + bytes * Enum.product(shape)
        {{name, %{"dtype" => dtype, "shape" => shape, "data_offsets" => [offset, ends]}}, ends}
      end)

    raw(HfHub.Native.Nif.to_json(Map.new([{"__metadata__", metadata} | entries])), size)
  end

  defp raw(header, size), do: <<byte_size(header)::little-64>> <> header <> :binary.copy(<<0>>, size)

  test "reads the tensors of a single file by one small request", context do
    content = file([{"w", "F32", 4, [100, 300]}, {"b", "F16", 2, [300]}, {"scalar", "I64", 8, []}])
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    assert {:ok, %Metadata{sharded: false, metadata: nil} = metadata} = Safetensors.metadata(id, ask(context))
    assert metadata.parameter_count == %{"F32" => 30_000, "F16" => 300, "I64" => 1}
    assert metadata.weight_map["b"] == "model.safetensors"
    assert %FileMetadata{metadata: %{"format" => "pt"}} = file = metadata.files_metadata["model.safetensors"]

    assert %Tensor{dtype: "F32", shape: [100, 300], parameter_count: 30_000, data_offsets: {first, last}} =
             file.tensors["w"]

    assert last - first == 120_000
    assert [%{"range" => "bytes=0-100000"}] = requests(content)
    assert inspect(metadata) == "#HfHub.Safetensors.Metadata<1 file, 300 F16, 30000 F32, 1 I64>"
    assert Safetensors.file_metadata!(id, "model.safetensors", ask(context)) == file
  end

  test "reads shards concurrently, by their index", context do
    shards = for n <- 1..12, into: %{}, do: {"model-#{n}.safetensors", file([{"w#{n}", "BF16", 2, [n, 10]}])}
    map = for n <- 1..12, into: %{}, do: {"w#{n}", "model-#{n}.safetensors"}
    index = HfHub.Native.Nif.to_json(%{"metadata" => %{"total_size" => 1560}, "weight_map" => map})
    {id, _commit} = repo(context, Map.put(shards, "model.safetensors.index.json", index))
    assert {:ok, %Metadata{sharded: true} = metadata} = Safetensors.metadata(id, ask(context))
    assert metadata.metadata == %{"total_size" => 1560} and metadata.weight_map == map
    assert metadata.parameter_count == %{"BF16" => 780}
    assert Map.keys(metadata.files_metadata) |> Enum.sort() == Enum.sort(Map.keys(shards))
  end

  test "a repository without safetensors files is :entry_not_found", context do
    {id, _commit} = repo(context, %{"config.json" => "{}"})
    assert {:error, %Error{kind: :entry_not_found, message: message}} = Safetensors.metadata(id, ask(context))
    assert message =~ "no safetensors model" and message =~ id

    assert {:error, %Error{kind: :entry_not_found}} =
             Safetensors.file_metadata(id, "x.safetensors", ask(context))

    assert {:error, %Error{kind: :repo_not_found}} = Safetensors.metadata("org/none", ask(context))
    assert {:error, %Error{kind: :invalid_name}} = Safetensors.file_metadata(id, "../x", ask(context))
    assert {:error, %Error{kind: :invalid_name}} = Safetensors.file_metadata(id, nil, ask(context))
  end

  test "malicious headers are rejected", context do
    nested = String.duplicate(~s({"a":), 10_000)

    bad = %{
      "empty" => "",
      "short" => "1234567",
      "huge" => <<0xFFFFFFFFFFFFFFFF::little-64>> <> "{}",
      "large" => <<99_999_999::little-64>> <> "{}",
      "text" => raw("hello", 0),
      "nested" => raw(nested, 0),
      "list" => raw("[]", 0),
      "outside" => raw(~s({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}), 4),
      "overflow" => raw(~s({"w":{"dtype":"F32","shape":[9999999999,9999999999],"data_offsets":[0,4]}}), 4),
      "twice" =>
        raw(
          ~s({"w":{"dtype":"I8","shape":[],"data_offsets":[0,1]},"w":{"dtype":"I8","shape":[],"data_offsets":[0,1]}}),
          1
        )
    }

    {id, _commit} =
      repo(context, for({name, content} <- bad, into: %{}, do: {name <> ".safetensors", content}))

    for {name, _content} <- bad do
      assert {:error, %Error{kind: kind}} =
               Safetensors.file_metadata(id, name <> ".safetensors", ask(context))

      assert kind in [:invalid_response, :bad_request], name
    end

    index = ~s({"weight_map": {"w": "../../etc/passwd"}})
    {id, _commit} = repo(context, %{"model.safetensors.index.json" => index})
    assert {:error, %Error{kind: :invalid_name}} = Safetensors.metadata(id, ask(context))
  end

  describe "a sharded model" do
    setup context do
      index =
        ~s({"metadata":{"total_size":44},"weight_map":{"x":"sub/s1.safetensors","y":"s2.safetensors","z":"s2.safetensors"}})

      {id, _} =
        repo(context, %{
          ".gitattributes" => "s2.safetensors filter=lfs diff=lfs merge=lfs -text\n",
          "model.safetensors.index.json" => index,
          "sub/s1.safetensors" => file([{"x", "I16", 2, [2, 2]}]),
          "s2.safetensors" => file([{"y", "F32", 4, [8]}, {"z", "U8", 1, [4]}], %{"step" => 12_000}),
          "sub/other.json" => ~s({"weight_map":{"x":"sub/s1.safetensors"}}),
          "model.safetensors" => file([]),
          "bad.json" => "[]",
          "lost.json" => ~s({"weight_map":{"x":"none.safetensors"}})
        })

      {:ok, id: id}
    end

    test "is described by one request", %{id: id} = context do
      assert {:ok, %Metadata{sharded: true} = metadata} = Safetensors.sharded_metadata(id, ask(context))
      assert [%{"method" => "GET", "path" => path}] = requests(id)
      assert path == "/api/models/#{id}/safetensors-metadata/model.safetensors.index.json"
      assert metadata.metadata == %{"total_size" => 44}

      assert metadata.weight_map == %{
               "x" => "sub/s1.safetensors",
               "y" => "s2.safetensors",
               "z" => "s2.safetensors"
             }

      assert metadata.parameter_count == %{"F32" => 8, "I16" => 4, "U8" => 4}
      assert %FileMetadata{metadata: %{"step" => 12_000}} = metadata.files_metadata["s2.safetensors"]

      assert %Tensor{dtype: "U8", data_offsets: {32, 36}} =
               metadata.files_metadata["s2.safetensors"].tensors["z"]

      other = Safetensors.sharded_metadata!(id, ask(context, filename: "sub/other.json"))
      assert Map.keys(other.files_metadata) == ["sub/s1.safetensors"] and other.metadata == nil
    end

    test "is an error if it, its index or a file is missing or invalid", %{id: id} = context do
      for {name, kind} <- [
            {"none.json", :entry_not_found},
            {"lost.json", :entry_not_found},
            {"bad.json", :bad_request},
            {"../x", :invalid_name}
          ] do
        assert {:error, %Error{kind: ^kind}} = Safetensors.sharded_metadata(id, ask(context, filename: name)),
               name
      end

      assert {:error, %Error{kind: :repo_not_found}} = Safetensors.sharded_metadata("org/none", ask(context))

      assert {:error, %Error{kind: :invalid_name}} =
               Safetensors.sharded_metadata("hf://#{id}@v1", ask(context))

      assert {:error, %Error{kind: :invalid_name}} =
               Safetensors.sharded_metadata("hf://datasets/#{id}", ask(context))
    end

    test "is an error if the Hub returns impossible headers", %{id: id} = context do
      tensor = ~s({"dtype":"F32","shape":[2],"data_offsets":[0,4]})

      bodies = [
        "[]",
        ~s({"headers":{}}),
        ~s({"index":{},"headers":{"f":{"w":#{tensor}}}}),
        ~s({"index":{},"headers":{"f":1}})
      ]

      for body <- bodies do
        fault(
          "#{id}/safetensors-metadata",
          %{kind: "status", code: 200, headers: %{"content-type" => "application/json"}, body: body},
          %{times: 1}
        )

        assert {:error, %Error{kind: :invalid_response}} = Safetensors.sharded_metadata(id, ask(context)),
               body
      end
    end

    @tag :python
    test "has the figures of the Python client, by the same request", %{id: id} = context do
      script = """
      import dataclasses
      for kwargs in {}, {"filename": "sub/other.json"}:
          print(json.dumps(dataclasses.asdict(get_sharded_safetensors_metadata("#{id}", **kwargs))))
      """

      output = HfHub.Python.run!(script, context.endpoint, context.cache) |> String.split("\n")
      theirs = for request <- requests(id), do: {request["method"], request["path"]}

      for {json, more} <- Enum.zip(output, [[], [filename: "sub/other.json"]]) do
        {:ok, theirs} = HfHub.Native.run(:parse_card, "---\n#{json}\n---\n")
        assert plain(Safetensors.sharded_metadata!(id, ask(context, more))) == theirs.data
      end

      assert length(theirs) == 2
      assert Enum.drop(for(request <- requests(id), do: {request["method"], request["path"]}), 2) == theirs
    end
  end

  test "a broken connection is retried", context do
    content = file([{"w", "F32", 4, [100, 100]}])
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    fault(sha256(content), %{kind: "drop", after: 20}, %{times: 1})
    assert {:ok, %{parameter_count: %{"F32" => 10_000}}} = Safetensors.metadata(id, ask(context))
  end

  @tag :python
  test "the figures are those of the Python client", context do
    single = file([{"w", "F32", 4, [7, 3]}, {"b", "U8", 1, [5]}, {"s", "F64", 8, []}])
    {one, _} = repo(context, %{"model.safetensors" => single})
    index = ~s({"metadata":{"a":{"b":1.5}},"weight_map":{"x":"./s1.safetensors","y":"s2.safetensors"}})

    {many, _} =
      repo(context, %{
        "model.safetensors.index.json" => index,
        "s1.safetensors" => file([{"x", "I16", 2, [2, 2]}]),
        "s2.safetensors" =>
          file([{"y", "F32", 4, [9]}], %{"step" => 12_000, "none" => nil, "args" => %{"a" => [1]}})
      })

    {odd, _} = repo(context, %{"model.safetensors" => file([{"w", "F32", 4, [1]}], "pt")})

    for id <- [one, many, odd] do
      output =
        HfHub.Python.run!(
          """
          import dataclasses
          print(json.dumps(dataclasses.asdict(get_safetensors_metadata("#{id}"))))
          """,
          context.endpoint,
          context.cache
        )

      {:ok, theirs} = HfHub.Native.run(:parse_card, "---\n#{output}\n---\n")
      assert plain(Safetensors.metadata!(id, ask(context))) == theirs.data
    end
  end

  defp plain(struct) when is_struct(struct), do: struct |> Map.from_struct() |> plain()
  defp plain(map) when is_map(map), do: Map.new(map, fn {name, value} -> {to_string(name), plain(value)} end)
  defp plain(tuple) when is_tuple(tuple), do: Tuple.to_list(tuple)
  defp plain(other), do: other
end
