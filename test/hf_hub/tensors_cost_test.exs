defmodule HfHub.TensorsCostTest do
  # What reading tensors costs: memory, open files, and bytes on the network.
  use HfHub.Case, async: true

  alias HfHub.{Error, Receiver, Safetensors, Vm}

  @mib 1_048_576

  # A file of zeros, which takes no space on the disk.
  defp sparse(context, tensors) do
    path = Path.join(context.dir, "sparse.safetensors")
    {prefix, size} = prefix(tensors)

    File.open!(path, [:write, :raw], fn file ->
      :ok = :file.write(file, prefix)
      {:ok, _position} = :file.position(file, size)
      :ok = :file.truncate(file)
    end)

    path
  end

  # The header of a file with tensors of bytes, and the size of the file.
  defp prefix(tensors) do
    {entries, size} =
      Enum.map_reduce(tensors, 0, fn {name, size}, first ->
        last = first + size
        {~s("#{name}":{"dtype":"U8","shape":[#{size}],"data_offsets":[#{first},#{last}]}), last}
      end)

    header = "{#{Enum.join(entries, ",")}}"
    prefix = <<byte_size(header)::little-64, header::binary>>
    {prefix, byte_size(prefix) + size}
  end

  # The open files of this VM with that path.
  defp open_files(path) do
    for fd <- File.ls!("/proc/self/fd"), {:ok, ^path} <- [File.read_link("/proc/self/fd/#{fd}")], do: fd
  end

  @tag :proc
  test "a stream has few tensors in memory at a time", context do
    path = sparse(context, for(n <- 1..24, do: {"t#{n}", 8 * @mib}))

    command =
      Vm.script(context, """
      used = fn name ->
        [_all, kib] = Regex.run(~r/^\#{name}:\\s+(\\d+) kB/m, File.read!("/proc/self/status"))
        div(String.to_integer(kib), 1024)
      end

      model = HfHub.Safetensors.open!(#{inspect(path)})
      before = used.("VmRSS")
      sizes = for {_name, _tensor, bytes} <- HfHub.Safetensors.stream(model), do: byte_size(bytes)
      true = Enum.sum(sizes) == #{24 * 8 * @mib}
      IO.puts("more: \#{used.("VmHWM") - before}")
      """)

    assert {"more: " <> mib, 0} = Vm.run(command)
    # Of 192 MiB; garbage is collected after a few tensors.
    assert String.to_integer(String.trim(mib)) < 80
  end

  @tag :proc
  test "files are closed when nothing refers to the handle any more, and memory of tensors stays", context do
    path = sparse(context, [{"a", 3 * @mib}])
    test = self()

    {reader, monitor} =
      spawn_monitor(fn ->
        model = Safetensors.open!(path)
        send(test, {:tensor, Safetensors.tensor!(model, "a")})
        receive do: (:end -> model)
      end)

    assert_receive {:tensor, bytes}, 10_000
    assert [_one] = open_files(path)
    send(reader, :end)
    assert_receive {:DOWN, ^monitor, _, _, _}
    assert eventually(fn -> open_files(path) == [] end)
    assert bytes == :binary.copy(<<0>>, 3 * @mib)
  end

  @tag :proc
  test "files of a model that cannot be opened are closed", context do
    path = sparse(context, [{"a", 1}])
    folder = Path.dirname(path)
    File.write!(Path.join(folder, "invalid.safetensors"), "12345678")
    index = Path.join(folder, "x.safetensors.index.json")
    write = &File.write!(index, ~s({"weight_map":{#{&1}}}))

    for {map, kind} <- [
          {~s("a":"sparse.safetensors","b":"sparse.safetensors"), :invalid_response},
          {~s("a":"sparse.safetensors","z":"invalid.safetensors"), :invalid_response},
          {~s("a":"sparse.safetensors","z":"none.safetensors"), :entry_not_found}
        ] do
      write.(map)
      assert {:error, %Error{kind: ^kind}} = Safetensors.open(index)
      # In another process, so that no garbage of this one is collected meanwhile.
      assert Task.await(Task.async(fn -> eventually(fn -> open_files(path) == [] end) end), 20_000)
    end

    assert {:error, %Error{kind: :not_found}} = Safetensors.open(path, names: ["b"])
    assert Task.await(Task.async(fn -> eventually(fn -> open_files(path) == [] end) end), 20_000)

    # All of them would be open together.
    write.(Enum.map_join(1..1001, ",", &~s("t#{&1}":"#{&1}.safetensors")))
    assert {:error, %Error{kind: :invalid_response, message: message}} = Safetensors.open(index)
    assert message =~ "names 1001 files, and at most 1000 are opened" and message =~ ":names"
    assert {:error, %Error{kind: :entry_not_found}} = Safetensors.open(index, names: ["t1"])
  end

  @tag :proc
  test "a handle that another process opened is used after the exit of that process", context do
    path = sparse(context, [{"a", 2 * @mib}])
    model = Task.await(Task.async(fn -> Safetensors.open!(path) end))
    assert byte_size(Safetensors.tensor!(model, "a")) == 2 * @mib
    assert Safetensors.close(model) == :ok
    assert eventually(fn -> open_files(path) == [] end)
    assert {:error, %Error{kind: :io, reason: "it is closed"}} = Safetensors.tensor(model, "a")
  end

  test "a handle of another VM is an error that names the file", context do
    path = sparse(context, [{"a", 1}])

    command =
      Vm.script(context, """
      model = HfHub.Safetensors.open!(#{inspect(path)})
      IO.write(Base.encode64(:erlang.term_to_binary(model)))
      """)

    assert {text, 0} = Vm.run(command)
    model = text |> Base.decode64!() |> :erlang.binary_to_term()
    assert {:error, %Error{kind: :io, path: ^path, message: message}} = Safetensors.tensor(model, "a")
    assert message =~ "another VM; open it in this one"
    assert_raise Error, ~r/another VM/, fn -> Enum.to_list(Safetensors.stream(model)) end
    assert Safetensors.close(model) == :ok
  end

  test "files without the wanted tensors of a sharded model are not opened", context do
    folder = folder(context, %{"README.md" => ""})
    tensors = for n <- 1..6, do: {"t#{n}", {"U8", [4], <<n, n, n, n>>}}
    [first | _others] = Safetensors.write!(Path.join(folder, "model.safetensors"), tensors, max_shard_size: 8)
    {id, _commit} = repo(context, Map.new(File.ls!(folder), &{&1, File.read!(Path.join(folder, &1))}))

    for other <- Path.wildcard(Path.join(folder, "*-of-*")), other != first, do: File.rm!(other)
    assert {:error, %Error{kind: :entry_not_found}} = Safetensors.open(folder)
    assert {:ok, local} = Safetensors.open(folder, names: ["t2"])

    assert {:ok, remote} =
             Safetensors.open(id, names: ["t2"], endpoint: context.endpoint, cache_dir: context.cache)

    for model <- [local, remote] do
      assert Map.keys(model.tensors) == ["t2"] and map_size(model.files) == 1
      assert model.parameter_count == %{"U8" => 4}
      assert Safetensors.tensor!(model, "t2") == <<2, 2, 2, 2>>
      assert {:error, %Error{kind: :not_found}} = Safetensors.tensor(model, "t1")
    end

    assert [_one] = id |> asked("model-") |> Enum.uniq_by(& &1["path"])

    for source <- [folder, first] do
      assert {:error, %Error{kind: :not_found, message: message}} = Safetensors.open(source, names: ["t9"])
      assert message =~ ~s(no tensor "t9"; there are)
    end
  end

  test "10 MB of 5 GB on the Hub cost the header and the tensor", context do
    wanted = 10_000_000
    {prefix, size} = prefix([{"before", 2_000_000_000}, {"wanted", wanted}, {"after", 2_990_000_000}])
    commit = String.duplicate("a", 40)

    facts =
      "x-repo-commit: #{commit}\r\nx-linked-etag: \"#{String.duplicate("b", 64)}\"\r\nx-linked-size: #{size}"

    server =
      Receiver.start(fn
        %{headers: %{"range" => "bytes=" <> range}} ->
          [first, last] = range |> String.split("-") |> Enum.map(&String.to_integer/1)
          {206, slice(prefix, first, last), facts <> "\r\ncontent-range: bytes #{first}-#{last}/#{size}"}

        _head ->
          {200, "", facts}
      end)

    opts = [endpoint: String.trim_trailing(server.url, "/hook"), cache_dir: context.cache, retries: 0]
    model = Safetensors.open!("org/big", opts)
    assert Safetensors.tensor!(model, "wanted") == :binary.copy(<<0>>, wanted)
    assert received_bytes() <= byte_size(prefix) + 1.05 * wanted
  end

  defp slice(prefix, first, last) do
    content = binary_part(prefix, min(first, byte_size(prefix)), max(byte_size(prefix) - first, 0))
    zeros = last + 1 - first - byte_size(content)
    if zeros < 0, do: binary_part(content, 0, last + 1 - first), else: content <> :binary.copy(<<0>>, zeros)
  end

  # By the ranges that were asked for.
  defp received_bytes(sum \\ 0) do
    receive do
      {:received, %{headers: %{"range" => "bytes=" <> range}}} ->
        [first, last] = range |> String.split("-") |> Enum.map(&String.to_integer/1)
        received_bytes(sum + last + 1 - first)

      {:received, %{method: method}} ->
        # Without a range, nothing but headers is asked for.
        assert method == "HEAD"
        received_bytes(sum)
    after
      0 -> sum
    end
  end
end
