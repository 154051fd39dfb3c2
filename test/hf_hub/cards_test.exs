defmodule HfHub.CardsTest do
  use HfHub.Case, async: true
  doctest HfHub.Cards
  doctest HfHub.Cards.EvalResult
  doctest HfHub.Cards.ModelCardData
  doctest HfHub.Cards.DatasetCardData
  doctest HfHub.Cards.SpaceCardData

  alias HfHub.{Cards, Error}
  alias HfHub.Cards.{DatasetCard, DatasetCardData, EvalResult, ModelCard, SpaceCard}

  @text """
  ---
  # What may be done with it
  license: mit   # for now
  tags: [b, a]
  own:
    z: 1
    a: {deep: [1, 2.50, null]}
  language: no
  model-index:
  - name: tiny
    results:
    - task:
        type: text-generation
      dataset:
        type: wikitext
        name: Wikitext
      metrics:
      - type: perplexity
        value: 12.5
        name: Test perplexity
  ---

  # Tiny \u2028
  ---
  and more\r
  """

  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more

  test "rendering a parsed card returns the same bytes" do
    long = "---\nlicense: mit\n---\n" <> String.duplicate("x\r\n\0", 100_000)

    odd = [
      "",
      "\n",
      "---\n---\n",
      "# no metadata",
      "\uFEFF# hi",
      "---\nlicense: mit\n---",
      "---\r\na: 1\r\n---\r\nb\r\n"
    ]

    for text <- [@text, long, "---\n{license: mit, tags: [x]}\n---\n", "---\na: &x 1\nb: *x\n---\nhi" | odd] do
      assert {:ok, %ModelCard{} = model} = Cards.parse_model_card(text)
      assert Cards.render(model) == text
      assert {:ok, %DatasetCard{} = dataset} = Cards.parse_dataset_card(text)
      assert Cards.render(dataset) == text
      assert {:ok, %SpaceCard{} = space} = Cards.parse_space_card(text)
      assert Cards.render(space) == text
    end
  end

  test "content is trimmed, and rendered with the whitespace of the text" do
    card = Cards.parse_model_card!("---\na: 1\n---\n\n \n# Hi\n\n")
    assert card.content == "# Hi" and card.text == "\n \n# Hi\n\n"
    body = &(Cards.render(%{card | content: &1}) |> String.replace_prefix("---\na: 1\n---\n", ""))
    assert body.("# Hi") == card.text
    assert body.("# New") == "\n \n# New\n\n"
    assert body.("# New\n") == "\n \n# New\n"
    assert body.("\n# New") == "\n# New\n\n"
    assert body.("") == "" and body.("\n") == "\n"

    assert %DatasetCard{content: "", text: "\n"} = blank = Cards.parse_dataset_card!("---\na: 1\n---\n\n")
    assert Cards.render(blank) == "---\na: 1\n---\n\n"
    assert Cards.render(%{blank | content: "x"}) == "---\na: 1\n---\n\nx"

    made = Cards.create_model_card(%{}, "# Hi\n")
    assert made.content == "# Hi" and Cards.render(made) == "# Hi\n"
    assert Cards.render(%ModelCard{made | text: "", content: "# Hi\n"}) == "# Hi\n"
  end

  test "empty metadata is no part of the content, and filled in its place" do
    for {readme, content, text} <- [
          {"---\n---\n\n# Hi\n", "# Hi", "\n# Hi\n"},
          {"---\r\n---\r\n# Hi", "# Hi", "# Hi"},
          {"---\n\n---\n# Hi", "# Hi", "# Hi"},
          {"---\n---", "", ""}
        ] do
      card = Cards.parse_model_card!(readme)
      assert {card.content, card.text, Cards.render(card)} == {content, text, readme}
      assert Cards.extract_frontmatter(readme) == {:ok, {%{}, content}}
      filled = Cards.render(%{card | data: %{card.data | license: "mit"}})
      assert filled =~ ~r/\A---\r?\nlicense: mit\n---/
      assert %{data: %{license: "mit"}, content: ^content, text: ^text} = Cards.parse_model_card!(filled)
    end
  end

  test "a text is put below metadata that ends the README" do
    for readme <- ["---\nlicense: mit\n---", "---\n---"] do
      card = Cards.parse_model_card!(readme)
      assert Cards.render(%{card | content: "# Hi"}) == readme <> "\n# Hi"
    end
  end

  test "the metadata of a card is that of another" do
    data = %{Cards.parse_model_card!(@text).data | license: "apache-2.0"}
    assert Cards.create_model_card(data).data == data

    assert Cards.render(Cards.create_dataset_card(%DatasetCardData{license: "mit", extra: %{"a" => 1}})) =~
             "license: mit"
  end

  test "rendering writes changes and nothing else" do
    card = Cards.parse_model_card!(@text)
    assert card.data.license == "mit" and card.data.language == "no" and card.content =~ "# Tiny"
    assert card.data.extra["own"] == %{"z" => 1, "a" => %{"deep" => [1, 2.5, nil]}}

    assert [%EvalResult{metric_value: 12.5, task_type: "text-generation", dataset_name: "Wikitext"}] =
             card.data.eval_results

    changed = Cards.render(%{card | data: %{card.data | license: "apache-2.0", pipeline_tag: "fill-mask"}})

    assert changed ==
             String.replace(@text, "license: mit   # for now", "license: apache-2.0")
             |> String.replace("perplexity\n---\n", "perplexity\npipeline_tag: fill-mask\n---\n")

    put = put_in(card.data.extra["own"]["z"], 2)

    assert Cards.render(put) =~
             "own:\n  z: 2\n  a:\n    deep:\n    - 1\n    - 2.5\n    - null\nlanguage: no\n"

    gone = Cards.render(%{card | data: %{card.data | tags: nil}})
    assert gone == String.replace(@text, "tags: [b, a]\n", "")
    assert Cards.render(%{card | content: "new"}) =~ ~r/---\n\nnew\r\n\z/
  end

  @values [
    # text, value, value in the Python client (YAML 1.1)
    {"0123456", "0123456", "42798"},
    {"09111", "09111", "'09111'"},
    {"08", "08", "'08'"},
    {"00", "00", "0"},
    {"-007", "-007", "-7"},
    {"18446744073709551616", 18_446_744_073_709_551_616, "18446744073709551616"},
    {"-9223372036854775809", -9_223_372_036_854_775_809, "-9223372036854775809"},
    {String.duplicate("1234567890", 4), String.to_integer(String.duplicate("1234567890", 4)),
     String.duplicate("1234567890", 4)},
    {".nan", :nan, "nan"},
    {".inf", :infinity, "inf"},
    {"-.INF", :neg_infinity, "-inf"},
    {"12e4567", "12e4567", "'12e4567'"},
    {"4225332178759948e04347560002921719079454", "4225332178759948e04347560002921719079454",
     "'4225332178759948e04347560002921719079454'"},
    {"1e400", "1e400", "'1e400'"},
    {"1.5e+400", "1.5e+400", "inf"},
    {"123456.0", 123_456.0, "123456.0"},
    {"1.5e+3", 1500.0, "1500.0"},
    {"1e3", 1000.0, "'1e3'"},
    {"1_000", 1000, "1000"},
    {"0x1F", 31, "31"},
    {"no", "no", "False"},
    {"~", nil, "None"},
    {"!!str 12", "12", "'12'"}
  ]

  test "numbers are exact or strings, and rendered as they were" do
    for {text, value, _python} <- @values do
      card = "---\nv: #{text}\nlist: [#{text}, x]\nlicense: mit\n---\n"
      assert {:ok, %{data: %{extra: extra}} = read} = Cards.parse_model_card(card)

      assert extra ==
               %{"list" => [value, "x"]}
               |> Map.merge(if value == nil, do: %{"v" => nil}, else: %{"v" => value})

      assert Cards.render(read) == card

      # Rendered in another place, it is still the same value.
      changed = Cards.render(%{read | data: %{read.data | extra: %{extra | "list" => [value, "y"]}}})
      assert changed =~ "v: #{text}\nlist:\n"
      assert Cards.parse_model_card!(changed).data.extra["list"] == [value, "y"]
    end

    card =
      Cards.create_model_card(a: :nan, b: [:infinity, :neg_infinity], c: 2 ** 200, d: -(2 ** 64), e: :word)

    assert Cards.render(card) ==
             "---\na: .nan\nb:\n- .inf\n- -.inf\nc: #{2 ** 200}\nd: -18446744073709551616\ne: word\n---\n"
  end

  @tag :python
  test "numbers are those of the Python client, except where YAML 1.1 differs", context do
    path = Path.join(context.dir, "values.json")
    File.write!(path, HfHub.Native.Nif.to_json(for {text, _value, _python} <- @values, do: text))

    script = """
    import os, yaml
    with open(os.environ["VALUES"]) as file:
        texts = json.load(file)
    print(json.dumps([repr(yaml.safe_load("v: " + text)["v"]) for text in texts]))
    """

    output = HfHub.Python.run!(script, context.endpoint, context.cache, [{"VALUES", path}])
    {:ok, theirs} = HfHub.Native.run(:parse_card, "---\nall: #{output}\n---\n")
    assert theirs.data["all"] == for({_text, _value, python} <- @values, do: python)
  end

  test "an edit keeps merges and aliases of other entries" do
    text = "---\nbase: &b {x: 1}\nown:\n  <<: *b\n  y: 2\nlicense: mit\n---\n"
    card = Cards.parse_model_card!(text)
    assert card.data.extra["own"] == %{"x" => 1, "y" => 2}
    assert Cards.render(%{card | data: %{card.data | license: "gpl"}}) == String.replace(text, "mit", "gpl")
  end

  test "a null or repeated key is an error with the line and the key" do
    for {yaml, message} <- [
          {"a: 1\n~: x", ~s(line 3: the key "~" is null)},
          {"a: 1\nb: 2\na: 3", ~s(line 4: duplicate key "a": already on line 2)}
        ] do
      assert {:error, %Error{kind: :invalid_card} = error} = Cards.parse_model_card("---\n#{yaml}\n---\n")
      assert error.message =~ message
    end
  end

  test "evaluation results are parsed from and rendered to the model index" do
    result = %EvalResult{
      task_type: "image-classification",
      dataset_type: "beans",
      dataset_name: "Beans",
      metric_type: "accuracy",
      metric_value: 0.9
    }

    other = %{result | metric_type: "f1", metric_value: 0.8, verified: true}
    card = Cards.create_model_card(license: "mit", model_name: "mine", eval_results: [result, other])
    text = Cards.render(card)

    assert text == """
           ---
           license: mit
           model-index:
           - name: mine
             results:
             - task:
                 type: image-classification
               dataset:
                 name: Beans
                 type: beans
               metrics:
               - type: accuracy
                 value: 0.9
               - type: f1
                 value: 0.8
                 verified: true
           ---
           """

    assert %{model_name: "mine", eval_results: [^result, ^other]} = Cards.parse_model_card!(text).data
    changed = Cards.parse_model_card!(text)
    data = %{changed.data | eval_results: [%{result | metric_value: 0.95}]}
    assert Cards.render(%{changed | data: data}) =~ "value: 0.95\n---"
    refute Cards.render(%{changed | data: %{changed.data | eval_results: nil}}) =~ "model-index"

    assert_raise ArgumentError, ~r/model_name/, fn ->
      Cards.render(Cards.create_model_card(eval_results: [result]))
    end

    # An invalid model index is kept unchanged.
    strange = "---\nmodel-index: [1, {name: x}]\n---\n"
    assert %{data: %{eval_results: nil}} = card = Cards.parse_model_card!(strange)
    assert Cards.render(card) == strange
  end

  test "invalid metadata is an error with its position" do
    bomb = Enum.map_join(1..60, "\n", fn _n -> "b: &b [*b,*b]" end)
    deep = String.duplicate("[", 10_000)
    folders = Enum.map_join(0..5_000, "\n", &(String.duplicate(" ", &1) <> "a:"))

    for yaml <- ["a: [", "- list", "text", "a: 1\na: 2", bomb, deep, folders] do
      assert {:error, %Error{kind: :invalid_card}} = Cards.parse_model_card("---\n#{yaml}\n---\n")
    end

    assert {:error, %Error{kind: :invalid_card, message: message}} =
             Cards.parse_model_card("---\na: 1\nb: [\n---\n")

    assert message =~ "line"
    assert {:error, %Error{kind: :invalid_card}} = Cards.parse_model_card(<<0xFF>>)
    assert {:error, %Error{kind: :invalid_card}} = Cards.parse_model_card(nil)
    assert_raise Error, fn -> Cards.parse_dataset_card!("---\na: [\n---\n") end

    for bad <- [fn -> 1 end, {1, 2, 3}, URI.parse("x"), self()] do
      assert_raise ArgumentError, ~r{cannot be represented in YAML}, fn ->
        Cards.render(Cards.create_model_card(own: bad))
      end
    end

    assert Cards.render(Cards.create_model_card(on: ~D[2024-01-02])) =~ "2024-01-02"
    for bad <- ["x", [1], nil], do: assert_raise(ArgumentError, fn -> Cards.create_model_card(bad) end)
    deep = Enum.reduce(1..10_000, 1, fn _n, inner -> [inner] end)
    assert_raise ArgumentError, fn -> Cards.render(Cards.create_model_card(own: deep)) end
  end

  test "cards are loaded from repositories and validated by the Hub", context do
    {id, _commit} = repo(context, %{"README.md" => @text})

    {data, _commit} =
      repo(context, %{"README.md" => "---\npretty_name: D\nconfigs:\n- config_name: x\n---\n"},
        repo_type: :dataset
      )

    {demo, _commit} = repo(context, %{"README.md" => "---\nsdk: none\n---\n"}, repo_type: :space)
    {bare, _commit} = repo(context, %{"a.txt" => "x"})
    odd = for {text, _value, _python} <- @values, into: "", do: "- #{text}\n"
    assert {:ok, []} = Cards.validate("---\nvalues:\n#{odd}---\n", ask(context))

    assert {:error, %Error{kind: :bad_request, message: message}} =
             Cards.validate("---\na: 1\nb: 2\na: 3\n---\n", ask(context))

    assert message =~ ~s(line 4: the key "a" is repeated)
    opts = opts(context)
    assert {:ok, card} = Cards.load_model_card(id, opts)
    assert Cards.render(card) == @text

    assert {:ok, %{data: %{pretty_name: "D", configs: [%{"config_name" => "x"}]}}} =
             Cards.load_dataset_card(data, opts)

    assert {:ok, %{data: %{sdk: "none"}} = space} = Cards.load_space_card(demo, opts)
    assert {:error, %Error{kind: :bad_request}} = Cards.validate(space, ask(context))
    assert {:error, %Error{kind: :entry_not_found}} = Cards.load_model_card(bare, opts)
    assert {:ok, []} = Cards.validate(card, ask(context))
    assert {:ok, [warning]} = Cards.validate("# no metadata", ask(context))
    assert warning =~ "empty or missing yaml metadata"

    assert {:error, %Error{kind: :bad_request, message: message}} =
             Cards.validate("---\ntags: x\n---\n", ask(context))

    assert message =~ "Invalid metadata"

    assert {:error, %Error{kind: :bad_request}} =
             Cards.validate("---\nsdk: none\n---\n", ask(context, repo_type: :space))

    assert Cards.validate!("---\nsdk: none\n---\n", ask(context)) == []
  end

  @tag :python
  test "the Python client reads rendered cards, and the other way round", context do
    values =
      ["no", "yes", "1.0", "1e3", "null", "~", "2024-01-01", "12:30:45", "0x1F", "0o7", "010", "a: b", "# c"] ++
        [
          "- x",
          "",
          " x ",
          "é ✓ 日本",
          "one\ntwo\n",
          "tab\there",
          "\\",
          "'",
          "\"",
          "{x}",
          "[x]",
          "@x",
          "%x",
          "!x",
          "*x",
          "&x",
          "y",
          "on",
          "=",
          "<<",
          ".5",
          "+1",
          "1_000"
        ]

    card =
      Cards.create_model_card(
        [license: "mit", tags: values, own: %{"a" => values, "b" => [1, 2.5, true, nil, %{"c" => "no"}]}],
        "Text\n"
      )

    script = """
    import io, os
    with open(os.environ["CARD"], newline="", encoding="utf-8") as file:
        card = ModelCard(file.read())
    data = card.data.to_dict()
    print(json.dumps(data))
    card.save(os.environ["CARD"])
    """

    path = Path.join(context.dir, "card.md")
    File.write!(path, Cards.render(card))
    json = HfHub.Python.run!(script, context.endpoint, context.cache, [{"CARD", path}])
    {:ok, theirs} = HfHub.Native.run(:parse_card, "---\n#{json}\n---\n")
    assert theirs.data["tags"] == Enum.uniq(values)
    assert theirs.data["own"] == card.data.extra["own"]
    back = Cards.parse_model_card!(File.read!(path))
    # The Python client writes a string of YAML 1.1 without quotes that is a number in YAML 1.2.
    numbers = ["1e3", "0o7"]
    assert back.data.tags -- [1000.0, 7] == Enum.uniq(values) -- numbers
    assert back.data.extra["own"]["b"] == card.data.extra["own"]["b"]
    assert back.content == "Text" and back.text == "Text\n"
  end

  describe "evaluation results" do
    test "are read from an entry of a model-index with all parts" do
      entry = %{
        "task" => %{"type" => "text-classification", "name" => "Text Classification"},
        "dataset" => %{"type" => "glue", "name" => "GLUE", "config" => "sst2", "split" => "test"},
        "metrics" => [
          %{"type" => "accuracy", "name" => "Accuracy", "value" => 0.92},
          %{"type" => "f1", "value" => 0.5}
        ],
        "source" => %{"url" => "https://x"},
        "verified" => true
      }

      assert %EvalResult{
               task_type: "text-classification",
               task_name: "Text Classification",
               dataset_type: "glue",
               dataset_name: "GLUE",
               dataset_config: "sst2",
               dataset_split: "test",
               metric_type: "accuracy",
               metric_name: "Accuracy",
               metric_value: 0.92,
               source_url: "https://x",
               verified: true
             } = EvalResult.from_map(entry)
    end

    test "are read from the names of the fields, and from nothing" do
      result = EvalResult.from_map(%{"task_type" => "t", "metric_value" => 0, "verified" => false, "x" => 1})
      assert %EvalResult{task_type: "t", metric_value: 0, verified: false, metric_type: nil} = result
      assert EvalResult.from_map(%{}) == %EvalResult{}
      assert %EvalResult{metric_type: nil} = EvalResult.from_map(%{"task" => 5, "metrics" => "none"})
    end

    test "are those that the parsed card has" do
      text = """
      ---
      model-index:
      - name: m
        results:
        - task: {type: t}
          dataset: {type: d, name: D}
          metrics:
          - {type: acc, value: 1}
      ---
      """

      {:ok, {%{"model-index" => [%{"results" => [entry]}]}, ""}} = Cards.extract_frontmatter(text)
      assert Cards.parse_model_card!(text).data.eval_results == [EvalResult.from_map(entry)]
    end
  end

  test "the metadata of a README is extracted with the text below it" do
    for {text, expected} <- [
          {"---\nkey: value\n---\n\nBody\n\n", {%{"key" => "value"}, "Body"}},
          {"---\r\nkey: value\r\n---\r\n\r\nBody", {%{"key" => "value"}, "Body"}},
          {"---\n---\n\n# Mine\n", {%{}, "# Mine"}},
          {"---\na: 1\n---\n---\n---\nx", {%{"a" => 1}, "---\n---\nx"}},
          {"# Title\n", {%{}, "# Title"}},
          {"", {%{}, ""}}
        ] do
      assert Cards.extract_frontmatter(text) == {:ok, expected}
      assert Cards.extract_frontmatter!(text) == expected
    end

    for bad <- ["---\na: [\n---\n", <<255>>] do
      assert {:error, %Error{kind: :invalid_card}} = Cards.extract_frontmatter(bad)
      assert_raise Error, fn -> Cards.extract_frontmatter!(bad) end
    end
  end
end
