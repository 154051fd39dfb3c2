defmodule HfHub.LargeMapsTest do
  # Objects of any number of entries, in all code that decodes responses or files into maps:
  # on OTP 25.1 to 27.2 the VM's own function for it crashes on more than 128 keys.
  use HfHub.Case, async: true

  alias HfHub.{Api, Auth, Cards, Error, LocalHub, Request, Safetensors}
  alias HfHub.Native.Nif

  @sizes [0, 1, 32, 33, 128, 129, 1_000, 20_000]

  defp entries(size, value \\ & &1)
  defp entries(0, _value), do: %{}
  defp entries(size, value), do: Map.new(1..size, &{"k#{&1}", value.(&1)})

  setup_all do
    root = Path.join(System.tmp_dir!(), "hf_hub_large_#{System.pid()}_#{System.unique_integer([:positive])}")
    {:ok, own} = LocalHub.start_link(root: root, test_control: true)
    LocalHub.command!(own, ["user", "add", "reader", "--token", token()])
    on_exit(fn -> File.rm_rf!(root) end)
    {:ok, own: LocalHub.endpoint(own)}
  end

  # Makes the Hub respond with this JSON text to every request whose path contains `match`.
  defp answer(own, match, text, status \\ 200) do
    headers = %{"content-type" => "application/json"}
    rule = %{match: match, fault: %{kind: "status", code: status, headers: headers, body: text}}
    control(:post, "faults", rule, own)

    on_exit(fn ->
      Request.new(:delete, "/_test/faults", [], endpoint: own, token: false) |> Request.effect()
    end)
  end

  defp json(term), do: Nif.to_json(term)

  for size <- @sizes do
    test "the API's JSON has an object of #{size} entries", %{own: own} do
      map = entries(unquote(size))
      call = [endpoint: own, token: token(), retries: 0]

      answer(own, "/api/models/me/large", json(%{"id" => "me/large", "cardData" => map}))
      assert Api.model_info!("me/large", call).raw["cardData"] == map

      answer(own, "/api/models", json([%{"id" => "me/x", "config" => %{"id2label" => map}}]))
      assert [%{raw: %{"config" => %{"id2label" => ^map}}}] = Api.list_models!([search: "x"] ++ call)

      answer(own, "/api/whoami-v2", json(Map.merge(map, %{"type" => "user", "name" => "reader"})))
      assert Map.drop(Auth.whoami!(call).raw, ["type", "name"]) == map
    end

    test "a card's metadata has #{size} entries" do
      map = entries(unquote(size))
      yaml = Enum.map_join(map, fn {key, value} -> "#{key}: #{value}\n" end)
      assert Cards.parse_model_card!("---\n#{yaml}---\n").data.extra == map

      names = Enum.map_join(map, fn {key, value} -> "            '#{value}': #{key}\n" end)
      text = "---\nclass_label:\n  names:\n#{names}---\n"
      named = Map.new(map, fn {key, value} -> {to_string(value), key} end)
      found = Cards.parse_dataset_card!(text).data.extra["class_label"]["names"]
      assert found == if(named == %{}, do: nil, else: named)
    end

    test "a safetensors file has #{size} tensors, and an index as many", context do
      shape = fn n -> %{"dtype" => "U8", "shape" => [1], "data_offsets" => [n - 1, n]} end
      header = json(entries(unquote(size), shape))
      content = <<byte_size(header)::little-64>> <> header <> :binary.copy(<<0>>, unquote(size))
      map = entries(unquote(size), fn _n -> "one.safetensors" end)
      index = json(%{"metadata" => entries(unquote(size)), "weight_map" => map})
      {id, _commit} = repo(context, %{"one.safetensors" => content, "model.safetensors.index.json" => index})
      call = [endpoint: context.endpoint]

      tensors = Safetensors.file_metadata!(id, "one.safetensors", call).tensors
      assert Map.keys(tensors) == Map.keys(map)
      assert tensors == Map.new(tensors)

      # An index without files is rejected.
      if map != %{} do
        metadata = Safetensors.metadata!(id, call)
        assert metadata.weight_map == map and metadata.metadata == entries(unquote(size))
      end
    end
  end

  test "an error's details have 1,000 entries", %{own: own} do
    map = Map.put(entries(1_000), "error", "no")
    answer(own, "/api/models/me/refused", json(map), 400)
    assert {:error, %Error{details: ^map}} = Api.model_info("me/refused", endpoint: own, token: false)
  end

  test "a response with thousands of headers does not crash the VM", %{own: own} do
    for count <- [60, 129, 1_000] do
      headers = Map.new(1..count, &{"x-extra-#{&1}", "#{&1}"})
      fault = %{kind: "status", code: 200, headers: headers, body: "{}"}
      control(:post, "faults", %{match: "/api/models/me/headers#{count}", fault: fault}, own)

      request =
        Request.new(:get, "/api/models/me/headers#{count}", [], endpoint: own, token: false, retries: 0)

      case Request.headers(request) do
        {:ok, found} -> assert found["x-extra-#{count}"] == "#{count}"
        {:error, %Error{kind: kind}} -> assert count > 60 and kind == :transport
      end
    end
  end

  test "the last value of a repeated key is used, and the map equals one built in Elixir", %{own: own} do
    for size <- [2, 31, 32, 33, 40, 128, 129, 1_000], repeated <- [1, size] do
      map = entries(size)
      text = Enum.map_join(1..size, ",", &~s("k#{&1}":0)) <> ~s(,"k#{repeated}":0,)
      text = "{" <> text <> Enum.map_join(1..size, ",", &~s("k#{&1}":#{&1})) <> "}"
      match = "/api/models/me/repeated-#{size}-#{repeated}"
      answer(own, match, text)
      request = Request.new(:get, match, [], endpoint: own, token: false)
      {:ok, found} = Request.run(request)
      assert found == map and map_size(found) == size
      assert found |> :erlang.term_to_binary() |> :erlang.binary_to_term() == map
      assert for({key, _value} <- map, do: found[key]) == for({_key, value} <- map, do: value)
    end
  end

  test "random nested objects are decoded unchanged", %{own: own} do
    for seed <- 1..20 do
      :rand.seed(:exsss, {seed, 0, 0})
      value = random(3)
      match = "/api/models/me/random-#{seed}"
      answer(own, match, json(%{"v" => value}))
      assert {:ok, %{"v" => ^value}} = Request.run(Request.new(:get, match, [], endpoint: own, token: false))
    end
  end

  defp random(0), do: Enum.random([nil, true, 1, 1.5, "text"])

  defp random(depth) do
    size = Enum.random([0, 1, 31, 32, 33, 40, 127, 128, 129, 200])
    inner = random(depth - 1)
    for n <- 1..size//1, into: %{}, do: {"#{n}", if(rem(n, 50) == 0, do: inner, else: random(0))}
  end
end
