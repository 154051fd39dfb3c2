defmodule HfHub.InferenceProvidersTest do
  use HfHub.InferenceCase

  alias HfHub.{Error, Inference}
  alias HfHub.Inference.Media

  describe "a provider" do
    test "that does not serve the model or the task is an error with those that do", context do
      mapped(context, %{
        "groq" => %{"providerId" => "x", "task" => "conversational", "status" => "live"},
        "fal-ai" => %{"providerId" => "x", "task" => "text-to-image", "status" => "live"}
      })

      assert {:error, %Error{kind: :not_found, message: message}} =
               Inference.chat_completion(routed(context, provider: "cohere"), @hello)

      assert message =~ "cohere does not serve" and message =~ "groq"

      assert {:error, %Error{message: message}} =
               Inference.text_to_video(routed(context, provider: "fal-ai"), "x")

      assert message =~ "for text-to-image, not for text-to-video"

      assert {:error, %Error{message: message}} =
               Inference.text_to_image(routed(context, provider: "groq"), "x")

      assert message =~ "groq does not offer text-to-image; it offers conversational"
    end

    test "is the first one of the model by default, except for chats", context do
      mapped(context, [
        %{"provider" => "together", "providerId" => "t", "task" => "text-to-image", "status" => "live"}
      ])

      respond(context.base, %{"data" => [%{"b64_json" => Base.encode64("image")}]})
      assert {:ok, %Media{data: "image"}} = Inference.text_to_image(routed(context, []), "x")
      assert [{"POST", path, _body}] = sent(context.base)
      assert path == context.base <> "/together/v1/images/generations"
    end

    test "with a queue is waited for, with its key on its own host only", context do
      mapped(context, %{"fal-ai" => %{"providerId" => "fal/x", "task" => "text-to-video", "status" => "live"}})

      files = context.base <> "-files"
      respond(files, "video", %{type: "video/mp4"})
      work = "/fal-ai/requests/1"

      queued = %{
        "request_id" => "1",
        "status" => "IN_QUEUE",
        "response_url" => "https://queue.fal.run#{work}"
      }

      respond("#{context.base}/fal-ai/fal/x", queued)
      respond("#{context.base}/fal-ai#{work}/status", %{"status" => "IN_PROGRESS"}, %{times: 1})
      respond("#{context.base}/fal-ai#{work}/status", %{"status" => "COMPLETED"}, %{skip: 1})
      respond("{#{context.base}/fal-ai#{work}}", %{"video" => %{"url" => context.url <> files}})

      me = self()
      client = routed(context, provider: "fal-ai", on_wait: &send(me, {:wait, &1}))
      assert {:ok, %Media{data: "video", content_type: "video/mp4"}} = Inference.text_to_video(client, "x")
      assert_received {:wait, "fal-ai works on the result"}
      assert header(files, "scheme") == nil

      failing = routed(context, provider: "fal-ai", timeout: 700)
      respond("#{context.base}/fal-ai#{work}/status", %{"status" => "IN_PROGRESS"})
      assert {:error, %Error{kind: :timeout, message: message}} = Inference.text_to_video(failing, "x")
      assert message =~ ~s(the result of fal-ai was not ready) and message =~ ~s(its status is "IN_PROGRESS")
    end

    test "that responds with something else is an error that names what is missing", context do
      mapped(context, %{
        "replicate" => %{"providerId" => "r/x:v1", "task" => "text-to-image", "status" => "live"}
      })

      respond(context.base, %{"output" => %{"a" => 1}})
      client = routed(context, provider: "replicate")

      assert {:error, %Error{kind: :invalid_response, message: message}} =
               Inference.text_to_image(client, "x")

      assert message =~ "output is not the address of a file"
      assert [{"POST", path, %{"version" => "v1"}}] = sent(context.base)
      assert path == context.base <> "/replicate/v1/predictions"
      respond(context.base, %{"status" => "failed", "error" => "too violent"})
      assert {:error, %Error{kind: :server, reason: "too violent"}} = Inference.text_to_image(client, "x")
      respond(context.base, %{"output" => ["file:///etc/passwd"]})
      assert {:error, %Error{kind: :invalid_name}} = Inference.text_to_image(client, "x")

      for body <- ["[]", ~s({"output": "data:image/png;base64,!"}), ~s({"output": "data:"})] do
        respond(context.base, body)
        assert {:error, %Error{kind: :invalid_response}} = Inference.text_to_image(client, "x")
      end
    end
  end

  describe "a provider whose results are waited for" do
    test "is not asked again for what its first response has already", context do
      mapped(context, %{"fal-ai" => %{"providerId" => "fal/x", "task" => "text-to-video", "status" => "live"}})

      work = "/requests/1"
      first = %{"request_id" => "1", "response_url" => "https://queue.fal.run#{work}"}
      respond("#{context.base}/fal-ai/fal/x", Map.put(first, "status", "COMPLETED"), %{times: 1})
      respond("{#{context.base}/fal-ai#{work}}", %{"video" => %{"url" => "data:video/mp4;base64,eA=="}})
      client = routed(context, provider: "fal-ai")
      assert {:ok, %Media{data: "x", content_type: "video/mp4"}} = Inference.text_to_video(client, "x")
      assert requests("#{context.base}/fal-ai#{work}/status") == []

      # A request that failed at once has no result.
      respond("#{context.base}/fal-ai/fal/x", Map.put(first, "status", "FAILED"))
      assert {:error, %Error{kind: :server, reason: reason}} = Inference.text_to_video(client, "x")
      assert reason =~ "FAILED"
      assert requests("#{context.base}/fal-ai#{work}/status") == []
    end

    test "is asked for what its first response has no place for", context do
      for {provider, first, path, last} <- [
            {"replicate", %{"id" => "p", "status" => "starting"}, "/v1/predictions/p",
             %{"status" => "succeeded", "output" => ["data:image/png;base64,eA=="]}},
            {"wavespeed", %{"data" => %{"urls" => %{"get" => "https://w/api/v3/p"}}}, "/api/v3/p",
             %{"data" => %{"status" => "completed", "outputs" => ["data:image/png;base64,eA=="]}}}
          ] do
        context = %{context | id: context.id <> provider}

        mapped(context, %{provider => %{"providerId" => "x/y", "task" => "text-to-image", "status" => "live"}})

        respond("{#{context.base}/#{provider}#{path}}", last)

        for url <- ["/v1/models/x/y/predictions", "/api/v3/x/y"],
            do: respond("#{context.base}/#{provider}#{url}", first)

        assert {:ok, %Media{data: "x"}} = Inference.text_to_image(routed(context, provider: provider), "x")
      end
    end
  end

  describe "a server with OpenAI's API" do
    test "has its tasks below a URL that ends in /v1", context do
      respond(context.base <> "/v1/embeddings", %{"data" => [%{"embedding" => [0.5, 1]}]})
      respond(context.base <> "/v1/completions", %{"choices" => [%{"text" => "hello"}]})
      respond(context.base <> "/v1/audio/speech", "mp3", %{type: "audio/mpeg"})

      respond(context.base <> "/v1/audio/transcriptions", %{
        "text" => "hello",
        "segments" => [%{"text" => "hello", "start" => 0.0, "end" => 0.5}]
      })

      client = client(context, base_url: context.url <> context.base <> "/v1/")
      assert {:ok, [[0.5, 1]]} = Inference.feature_extraction(client, "x", model: "mine")
      assert {:ok, "hello"} = Inference.text_generation(client, "x", max_new_tokens: 3)
      assert {:ok, %Media{data: "mp3", content_type: "audio/mpeg"}} = Inference.text_to_speech(client, "x")

      assert {:ok, %{text: "hello", chunks: [%{text: "hello"}]}} =
               Inference.automatic_speech_recognition(client, "x")

      assert [{_, _, %{"input" => "x", "model" => "mine"}}] = sent(context.base <> "/v1/embeddings")

      assert [{_, _, %{"prompt" => "x", "max_tokens" => 3, "model" => "dummy"}}] =
               sent(context.base <> "/v1/completions")

      assert header(context.base <> "/v1/audio/transcriptions", "content_type") =~ "multipart/form-data"
    end

    test "gets a schema as it is", context do
      respond(context.base, reply("{}"))
      format = %{type: "json_schema", json_schema: %{name: "n", schema: %{type: "object"}}}
      client = client(context, base_url: context.url <> context.base <> "/v1")
      assert {:ok, _reply} = Inference.chat_completion(client, @hello, response_format: format)

      assert [{_, _, %{"response_format" => %{"type" => "json_schema", "json_schema" => %{"name" => "n"}}}}] =
               sent(context.base)
    end
  end

  test "the reason of an error is found where each server has it", context do
    for {body, reason} <- [
          {%{"error" => "no"}, "no"},
          {%{"error" => %{"message" => "too long", "type" => "x"}}, "too long"},
          {%{"error" => ["a", "b"]}, "a; b"},
          {%{"detail" => "gone"}, "gone"},
          {%{"detail" => [%{"loc" => ["body"], "msg" => "missing"}]}, "missing"},
          {%{"error" => %{"message" => String.duplicate("x", 5_000)}}, String.duplicate("x", 1_000)},
          {%{"error" => %{"message" => %{"a" => 1}}}, nil}
        ] do
      respond(context.base, body, %{code: 400})
      assert {:error, %Error{kind: :bad_request} = error} = Inference.chat_completion(client(context), @hello)
      {:ok, chunks} = Inference.chat_completion(client(context), @hello, stream: true)
      assert {:error, %Error{kind: :bad_request} = streamed} = Inference.collect(chunks)
      assert {error.reason, streamed.reason} == {reason, reason}
    end
  end
end
