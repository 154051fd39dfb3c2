defmodule HfHub.InferenceMisuseTest do
  # Callers that pass the wrong things, and servers that respond with the wrong things.
  use HfHub.InferenceCase

  alias HfHub.{Error, Inference, Receiver}

  describe "arguments of the wrong type" do
    test "are refused before a request, with what was expected", context do
      client = client(context)
      chat = &Inference.chat_completion(client, &1)

      for {call, message} <- [
            {fn -> chat.(["hello"]) end, "list of maps"},
            {fn -> chat.(role: "user", content: "hello") end, "list of maps"},
            {fn -> chat.([%{role: "user", content: {:a}}]) end, "values that JSON has"},
            {fn -> chat.([%{role: "user", content: self()}]) end, "values that JSON has"},
            {fn -> chat.([%{{1} => "x"}]) end, "values that JSON has"},
            {fn -> chat.([%{role: "user", content: <<255>>}]) end, "texts in UTF-8"},
            {fn -> Inference.text_generation(client, nil) end, "the prompt to be a string"},
            {fn -> Inference.feature_extraction(client, 3) end,
             "the text to be a string or a list of strings"},
            {fn -> Inference.feature_extraction(client, ["a", :b]) end, "a list of strings"},
            {fn -> Inference.zero_shot_classification(client, "x", "label") end,
             "the labels to be a list of strings"},
            {fn -> Inference.zero_shot_classification(client, "x", []) end,
             "the labels to be a list of strings"},
            {fn -> Inference.sentence_similarity(client, "x", "y") end, "the other sentences to be a list"},
            {fn -> Inference.table_question_answering(client, "x", "q") end,
             "the table to be a map of columns"},
            {fn -> Inference.image_to_text(client, {:path, nil}) end, "expected bytes"},
            {fn -> Inference.image_to_text(client, ["a" | :b]) end, "expected bytes"},
            {fn -> Inference.image_to_text(client, Stream.map([1000], & &1)) end, "iodata"},
            {fn -> Inference.chat_completion(client, @hello, %{max_tokens: 1}) end, "keyword list"},
            {fn -> Inference.request(client, path: "v1/models") end, ":path to begin with /"},
            # This would be a host's name after that of a user.
            {fn -> Inference.request(client, path: "@localhost/x") end, ":path to begin with /"},
            {fn -> Inference.run_tools(client, @hello, functions: %{"f" => 1}) end, ":functions"},
            {fn -> Inference.new(base_url: "localhost:8000") end, ":base_url to begin with http"},
            {fn -> Inference.new(model: "") end, ":model"}
          ] do
        error = assert_raise ArgumentError, call
        assert error.message =~ message
      end

      assert requests(context.base) == []
    end

    test "dates and decimals are texts" do
      body = HfHub.Inference.Body.json(%{day: ~D[2026-01-02], list: [], none: nil, sort: :a}, [])
      assert body == %{"day" => "2026-01-02", "list" => [], "sort" => :a}
    end

    test "a URL with a password is refused without showing it" do
      for opts <- [[base_url: "http://me:secret@localhost:1"], [model: "http://me:secret@localhost:1/x"]] do
        client = Inference.new([token: false] ++ opts)
        assert {:error, %Error{kind: :invalid_name} = error} = Inference.chat_completion(client, @hello)
        refute Exception.message(error) =~ "secret"
      end
    end

    test "files that are none are errors with the reason", context do
      assert {:error, %Error{kind: :io, path: path, reason: reason}} =
               Inference.image_to_text(client(context), {:path, context.dir})

      assert {path, reason} == {context.dir, "illegal operation on a directory"}
    end

    test "functions of batches that return something else are errors" do
      assert [{:error, %Error{kind: :internal, message: message}}] = Enum.to_list(Inference.map([1], & &1))
      assert message =~ "{:ok, value} or {:error, error}, got: 1"
    end
  end

  describe "a response of another form" do
    test "is an error", context do
      for {body, kind, text} <- [
            {"{}", :invalid_response, ""},
            {~s({"choices": {}}), :invalid_response, ""},
            {~s({"choices": [1]}), :invalid_response, ""},
            {"[1]", :invalid_response, ""},
            {"null", :invalid_response, ""},
            {~s({"choices": [), :invalid_response, "invalid JSON"},
            {String.duplicate("[", 100_000), :invalid_response, "invalid JSON"},
            {~s({"error": {"message": "upstream gone", "code": 502}}), :server, "upstream gone"}
          ] do
        respond(context.base, body)
        client = client(context)
        assert {:error, %Error{kind: ^kind} = error} = Inference.chat_completion(client, @hello)
        assert Exception.message(error) =~ text
        assert {:error, %Error{kind: ^kind}} = Inference.text_classification(client, "x")
        assert {:error, %Error{kind: ^kind}} = Inference.fill_mask(client, "x")
        assert {:error, %Error{kind: ^kind}} = Inference.object_detection(client, "x")
        assert {:error, %Error{kind: ^kind}} = Inference.table_question_answering(client, %{}, "x")
      end
    end

    test "is an error where events are expected", context do
      for {body, type, text} <- [
            {"<html>login</html>", "text/html", "expected a JSON object"},
            {"data: hello\n\n", "text/event-stream", "expected a JSON object"},
            {"data: {\"choices\n\n", "text/event-stream", "expected a JSON object"},
            {"data: []\n\n", "text/event-stream", "expected a JSON object"},
            {"data: {\"choices\": \"x\"}\n\n", "text/event-stream", "before the end of the result"},
            {"", "text/event-stream", "empty stream"},
            {~s({"detail": "x"}), "application/json", "before the end of the result"}
          ] do
        respond(context.base, body, %{type: type})
        {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
        assert {:error, %Error{} = error} = Inference.collect(chunks)
        assert error.message =~ text
      end
    end

    test "is read if a server does not know streams", context do
      respond(context.base, reply("whole"))
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      assert Inference.text(Inference.collect!(chunks)) == "whole"
    end

    test "is an error if the connection is closed between two events", context do
      respond(context.base, chunk(%{"content" => "half"}), %{type: "text/event-stream"})
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      assert {:error, %Error{kind: :transport, details: %{"partial" => partial}}} = Inference.collect(chunks)
      assert Inference.text(partial) == "half"
      # Some servers end streams without a mark of their end.
      last = %{"choices" => [%{"index" => 0, "delta" => %{}, "finish_reason" => "stop"}]}
      usage = %{"choices" => [], "usage" => %{"total_tokens" => 1}}
      body = chunk(%{"content" => "all"}) <> chunk(%{}, last) <> chunk(%{}, usage)
      respond(context.base, body, %{type: "text/event-stream"})
      assert {:ok, whole} = Inference.collect(chunks)
      assert Inference.text(whole) == "all"
    end

    test "is an error if a text is not finished, too", context do
      token = &~s(data: {"token": {"text": "#{&1}"}, "generated_text": #{&2}}\n\n)
      choice = &~s(data: {"choices": [{"text": "#{&1}", "finish_reason": #{&2}}]}\n\n)

      for {event, last} <- [{token, ~s("ab")}, {choice, ~s("length")}] do
        respond(context.base, event.("a", "null") <> event.("b", "null"), %{type: "text/event-stream"})
        {:ok, parts} = Inference.text_generation(client(context), "x", stream: true)
        error = assert_raise Error, fn -> Enum.to_list(parts) end
        assert error.kind == :transport
        respond(context.base, event.("a", "null") <> event.("b", last), %{type: "text/event-stream"})
        assert Enum.to_list(parts) == ["a", "b"]
      end
    end

    test "with an estimate beyond all bounds is no crash", context do
      for seconds <- ["1e308", "-1", "1#{String.duplicate("0", 400)}"] do
        respond(context.base, ~s({"error": "loading", "estimated_time": #{seconds}}), %{code: 503})

        assert {:error, %Error{status: 503}} =
                 Inference.chat_completion(client(context), @hello, loading_timeout: 0)
      end
    end

    test "that redirects gets no further, so that no key does", context do
      elsewhere = context.base <> "-elsewhere"
      respond(elsewhere, reply("stolen"))
      client = client(context, token: token(), headers: %{"x-key" => "mine"})

      for code <- [301, 302, 307, 308] do
        respond(context.base, "", %{
          code: code,
          headers: %{"location" => "http://localhost:#{port(context)}#{elsewhere}"}
        })

        assert {:error, %Error{kind: :invalid_response}} = Inference.chat_completion(client, @hello)
        {:ok, chunks} = Inference.chat_completion(client, @hello, stream: true)
        assert {:error, %Error{kind: :invalid_response}} = Inference.collect(chunks)
      end

      assert requests(elsewhere) == []
    end
  end

  test "a rate limit is waited for, unless it lasts longer than the call may" do
    refusal = ~s({"error": {"message": "slow down"}})
    counter = :counters.new(1, [])
    # A server of its own: requests to the same one wait for its limit, too.
    server =
      Receiver.start(fn _request ->
        :counters.add(counter, 1, 1)
        retry_after = if :counters.get(counter, 1) == 3, do: 30, else: 0

        if :counters.get(counter, 1) == 2,
          do: {200, reply("hi") |> json()},
          else: {429, refusal, "retry-after: #{retry_after}"}
      end)

    me = self()
    opts = [base_url: server.url, token: false, on_wait: &send(me, {:wait, &1})]
    assert {:ok, reply} = Inference.chat_completion(Inference.new([retries: 1] ++ opts), @hello)
    assert Inference.text(reply) == "hi"
    assert_received {:wait, "the rate limit of hf-inference is exhausted, for 1 s"}
    client = Inference.new([timeout: 5_000] ++ opts)

    assert {:error, %Error{kind: :rate_limited, reason: "slow down"}} =
             Inference.chat_completion(client, @hello)

    assert :counters.get(counter, 1) == 3
  end

  describe "uploads" do
    test "are read from disk while they are sent, and enumerables from a file for that time", context do
      server = Receiver.start(fn _request -> {200, ~s([{"label": "cat", "score": 0.5}])} end)
      client = Inference.new(base_url: server.url, token: false, retries: 0)
      content = large(3_000_000)
      path = Path.join(context.dir, "cat.png")
      File.write!(path, content)
      stream = File.stream!(path, [], 100_000)
      before = spools()

      for input <- [{:path, path}, stream, Stream.map(stream, &[&1])] do
        assert {:ok, [%{label: "cat"}]} = Inference.image_classification(client, input)
        assert_receive {:received, %{body: ^content, headers: %{"content-length" => "3000000"}}}
        assert spools() == before
      end

      broken = Stream.map(stream, fn _piece -> raise "mine" end)
      assert_raise RuntimeError, "mine", fn -> Inference.image_classification(client, broken) end
      assert spools() == before
    end

    test "are parts of forms", context do
      server = Receiver.start(fn _request -> {200, ~s({"text": "hello"})} end)
      client = Inference.new(base_url: String.replace(server.url, "/hook", "/v1"), token: false, retries: 0)
      path = Path.join(context.dir, "a.flac")
      File.write!(path, "audio bytes")
      before = spools()

      for {input, name} <- [{{:path, path}, "audio.flac"}, {File.stream!(path, [], 4), "audio.wav"}] do
        assert {:ok, %{text: "hello"}} = Inference.automatic_speech_recognition(client, input)
        assert_receive {:received, %{path: "/v1/audio/transcriptions", body: body}}
        assert body =~ ~s(filename="#{name}") and body =~ "\r\n\r\naudio bytes\r\n"
        assert spools() == before
      end
    end
  end

  defp json(term), do: HfHub.Native.Nif.to_json(term)
  defp port(context), do: URI.parse(context.url).port

  # Of this VM's uploads.
  defp spools, do: Path.wildcard(Path.join(System.tmp_dir!(), "hf_hub_upload_#{System.pid()}_*")) |> length()
end
