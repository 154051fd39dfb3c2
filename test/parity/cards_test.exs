defmodule HfHub.Parity.CardsTest do
  # The PyPI client and this library make the same changes to the cards of two repositories.
  use HfHub.Case, async: true

  alias HfHub.{Cards, Error, Python}
  alias HfHub.Native.Nif

  @moduletag :python

  @result %{
    "task" => %{"type" => "text-generation", "name" => "Text"},
    "dataset" => %{"type" => "wikitext", "name" => "Wikitext", "config" => "raw", "split" => "test"},
    "metrics" => [%{"type" => "perplexity", "value" => 12.5, "name" => "Perplexity"}]
  }

  # As the Python client writes it.
  @text """
  ---
  license: mit
  tags:
  - b
  - a
  model-index:
  - name: tiny
    results:
    - task:
        type: text-generation
        name: Text
      dataset:
        name: Wikitext
        type: wikitext
        config: raw
        split: test
      metrics:
      - type: perplexity
        value: 12.5
        name: Perplexity
  ---

  # Tiny
  """

  defp metric(result, metric), do: put_in(result["metrics"], [Map.new(metric)])
  defp index(results), do: %{"model-index" => [%{"name" => "tiny", "results" => results}]}

  # Card, metadata, and whether it may overwrite.
  defp updates do
    other = %{"type" => "bleu", "value" => 0.5}
    better = put_in(@result["metrics"], [%{"type" => "perplexity", "value" => 11.0, "name" => "Perplexity"}])
    elsewhere = put_in(@result["dataset"]["split"], "train")

    [
      {@text, %{"pipeline_tag" => "text-generation"}, false},
      {@text, %{"license" => "mit", "tags" => ["b", "a"]}, false},
      {@text, %{"license" => "gpl"}, false},
      {@text, %{"license" => "gpl", "own" => %{"deep" => [1, "no", nil]}}, true},
      {@text, index([@result]), false},
      {@text, index([metric(@result, other), elsewhere]), false},
      {@text, index([better]), false},
      {@text, index([better]), true},
      {"# no metadata\n", index([@result]), false},
      {"---\nlicense: mit\n---\n", %{"language" => ["en", "no"]}, false}
    ]
  end

  defp asked(id) do
    for request <- requests(id),
        request["path"] =~ id,
        do:
          {request["method"],
           request["path"] |> String.replace(id, "ID") |> String.replace(~r/[0-9a-f]{40}/, "SHA")}
  end

  test "metadata is updated as by the Python client", context do
    cases =
      for {text, metadata, overwrite} <- updates(),
          do: {writable(context, %{"README.md" => text}), text, metadata, overwrite}

    path = Path.join(context.dir, "updates.json")

    File.write!(
      path,
      Nif.to_json(for {id, _text, metadata, overwrite} <- cases, do: [id, metadata, overwrite])
    )

    script = """
    import os
    with open(os.environ["UPDATES"]) as file:
        updates = json.load(file)
    for id, metadata, overwrite in updates:
        try:
            metadata_update(id, metadata, overwrite=overwrite, token="#{token()}")
            print("ok")
        except ValueError:
            print("conflict")
    """

    outcomes = Python.run!(script, context.endpoint, context.cache, [{"UPDATES", path}]) |> String.split("\n")
    outcomes = Enum.reject(outcomes, &(&1 not in ["ok", "conflict"]))
    assert length(outcomes) == length(cases) and "conflict" in outcomes

    for {{theirs, text, metadata, overwrite}, outcome} <- Enum.zip(cases, outcomes) do
      ours = writable(context, %{"README.md" => text})

      case Cards.update_metadata(ours, metadata, write(overwrite: overwrite)) do
        {:ok, _info} -> assert outcome == "ok", inspect(metadata)
        {:error, %Error{kind: :conflict}} -> assert outcome == "conflict", inspect(metadata)
      end

      # The Python client sends HEAD and GET to read the card.
      assert asked(ours) -- asked(theirs) == [{"GET", "/ID/resolve/main/README.md"}]
      assert length(asked(ours)) <= length(asked(theirs))
      # The order of the entries is that of the card, and new ones follow.
      [one, other] =
        for id <- [ours, theirs], do: Cards.extract_frontmatter!(content(context, id)["README.md"])

      assert one == other
    end
  end

  test "cards are pushed with the requests of the Python client", context do
    [theirs, ours] =
      for _n <- 1..2, do: writable(context, %{"README.md" => "---\nsdk: static\n---\n"}, repo_type: :space)

    script = """
    card = SpaceCard("---\\nsdk: docker\\napp_port: 7860\\n---\\n# Hi\\n")
    card.data.title = "Demo"
    info = card.push_to_hub("#{theirs}", token="#{token()}", commit_message="Card", commit_description="Why")
    print(json.dumps([card.data.to_dict(), card.repo_type, info.commit_message]))
    """

    output = Python.run!(script, context.endpoint, context.cache) |> String.split("\n") |> List.last()
    card = Cards.parse_space_card!("---\nsdk: docker\napp_port: 7860\n---\n# Hi\n")
    card = put_in(card.data.title, "Demo")
    info = Cards.push_to_hub!(card, ours, write(commit_message: "Card", commit_description: "Why"))

    {:ok, %{data: %{"all" => [data, type, message]}}} =
      HfHub.Native.run(:parse_card, "---\nall: #{output}\n---\n")

    assert Map.new(HfHub.Cards.Data.to_pairs(card.data)) == data
    assert type == "space" and info.commit_message == message

    assert asked(ours) -- asked(theirs) == []
    [one, other] = for id <- [ours, theirs], do: content(context, id, repo_type: :space)["README.md"]
    assert one == other
  end
end
