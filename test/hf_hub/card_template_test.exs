defmodule HfHub.CardTemplateTest do
  use HfHub.Case, async: true

  alias HfHub.{Cards, Error, Python}
  alias HfHub.Cards.{DatasetCard, ModelCard}

  defp path(context, name, text) do
    path = Path.join(context.dir, name)
    File.write!(path, text)
    path
  end

  defp filled(template, data \\ [], values \\ []),
    do: Cards.model_card_from_template!(data, values, template_str: template).content

  test "the default templates have the metadata, the values, and a mark for missing ones" do
    data = [license: "mit", language: ["en", "no"], own: %{"a" => 1}]
    values = %{"model_id" => "Tiny {{ license }}", developers: "Me", direct_use: "", license: "MIT License"}
    assert {:ok, %ModelCard{data: %{license: "mit"}} = card} = Cards.model_card_from_template(data, values)

    text = Cards.render(card)

    assert "---\nlicense: mit\nlanguage:\n- en\n- \"no\"\nown:\n  a: 1\n---\n# Tiny {{ license }}\n" <> _rest =
             text

    assert text =~ "- **Developed by:** Me\n"
    assert text =~ "- **Languages:** en, no\n- **License:** MIT License\n"
    assert text =~ ~r/### Direct Use\n\n<!-- .* -->\n\n\[More Information Needed\]\n/
    refute text =~ "default("
    # What was created is what is parsed.
    assert Cards.parse_model_card!(text).content == card.content

    assert {:ok, %DatasetCard{} = card} = Cards.dataset_card_from_template(%{pretty_name: "Mine"})
    assert card.data.pretty_name == "Mine" and card.content =~ ~r/\A# Mine\n/
    assert Cards.dataset_card_from_template!(%{}).content =~ ~r/\A# Dataset\n/
    assert Cards.render(Cards.model_card_from_template!(%{})) =~ ~r/\A# Model\n/
  end

  test "a template has values, and defaults for missing or empty ones" do
    assert filled("a{{x}}b{{ y }}c", [], x: 1, y: :z) == "a1bzc"
    assert filled("[{{ none }}]") == "[]"
    assert filled("[{{ none | default('a \"b\"\\n') }}]") == "[a \"b\"\n]"
    assert filled("[{{x|default('d')}}, {{ x | default('d', true) }}]", [], x: "") == "[, d]"
    assert filled("{{ x | default('d',true) }}", [], x: []) == "d"
    assert filled("{{ license }} {{ own }}", [license: "mit", own: 1.5], own: ["b", 2]) == "mit b, 2"
    # Values are no templates.
    assert filled("{{ x }}", [], x: "{{ y }} <%= 1 %> {% if %}", y: 1) == "{{ y }} <%= 1 %> {% if %}"

    assert_raise ArgumentError, ~r/the value of x .* got: %{a: 1}/, fn ->
      filled("{{ x }}", [], x: %{a: 1})
    end

    assert_raise ArgumentError, ~r/template_path.*template_str/, fn ->
      Cards.model_card_from_template([], [], template_str: "x", template_path: "y")
    end
  end

  test "metadata is written in its place in the template, else above the text" do
    card = &Cards.render(Cards.model_card_from_template!(&2, [], template_str: &1))
    assert card.("# Hi\n", license: "mit") == "---\nlicense: mit\n---\n# Hi\n"

    template = "---\n# about the license\n{{ card_data }}\ntags: [b]\n---\n# Hi\n"
    assert card.(template, license: "mit") == "---\n# about the license\nlicense: mit\ntags: [b]\n---\n# Hi\n"
    own = Cards.model_card_from_template!([license: "mit"], [], template_str: "---\nlicense: gpl\n---\n")
    assert own.data.license == "gpl"

    assert {:error, %Error{kind: :invalid_card}} =
             Cards.model_card_from_template([], [], template_str: "---\na: [\n---\n")
  end

  test "an expression of Jinja that is not supported is an error with its line" do
    for expression <- [
          "{% if x %}",
          "{{ x | upper }}",
          "{{ x.y }}",
          "{# x #}",
          "{{ x",
          "{{ x | default(y) }}"
        ] do
      template = "# {{ x }}\n\n{{ x | default(\"\") }}\n- #{expression}\n"

      assert {:error, %Error{kind: :invalid_card} = error} =
               Cards.model_card_from_template([], [], template_str: template)

      assert error.message =~ "the template: line 4: unsupported expression `#{expression}`"
    end
  end

  test "a file is a template, and one of EEx if its name ends so", context do
    plain = path(context, "card.md", "\uFEFF# {{ name }} <%= 1 + 1 %>\n")

    assert Cards.model_card_from_template!([], [name: "Tiny"], template_path: plain).content ==
             "# Tiny <%= 1 + 1 %>"

    code = """
    ---
    <%= @card_data %>
    ---
    # <%= @name %> by <%= @license %> <%= @extra["own"] %>
    <%= for tag <- @tags || [] do %>* <%= tag %>
    <% end %>
    """

    eex = path(context, "card.md.eex", code)
    data = [license: "mit", tags: ["a", "b"], own: 1]
    assert {:ok, card} = Cards.model_card_from_template(data, [name: "Tiny"], template_path: eex)
    assert card.data.tags == ["a", "b"] and card.content == "# Tiny by mit 1\n* a\n* b"

    bad = path(context, "bad.md", "{{ x.y }}")

    assert {:error, %Error{kind: :invalid_card, message: message}} =
             Cards.model_card_from_template([], [], template_path: bad)

    assert message =~ "`#{bad}`: line 1"

    for {name, kind} <- [{"missing.md", :io}, {"latin1.md", :invalid_card}] do
      if kind == :invalid_card, do: path(context, name, <<"caf", 0xE9>>)
      opts = [template_path: Path.join(context.dir, name)]
      assert {:error, %Error{kind: ^kind, message: message}} = Cards.dataset_card_from_template([], [], opts)
      assert message =~ name
    end
  end

  @tag :python
  test "the default templates have the values of the Python client, whose own templates can be filled in",
       context do
    script = """
    import re
    from huggingface_hub import repocard
    paths = repocard.TEMPLATE_MODELCARD_PATH, repocard.TEMPLATE_DATASETCARD_PATH
    for path in paths:
        text = path.read_text(encoding="utf-8")
        print(path, *sorted(set(re.findall(r"\\{\\{ *(\\w+)", text)) - {"card_data"}))
    """

    [model, dataset] =
      Python.run!(script, context.endpoint, context.cache) |> String.split("\n") |> Enum.map(&String.split/1)

    for {[path | names], create} <- [
          {model, &Cards.model_card_from_template!/3},
          {dataset, &Cards.dataset_card_from_template!/3}
        ],
        values = Map.new(names, &{&1, "value of #{&1}"}),
        opts <- [[], [template_path: path]] do
      assert length(names) > 20
      card = create.([license: "mit"], values, opts)
      assert card.data.license == "mit"
      for name <- names, do: assert(card.content =~ "value of #{name}", name)
      refute card.content =~ "{{" or card.content =~ "More Information Needed"
    end
  end
end
