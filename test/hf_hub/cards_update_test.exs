defmodule HfHub.CardsUpdateTest do
  use HfHub.Case, async: true

  alias HfHub.{Cards, Commit, Error, Git}
  alias HfHub.Cards.{EvalResult, SpaceCard}

  @result %EvalResult{
    task_type: "text-generation",
    dataset_type: "wikitext",
    dataset_name: "Wikitext",
    metric_type: "perplexity",
    metric_value: 12.5
  }

  @index """
  model-index:
  - name: tiny
    results:
    - task:
        type: text-generation
      dataset:
        name: Wikitext
        type: wikitext
      metrics:
      - type: perplexity
        value: 12.5
  """

  @text "---\n# why\nlicense: mit   # for now\ntags: [b, a]\n#{@index}---\n\n# Tiny\n"

  defp readme(context, id, more \\ []), do: content(context, id, more)["README.md"]

  defp results(context, id, more \\ []),
    do: Cards.parse_model_card!(readme(context, id, more)).data.eval_results

  defp conflict({:error, %Error{kind: :conflict, message: message}}), do: message

  describe "push_to_hub" do
    test "uploads a card, to a repository of its type by default", context do
      space = writable(context, %{"README.md" => "---\nsdk: static\n---\n"}, repo_type: :space)
      opts = opts(context, token: token())
      assert {:ok, %SpaceCard{data: %{sdk: "static"}} = card} = Cards.load_space_card(space, opts)
      card = put_in(card.data.title, "Demo")
      assert {:ok, %{committed?: true} = info} = Cards.push_to_hub(card, space, write())
      assert info.commit_message == "Upload README.md with hf_hub" and info.commit_url =~ "/spaces/#{space}/"
      assert readme(context, space, repo_type: :space) == "---\nsdk: static\ntitle: Demo\n---\n"
      assert {:ok, %{committed?: false}} = Cards.push_to_hub(card, space, write())

      model = writable(context)
      card = Cards.create_model_card(license: "mit")
      info = Cards.push_to_hub!(card, model, write(commit_message: "Card", commit_description: "Why"))
      assert info.commit_message == "Card" and readme(context, model) == "---\nlicense: mit\n---\n"
      assert {:ok, %{committed?: true}} = Cards.push_to_hub("# Text\n", model, write())
      assert readme(context, model) == "# Text\n"
      # A type of the reference or of the options takes precedence over the one of the card.
      assert {:ok, _info} = Cards.push_to_hub(card, "hf://spaces/#{space}", write())
      assert {:ok, _info} = Cards.push_to_hub("# Text\n", space, write(repo_type: :space))
    end

    test "commits to a branch, on a commit, or to a pull request", context do
      id = writable(context, %{"README.md" => "# Hi\n"})
      Git.create_branch!(id, "next", write())
      card = Cards.create_model_card(license: "mit")
      assert {:ok, _info} = Cards.push_to_hub(card, id, write(revision: "next"))
      assert readme(context, id) == "# Hi\n" and readme(context, id, revision: "next") =~ "license: mit"
      stale = write(parent_commit: String.duplicate("0", 40))
      assert {:error, %Error{kind: kind}} = Cards.push_to_hub(card, id, stale)
      assert kind in [:precondition, :conflict]
      assert {:ok, %{pr_url: "http" <> _url}} = Cards.push_to_hub(card, id, write(create_pr: true))
    end

    test "uploads no invalid card, and reports a missing repository or right", context do
      id = writable(context, %{"README.md" => "# Hi\n"})
      card = Cards.create_model_card(license: "mit", tags: "x")
      assert {:error, %Error{kind: :bad_request, message: message}} = Cards.push_to_hub(card, id, write())
      assert message =~ ~s("tags" must be an array of strings)
      assert readme(context, id) == "# Hi\n"
      assert {:error, %Error{kind: :repo_not_found}} = Cards.push_to_hub("# Hi", "reader/none", write())
      assert {:error, %Error{status: 401}} = Cards.push_to_hub("# Hi", id, write(token: false))
      assert_raise Error, fn -> Cards.push_to_hub!("# Hi", "reader/none", write()) end
    end
  end

  describe "update_metadata" do
    test "changes entries, and leaves the rest byte for byte", context do
      id = writable(context, %{"README.md" => @text})
      new = %{"pipeline_tag" => "text-generation", license: "mit", own: %{a: [1, :b]}}
      assert {:ok, %{committed?: true} = info} = Cards.update_metadata(id, new, write())
      assert info.commit_message == "Update metadata with hf_hub"

      assert "---\n# why\nlicense: mit   # for now\ntags: [b, a]\n" <> rest = text = readme(context, id)
      assert String.ends_with?(text, "---\n\n# Tiny\n") and rest =~ @index
      data = Cards.parse_model_card!(text).data
      assert data.pipeline_tag == "text-generation" and data.extra["own"] == %{"a" => [1, "b"]}

      # The same values again are no change, nor is an empty update.
      for same <- [new, %{}, [own: [a: [1.0, "b"]]], [tags: ["b", "a"]]] do
        assert {:ok, %{committed?: false}} = Cards.update_metadata(id, same, write())
      end
    end

    test "replaces and removes entries with overwrite only", context do
      id = writable(context, %{"README.md" => @text})
      message = conflict(Cards.update_metadata(id, [library_name: "x", license: "gpl"], write()))
      assert message =~ ~s(license "mit") and message =~ ~s("gpl") and message =~ "overwrite: true"
      assert conflict(Cards.update_metadata(id, %{"tags" => nil}, write())) =~ "tags"
      assert readme(context, id) == @text

      opts = write(overwrite: true, commit_message: "Change")
      assert %{commit_message: "Change"} = Cards.update_metadata!(id, %{"tags" => nil, license: "gpl"}, opts)

      assert readme(context, id) ==
               @text
               |> String.replace("license: mit   # for now", "license: gpl")
               |> String.replace("tags: [b, a]\n", "")
    end

    test "adds evaluation results, and replaces their values with overwrite only", context do
      id = writable(context, %{"README.md" => @text})
      other = %{@result | metric_type: "bleu", metric_value: 0.5}
      assert {:ok, _info} = Cards.update_metadata(id, [eval_results: [other, @result]], write())
      assert results(context, id) == [@result, other]

      better = %{@result | metric_value: 11}
      message = conflict(Cards.update_metadata(id, [eval_results: better], write()))
      assert message =~ "perplexity 12.5" and message =~ "with 11"

      # In the format of a card, with or without a name of the model.
      index = [
        %{
          results: [
            %{
              task: %{type: "text-generation"},
              dataset: [name: "Wikitext", type: "wikitext"],
              metrics: [%{type: "perplexity", value: 11}]
            }
          ]
        }
      ]

      assert {:ok, _info} = Cards.update_metadata(id, %{"model-index": index}, write(overwrite: true))
      assert results(context, id) == [better, other]
      assert Cards.parse_model_card!(readme(context, id)).data.model_name == "tiny"

      fresh = writable(context, %{"README.md" => "# Hi\n"})
      assert {:ok, _info} = Cards.update_metadata(fresh, %{"model-index" => index}, write())

      assert %{model_name: ^fresh, eval_results: [^better]} =
               Cards.parse_model_card!(readme(context, fresh)).data

      assert conflict(Cards.update_metadata(fresh, %{"model-index" => nil}, write())) =~ "evaluation results"
      assert {:ok, _info} = Cards.update_metadata(fresh, %{"model-index" => nil}, write(overwrite: true))
      refute readme(context, fresh) =~ "index"
    end

    test "a verified result keeps its proof with its value", context do
      verified = %{@result | verified: true, verify_token: "old"}
      card = Cards.create_model_card(model_name: "tiny", eval_results: [verified])
      id = writable(context, %{"README.md" => Cards.render(card)})
      new = %{verified | metric_value: 11, verify_token: "new"}
      assert {:ok, _info} = Cards.update_metadata(id, [eval_results: new], write(overwrite: true))
      assert results(context, id) == [new]
    end

    test "takes no evaluation results of another format, and keeps such in the card", context do
      id = writable(context, %{"README.md" => "---\nmodel-index: [1]\n---\n"})
      bad = [nil, 1, [1], "x", [%{"results" => 1}], [%{"name" => "x"}]]

      for value <- bad,
          value != nil,
          do:
            assert_raise(ArgumentError, ~r/model-index/, fn ->
              Cards.update_metadata(id, %{"model-index" => value}, write())
            end)

      assert_raise ArgumentError, ~r/lacks \[:metric_value\]/, fn ->
        Cards.update_metadata(id, [eval_results: %{@result | metric_value: nil}], write())
      end

      assert_raise ArgumentError, ~r/metadata as a map/, fn ->
        Cards.update_metadata(id, "license: mit", write())
      end

      assert conflict(Cards.update_metadata(id, [eval_results: @result], write())) =~ "another format"
      assert {:ok, _info} = Cards.update_metadata(id, [eval_results: @result], write(overwrite: true))
      assert results(context, id) == [@result]
    end

    test "a model or dataset without a README gets one, but not a Space", context do
      id = writable(context)
      assert {:ok, _info} = Cards.update_metadata(id, [license: "mit"], write())
      assert "---\nlicense: mit\n---\n# " <> rest = readme(context, id)
      assert rest =~ id and rest =~ "## Uses"

      id = writable(context, %{}, repo_type: :dataset)
      assert {:ok, _info} = Cards.update_metadata("hf://datasets/" <> id, [pretty_name: "Mine"], write())
      assert "---\npretty_name: Mine\n---\n# " <> _rest = readme(context, id, repo_type: :dataset)

      id = writable(context, %{}, repo_type: :space)
      space = write(repo_type: :space)
      assert {:error, %Error{kind: :entry_not_found}} = Cards.update_metadata(id, [sdk: "static"], space)

      assert {:ok, _info} =
               Commit.upload_file({:binary, "---\ncolorFrom: blue\n---\n"}, "README.md", id, space)

      assert {:ok, _info} = Cards.update_metadata(id, [color_from: "blue", color_to: "red"], space)
      assert readme(context, id, repo_type: :space) == "---\ncolorFrom: blue\ncolorTo: red\n---\n"

      assert {:error, %Error{kind: :repo_not_found}} = Cards.update_metadata("reader/none", [a: 1], write())
    end

    test "reads the branch that it commits to", context do
      id = writable(context, %{"README.md" => "---\nlicense: mit\n---\n"})
      Git.create_branch!(id, "next", write())
      next = write(revision: "next")
      Cards.update_metadata!(id, [license: "gpl"], [overwrite: true] ++ next)
      assert {:ok, %{committed?: true}} = Cards.update_metadata(id, [language: "en"], next)
      assert readme(context, id, revision: "next") == "---\nlicense: gpl\nlanguage: en\n---\n"
      assert readme(context, id) == "---\nlicense: mit\n---\n"
    end
  end
end
