defmodule HfHub.KinoTest do
  # With a stub of Kino, which is loaded for this module's tests only.
  use HfHub.Case, async: false

  alias HfHub.{Api, Cache, Download, Safetensors}
  alias HfHub.Kino.View

  defp with_kino(_context) do
    stub(:kino)
    {:ok, _pid} = apply(KinoStub, :start, [])
    Process.register(self(), :kino_cell)
    :ok
  end

  defp kino(name, arguments), do: apply(KinoStub, name, arguments)
  defp newest(frame), do: List.first(kino(:contents, [frame]))

  # A process that looks like the output of a cell in Livebook: without columns.
  defp in_cell(fun) do
    test = self()
    leader = spawn_link(fn -> cell(test) end)

    spawn(fn ->
      Process.group_leader(self(), leader)
      Process.put(:"$callers", [test])
      send(test, {:returned, fun.()})
    end)
  end

  defp cell(test) do
    Process.put(:"$initial_call", {Livebook.Runtime.Evaluator.IOProxy, :init, 1})
    answer(test)
  end

  defp answer(test) do
    receive do
      {:io_request, from, ref, request} ->
        reply = if match?({:get_geometry, _}, request), do: {:error, :enotsup}, else: :ok

        if match?({:put_chars, _, _}, request),
          do: send(test, {:written, IO.chardata_to_string(elem(request, 2))})

        send(from, {:io_reply, ref, reply})
        answer(test)
    end
  end

  defp written(text \\ "") do
    receive do
      {:written, more} -> written(text <> more)
    after
      0 -> text
    end
  end

  describe "without Kino" do
    test "the functions name the dependency" do
      for call <- [
            &HfHub.Kino.search/0,
            &HfHub.Kino.cache/0,
            &HfHub.Kino.download/0,
            fn -> HfHub.Kino.table([]) end
          ] do
        assert_raise ArgumentError, ~r/Kino is not loaded; add \{:kino/, call
      end
    end

    test "progress in a cell is a line that fits its width", context do
      {id, _commit} =
        repo(context, %{"a_file_with_a_very_long_name_that_does_not_fit.safetensors" => large(2_000_000)})

      in_cell(fn -> Download.snapshot_download(opts(context, repo_id: id, progress: true)) end)
      assert_receive {:returned, {:ok, _folder}}, 20_000
      lines = written() |> String.split(["\r", "\n"], trim: true)
      assert List.last(lines) =~ "done"
      for line <- lines, do: assert(String.length(String.trim_trailing(line)) < 64)
    end
  end

  describe "progress with Kino" do
    setup :with_kino

    test "is a bar in a frame, and nothing is written as text", context do
      {id, _commit} = repo(context, %{"<b>.bin" => large(2_000_000)})

      in_cell(fn ->
        Download.hf_hub_download(opts(context, repo_id: id, filename: "<b>.bin", progress: true))
      end)

      assert_receive {:rendered, frame}, 20_000
      assert_receive {:returned, {:ok, _path}}, 20_000
      # Text: each HTML would be a new inline frame.
      assert %{type: :text, content: content} = newest(frame)
      assert [bar, "<b>.bin  100%  2.0 MB of 2.0 MB  done"] = String.split(content, "\n")
      assert bar == String.duplicate("█", 40)
      assert written() == ""
    end

    test "of a stopped cell ends with the transfer", context do
      {id, _commit} =
        repo(context, %{
          "a.bin" => content = large(3_000_000),
          ".gitattributes" => "*.bin filter=lfs diff=lfs merge=lfs -text\n"
        })

      fault(sha256(content), %{kind: "stall", after: 100_000}, %{times: 9})

      cell =
        in_cell(fn ->
          Download.hf_hub_download(opts(context, repo_id: id, filename: "a.bin", progress: true))
        end)

      assert_receive {:rendered, frame}, 20_000
      assert eventually(fn -> kino(:contents, [frame]) != [] end)
      Process.exit(cell, :kill)
      assert eventually(fn -> match?(%{content: "a.bin: stopped"}, newest(frame)) end)
    end
  end

  describe "results with Kino" do
    setup :with_kino

    test "are tables: repositories, caches, plans and headers", context do
      path = Path.join(context.dir, "model.safetensors")
      Safetensors.write!(path, %{"w" => {"F32", [2], large(8)}})
      {id, commit} = repo(context, %{"model.safetensors" => File.read!(path), "config.json" => "{}"})
      Download.snapshot_download!(opts(context, repo_id: id))
      ask = [endpoint: context.endpoint]

      for {result, wanted} <- [
            {Api.model_info!(id, ask), id},
            {Cache.scan!(cache_dir: context.cache), id},
            {hd(Cache.scan!(cache_dir: context.cache).repos), "main"},
            {Cache.delete_revisions!([commit], cache_dir: context.cache, dry_run: true), "size"},
            {Safetensors.metadata!(id, ask), "F32 parameters"},
            {Safetensors.file_metadata!(id, "model.safetensors", ask), "[2]"},
            {Safetensors.open!(path), "[2]"},
            {hd(Api.list_repo_tree!(id, ask)), ".gitattributes"},
            {hd(Download.snapshot_download!(opts(context, repo_id: id, dry_run: true))), "will_download?"},
            {Cache.validate_integrity!(cache_dir: context.cache), "valid_files"},
            {%HfHub.Spaces.SpaceSearchResult{id: "me/app", title: "App"}, "Space search result"}
          ] do
        assert {:output, grid} = apply(Kino.Render, :to_livebook, [result])
        assert grid.type == :grid and length(grid.content) >= 1
        text = inspect(grid, limit: :infinity, printable_limit: :infinity, structs: false)
        assert text =~ wanted, "#{inspect(result)} lacks #{wanted}"
      end

      damaged = %Cache.Integrity{problems: [%{path: "p", status: :missing}], total_files: 1}
      assert {_title, [[path: "p", status: "missing"]]} = List.keyfind(View.tables(damaged), "Problems", 0)

      table = HfHub.Kino.table(Api.list_repo_tree!(id, ask))
      assert %{path: "config.json", size: "2 B", type: "file"} in table.content
      assert HfHub.Kino.table([]).content == []
      found = [%Api.ModelInfo{id: "a"}, %Api.ModelInfo{id: "b", pipeline_tag: "text-generation"}]

      assert [%{id: "a", pipeline_tag: ""}, %{id: "b", pipeline_tag: "text-generation"}] =
               HfHub.Kino.table(found).content

      for other <- [nil, "x", hd(found), [%{id: "a"}], [~D[2020-01-01]], [1]] do
        assert_raise ArgumentError, ~r/expected a list of results/, fn -> HfHub.Kino.table(other) end
      end
    end

    test "have texts that JSON can contain, whatever bytes names in files are, and short ones" do
      name = <<255>> <> String.duplicate("x", 10_000)
      tensor = %HfHub.GGUF.Tensor{name: name, type: "I8", shape: [1], offset: 0, size: 1, parameter_count: 1}

      header = %HfHub.GGUF.Header{
        version: 3,
        metadata: %{name => name},
        tensors: [tensor],
        parameter_count: %{}
      }

      assert {:output, %{content: [_facts, metadata, tensors]}} = apply(Kino.Render, :to_livebook, [header])
      assert [%{key: "<<255, 120" <> _ = key, value: value}] = metadata.content
      assert [%{name: ^key}] = tensors.content
      assert String.length(key) <= 200 and key == value
    end
  end

  test "every struct that is shown has tables, also when it is empty" do
    for module <- View.modules(), module != HfHub.Buckets.SyncPlan do
      fields =
        for {name, _from, type, _doc, _opts} <- module.__fields__(), into: %{} do
          {name,
           if(match?({:map, _}, type) or type == :map, do: %{}, else: if(is_list(type), do: [], else: nil))}
        end

      fields =
        Map.merge(
          fields,
          Map.take(
            %{
              size_on_disk: 1,
              incomplete_size: 0,
              expected_freed_size: 1,
              freed_size: 0,
              nb_files: 1,
              id: "a/b"
            },
            Map.keys(fields)
          )
        )

      assert [{title, rows} | _tables] = View.tables(struct!(module, fields))
      assert is_binary(title) and is_list(rows)
    end
  end

  describe "forms" do
    setup :with_kino

    test "search shows what is found, and errors", context do
      {id, _commit} =
        repo(context, %{"config.json" => "{}"}, id: "org/needle-#{System.unique_integer([:positive])}")

      with_endpoint(context)
      %{content: [form, frame]} = HfHub.Kino.search()
      kino(:event, [form, %{type: :submit, data: %{query: " needle ", type: :model}}])
      assert eventually(fn -> newest(frame) != nil end)
      assert Enum.any?(newest(frame).content, &(&1.id == id))
      kino(:event, [form, %{type: :submit, data: %{query: "nothing-of-that-name", type: :dataset}}])
      assert eventually(fn -> newest(frame).type == :text end)
    end

    test "cache shows the repositories, again after a click", context do
      with_endpoint(context)
      {id, _commit} = repo(context, %{"config.json" => "{}"})
      Application.put_env(:hf_hub, :cache_dir, context.cache)
      File.mkdir_p!(context.cache)
      %{content: [button, frame]} = HfHub.Kino.cache()
      refute inspect(newest(frame), limit: :infinity) =~ id
      Download.snapshot_download!(opts(context, repo_id: id))
      kino(:event, [button, %{type: :click}])
      assert eventually(fn -> inspect(newest(frame), limit: :infinity, printable_limit: :infinity) =~ id end)
    end

    test "download shows a plan with sizes, downloads when that is confirmed, and can be stopped", context do
      content = large(3_000_000)
      attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
      {id, _commit} = repo(context, %{"a.bin" => content, "b.json" => "{}", ".gitattributes" => attributes})

      %{content: [form, frame]} =
        HfHub.Kino.download(
          Keyword.take(opts(context, repo_id: id), [:repo_id, :cache_dir, :endpoint, :retry_delay])
        )

      submit = fn patterns ->
        kino(:event, [
          form,
          %{type: :submit, data: %{repo: id, type: :model, revision: "", patterns: patterns}}
        ])
      end

      submit.("*.json, *.txt")
      assert eventually(fn -> newest(frame) != nil end)
      %{content: [files, button, _stop, bar]} = newest(frame)
      assert files.content == [%{path: "b.json", size: "2 B", cached: "false"}]
      assert button.content == "Download 1 file, 2 B"
      kino(:event, [button, %{type: :click}])
      assert eventually(fn -> match?(%{type: :text, content: "downloaded to " <> _}, newest(bar)) end)

      fault(sha256(content), %{kind: "stall", after: 100_000}, %{times: 1})
      plan = newest(frame)
      submit.("")
      assert eventually(fn -> newest(frame) != plan end)
      %{content: [_files, button, stop, bar]} = newest(frame)
      assert button.content =~ "3.0 MB"
      kino(:event, [button, %{type: :click}])
      assert eventually(fn -> newest(bar) != nil end)
      kino(:event, [stop, %{type: :click}])
      assert eventually(fn -> match?(%{content: "stopped" <> _}, newest(bar)) end)
      # The button continues the download.
      kino(:event, [button, %{type: :click}])
      assert eventually(fn -> match?(%{type: :text, content: "downloaded to " <> _}, newest(bar)) end)

      # A new plan ends the transfer of the one before.
      File.rm_rf!(context.cache)
      fault(sha256(content), %{kind: "stall", after: 100_000}, %{times: 1})
      submit.("*.bin")

      assert eventually(fn ->
               match?(%{content: [_, %{content: "Download 1 file," <> _}, _, _]}, newest(frame))
             end)

      %{content: [_files, button, _stop, bar]} = newest(frame)
      kino(:event, [button, %{type: :click}])
      assert eventually(fn -> newest(bar) != nil end)
      [transfer] = transfers(form)
      submit.("*.json")
      assert eventually(fn -> not Process.alive?(transfer) end)

      kino(:event, [
        form,
        %{type: :submit, data: %{repo: "org/none", type: :model, revision: "", patterns: ""}}
      ])

      assert eventually(fn -> newest(frame).type == :text and newest(frame).content =~ "not found" end)
    end

    # The processes below the supervisor that is linked to the listener of the form.
    defp transfers(form) do
      {:links, [supervisor]} = Process.info(kino(:listener, [form]), :links)
      Task.Supervisor.children(supervisor)
    end

    defp with_endpoint(context) do
      own_env(["HF_ENDPOINT"])
      Application.put_env(:hf_hub, :endpoint, context.endpoint)
    end
  end
end
