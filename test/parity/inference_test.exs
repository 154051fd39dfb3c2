defmodule HfHub.Parity.InferenceTest do
  # Both clients send the same requests to the Hub, its router and the providers, which are planted responses here, and
  # make the same of them.
  use HfHub.TwoHubs

  alias HfHub.Inference

  @model "acme/m"

  # The files are bytes, since the client has nothing to show images with here.
  @python """
  from huggingface_hub.inference import _client
  from huggingface_hub.inference._providers import PROVIDERS, CONVERSATIONAL_AUTO_ROUTER
  from huggingface_hub.inference._providers import fal_ai, hf_inference, replicate, together, wavespeed, zai_org
  import base64, types, logging
  warnings.simplefilter("ignore")
  for module in [fal_ai, together, wavespeed, zai_org]:
      module.time.sleep = lambda seconds: None
  _client._bytes_to_image = lambda b: b
  _client._b64_to_image = base64.b64decode
  _client._import_numpy = lambda: types.SimpleNamespace(array=lambda v, dtype: v)
  constants = _client.constants
  hub = api.endpoint
  router = hub + "/router"
  constants.INFERENCE_PROXY_TEMPLATE = router + "/{provider}"
  CONVERSATIONAL_AUTO_ROUTER.base_url = router
  for tasks in PROVIDERS.values():
      for helper in tasks.values():
          helper.base_url = router + "/hf-inference" if helper.provider == "hf-inference" else hub
  def routed(provider=None, model="acme/m", **more): return InferenceClient(model, provider=provider, token="hf_me", **more)
  def direct(provider, model="acme/m"): return InferenceClient(model, provider=provider, token="key_of_mine")
  def show(*values): print(*values, sep="|")
  """

  defp routed(context, provider \\ "auto", more \\ []) do
    opts = [model: @model, provider: provider, token: "hf_me", endpoint: context.hubs.ours]
    Inference.new(Keyword.merge(opts ++ [inference_router_url: context.hubs.ours <> "/router"], more))
  end

  defp direct(context, provider, model \\ @model) do
    opts = [model: model, provider: provider, token: "key_of_mine", endpoint: context.hubs.ours]
    Inference.new([provider_url: context.hubs.ours] ++ opts)
  end

  # A model, its task at hf-inference, and the task that each of these providers serves it for.
  defp model(context, id, task, providers \\ [], facts \\ %{}) do
    mapping =
      for name <- providers,
          into: %{},
          do: {name, Map.merge(%{providerId: "their/#{task}", task: task, status: "live"}, facts)}

    json = %{id: id, pipeline_tag: task, tags: [task], inferenceProviderMapping: mapping}
    plant(context, "GET", "/api/models/#{id}", json)
  end

  defp python(items), do: "[" <> Enum.map_join(items, ", ", &value/1) <> "]"
  defp value(nil), do: "None"
  defp value(text) when is_binary(text), do: "'#{text}'"
  defp value(list) when is_list(list), do: python(list)
  defp value(number), do: to_string(number)

  @answer %{label: "cat", score: 0.5, answer: "yes", word: "w", sequence: "s", start: 1, end: 2}
  @list [Map.merge(@answer, %{token: 3, token_str: "t", box: %{xmin: 1, ymin: 2, xmax: 3, ymax: 4}})]

  # A task of hf-inference: its response, Python's call, and how Python shows the result.
  @tasks [
    {"audio-classification", @list, ~s|audio_classification(b"a", top_k=1)|, "r[0].label"},
    {"automatic-speech-recognition", %{text: "hello"},
     ~s|automatic_speech_recognition(b"a", extra_body={"x": 1})|, "r.text"},
    {"document-question-answering", @list, ~s|document_question_answering(b"i", "q?", lang="en")|,
     "r[0].answer"},
    {"fill-mask", @list, ~s|fill_mask("a [MASK]", targets=["b"])|, "r[0].sequence"},
    {"image-classification", @list, ~s|image_classification(b"i")|, "r[0].label"},
    {"object-detection", @list, ~s|object_detection(b"i", threshold=0.5)|, "r[0].label, r[0].box.ymax"},
    {"image-to-text", [%{generated_text: "a cat"}], ~s|image_to_text(b"i")|, "r.generated_text"},
    {"question-answering", @answer, ~s|question_answering("q?", "c", top_k=1)|, "r.answer"},
    {"sentence-similarity", [0.5, 0.25], ~s|sentence_similarity("a", ["b", "c"])|, "r"},
    {"summarization", [%{summary_text: "short"}],
     ~s|summarization("long", truncation="only_first", generate_parameters={"a": None, "b": 1})|,
     "r.summary_text"},
    {"table-question-answering", %{answer: "1", cells: ["1"], coordinates: [[0, 1]]},
     ~s|table_question_answering({"a": ["1"]}, "q?", padding="longest")|, "r.answer"},
    {"tabular-classification", ["a", "b"], ~s|tabular_classification({"a": ["1", "2"]})|, "r"},
    {"text-classification", [[%{label: "POSITIVE", score: 0.5}]],
     ~s|text_classification("x", top_k=2, function_to_apply="softmax")|, "r[0].label"},
    {"token-classification", @list, ~s|token_classification("x", aggregation_strategy="simple")|,
     "r[0].word"},
    {"translation", [%{translation_text: "salut"}], ~s|translation("hi", src_lang="en", tgt_lang="fr")|,
     "r.translation_text"},
    {"visual-question-answering", @list, ~s|visual_question_answering(b"i", "q?", top_k=1)|, "r[0].answer"},
    {"zero-shot-classification", [%{label: "a", score: 0.5}], ~s|zero_shot_classification("x", ["a", "b"])|,
     "r[0].label"},
    {"zero-shot-image-classification", @list, ~s|zero_shot_image_classification(b"i", ["a", "b"])|,
     "r[0].label"},
    {"feature-extraction", [[0.5, 1.5]],
     ~s|feature_extraction(["x"], normalize=True, truncation_direction="left")|, "r"},
    {"image-segmentation", [%{label: "cat", mask: "YQ==", score: 0.5}],
     ~s|image_segmentation(b"i", subtask="semantic")|, "r[0].label, r[0].mask"}
  ]

  defp ours(client, "audio-classification"),
    do: Inference.audio_classification!(client, "a", top_k: 1) |> hd() |> Map.fetch!(:label)

  defp ours(client, "automatic-speech-recognition"),
    do: Inference.automatic_speech_recognition!(client, "a", extra_body: %{x: 1}).text

  defp ours(client, "document-question-answering"),
    do: Inference.document_question_answering!(client, "i", "q?", lang: "en") |> hd() |> Map.fetch!(:answer)

  defp ours(client, "fill-mask"),
    do: Inference.fill_mask!(client, "a [MASK]", targets: ["b"]) |> hd() |> Map.fetch!(:sequence)

  defp ours(client, "image-classification"),
    do: Inference.image_classification!(client, "i") |> hd() |> Map.fetch!(:label)

  defp ours(client, "object-detection") do
    [found] = Inference.object_detection!(client, "i", threshold: 0.5)
    "#{found.label}|#{found.box.ymax}"
  end

  defp ours(client, "image-to-text"), do: Inference.image_to_text!(client, "i")

  defp ours(client, "question-answering"),
    do: Inference.question_answering!(client, "q?", "c", top_k: 1) |> hd() |> Map.fetch!(:answer)

  defp ours(client, "sentence-similarity"),
    do: Inference.sentence_similarity!(client, "a", ["b", "c"]) |> python()

  defp ours(client, "summarization"),
    do:
      Inference.summarization!(client, "long", truncation: :only_first, generate_parameters: %{a: nil, b: 1})

  defp ours(client, "table-question-answering"),
    do: Inference.table_question_answering!(client, %{"a" => ["1"]}, "q?", padding: :longest).answer

  defp ours(client, "tabular-classification"),
    do: Inference.tabular_classification!(client, %{"a" => ["1", "2"]}) |> python()

  defp ours(client, "text-classification"),
    do:
      Inference.text_classification!(client, "x", top_k: 2, function_to_apply: :softmax)
      |> hd()
      |> Map.fetch!(:label)

  defp ours(client, "token-classification"),
    do:
      Inference.token_classification!(client, "x", aggregation_strategy: :simple) |> hd() |> Map.fetch!(:word)

  defp ours(client, "translation"), do: Inference.translation!(client, "hi", src_lang: "en", tgt_lang: "fr")

  defp ours(client, "visual-question-answering"),
    do: Inference.visual_question_answering!(client, "i", "q?", top_k: 1) |> hd() |> Map.fetch!(:answer)

  defp ours(client, "zero-shot-classification"),
    do: Inference.zero_shot_classification!(client, "x", ["a", "b"]) |> hd() |> Map.fetch!(:label)

  defp ours(client, "zero-shot-image-classification"),
    do: Inference.zero_shot_image_classification!(client, "i", ["a", "b"]) |> hd() |> Map.fetch!(:label)

  defp ours(client, "feature-extraction"),
    do: Inference.feature_extraction!(client, ["x"], normalize: true, truncation_direction: :left) |> python()

  defp ours(client, "image-segmentation") do
    [%{mask: mask} = part] = Inference.image_segmentation!(client, "i", subtask: :semantic)
    "#{part.label}|b'#{mask.data}'"
  end

  test "the tasks of hf-inference send the same requests and return the same", context do
    for {task, json, _call, _show} <- @tasks do
      model(context, "acme/" <> task, task)
      pipeline = if task in ["feature-extraction", "sentence-similarity"], do: "/pipeline/" <> task, else: ""
      plant(context, "POST", "/router/hf-inference/models/acme/#{task}#{pipeline}", json)
    end

    code =
      for {task, _json, call, show} <- @tasks,
          do: "r = routed('hf-inference', 'acme/#{task}').#{call}; show(#{show})\n"

    output = theirs(context, @python <> Enum.join(code))

    results =
      for {task, _json, _call, _show} <- @tasks,
          do: ours(routed(context, "hf-inference", model_of(task)), task)

    assert Enum.zip(String.split(output, "\n"), Enum.map(@tasks, &elem(&1, 0))) ==
             Enum.zip(results, Enum.map(@tasks, &elem(&1, 0)))

    assert_same(context)
  end

  defp model_of(task), do: [model: "acme/" <> task]

  test "files that models make are the same", context do
    for task <- ~w(text-to-image image-to-image text-to-speech) do
      model(context, "acme/" <> task, task)
      plant(context, "POST", "/router/hf-inference/models/acme/#{task}", "bytes", type: "image/png")
    end

    output =
      theirs(
        context,
        @python <>
          """
          show(routed("hf-inference", "acme/text-to-image").text_to_image("p", width=8, height=9, seed=1, extra_body={"x": [1]}))
          show(routed("hf-inference", "acme/image-to-image").image_to_image(b"i", prompt="p", target_size={"width": 1, "height": 2}))
          show(routed("hf-inference", "acme/text-to-speech").text_to_speech("t", do_sample=True, early_stopping="never"))
          """
      )

    client = fn task -> routed(context, "hf-inference", model_of(task)) end

    image =
      Inference.text_to_image!(client.("text-to-image"), "p",
        width: 8,
        height: 9,
        seed: 1,
        extra_body: %{x: [1]}
      )

    assert {image.data, image.content_type} == {"bytes", "image/png"}

    Inference.image_to_image!(client.("image-to-image"), "i", prompt: "p", target_size: %{width: 1, height: 2})

    Inference.text_to_speech!(client.("text-to-speech"), "t", do_sample: true, early_stopping: :never)
    assert output == "b'bytes'\nb'bytes'\nb'bytes'"
    assert_same(context)
  end

  @token_parameters [
    do_sample: true,
    frequency_penalty: 0.5,
    max_new_tokens: 3,
    seed: 1,
    temperature: 0.5,
    top_k: 2,
    top_p: 0.5,
    typical_p: 0.5
  ]

  @question_parameters [
    doc_stride: 1,
    handle_impossible_answer: true,
    max_answer_len: 2,
    max_question_len: 3,
    max_seq_len: 4,
    top_k: 1
  ]

  # Tasks with the arguments in Python and all parameters but those of the test above.
  @parameters [
    {"audio-classification", ~s|b"a"|, [top_k: 1, function_to_apply: "softmax"]},
    {"document-question-answering", ~s|b"i", "q?"|, [word_boxes: ["a", [1, 2]]] ++ @question_parameters},
    {"feature-extraction", ~s|"x"|,
     [truncate: true, prompt_name: "p", dimensions: 8, encoding_format: "float"]},
    {"fill-mask", ~s|"a [MASK]"|, [top_k: 1]},
    {"image-classification", ~s|b"i"|, [top_k: 1, function_to_apply: "sigmoid"]},
    {"image-segmentation", ~s|b"i"|,
     [mask_threshold: 0.5, overlap_mask_area_threshold: 0.25, threshold: 0.125]},
    {"question-answering", ~s|"q?", "c"|, [align_to_words: true] ++ @question_parameters},
    {"summarization", ~s|"long"|, [clean_up_tokenization_spaces: true]},
    {"table-question-answering", ~s|{"a": ["1"]}, "q?"|, [sequential: true, truncation: true]},
    {"text-generation", ~s|"x"|,
     [
       adapter_id: "a",
       best_of: 2,
       decoder_input_details: true,
       details: true,
       grammar: %{type: "json", value: %{a: 1}},
       repetition_penalty: 1.5,
       return_full_text: true,
       stop: ["s"],
       top_n_tokens: 2,
       truncate: 5,
       watermark: true
     ] ++ @token_parameters},
    {"text-to-image", ~s|"p"|,
     [guidance_scale: 1.5, negative_prompt: "n", num_inference_steps: 3, scheduler: "s"]},
    {"text-to-speech", ~s|"t"|,
     [
       early_stopping: true,
       epsilon_cutoff: 0.5,
       eta_cutoff: 0.5,
       max_length: 9,
       min_length: 1,
       min_new_tokens: 1,
       num_beam_groups: 1,
       num_beams: 2,
       penalty_alpha: 0.5,
       use_cache: true
     ] ++ Keyword.drop(@token_parameters, [:seed, :frequency_penalty])},
    {"image-to-image", ~s|b"i"|, [guidance_scale: 1.5, negative_prompt: "n", num_inference_steps: 3]},
    {"token-classification", ~s|"x"|, [ignore_labels: ["O"], stride: 2]},
    {"translation", ~s|"hi"|,
     [
       clean_up_tokenization_spaces: true,
       truncation: "only_first",
       generate_parameters: %{a: 1}
     ]},
    {"zero-shot-classification", ~s|"x", ["a", "b"]|, [multi_label: true, hypothesis_template: "h {}"]},
    {"zero-shot-image-classification", ~s|b"i", ["a", "b"]|, [hypothesis_template: "h {}"]}
  ]

  test "all parameters of tasks have the same names in requests", context do
    for {task, _arguments, _parameters} <- @parameters do
      model(context, "acme/" <> task, task)
      pipeline = if task == "feature-extraction", do: "/pipeline/" <> task, else: ""
      plant(context, "POST", "/router/hf-inference/models/acme/#{task}#{pipeline}", @list)
    end

    # The results are those of the tests above; a planted one that fits no task is an error.
    code =
      for {task, arguments, parameters} <- @parameters do
        named = for {name, value} <- parameters, do: ", #{name}=#{literal(value)}"

        """
        try: routed("hf-inference", "acme/#{task}").#{method(task)}(#{arguments}#{named})
        except (TypeError, KeyError, AttributeError, IndexError, ValueError) as e: assert "unexpected keyword" not in str(e), e
        """
      end

    theirs(context, @python <> Enum.join(code))

    for {task, arguments, parameters} <- @parameters do
      client = routed(context, "hf-inference", model_of(task))

      given =
        Regex.replace(~r/(?<!")b"/, arguments, "\"")
        |> String.replace("{", "%{")
        |> String.replace(": [", " => [")

      {given, _binding} = Code.eval_string("[#{given}]")

      try do
        apply(Inference, String.to_existing_atom(method(task)), [client | given] ++ [parameters])
      rescue
        _unfit in [HfHub.Error, FunctionClauseError] -> :ok
      end
    end

    assert_same(context)
  end

  defp method(task), do: String.replace(task, "-", "_")

  defp literal(value) when is_boolean(value), do: value |> to_string() |> String.capitalize()

  defp literal(%{} = map),
    do: "{" <> Enum.map_join(map, ", ", fn {k, v} -> "'#{k}': #{literal(v)}" end) <> "}"

  defp literal(list) when is_list(list), do: "[" <> Enum.map_join(list, ", ", &literal/1) <> "]"
  defp literal(other), do: inspect(other)

  @chats ~w(baseten cerebras cohere deepinfra featherless-ai fireworks-ai groq novita nscale ovhcloud publicai scaleway
            together zai-org)

  @reply %{
    id: "1",
    created: 1,
    model: "m",
    system_fingerprint: "",
    choices: [%{index: 0, finish_reason: "stop", message: %{role: "assistant", content: "hello"}}],
    usage: %{prompt_tokens: 1, completion_tokens: 2, total_tokens: 3}
  }

  @routes %{
    "cohere" => "/compatibility/v1/chat/completions",
    "deepinfra" => "/v1/openai/chat/completions",
    "fireworks-ai" => "/inference/v1/chat/completions",
    "groq" => "/openai/v1/chat/completions",
    "novita" => "/v3/openai/chat/completions",
    "zai-org" => "/api/paas/v4/chat/completions"
  }

  test "chats send the same requests by every provider, through the router and directly", context do
    model(context, @model, "conversational", @chats)

    for provider <- @chats do
      route = Map.get(@routes, provider, "/v1/chat/completions")
      for prefix <- ["", "/router/" <> provider], do: plant(context, "POST", prefix <> route, @reply)
    end

    plant(context, "POST", "/router/v1/chat/completions", @reply)
    plant(context, "POST", "/router/hf-inference/models/acme/llm/v1/chat/completions", @reply)
    for path <- ["/own/v1/chat/completions", "/v1/chat/completions"], do: plant(context, "POST", path, @reply)
    model(context, "acme/llm", "text-generation")

    output =
      theirs(
        context,
        @python <>
          """
          messages = [{"role": "user", "content": "hi"}, {"role": "user", "content": [{"type": "text", "text": "x"}]}]
          schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
          every = dict(max_tokens=5, temperature=0.5, top_p=0.5, seed=1, stop=["a"], n=1, frequency_penalty=0.5, presence_penalty=0.5,
                       logprobs=True, top_logprobs=2, tools=[{"type": "function", "function": {"name": "f"}}], tool_choice="auto",
                       tool_prompt="t", response_format=schema, stream_options={"include_usage": True}, extra_body={"x": {"y": None, "z": 1}})
          for provider in #{inspect(@chats)}:
              for client in [routed(provider), direct(provider)]:
                  show(client.chat_completion(messages, **every).choices[0].message.content)
          for client in [routed(), routed("hf-inference", "acme/llm"), InferenceClient(base_url=hub + "/own", token="hf_me"),
                         direct("openai", "gpt")]:
              client.chat_completion(messages, **every)
          # The Python client sends such a server the schema in a form that only text-generation-inference reads.
          InferenceClient(base_url=hub + "/v1", token="hf_me").chat_completion(messages, **{**every, "response_format": None})
          InferenceClient(base_url=hub + "/own/v1/chat/completions", token="hf_me").chat_completion(messages, model="other")
          """
      )

    messages = [%{role: "user", content: "hi"}, [role: "user", content: [%{type: "text", text: "x"}]]]
    schema = %{type: "json_schema", json_schema: %{name: "n", schema: %{type: "object"}}}

    every = [
      max_tokens: 5,
      temperature: 0.5,
      top_p: 0.5,
      seed: 1,
      stop: "a",
      n: 1,
      frequency_penalty: 0.5,
      presence_penalty: 0.5,
      logprobs: true,
      top_logprobs: 2,
      tools: [%{type: "function", function: %{name: "f"}}],
      tool_choice: "auto",
      tool_prompt: "t",
      response_format: schema,
      stream_options: %{include_usage: true},
      extra_body: %{"x" => %{y: nil, z: 1}}
    ]

    replies =
      for provider <- @chats,
          client <- [routed(context, provider), direct(context, provider)],
          do: Inference.text(Inference.chat_completion!(client, messages, every))

    assert Enum.join(replies, "\n") == output

    server = fn path ->
      Inference.new(base_url: context.hubs.ours <> path, token: "hf_me", endpoint: context.hubs.ours)
    end

    for client <- [
          routed(context),
          routed(context, "hf-inference", model: "acme/llm"),
          server.("/own"),
          direct(context, "openai", "gpt")
        ],
        do: Inference.chat_completion!(client, messages, every)

    Inference.chat_completion!(server.("/v1"), messages, Keyword.delete(every, :response_format))

    Inference.chat_completion!(server.("/own/v1/chat/completions"), messages, model: "other")
    assert_same(context)
  end

  test "the other tasks of the providers send the same requests and return the same", context do
    file = fn hub -> "#{hub}/files/a.png" end
    plant(context, "GET", "/files/a.png", "bytes", type: "image/png")

    providers = %{
      "text-to-image" => ~w(fal-ai nscale replicate together wavespeed zai-org),
      "image-to-image" => ~w(fal-ai replicate together wavespeed),
      "image-to-video" => ~w(fal-ai together wavespeed),
      "text-to-video" => ~w(fal-ai novita replicate together wavespeed),
      "text-to-speech" => ~w(deepinfra fal-ai replicate together),
      "image-segmentation" => ~w(fal-ai),
      "automatic-speech-recognition" => ~w(fal-ai replicate),
      "feature-extraction" => ~w(deepinfra scaleway together),
      "text-generation" => ~w(deepinfra featherless-ai novita together)
    }

    for {task, names} <- providers, do: model(context, "acme/" <> task, task, names)

    for {name, hub} <- context.hubs, context = %{hubs: %{name => hub}} do
      url = file.(hub)
      fal = %{request_id: "r", status: "IN_QUEUE", response_url: "https://queue.fal.run/fal-ai/x/requests/r"}

      done = %{
        images: [%{url: url}],
        image: %{url: url},
        video: %{url: url},
        audio: %{url: url},
        text: "hello"
      }

      plant(context, "GET", "/fal-ai/x/requests/r/status", %{status: "COMPLETED"})
      plant(context, "GET", "/fal-ai/x/requests/r", done)

      for task <- ~w(text-to-image text-to-speech automatic-speech-recognition),
          do: plant(context, "POST", "/their/#{task}", done)

      for task <- ~w(image-to-image image-to-video text-to-video image-segmentation),
          do: plant(context, "POST", "/their/#{task}", fal)

      for task <- ~w(text-to-image image-to-image text-to-video text-to-speech),
          do: plant(context, "POST", "/v1/models/their/#{task}/predictions", %{output: [url]})

      plant(context, "POST", "/v1/models/their/automatic-speech-recognition/predictions", %{
        output: %{transcription: "hello"}
      })

      plant(context, "POST", "/v1/images/generations", %{data: [%{b64_json: "Ynl0ZXM="}]})
      plant(context, "POST", "/v2/videos", %{id: "v", status: "queued"})
      plant(context, "GET", "/v2/videos/v", %{status: "completed", outputs: %{video_url: url}})

      for path <- ~w(/v1/audio/speech /v1/openai/audio/speech),
          do: plant(context, "POST", path, "bytes", type: "audio/flac")

      plant(context, "POST", "/v3/hf/their/text-to-video", %{video: %{video_url: url}})

      for task <- ~w(text-to-image image-to-image image-to-video text-to-video),
          do:
            plant(context, "POST", "/api/v3/their/#{task}", %{
              data: %{urls: %{get: "https://api.wavespeed.ai/api/v3/predictions/p/result"}}
            })

      plant(context, "GET", "/api/v3/predictions/p/result", %{data: %{status: "completed", outputs: [url]}})
      plant(context, "POST", "/api/paas/v4/async/images/generations", %{id: "z", task_status: "PROCESSING"})

      plant(context, "GET", "/api/paas/v4/async-result/z", %{
        task_status: "SUCCESS",
        image_result: [%{url: url}]
      })

      for path <- ~w(/v1/embeddings /v1/openai/embeddings),
          do: plant(context, "POST", path, %{data: [%{embedding: [0.5, 1.5]}]})

      for path <- ~w(/v1/completions /v1/openai/completions /v3/openai/completions),
          do: plant(context, "POST", path, %{choices: [%{text: "hello", finish_reason: "stop"}]})
    end

    calls = [
      {"text-to-image", ~s|text_to_image("p", width=8, height=9, num_inference_steps=3, negative_prompt="n")|,
       &Inference.text_to_image!(&1, "p", width: 8, height: 9, num_inference_steps: 3, negative_prompt: "n").data},
      {"image-to-image", ~s|image_to_image(b"i", prompt="p", num_inference_steps=3)|,
       &Inference.image_to_image!(&1, "i", prompt: "p", num_inference_steps: 3).data},
      {"image-to-video", ~s|image_to_video(b"i", prompt="p", target_size={"width": 8, "height": 9})|,
       &Inference.image_to_video!(&1, "i", prompt: "p", target_size: %{width: 8, height: 9}).data},
      {"text-to-video", ~s|text_to_video("p", num_frames=3, negative_prompt=["n"])|,
       &Inference.text_to_video!(&1, "p", num_frames: 3, negative_prompt: ["n"]).data},
      {"text-to-speech", ~s|text_to_speech("t", extra_body={"voice": "v"})|,
       &Inference.text_to_speech!(&1, "t", extra_body: %{voice: "v"}).data},
      {"image-segmentation", ~s|image_segmentation(b"i")[0].mask|,
       &hd(Inference.image_segmentation!(&1, "i")).mask.data},
      {"automatic-speech-recognition", ~s|automatic_speech_recognition(b"a").text.encode()|,
       &Inference.automatic_speech_recognition!(&1, "a").text},
      {"feature-extraction", ~s|feature_extraction("x", dimensions=2)|,
       &python(Inference.feature_extraction!(&1, "x", dimensions: 2))},
      {"text-generation", ~s|text_generation("x", max_new_tokens=3, temperature=0.5).encode()|,
       &Inference.text_generation!(&1, "x", max_new_tokens: 3, temperature: 0.5)}
    ]

    code =
      for {task, call, _ours} <- calls,
          name <- providers[task],
          do: "show(direct('#{name}', 'acme/#{task}').#{call})\n"

    output = theirs(context, @python <> Enum.join(code))

    results =
      for {task, _call, ours} <- calls, name <- providers[task] do
        result = ours.(direct(context, name, "acme/" <> task))
        if task == "feature-extraction", do: result, else: "b'#{result}'"
      end

    assert String.split(output, "\n") == results
    assert_same(context)
  end

  test "text generation sends the same requests and streams the same", context do
    model(context, @model, "text-generation")
    path = "/router/hf-inference/models/acme/m"
    plant(context, "POST", path, [%{generated_text: "hello"}], times: 1)

    events =
      for text <- ["a", "b"],
          do: ~s(data: {"index":0,"token":{"id":1,"text":"#{text}","logprob":0.5,"special":false}}\n\n)

    plant(context, "POST", path, Enum.join(events), type: "text/event-stream", skip: 1)

    output =
      theirs(
        context,
        @python <>
          """
          show(routed("hf-inference").text_generation("x", max_new_tokens=2, stop=["s"], do_sample=False))
          client = routed("hf-inference")
          show(*client.text_generation("x", stream=True))
          show(*[c.token.text for c in client.text_generation("x", stream=True, details=True)])
          """
      )

    client = routed(context, "hf-inference")
    text = Inference.text_generation!(client, "x", max_new_tokens: 2, stop: "s", do_sample: false)
    parts = Inference.text_generation!(client, "x", stream: true)
    chunks = Inference.text_generation!(client, "x", stream: true, details: true)
    streamed = [Enum.join(parts, "|"), Enum.map_join(chunks, "|", & &1.token.text)]
    assert Enum.join([text | streamed], "\n") == output
    assert_same(context)
  end

  test "streamed chats are the same", context do
    chunk = fn delta, more ->
      HfHub.Native.Nif.to_json(
        Map.merge(
          %{
            "id" => "1",
            "created" => 1,
            "model" => "m",
            "system_fingerprint" => "",
            "choices" => [%{"index" => 0, "delta" => delta}]
          },
          more
        )
      )
    end

    text =
      Enum.map_join(
        [
          chunk.(%{"role" => "assistant", "content" => "hel"}, %{}),
          chunk.(%{"role" => "assistant", "content" => "lo"}, %{}),
          chunk.(%{"role" => "assistant"}, %{
            "choices" => [],
            "usage" => %{"prompt_tokens" => 1, "completion_tokens" => 2, "total_tokens" => 3}
          }),
          "[DONE]"
        ],
        &"data: #{&1}\n\n"
      )

    plant(context, "POST", "/router/v1/chat/completions", text, type: "text/event-stream")

    output =
      theirs(
        context,
        @python <>
          """
          client = routed()
          chunks = list(client.chat_completion([{"role": "user", "content": "hi"}], stream=True))
          show("".join(c.choices[0].delta.content for c in chunks if c.choices), chunks[-1].usage.total_tokens)
          """
      )

    chunks = Inference.chat_completion!(routed(context), [%{role: "user", content: "hi"}], stream: true)
    reply = Inference.collect!(chunks)
    assert "#{Inference.text(reply)}|#{reply.usage.total_tokens}" == output
    assert_same(context)
  end
end
