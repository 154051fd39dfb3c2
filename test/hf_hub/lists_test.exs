defmodule HfHub.ListsTest do
  # Pagination, against a separate Hub whose pages have three entries.
  use HfHub.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.{Api, Error, Git, LocalHub, Request}

  setup_all do
    {:ok, own: start_own(["--page-size", "3"])}
  end

  defp start_own(args) do
    root = Path.join(System.tmp_dir!(), "hf_hub_lists_#{System.pid()}_#{System.unique_integer([:positive])}")
    {:ok, own} = LocalHub.start_link(root: root, test_control: true, args: args)
    on_exit(fn -> File.rm_rf!(root) end)
    own
  end

  defp ask(own, more \\ []), do: [endpoint: LocalHub.endpoint(own), token: false, retry_delay: 10] ++ more

  defp fill(own, context, id, files) do
    folder = Path.join(context.dir, "fill#{System.unique_integer([:positive])}")
    File.mkdir_p!(folder)
    for {name, content} <- files, do: File.write!(Path.join(folder, name), content)
    LocalHub.import_folder!(own, folder, id)
  end

  defp logged(own, path) do
    {:ok, log} = Request.new(:get, "/_test/requests", [], ask(own)) |> Request.run()
    for request <- log, request["path"] =~ path, do: request
  end

  defp plant(own, rule) do
    {:ok, _} = Request.new(:post, "/_test/faults", [], ask(own)) |> Request.json(rule) |> Request.run()
    on_exit(fn -> Request.new(:delete, "/_test/faults", [], ask(own)) |> Request.effect() end)
  end

  test "a stream requests pages on demand, a list all of them", %{own: own} = context do
    for n <- 1..7, do: fill(own, context, "many/m#{n}", %{"a.txt" => "#{n}"})
    for n <- 1..7, do: fill(own, context, "long/history", %{"f#{n}.txt" => "x", "n.txt" => "#{n}"})
    fill(own, context, "wide/folder", Map.new(1..8, &{"f#{&1}", "x"}))

    for {path, stream, list} <- [
          {"/api/models", &Api.stream_models([author: "many"] ++ &1),
           &Api.list_models!([author: "many"] ++ &1)},
          {"wide/folder/tree", &Api.stream_repo_tree("wide/folder", &1),
           &Api.list_repo_tree!("wide/folder", &1)},
          {"wide/folder/tree", &Api.stream_repo_files("wide/folder", &1),
           &Api.list_repo_files!("wide/folder", &1)},
          {"history/commits", &Git.stream_commits("long/history", &1), &Git.list_commits!("long/history", &1)}
        ] do
      path = if path == "/api/models", do: ~r{^/api/models$}, else: path

      pages = fn work ->
        before = length(logged(own, path))
        result = work.()
        {length(logged(own, path)) - before, result}
      end

      assert {0, _lazy} = pages.(fn -> stream.(ask(own)) end)
      assert {1, [_]} = pages.(fn -> stream.(ask(own)) |> Enum.take(1) end)
      assert {1, [_, _, _]} = pages.(fn -> stream.(ask(own)) |> Enum.take(3) end)
      assert {2, [_, _, _, _]} = pages.(fn -> stream.(ask(own)) |> Enum.take(4) end)
      assert {count, all} = pages.(fn -> list.(ask(own)) end)
      assert count == div(length(all) + 2, 3) and length(all) in 7..9
      assert all == Enum.to_list(stream.(ask(own)))
      assert {_pages, [_, _, _, _, _]} = pages.(fn -> list.(ask(own, limit: 5)) end)
    end
  end

  test "page links to other hosts are followed at the endpoint, without a request to the other host",
       %{own: own} = context do
    for n <- 1..5, do: fill(own, context, "linked/m#{n}", %{"a.txt" => "#{n}"})
    {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, ip: {127, 0, 0, 1}])
    {:ok, port} = :inet.port(listener)
    link = "<http://127.0.0.1:#{port}/api/models?author=linked&cursor=3>; rel=\"next\""
    plant(own, %{match: "/api/models", times: 1, fault: %{kind: "header", name: "link", value: link}})
    assert length(Api.list_models!(ask(own, author: "linked"))) == 5
    assert {:error, :timeout} = :gen_tcp.accept(listener, 100)
  end

  test "a list is bounded in pages and bytes", %{own: own} = context do
    for n <- 1..7, do: fill(own, context, "endless/m#{n}", %{"a.txt" => "#{n}"})
    request = Request.new(:get, "/api/models", [], ask(own)) |> Request.query(author: "endless")
    assert {:ok, all} = Request.list(request, nil, & &1)
    assert length(all) == 7

    assert {:error, %Error{kind: :invalid_response, message: message}} =
             Request.list(%{request | max_pages: 2}, nil, & &1)

    assert message =~ "too many pages"
    assert {:error, %Error{message: message}} = Request.list(%{request | max_bytes: 1500}, nil, & &1)
    assert message =~ "too many bytes"
    assert length(Enum.to_list(Request.stream(%{request | max_bytes: 1}, & &1))) == 7
    assert_raise Error, ~r/pages/, fn -> Enum.to_list(Request.stream(%{request | max_pages: 2}, & &1)) end

    # A page that links to itself as the next one.
    self = "<#{LocalHub.endpoint(own)}/api/models?author=endless&cursor=3>; rel=\"next\""
    plant(own, %{match: "/api/models", fault: %{kind: "header", name: "link", value: self}})
    assert {:error, %Error{kind: :invalid_response, message: message}} = Request.list(request, nil, & &1)
    assert message =~ "a page links to an earlier one"
  end

  test ":timeout applies to all pages of a list together", %{own: own} = context do
    for n <- 1..7, do: fill(own, context, "slow/m#{n}", %{"a.txt" => "#{n}"})
    plant(own, %{match: "/api/models", fault: %{kind: "delay", ms: 400}})
    assert {:error, %Error{kind: :timeout}} = Api.list_models(ask(own, author: "slow", timeout: 700))
  end

  test "a hundred processes stay within the announced rate limit, and log that they wait" do
    own = start_own(["--rate-limit", "60/2"])
    # Before the first response the rate limit is unknown.
    assert {:ok, %{}} = Api.model_tags(ask(own))

    log =
      capture_log(fn ->
        results =
          1..100
          |> Task.async_stream(fn _n -> Api.model_tags(ask(own)) end, max_concurrency: 100, timeout: 60_000)
          |> Enum.map(fn {:ok, result} -> result end)

        assert Enum.all?(results, &match?({:ok, %{}}, &1))
      end)

    statuses = for request <- logged(own, "tags-by-type"), do: request["status"]
    assert Enum.frequencies(statuses) == %{200 => 101}
    assert log =~ "the Hub's rate limit is exhausted"
  end
end
