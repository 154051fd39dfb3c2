defmodule HfHub.PapersTest do
  use HfHub.Case, async: true

  alias HfHub.{Api, Error, LocalHub, Papers}
  alias HfHub.Papers.{Author, Paper}

  @papers [
    %{
      id: "1706.03762",
      title: "Attention Is All You Need",
      summary: "A network based solely on attention mechanisms.",
      authors: [%{name: "Ashish Vaswani", hidden: false, user: %{user: "ashish", fullname: "A. V."}}],
      publishedAt: "2017-06-12T17:57:34.000Z",
      submittedOnDailyAt: "2025-10-29T00:00:00.000Z",
      submittedOnDailyBy: %{user: "submitter"},
      upvotes: 90,
      numComments: 2,
      organization: %{name: "google", fullname: "Google"},
      githubRepo: "https://github.com/x/y",
      githubStars: 5,
      ai_keywords: ["attention"]
    },
    %{
      id: "2001.00001",
      title: "Another",
      summary: "Of something else.",
      submittedOnDailyAt: "2025-02-03T00:00:00.000Z",
      upvotes: 100,
      content: "# Another\n\nText.\n"
    }
  ]

  setup_all do
    path = Path.join(System.tmp_dir!(), "papers#{System.pid()}.json")
    json = HfHub.Native.Nif.to_json(@papers)
    File.write!(path, json)
    LocalHub.command!(hub(), ["papers", "import", path])
    File.rm!(path)
  end

  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more

  test "info returns a paper with its linked repositories", context do
    {id, _commit} = repo(context, %{"README.md" => "---\ntags:\n- arxiv:1706.03762\n---\n"})

    assert {:ok, %Paper{title: "Attention" <> _, upvotes: 90, comments: 2} = paper} =
             Papers.info("1706.03762", ask(context))

    assert %DateTime{year: 2017} = paper.published_at
    assert %DateTime{year: 2025} = paper.submitted_at
    assert [%Author{name: "Ashish Vaswani", user: %{username: "ashish"}, hidden: false}] = paper.authors
    assert paper.organization.name == "google" and paper.submitted_by.username == "submitter"
    assert id in for(model <- paper.linked_models, do: model.id)
    assert inspect(paper) =~ "#HfHub.Papers.Paper<1706.03762, Attention Is All You Need, 90 upvotes>"
    assert {:error, %Error{kind: :not_found}} = Papers.info("9999.99999", ask(context))

    for id <- ["../models", "a/b", "", "..", nil],
        do: assert({:error, %Error{kind: :invalid_name}} = Papers.info(id))
  end

  test "read returns a paper as text", context do
    assert {:ok, "# Another\n\nText.\n"} = Papers.read("2001.00001", ask(context))
    assert Papers.read!("1706.03762", ask(context)) =~ "# Attention Is All You Need"
    assert {:error, %Error{kind: :not_found}} = Papers.read("9999.99999", ask(context))
  end

  test "list searches papers by words", context do
    assert {:ok, [%Paper{id: "1706.03762"} = paper]} =
             Papers.list(ask(context, query: "attention mechanisms"))

    assert paper.submitted_by.username == "submitter" and paper.published_at.year == 2017
    assert paper.submitted_at.year == 2025 and paper.raw["paper"]["id"] == "1706.03762"
    assert [_] = Papers.list!(ask(context, limit: 1))
    assert Papers.stream(ask(context, query: "attention")) |> Enum.map(& &1.id) == ["1706.03762"]
  end

  test "list_daily filters by day, week, month and submitter", context do
    ids = &(Papers.list_daily!(ask(context, &1)) |> Enum.map(fn paper -> paper.id end))
    assert ids.([]) == ["1706.03762", "2001.00001"]
    assert ids.(sort: :trending) == ["2001.00001", "1706.03762"]
    assert ids.(date: "2025-10-29") == ["1706.03762"]
    assert ids.(week: "2025-W06") == ["2001.00001"]
    assert ids.(month: "2025-02") == ["2001.00001"]
    assert ids.(submitter: "submitter") == ["1706.03762"]
    assert ids.(limit: 1, page: 1) == ["2001.00001"]
    assert Papers.stream_daily(ask(context, limit: 1)) |> Enum.map(& &1.id) == ["1706.03762", "2001.00001"]
    assert_raise ArgumentError, fn -> Papers.list_daily(sort: :newest) end
  end

  test "tags are grouped by type", context do
    repo(context, %{
      "README.md" => "---\nlicense: mit\nlibrary_name: lib-x\nlanguage: no\npipeline_tag: fill-mask\n---\n"
    })

    repo(context, %{"README.md" => "---\nlanguage: [en]\ntask_ids: [x]\n---\n"}, repo_type: :dataset)
    assert {:ok, tags} = Api.model_tags(ask(context))
    ids = fn sort -> for tag <- tags[sort], do: tag["id"] end
    assert "license:mit" in ids.("license") and "lib-x" in ids.("library") and "no" in ids.("language")
    assert "fill-mask" in ids.("pipeline_tag")
    assert %{"language" => languages} = Api.dataset_tags!(ask(context))
    assert %{"id" => "language:en", "label" => "en", "type" => "language"} in languages
  end
end
