defmodule HfHub.TelemetryTest do
  # The application is not a dependency: a module with its name and function replaces it.
  use HfHub.Case, async: false

  alias HfHub.{Download, Error, Request}

  setup do
    :persistent_term.put(__MODULE__, self())

    Module.create(
      :telemetry,
      quote do
        def execute(event, measurements, metadata) do
          send(:persistent_term.get(unquote(__MODULE__)), {event, measurements, metadata})
          :ok
        end
      end,
      Macro.Env.location(__ENV__)
    )

    on_exit(fn ->
      :code.purge(:telemetry)
      :code.delete(:telemetry)
    end)
  end

  test "a download and its failure emit events", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    opts = opts(context, repo_id: id, filename: "a.txt", token: token())
    Download.hf_hub_download!(opts)
    assert_received {[:hf_hub, :download, :start], %{system_time: _, monotonic_time: _}, %{repo_id: ^id}}

    assert_received {[:hf_hub, :download, :stop], %{duration: duration},
                     %{result: :ok, error: nil} = metadata}

    assert duration > 0 and metadata.filename == "a.txt" and metadata.revision == "main"

    assert {:error, error} = Download.hf_hub_download(Keyword.put(opts, :filename, "none"))
    assert_received {[:hf_hub, :download, :stop], _, %{result: :error, error: ^error}}
    refute inspect(Process.info(self(), :messages)) =~ token()
  end

  test "passwords in an endpoint and tokens are masked in every event", context do
    "http://" <> host = context.endpoint
    endpoint = "http://me:sesame@" <> host
    # A token in place of a repository's name, and one that the server repeats.
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    fault(id, %{kind: "status", code: 403, headers: %{"x-request-id" => token()}}, %{times: 1})
    assert {:error, %Error{}} = HfHub.Api.model_info(id, endpoint: endpoint, token: token())
    assert {:error, %Error{}} = HfHub.Api.model_info(token(), endpoint: endpoint, token: token())

    assert {:error, %Error{}} =
             Download.hf_hub_download(
               opts(context, repo_id: token(), filename: "a", endpoint: endpoint, token: token())
             )

    assert_received {[:hf_hub, :request, :stop], _, %{endpoint: "http://****@" <> ^host}}
    refute inspect(Process.info(self(), :messages), limit: :infinity) =~ ~r/sesame|#{token()}/
  end

  test "an exception's stack trace shows no arguments" do
    assert catch_error(HfHub.Telemetry.span(:request, %{}, fn -> String.trim({"sesame"}) end))
    assert_received {[:hf_hub, :request, :exception], _, %{stacktrace: [_ | _] = stacktrace}}
    refute inspect(stacktrace) =~ "sesame"
  end

  test "an upload and its failure emit events", context do
    id = writable(context)
    HfHub.Commit.upload_file!({:binary, "a"}, "a.txt", id, write())
    assert_received {[:hf_hub, :upload, :start], %{system_time: _}, %{repo_id: ^id}}

    assert_received {[:hf_hub, :upload, :stop], %{duration: duration},
                     %{repo_id: ^id, result: :ok} = metadata}

    assert duration > 0
    HfHub.Commit.upload_folder!(folder(context, %{"b.txt" => "b"}), id, write())
    assert_received {[:hf_hub, :upload, :stop], _, %{repo_id: ^id, result: :ok}}
    assert {:error, error} = HfHub.Commit.delete_file("none", id, write())
    assert_received {[:hf_hub, :upload, :stop], _, %{result: :error, error: ^error}}
    refute inspect({metadata, Process.info(self(), :messages)}) =~ token()
  end

  test "files of a bucket are one download", context do
    bucket = "org/bucket-#{System.unique_integer([:positive])}"
    file = &%HfHub.Buckets.TreeEntry{type: :file, path: &1, size: &2, xet_hash: String.duplicate("0a", 32)}
    opts = [endpoint: context.endpoint, local_dir: Path.join(context.dir, "local")]
    assert {:ok, [_, _]} = HfHub.Buckets.download(bucket, [file.("a", 0), file.("b", 0)], opts)
    assert_received {[:hf_hub, :download, :start], _, %{repo_id: ^bucket, repo_type: "bucket", filename: nil}}
    assert_received {[:hf_hub, :download, :stop], _, %{repo_id: ^bucket, result: :ok, fallback: nil}}
    assert {:error, error} = HfHub.Buckets.download(bucket, [file.("a", 0), file.("none", 1)], opts)
    assert_received {[:hf_hub, :download, :stop], _, %{result: :error, error: ^error}}
    refute_received {[:hf_hub, :download, :stop], _, _}
  end

  test "the operations emit the same three events" do
    metadata = %{repo_id: "a/b"}

    for operation <- [:request, :download, :upload, :rows] do
      assert HfHub.Telemetry.span(operation, metadata, fn -> {:ok, 1} end) == {:ok, 1}
      assert_received {[:hf_hub, ^operation, :start], %{system_time: _, monotonic_time: _}, started}
      assert Map.delete(started, :telemetry_span_context) == metadata

      assert_received {[:hf_hub, ^operation, :stop], %{duration: _},
                       %{repo_id: "a/b", result: :ok, error: nil}}

      error = Error.new(:internal, "x")
      assert HfHub.Telemetry.span(operation, metadata, fn -> {:error, error} end) == {:error, error}
      assert_received {[:hf_hub, ^operation, :stop], _, %{result: :error, error: ^error}}
      assert catch_exit(HfHub.Telemetry.span(operation, metadata, fn -> exit(:stop) end)) == :stop

      assert_received {[:hf_hub, ^operation, :exception], %{duration: _},
                       %{kind: :exit, reason: :stop, stacktrace: [_ | _]}}
    end
  end

  test "a request emits events, also if it is interrupted", context do
    request = Request.new(:get, "/api/models/*repo", [repo: "org/none"], endpoint: context.endpoint)
    assert {:error, %Error{}} = Request.run(request)

    assert_received {[:hf_hub, :request, :stop], %{duration: _},
                     %{path: "/api/models/org/none", result: :error}}

    progress = fn _ -> throw(:enough) end
    assert catch_throw(HfHub.Telemetry.span(:download, %{repo_id: "x"}, fn -> progress.(1) end)) == :enough
    assert_received {[:hf_hub, :download, :exception], %{duration: _}, %{kind: :throw, reason: :enough}}
  end

  test "each run of a stream of rows is a span", context do
    {id, commit} = repo(context, %{"train.csv" => "n\n1\n2\n"}, repo_type: :dataset)
    opts = [as: :rows, endpoint: context.endpoint, cache_dir: context.cache, token: token()]
    rows = HfHub.Datasets.load!(id, [split: "train"] ++ opts)
    refute_received {[:hf_hub, :rows, _moment], _, _}
    assert Enum.count(rows) == 2
    assert_received {[:hf_hub, :rows, :start], %{system_time: _, monotonic_time: _}, started}

    assert_received {[:hf_hub, :rows, :stop], %{duration: _, rows: 2},
                     %{result: :ok, halted: false} = stopped}

    assert %{repo_id: ^id, repo_type: "dataset", revision: ^commit, split: "train", files: 1, path: nil} =
             started

    assert stopped.telemetry_span_context == started.telemetry_span_context
    assert Enum.take(rows, 1) == [%{"n" => 1}]
    assert_received {[:hf_hub, :rows, :stop], %{rows: 2}, %{halted: true}}

    folder = folder(context, %{"train/a.csv" => "n\n1\n", "train/b.csv" => "m\n2\n"})
    assert_raise Error, fn -> Enum.to_list(HfHub.Datasets.load!({:local, folder}, opts)) end
    assert_received {[:hf_hub, :rows, :stop], measured, %{result: :error, path: ^folder, error: %Error{}}}
    refute is_map_key(measured, :rows)
    refute inspect(Process.info(self(), :messages)) =~ token()
  end

  # What `:telemetry.span/3` documents, by which reporters and tracers read events.
  test "spans have the measurements and the context of :telemetry.span/3" do
    HfHub.Telemetry.span(:request, %{}, fn -> {:ok, 1} end)
    catch_exit(HfHub.Telemetry.span(:request, %{}, fn -> exit(:stop) end))

    [first, stop, second, exception] =
      for _event <- 1..4 do
        assert_received {[:hf_hub, :request, moment], measurements, metadata}
        {moment, measurements, metadata}
      end

    assert {:start, %{system_time: time, monotonic_time: at} = measured, %{telemetry_span_context: one}} =
             first

    assert map_size(measured) == 2 and is_reference(one)
    assert_in_delta System.convert_time_unit(time, :native, :second), System.os_time(:second), 60
    assert {:stop, %{duration: duration, monotonic_time: ended}, %{telemetry_span_context: ^one}} = stop
    assert duration == ended - at
    assert {:start, _measurements, %{telemetry_span_context: two}} = second
    assert one != two

    assert {:exception, %{duration: _, monotonic_time: _},
            %{telemetry_span_context: ^two, kind: :exit, reason: :stop, stacktrace: [_ | _]}} = exception
  end

  test "the end of a download measures its bytes, and that of a request has the status", context do
    {id, commit} = repo(context, %{"a.txt" => "abc"})
    opts = opts(context, repo_id: id, filename: "a.txt")

    for {more, bytes, cached} <- [
          {[dry_run: true], 0, false},
          {[], 3, false},
          {[], 0, true},
          {[revision: commit], 0, true}
        ] do
      assert {:ok, _path} = Download.hf_hub_download(opts ++ more)
      assert_received {[:hf_hub, :download, :stop], %{bytes: ^bytes}, %{cached: ^cached}}
    end

    assert {:ok, _folder} = Download.snapshot_download(Keyword.delete(opts, :filename))
    assert_received {[:hf_hub, :download, :stop], measured, %{commit: ^commit, filename: nil}}
    refute Map.has_key?(measured, :bytes)
    ask = [endpoint: context.endpoint, retry_delay: 10]
    assert {:ok, _info} = HfHub.Api.model_info(id, ask)
    assert_received {[:hf_hub, :request, :stop], _measured, %{status: 200, result: :ok}}
    assert {:error, _missing} = HfHub.Api.model_info(id, [revision: "none"] ++ ask)
    assert_received {[:hf_hub, :request, :stop], _measured, %{status: 404, result: :error}}
    assert {:error, _unreachable} = HfHub.Api.model_info(id, endpoint: "http://127.0.0.1:1", retries: 0)
    assert_received {[:hf_hub, :request, :stop], _measured, %{status: nil, result: :error}}
  end

  test "a stream is a span that lasts until it has ended, is halted or fails", context do
    content = large(300_000)
    {id, _commit} = repo(context, %{"model.safetensors" => content})
    opts = [repo_id: id, filename: "model.safetensors", endpoint: context.endpoint, retry_delay: 10]
    {:ok, stream} = Download.download_stream(opts ++ [token: token()])
    refute_received {[:hf_hub, :download, _moment], _, _}

    assert IO.iodata_to_binary(Enum.to_list(stream)) == content
    assert_received {[:hf_hub, :download, :start], %{system_time: _}, %{telemetry_span_context: first}}

    assert_received {[:hf_hub, :download, :stop], %{bytes: 300_000, duration: duration}, metadata}
    assert %{telemetry_span_context: ^first, result: :ok, error: nil, halted: false} = metadata
    assert %{repo_id: ^id, filename: "model.safetensors", revision: "main"} = metadata
    assert duration > 0

    [piece] = Enum.take(stream, 1)
    bytes = byte_size(piece)
    assert_received {[:hf_hub, :download, :stop], %{bytes: ^bytes}, %{halted: true, result: :ok} = metadata}
    assert metadata.telemetry_span_context != first

    {:ok, stream} = Download.download_stream(Keyword.put(opts, :filename, "none"))
    error = assert_raise Error, fn -> Stream.run(stream) end
    assert_received {[:hf_hub, :download, :stop], measured, %{result: :error, error: ^error}}
    refute Map.has_key?(measured, :bytes)
    refute inspect(Process.info(self(), :messages)) =~ token()
  end

  test "a stream of events is a request that lasts as long as it is open", context do
    {id, _commit} = repo(context, %{"a.txt" => "a"})
    request = Request.new(:get, "/api/models/*repo", [repo: id], endpoint: context.endpoint, retry_delay: 10)
    Stream.run(Request.events(request, reconnect: false))
    assert_received {[:hf_hub, :request, :start], _, %{telemetry_span_context: span}}
    assert_received {[:hf_hub, :request, :stop], %{duration: _}, metadata}
    assert %{telemetry_span_context: ^span, result: :ok, status: nil, method: :get} = metadata

    missing = Request.new(:get, "/api/models/org/none", [], endpoint: context.endpoint, retry_delay: 10)
    error = assert_raise Error, fn -> Stream.run(Request.events(missing, reconnect: false)) end
    assert_received {[:hf_hub, :request, :stop], _, %{result: :error, error: ^error, status: 401}}
  end

  test "the commit of a revision is a request, unless none is sent", context do
    {id, commit} = repo(context, %{"a.txt" => "a"})
    opts = [endpoint: context.endpoint, cache_dir: context.cache, retry_delay: 10]
    assert {:ok, ^commit} = HfHub.Git.resolve_revision(id, opts)
    path = "/api/models/#{id}/revision/main"
    assert_received {[:hf_hub, :request, :start], _, %{method: :get, path: ^path}}
    assert_received {[:hf_hub, :request, :stop], _, %{path: ^path, status: 200, result: :ok}}
    assert {:error, error} = HfHub.Git.resolve_revision(id, [revision: "none/x"] ++ opts)
    path = "/api/models/#{id}/revision/none%2Fx"
    assert_received {[:hf_hub, :request, :stop], _, %{path: ^path, status: 404, error: ^error}}
    assert_received {[:hf_hub, :request, :start], _, %{path: ^path}}

    for more <- [[revision: commit], [local_files_only: true]],
        do: assert({:ok, ^commit} = HfHub.Git.resolve_revision(id, more ++ opts))

    refute_received {[:hf_hub, :request, _moment], _, _}
  end

  test "the headers of tensors and the listings of a cache are downloads", context do
    header = ~s({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})
    file = <<byte_size(header)::little-64, header::binary, 7>>
    {id, commit} = repo(context, %{"model.safetensors" => file})
    opts = [endpoint: context.endpoint, retry_delay: 10, token: token()]
    assert {:ok, _headers} = HfHub.Safetensors.metadata(id, opts)
    assert_received {[:hf_hub, :download, :start], _, %{repo_id: ^id, filename: nil, revision: "main"}}
    assert_received {[:hf_hub, :download, :stop], _, %{repo_id: ^id, result: :ok, filename: nil}}
    assert {:ok, _header} = HfHub.Safetensors.file_metadata(id, "model.safetensors", opts)
    assert_received {[:hf_hub, :download, :stop], _, %{filename: "model.safetensors", result: :ok}}

    Download.hf_hub_download!(opts(context, repo_id: id, filename: "model.safetensors"))
    assert_received {[:hf_hub, :download, :stop], _, %{cached: false}}
    check = [cache_dir: context.cache, listings: true] ++ opts
    assert {:ok, _report} = HfHub.Cache.validate_integrity(check)
    assert_received {[:hf_hub, :download, :stop], _, %{repo_id: ^id, revision: ^commit, result: :ok}}
    refute inspect(Process.info(self(), :messages)) =~ token()
  end

  @every [:telemetry_span_context]
  @place [:endpoint, :repo_id, :repo_type, :revision]
  @ended [:result, :error]

  test "each event has the measurements and metadata that the docs list, and no other", context do
    {id, _commit} = repo(context, %{"a.txt" => "abc", "train.csv" => "n\n1\n"}, repo_type: :dataset)
    mine = writable(context)
    opts = opts(context, repo_id: id, repo_type: :dataset)
    ask = [endpoint: context.endpoint, retry_delay: 10, token: token()]
    file = [filename: "a.txt"]

    for {operation, work, about, measured, told} <- [
          {:request, fn -> HfHub.Api.dataset_info(id, ask) end, [:method, :path, :endpoint], [], [:status]},
          {:request, fn -> HfHub.Api.model_info("org/no", ask) end, [:method, :path, :endpoint], [],
           [:status]},
          {:request, fn -> HfHub.Git.resolve_revision(id, [repo_type: :dataset] ++ ask) end,
           [:method, :path, :endpoint], [], [:status]},
          {:download, fn -> Download.hf_hub_download(file ++ opts) end, [:filename | @place], [:bytes],
           [:fallback, :commit, :cached]},
          {:download, fn -> Download.hf_hub_download([local_files_only: true] ++ file ++ opts) end,
           [:filename | @place], [:bytes], [:fallback, :commit, :cached]},
          {:download, fn -> Download.hf_hub_download([filename: "none"] ++ opts) end, [:filename | @place],
           [], []},
          {:download, fn -> Download.snapshot_download(opts) end, [:filename | @place], [],
           [:fallback, :commit]},
          {:download, fn -> HfHub.Safetensors.metadata(id, [repo_type: :dataset] ++ ask) end,
           [:filename | @place], [], []},
          {:download, fn -> file |> Keyword.merge(Keyword.delete(opts, :cache_dir)) |> streamed() end,
           [:filename | @place], [:bytes], [:halted]},
          {:upload, fn -> HfHub.Commit.upload_file({:binary, "x"}, "x.txt", mine, write()) end,
           [:operation | @place], [], [:fallback]},
          {:upload, fn -> HfHub.Commit.upload_file({:binary, "x"}, "x.txt", "org/none", write()) end,
           [:operation | @place], [], []},
          {:rows, fn -> id |> HfHub.Datasets.load!([as: :rows, split: "train"] ++ ask) |> Enum.count() end,
           [:path, :split, :files | @place], [:rows], [:halted]}
        ] do
      flush()
      work.()
      assert_received {[:hf_hub, ^operation, :start], start, started}
      assert_received {[:hf_hub, ^operation, :stop], stop, stopped}
      shown = inspect({operation, stopped})
      assert Enum.sort(Map.keys(start)) == [:monotonic_time, :system_time], shown
      assert Enum.sort(Map.keys(stop)) == Enum.sort([:duration, :monotonic_time | measured]), shown
      assert Enum.sort(Map.keys(started)) == Enum.sort(@every ++ about), shown
      assert Enum.sort(Map.keys(stopped)) == Enum.sort(@every ++ about ++ @ended ++ told), shown
      assert started.telemetry_span_context == stopped.telemetry_span_context
    end
  end

  defp streamed(opts), do: opts |> Download.download_stream!() |> Stream.run()

  defp flush do
    receive do
      _message -> flush()
    after
      0 -> :ok
    end
  end

  test "the events of uploads and downloads show why Xet has failed", context do
    hub = endpoint()
    on_exit(fn -> control(:delete, "faults", nil, hub) end)
    id = writable(context)
    # No other test runs meanwhile.
    fault("/v1/xorb", %{kind: "status", code: 403})

    upload = fn opts ->
      HfHub.Commit.upload_file({:binary, large(100_000)}, "a.bin", id, write([xet: :auto] ++ opts))
    end

    assert {:ok, _info} = upload.([])

    assert_received {[:hf_hub, :upload, :stop], _,
                     %{result: :ok, fallback: "cannot upload to Xet storage" <> _}}

    control(:delete, "faults")
    assert {:ok, _info} = upload.(commit_message: "Again")
    assert_received {[:hf_hub, :upload, :stop], _, %{result: :ok, fallback: nil}}

    fault("/xet/xorbs/", %{kind: "status", code: 403})
    Download.hf_hub_download!(opts(context, repo_id: id, filename: "a.bin", xet: true))

    assert_received {[:hf_hub, :download, :stop], _,
                     %{result: :ok, fallback: "cannot download from Xet" <> _}}
  end
end
