defmodule HfHub.Flows.XetStreamTest do
  # Streams and remote reads of files that the Hub has in Xet storage only: the redirect to HTTP is missing.
  use HfHub.Case, async: true, hub: :own

  alias HfHub.{Commit, Download, Error, Safetensors}

  setup do
    hub = endpoint()
    on_exit(fn -> control(:delete, "faults", nil, hub) end)
  end

  defp only_in_xet(context, name, content) do
    id = writable(context)
    assert {:ok, _info} = Commit.upload_file({:binary, content}, name, id, write(xet: :auto))
    fault("#{id}/resolve/", %{kind: "header", name: "location"})
    id
  end

  defp stream(context, id, more \\ []) do
    opts = Keyword.merge([repo_id: id, filename: "a.bin", xet: :auto, retries: 0], more)
    context |> opts(opts) |> Keyword.delete(:cache_dir) |> Download.download_stream!()
  end

  defp objects, do: for(request <- control(:get, "requests"), request["path"] =~ "/xet/xorbs/", do: request)

  test "a whole file arrives in small pieces, and ranges arrive alone", context do
    content = large(3_000_000)
    id = only_in_xet(context, "a.bin", content)
    pieces = Enum.to_list(stream(context, id))
    assert IO.iodata_to_binary(pieces) == content
    assert Enum.all?(pieces, &(byte_size(&1) <= 262_144))

    for {range, first, bytes} <- [
          {10..19, 10, 10},
          {2_999_990..-1//1, 2_999_990, 10},
          {-7..-1//1, 2_999_993, 7}
        ] do
      part = context |> stream(id, range: range) |> Enum.into("")
      assert part == binary_part(content, first, bytes)
    end
  end

  test "wrong content ends in an error", context do
    id = only_in_xet(context, "a.bin", large(3_000_000))
    fault("/xet/xorbs/", %{kind: "corrupt", at: 200_000})
    error = assert_raise Error, fn -> context |> stream(id) |> Stream.run() end
    assert error.kind == :checksum_mismatch
  end

  test "the requests to the storage end when the stream is halted", context do
    content = large(17_000_000)
    id = only_in_xet(context, "a.bin", content)
    before = length(objects())
    # Slower than the test.
    fault("/xet/xorbs/", %{kind: "throttle", bytes_per_second: 2_000_000})
    assert [piece] = context |> stream(id) |> Enum.take(1)
    assert piece == binary_part(content, 0, byte_size(piece))
    assert Process.info(self(), :messages) == {:messages, []}

    # Two are fetched at a time.
    eventually(fn -> match?([%{"aborted" => true}, %{"aborted" => true}], Enum.drop(objects(), before)) end)
  end

  test "the requests to the storage end with the process that reads", context do
    id = only_in_xet(context, "a.bin", large(17_000_000))
    before = length(objects())
    fault("/xet/xorbs/", %{kind: "hang"})
    {:ok, pid} = Task.start(fn -> context |> stream(id) |> Stream.run() end)

    eventually(fn ->
      Enum.any?(control(:get, "faults"), &(&1["match"] == "/xet/xorbs/" and &1["fired"] > 0))
    end)

    Process.exit(pid, :kill)
    eventually(fn -> objects() |> Enum.drop(before) |> Enum.any?(& &1["aborted"]) end)
  end

  test "a call without Xet reports what it lacks", context do
    id = only_in_xet(context, "a.bin", large(30_000))
    error = assert_raise Error, fn -> context |> stream(id, xet: false) |> Stream.run() end
    assert {error.kind, error.message =~ "in Xet storage only"} == {:invalid_response, true}
  end

  test "the tensors of a model are read", context do
    header = ~s({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})
    model = <<byte_size(header)::little-64, header::binary, 0::64>>
    id = only_in_xet(context, "model.safetensors", model)
    assert {:ok, metadata} = Safetensors.metadata(id, endpoint: endpoint(), xet: :auto)
    assert metadata.parameter_count == %{"F32" => 2}
  end
end
