defmodule HfHub.Parity.LlamaTest do
  # Both clients use a real server with OpenAI's API, that of llama.cpp, and make the same of its responses.
  use HfHub.Case, async: true

  alias HfHub.{Error, Inference, LlamaServer, Python}
  alias HfHub.Inference.ToolCall

  @moduletag :python
  @moduletag timeout: 120_000

  @hello [%{role: "user", content: "Say hello."}]
  # The likeliest token each time, and no state of earlier requests, so that both clients get the same reply.
  @same [temperature: 0.0, seed: 1, extra_body: %{cache_prompt: false}]
  @whole Keyword.put(@same, :extra_body, %{cache_prompt: false, ignore_eos: true})
  # Token 0 begins a call of a function, and token 4 ends the reply where the server lets it.
  @calling [logit_bias: %{"0" => 50, "4" => 100}, max_tokens: 300, tool_choice: "required"]
  @weather %{
    type: "function",
    function: %{
      name: "weather",
      description: "Returns the weather in a city.",
      parameters: %{
        type: "object",
        properties: %{city: %{enum: ["Paris", "Rome"]}},
        required: ["city"],
        additionalProperties: false
      }
    }
  }

  @python """
  hello = [{"role": "user", "content": "Say hello."}]
  same = dict(temperature=0.0, seed=1, extra_body={"cache_prompt": False})
  whole = {**same, "extra_body": {"cache_prompt": False, "ignore_eos": True}}
  def show(*values): print(json.dumps(values))
  def usage(u): return [u.prompt_tokens, u.completion_tokens, u.total_tokens]
  """

  setup_all do
    folder = Path.join(System.tmp_dir!(), "hf_hub_llama_#{System.pid()}")
    on_exit(fn -> File.rm_rf!(folder) end)
    {:ok, urls: LlamaServer.start!(folder, embed: true)}
  end

  setup context do
    {:ok, client: Inference.new(base_url: context.urls.chat <> "/v1", token: false, retries: 0)}
  end

  # The values that Python shows.
  defp theirs(context, code) do
    client = ~s|client = InferenceClient(base_url="#{context.urls.chat}/v1", token="any")\n|
    output = Python.run!(@python <> client <> code, context.endpoint, context.cache)
    for line <- String.split(output, "\n"), do: json!(line)
  end

  defp json!(text), do: Error.unwrap!(HfHub.Native.run(:parse_json, text))
  defp usage(usage), do: [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]

  test "a chat is the same, as a whole and in parts", context do
    [whole, parts, [theirs]] =
      theirs(context, """
      r = client.chat_completion(hello, max_tokens=20, **whole)
      show(r.choices[0].message.content, r.choices[0].finish_reason, r.model, *usage(r.usage))
      chunks = list(client.chat_completion(hello, max_tokens=20, stream=True, stream_options={"include_usage": True}, **whole))
      show(*[c.choices[0].delta.content for c in chunks if c.choices])
      show(usage(chunks[-1].usage))
      """)

    reply = Inference.chat_completion!(context.client, @hello, [max_tokens: 20] ++ @whole)
    [choice] = reply.choices

    assert [choice.message.content, to_string(choice.finish_reason), reply.model | usage(reply.usage)] ==
             whole

    assert String.length(Inference.text(reply)) >= 20 and choice.finish_reason == :length

    opts = [max_tokens: 20, stream: true, stream_options: %{include_usage: true}] ++ @whole
    chunks = Enum.to_list(Inference.chat_completion!(context.client, @hello, opts))
    assert for(%{choices: [choice]} <- chunks, do: choice.message.content) == parts
    assert usage(List.last(chunks).usage) == theirs
    assert Inference.text(Inference.collect!(chunks)) == Inference.text(reply)
  end

  test "a stream that is halted frees the server, and leaves no socket", context do
    endless = [extra_body: %{n_predict: -1, ignore_eos: true}, stream: true]
    chunks = Inference.chat_completion!(context.client, @hello, endless)

    started =
      chunks |> Stream.each(fn _chunk -> assert LlamaServer.busy(context.urls.chat) > 0 end) |> Enum.take(2)

    assert length(started) == 2
    eventually(fn -> LlamaServer.busy(context.urls.chat) == 0 end)

    owner = spawn(fn -> Stream.run(chunks) end)
    eventually(fn -> LlamaServer.busy(context.urls.chat) > 0 end)
    Process.exit(owner, :kill)
    eventually(fn -> LlamaServer.busy(context.urls.chat) == 0 end)
  end

  test "a reply has the form of a schema", context do
    schema = %{
      type: "object",
      properties: %{city: %{enum: ["Paris", "Rome"]}, sunny: %{type: "boolean"}},
      required: ["city", "sunny"],
      additionalProperties: false
    }

    format = %{type: "json_schema", json_schema: %{name: "weather", schema: schema}}

    reply =
      Inference.chat_completion!(context.client, @hello, [response_format: format, max_tokens: 200] ++ @same)

    assert %{"city" => city, "sunny" => sunny} = reply |> Inference.text() |> json!()
    assert city in ["Paris", "Rome"] and is_boolean(sunny)
  end

  test "the calls of functions are the same, as a whole and in parts", context do
    [calls] =
      theirs(context, """
      tool = json.loads(r'''#{HfHub.Native.Nif.to_json(@weather)}''')
      same["extra_body"] |= {"logit_bias": {"0": 50, "4": 100}}
      r = client.chat_completion(hello, tools=[tool], tool_choice="required", max_tokens=300, **same)
      show(*[[c.type, c.function.name, c.function.arguments] for c in r.choices[0].message.tool_calls])
      """)

    opts = [tools: [@weather]] ++ @calling ++ @same
    whole = Inference.chat_completion!(context.client, @hello, opts)
    parts = Inference.collect!(Inference.chat_completion!(context.client, @hello, [stream: true] ++ opts))

    for reply <- [whole, parts] do
      [%{finish_reason: :tool_calls, message: message}] = reply.choices
      assert [%ToolCall{} = call] = message.tool_calls
      assert [[call.type, call.name, call.arguments]] == calls
      assert json!(call.arguments)["city"] in ["Paris", "Rome"]
    end

    me = self()
    weather = fn %{"city" => city} -> send(me, {:city, city}) && "sunny in #{city}" end
    opts = [functions: %{"weather" => weather}, max_rounds: 1] ++ opts
    assert {:error, %Error{kind: :precondition}} = Inference.run_tools(context.client, @hello, opts)
    assert_received {:city, city}
    assert city in ["Paris", "Rome"]
  end

  test "texts and embeddings are the same", context do
    # The Python client does not have these tasks for a server of one's own, but for a provider with the same API.
    id = "org/m#{System.unique_integer([:positive])}"
    tasks = %{"featherless-ai" => "text-generation", "scaleway" => "feature-extraction"}

    mapping =
      for {name, task} <- tasks, into: %{}, do: {name, %{providerId: "theirs", task: task, status: "live"}}

    body = HfHub.Native.Nif.to_json(%{id: id, inferenceProviderMapping: mapping})
    headers = %{"content-type" => "application/json"}
    fault("/api/models/#{id}", %{kind: "status", code: 200, headers: headers, body: body})

    [[text], vectors] =
      theirs(context, """
      import types
      from huggingface_hub.inference import _client
      from huggingface_hub.inference._providers import PROVIDERS
      _client._import_numpy = lambda: types.SimpleNamespace(array=lambda v, dtype: v)
      PROVIDERS["featherless-ai"]["text-generation"].base_url = "#{context.urls.chat}"
      PROVIDERS["scaleway"]["feature-extraction"].base_url = "#{context.urls.embed}"
      client = InferenceClient("#{id}", provider="featherless-ai", token="key_of_mine")
      show(client.text_generation("Once upon a time", max_new_tokens=10, temperature=0.0, seed=1))
      client = InferenceClient("#{id}", provider="scaleway", token="key_of_mine")
      show(*client.feature_extraction(["a cat", "a kitten", "the stock market"]))
      """)

    assert text != ""
    opts = [max_new_tokens: 10] ++ @same
    assert Inference.text_generation!(context.client, "Once upon a time", opts) == text
    parts = Inference.text_generation!(context.client, "Once upon a time", [stream: true] ++ opts)
    assert Enum.join(parts) == text

    embed = Inference.new(base_url: context.urls.embed <> "/v1", token: false)
    ours = Inference.feature_extraction!(embed, ["a cat", "a kitten", "the stock market"])
    assert ours == vectors
    assert [[_one | _more] = cat, kitten, market] = ours
    assert length(cat) == 384
    assert dot(cat, kitten) > 0.7 and dot(cat, market) < 0.3
  end

  defp dot(a, b), do: Enum.zip_reduce(a, b, 0, fn x, y, sum -> sum + x * y end)

  test "errors have the reason of the server", context do
    long = [%{role: "user", content: String.duplicate("too long ", 2_000)}]

    assert {:error, %Error{kind: :bad_request} = error} = Inference.chat_completion(context.client, long)

    assert Exception.message(error) =~ "context size"
    {:ok, chunks} = Inference.chat_completion(context.client, long, stream: true)
    assert {:error, %Error{kind: :bad_request}} = Inference.collect(chunks)
    assert Inference.health_check!(Inference.new(base_url: context.urls.chat, token: false))
  end

  test "many chats at once have a reply each", context do
    replies =
      Inference.map(
        1..20,
        &Inference.chat_completion(context.client, @hello, max_tokens: &1, extra_body: %{ignore_eos: true})
      )

    assert for({:ok, reply} <- replies, do: reply.usage.completion_tokens) == Enum.to_list(1..20)
  end
end
