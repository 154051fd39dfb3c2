defmodule HfHub.InferenceTest do
  use HfHub.InferenceCase

  alias HfHub.{Error, Inference}
  alias HfHub.Inference.{ChatCompletion, Media, ToolCall}

  describe "a client" do
    test "shows neither its token nor its headers" do
      client = Inference.new(model: "a/b", token: "hf_secret_of_mine", headers: %{"x-key" => "secret"})
      refute inspect(client) =~ "secret"
    end

    test "is refused with the allowed values in the message" do
      message = assert_raise ArgumentError, fn -> Inference.new(provider: "grok") end
      assert message.message =~ ~s("groq")

      assert_raise ArgumentError, ~r/pass one of them/, fn ->
        Inference.new(model: "a", base_url: "http://b")
      end

      assert_raise ArgumentError, ~r/Did you mean :provider/, fn -> Inference.new(providers: "groq") end
    end

    test "takes api_key for token, as the clients of OpenAI do", context do
      respond(context.base, reply("hi"))
      assert {:ok, _reply} = Inference.chat_completion(client(context, token: nil, api_key: token()), @hello)
      assert header(context.base, "scheme") == "Bearer"
    end
  end

  describe "the token" do
    test "that is stored is not sent to a server of one's own", context do
      respond(context.base, reply("hi"))
      # The suite's Hub is not the configured one here.
      client = client(context, token: nil, endpoint: "http://127.0.0.1:9")
      assert {:ok, _reply} = Inference.chat_completion(client, @hello)
      assert header(context.base, "scheme") == nil
    end

    test "that is stored is sent to the Hub's own services only" do
      # As `HfHub.Auth.Credentials` returns it.
      stored = [token: {"hf_stored", {:env, "HF_TOKEN"}}]

      for {url, own?} <- [
            {"https://x.us-east-1.aws.endpoints.huggingface.cloud/v1", true},
            {"https://router.huggingface.co/hf-inference", true},
            {"https://someone-app.hf.space", false},
            {"https://huggingface.co.evil.example", false},
            {"http://localhost:8000", false}
          ] do
        route = HfHub.Inference.Route.find!(%{Inference.new(model: url) | opts: stored}, "conversational", [])
        assert route.token != nil == own?, url
      end
    end

    test "of a provider goes to the provider directly, and a token of the Hub to the router", context do
      mapped(context, %{"groq" => %{"providerId" => "theirs", "task" => "conversational", "status" => "live"}})

      respond(context.base, reply("hi"))

      assert {:ok, _reply} =
               Inference.chat_completion(routed(context, provider: "groq", bill_to: "acme"), @hello)

      assert [{"POST", path, body}] = sent(context.base)
      assert {path, body["model"]} == {context.base <> "/groq/openai/v1/chat/completions", "theirs"}
      assert header(context.base, "bill_to") == "acme"

      context = %{context | id: context.id <> "-2"}

      mapped(context, %{"groq" => %{"providerId" => "theirs", "task" => "conversational", "status" => "live"}})

      direct = context.base <> "-direct"
      respond(direct, reply("hi"))
      key = [provider: "groq", token: "key_of_mine", provider_url: context.url <> direct, bill_to: "acme"]
      own = Inference.new([model: context.id, endpoint: context.url] ++ key)
      assert {:ok, _reply} = Inference.chat_completion(own, @hello)
      assert [{"POST", path, _body}] = sent(direct)
      assert path == direct <> "/openai/v1/chat/completions"
      assert {header(direct, "scheme"), header(direct, "bill_to")} == {"Bearer", nil}
      # The Hub is asked for the provider's name of the model, without that key.
      assert header("/api/models/#{context.id}", "scheme") == nil
    end

    test "of a provider needs the name of the provider", context do
      client = Inference.new(model: context.id, token: "key_of_mine", endpoint: context.url)

      assert {:error, %Error{kind: :unauthorized, message: message}} =
               Inference.chat_completion(client, @hello)

      assert message =~ ":provider"
      assert {:error, %Error{kind: :unauthorized}} = Inference.text_to_image(client, "x")

      openai = Inference.new(model: "gpt", provider: "openai", token: token())

      assert {:error, %Error{kind: :unauthorized, message: message}} =
               Inference.chat_completion(openai, @hello)

      assert message =~ "key of OpenAI"
    end

    test "in a header of the provider's own form stays out of errors", context do
      mapped(context, %{
        "fal-ai" => %{"providerId" => "fal/x", "task" => "text-to-speech", "status" => "live"}
      })

      respond(context.base, %{"error" => "bad key key_of_mine"}, %{code: 400})
      opts = [provider: "fal-ai", token: "key_of_mine", provider_url: context.url <> context.base]
      client = Inference.new([model: context.id, endpoint: context.url, retries: 0] ++ opts)
      assert {:error, error} = Inference.text_to_speech(client, "hello")
      refute inspect(error) =~ "key_of_mine"
      assert header(context.base, "scheme") == "Key"
    end
  end

  test "a model that is being loaded is waited for", context do
    loading = %{"error" => "Model is currently loading", "estimated_time" => 0.05}
    respond(context.base, loading, %{code: 503, times: 2})
    respond(context.base, reply("hi"), %{skip: 2})
    me = self()
    client = client(context, on_wait: &send(me, {:wait, &1}))
    assert {:ok, reply} = Inference.chat_completion(client, @hello)
    assert Inference.text(reply) == "hi"
    assert_received {:wait, text}
    assert text =~ "is being loaded, which takes about 1 s"

    respond(context.base, loading, %{code: 503})
    assert {:error, %Error{status: 503}} = Inference.chat_completion(client, @hello, loading_timeout: 0)
    assert {:error, %Error{status: 503}} = Inference.chat_completion(client, @hello, timeout: 50)
  end

  describe "a stream" do
    test "is put together, with the calls of tools", context do
      call = fn index, more -> %{"tool_calls" => [Map.merge(%{"index" => index}, more)]} end

      respond(
        context.base,
        chunk(%{"role" => "assistant", "content" => "let "}) <>
          chunk(%{"content" => "me see", "reasoning" => "hm"}) <>
          chunk(
            call.(0, %{
              "id" => "a",
              "type" => "function",
              "function" => %{"name" => "f", "arguments" => "{\"x\""}
            })
          ) <>
          chunk(
            call.(1, %{"id" => "b", "type" => "function", "function" => %{"name" => "g", "arguments" => "{}"}})
          ) <>
          chunk(call.(0, %{"function" => %{"arguments" => ": 1}"}})) <>
          chunk(%{}, %{"choices" => [%{"index" => 0, "delta" => %{}, "finish_reason" => "tool_calls"}]}) <>
          chunk(%{}, %{
            "choices" => [],
            "usage" => %{"prompt_tokens" => 1, "completion_tokens" => 2, "total_tokens" => 3}
          }) <>
          "data: [DONE]\n\n",
        %{type: "text/event-stream"}
      )

      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      assert Enum.map_join(chunks, &Inference.text/1) == "let me see"
      assert {:ok, %ChatCompletion{choices: [choice], usage: usage}} = Inference.collect(chunks)

      assert {choice.message.content, choice.message.reasoning, choice.finish_reason} ==
               {"let me see", "hm", :tool_calls}

      assert [%ToolCall{id: "a", name: "f", arguments: ~s({"x": 1})}, %ToolCall{id: "b", name: "g"}] =
               choice.message.tool_calls

      assert usage.total_tokens == 3
    end

    test "is opened when it is read, and closed when the reader halts", context do
      respond(context.base, String.duplicate(chunk(%{"content" => "x"}), 1_000), %{type: "text/event-stream"})
      fault(context.base, %{kind: "dribble", bytes: 100, every_ms: 20})
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      assert requests(context.base) == []
      assert [_first, _second] = Enum.take(chunks, 2)
      eventually(fn -> match?([%{"aborted" => true}], requests(context.base)) end)
    end

    test "is closed when its owner exits", context do
      respond(context.base, String.duplicate(chunk(%{"content" => "x"}), 1_000), %{type: "text/event-stream"})
      fault(context.base, %{kind: "dribble", bytes: 100, every_ms: 20})
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      me = self()
      owner = spawn(fn -> Enum.each(chunks, fn _chunk -> send(me, :chunk) end) end)
      assert_receive :chunk, 5_000
      Process.exit(owner, :kill)
      eventually(fn -> match?([%{"aborted" => true}], requests(context.base)) end)
    end

    test "that breaks is an error with what has arrived", context do
      first = chunk(%{"role" => "assistant", "content" => "hel"})
      respond(context.base, first <> chunk(%{"content" => "lo"}), %{type: "text/event-stream"})
      fault(context.base, %{kind: "drop", after: byte_size(first) + 20})
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      assert {:error, %Error{kind: :transport, details: %{"partial" => partial}}} = Inference.collect(chunks)
      assert Inference.text(partial) == "hel"
    end

    test "reports the errors in it, and those before it", context do
      failure = ~s(data: {"error": "too long", "error_type": "validation"}\n\n)
      respond(context.base, chunk(%{"content" => "x"}) <> failure, %{type: "text/event-stream", times: 1})
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)

      assert {:error, %Error{kind: :bad_request, reason: "too long", details: %{"partial" => _partial}}} =
               Inference.collect(chunks)

      respond(context.base, %{"error" => "no such model"}, %{code: 404})
      assert {:error, %Error{status: 404}} = Inference.collect(chunks)

      assert_raise ArgumentError, ~r/:max_tokens/, fn ->
        Inference.chat_completion(client(context), @hello, stream: true, max_token: 1)
      end
    end

    test "is closed after an error in it, although more would come", context do
      failure = ~s(data: {"error": "out of memory"}\n\n)
      rest = String.duplicate(chunk(%{"content" => "x"}), 1_000)
      respond(context.base, chunk(%{"content" => "x"}) <> failure <> rest, %{type: "text/event-stream"})
      fault(context.base, %{kind: "dribble", bytes: 100, every_ms: 20})
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      assert {:error, %Error{kind: :server, reason: "out of memory"}} = Inference.collect(chunks)
      eventually(fn -> match?([%{"aborted" => true}], requests(context.base)) end)
    end

    test "waits for a model that is being loaded", context do
      respond(context.base, %{"error" => "loading", "estimated_time" => 0.01}, %{code: 503, times: 1})
      body = chunk(%{"content" => "x"}) <> "data: [DONE]\n\n"
      respond(context.base, body, %{type: "text/event-stream", skip: 1})
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      assert Enum.map_join(chunks, &Inference.text/1) == "x"
    end
  end

  describe "tools" do
    @tools [%{type: "function", function: %{name: "add", parameters: %{type: "object"}}}]

    defp calling(name, arguments) do
      calls = [
        %{"id" => "c1", "type" => "function", "function" => %{"name" => name, "arguments" => arguments}}
      ]

      reply(nil, %{"tool_calls" => calls})
    end

    test "are called until the model replies", context do
      respond(context.base, calling("add", ~s({"a": 1, "b": 2})), %{times: 1})
      respond(context.base, calling("sub", ~s({"a": 1})), %{skip: 1, times: 1})
      respond(context.base, calling("add", "[1"), %{skip: 2, times: 1})
      respond(context.base, reply("3"), %{skip: 3})
      functions = %{add: fn %{"a" => a, "b" => b} -> a + b end}

      assert {:ok, %{reply: reply, messages: messages}} =
               Inference.run_tools(client(context), @hello, tools: @tools, functions: functions)

      assert Inference.text(reply) == "3"
      assert length(messages) == 8

      assert [_first, {_, _, second}, {_, _, third}, {_, _, fourth}] = sent(context.base)

      assert [_hello, %{"role" => "assistant", "tool_calls" => [%{"id" => "c1"}]}, answer] =
               second["messages"]

      assert answer == %{"role" => "tool", "tool_call_id" => "c1", "content" => "3"}
      assert List.last(third["messages"])["content"] == ~s(error: there is no function "sub")
      assert List.last(fourth["messages"])["content"] == "error: the arguments are not a JSON object"
    end

    test "end after a number of rounds", context do
      respond(context.base, calling("add", "{}"))
      opts = [tools: @tools, functions: %{"add" => fn _none -> {:error, "no numbers"} end}, max_rounds: 2]

      assert {:error, %Error{kind: :precondition, message: message}} =
               Inference.run_tools(client(context), @hello, opts)

      assert message =~ ":max_rounds"
      assert length(requests(context.base)) == 3
    end
  end

  describe "files" do
    test "are bytes, paths, URLs and enumerables", context do
      respond(context.base <> "-file", "bytes", %{type: "image/png"})
      respond("{#{context.base}}", [%{"label" => "cat", "score" => 0.5}])
      path = Path.join(context.dir, "cat.jpg")
      File.write!(path, "bytes")
      url = context.url <> context.base <> "-file"
      data = "data:image/png;base64," <> Base.encode64("bytes")

      for content <- ["bytes", {:path, path}, url, data, Stream.map(["by", "tes"], & &1)] do
        assert {:ok, [%{label: "cat"}]} = Inference.image_classification(client(context), content, top_k: 1)

        assert [{_, _, %{"inputs" => "Ynl0ZXM=", "parameters" => %{"top_k" => 1}}} | _] =
                 Enum.reverse(sent(context.base))
      end

      # Without parameters, the file is the body.
      assert {:ok, _labels} = Inference.image_classification(client(context), {:path, path})
      assert header(context.base, "content_type") == "image/jpeg"
    end

    test "that cannot be read are errors before a request", context do
      path = Path.join(context.dir, "missing.png")

      assert {:error, %Error{kind: :io, path: ^path}} =
               Inference.image_to_text(client(context), {:path, path})

      assert_raise ArgumentError, ~r/expected bytes/, fn -> Inference.image_to_text(client(context), 3) end
      assert requests(context.base) == []
    end
  end

  test "wrong arguments are refused before a request", context do
    client = client(context)
    assert_raise ArgumentError, ~r/list of maps/, fn -> Inference.chat_completion(client, "hello") end

    assert_raise ArgumentError, ~r/at least two labels/, fn ->
      Inference.zero_shot_image_classification(client, "i", ["a"])
    end

    assert_raise ArgumentError, ~r/:tgt_lang/, fn -> Inference.translation(client, "x", src_lang: "en") end

    assert_raise ArgumentError, ~r/details: true/, fn ->
      Inference.text_generation(client, "x", decoder_input_details: true)
    end

    assert requests(context.base) == []
  end

  test "a model that hf-inference does not serve for the task is an error that names its task", context do
    respond("/api/models/#{context.id}", %{"id" => context.id, "pipeline_tag" => "fill-mask", "tags" => []})
    client = routed(context, provider: "hf-inference")
    assert {:error, %Error{kind: :bad_request, message: message}} = Inference.translation(client, "x")
    assert message =~ "does not support translation: it is a model for fill-mask"
  end

  test "parameters that the model does not know are left out", context do
    unused = %{"error" => "The following `model_kwargs` are not used by the model: ['watermark', 'top_p']"}
    respond(context.base, unused, %{code: 400, times: 1})
    respond(context.base, %{"generated_text" => "hi"}, %{skip: 1})

    assert {:ok, "hi"} =
             Inference.text_generation(client(context), "x", watermark: true, top_p: 0.5, top_k: 3)

    assert [_first, {_, _, %{"parameters" => parameters}}] = sent(context.base)
    assert parameters == %{"top_k" => 3}
  end

  test "embeddings in Base64 are numbers", context do
    mapped(context, %{
      "together" => %{"providerId" => "t", "task" => "feature-extraction", "status" => "live"}
    })

    floats = Base.encode64(<<0.5::float-little-32, 1.5::float-little-32>>)
    respond(context.base, %{"data" => [%{"embedding" => floats}]})
    client = routed(context, provider: "together")
    assert {:ok, [[0.5, 1.5]]} = Inference.feature_extraction(client, ["x"], encoding_format: :base64)
  end

  test "requests of one's own, health checks and information", context do
    respond(context.base <> "/v1/models", %{"data" => []})
    respond(context.base <> "/health", "", %{code: 503, times: 1})
    respond(context.base <> "/health", "", %{skip: 1})
    respond(context.base <> "/info", %{"model_id" => "m"})
    client = client(context)
    assert Inference.request!(client, method: :get, path: "/v1/models") == %{"data" => []}
    assert {:ok, false} = Inference.health_check(client)
    assert Inference.health_check!(client)
    assert Inference.get_endpoint_info!(client)["model_id"] == "m"
    respond(context.base <> "/echo", "done", %{type: "text/plain"})
    assert Inference.request!(client, path: "/echo", json: %{a: nil, b: [c: 1]}) == "done"
    assert [{"POST", _, %{"b" => %{"c" => 1}}}] = sent(context.base <> "/echo")
    other = Inference.new(model: "a/b", provider: "groq", token: token())
    assert {:error, %Error{kind: :bad_request}} = Inference.request(other)
  end

  describe "batches" do
    test "keep the order, and go on after errors", context do
      respond(context.base, reply("hi"))
      client = client(context)

      work = fn
        1 -> Inference.chat_completion(client, @hello)
        2 -> raise "no"
        3 -> exit(:gone)
        4 -> Process.exit(self(), :kill)
        5 -> Process.sleep(:infinity)
      end

      assert [{:ok, reply}, {:error, raised}, {:error, gone}, {:error, killed}, {:error, late}] =
               Enum.to_list(Inference.map(1..5, work, timeout: 3_000))

      assert Inference.text(reply) == "hi"
      assert {raised.kind, gone.kind, killed.kind, late.kind} == {:internal, :cancelled, :cancelled, :timeout}
    end

    test "read no more inputs than are worked on" do
      me = self()
      inputs = Stream.each(1..100, &send(me, {:read, &1}))
      assert [{:ok, 1}, {:ok, 2}] = inputs |> Inference.map(&{:ok, &1}, max_concurrency: 2) |> Enum.take(2)
      refute_received {:read, 10}
    end
  end

  test "media are shown by their size" do
    assert inspect(%Media{data: "abc", content_type: "image/png"}) ==
             "#HfHub.Inference.Media<image/png, 3 B>"

    assert_raise ArgumentError, ~r/kino/, fn -> Media.to_kino(%Media{data: "x"}) end
    assert_raise ArgumentError, ~r/nx/, fn -> Inference.to_nx([1.0]) end
  end
end
