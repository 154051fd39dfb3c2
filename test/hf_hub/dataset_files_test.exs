defmodule HfHub.DatasetFilesTest do
  use HfHub.Case, async: true
  doctest HfHub.DatasetFiles

  alias HfHub.Api.TreeEntry
  alias HfHub.{Api, DatasetFiles, Error}
  alias HfHub.DatasetFiles.Layout

  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more
  defp entries(paths), do: for(path <- paths, do: %TreeEntry{type: :file, path: path})

  defp dataset(context, files) do
    {id, _commit} = repo(context, files, repo_type: :dataset)
    id
  end

  test "names of files tell configurations and splits" do
    tree =
      entries([
        "README.md",
        "en/train-0.parquet",
        "en/data/test.csv",
        "fr/validation/0.jsonl",
        "train.json",
        "data/dev.csv"
      ])

    assert DatasetFiles.configs_from_tree(tree) == ["default", "en", "fr"]
    assert DatasetFiles.splits_from_tree(tree, "en") == ["test", "train"]
    assert DatasetFiles.splits_from_tree(tree, "fr") == ["validation"]
    assert DatasetFiles.splits_from_tree(tree, nil) == ["dev", "train"]
    assert DatasetFiles.resolve_from_tree(tree, "en", "train") == ["en/train-0.parquet"]
    assert DatasetFiles.resolve_from_tree(tree, "fr", "validation") == ["fr/validation/0.jsonl"]
    assert DatasetFiles.resolve_from_tree(tree, "de", "train") == ["train.json"]
    assert DatasetFiles.resolve_from_tree(tree, "default", "trai") == []
    assert DatasetFiles.configs_from_tree([%TreeEntry{type: :directory, path: "x.csv"}]) == []
  end

  test "configurations and splits come from the card", context do
    card = """
    ---
    configs:
    - config_name: main
      default: true
      data_files:
      - split: train
        path: "raw/*.csv"
      - split: held_out
        path: ["raw/deep/**", "x/[ab]?.csv"]
    - config_name: plain
      data_files: "other/*.csv"
    - config_name: known
    dataset_info:
    - config_name: known
      splits:
      - name: test
        num_bytes: 1
    ---
    """

    files = Map.new(~w(raw/1.csv raw/2.csv raw/deep/er/3.csv x/a1.csv x/c1.csv other/o.csv), &{&1, "a"})
    id = dataset(context, Map.put(files, "README.md", card))
    assert {:ok, ["main", "plain", "known"]} = Api.dataset_configs(id, ask(context))
    assert {:ok, ["train", "held_out"]} = Api.dataset_splits(id, ask(context))
    assert {:ok, ["train"]} = Api.dataset_splits(id, ask(context, config: "plain"))
    assert {:ok, ["test"]} = Api.dataset_splits(id, ask(context, config: "known"))
    assert {:ok, ["raw/1.csv", "raw/2.csv"]} = DatasetFiles.resolve(id, "main", "train", ask(context))
    assert {:ok, ["raw/1.csv", "raw/2.csv"]} = DatasetFiles.resolve(id, nil, "train", ask(context))

    assert {:ok, ["raw/deep/er/3.csv", "x/a1.csv"]} =
             DatasetFiles.resolve(id, "main", "held_out", ask(context))

    assert DatasetFiles.resolve!(id, "plain", "train", ask(context)) == ["other/o.csv"]

    assert {:error, %Error{kind: :entry_not_found, message: message}} =
             DatasetFiles.resolve(id, "main", "none", ask(context))

    assert message =~ "no files of the split \"none\""
  end

  test "or from dataset_infos.json", context do
    infos = ~s({"b": {"splits": {"train": {}, "test": {}}}, "a": {"splits": [{"name": "dev"}]}})
    id = dataset(context, %{"dataset_infos.json" => infos})
    assert {:ok, ["a", "b"]} = Api.dataset_configs(id, ask(context))
    assert {:ok, ["dev"]} = Api.dataset_splits(id, ask(context))
    assert {:ok, ["test", "train"]} = Api.dataset_splits(id, ask(context, config: "b"))
  end

  test "or from the viewer, or from the files", context do
    id = dataset(context, %{"en/train.csv" => "a", "en/dev.csv" => "a", "de/test.csv" => "a"})
    assert {:ok, ["de", "en"]} = Api.dataset_configs(id, ask(context))
    # The viewer calls it what it is; the files what they are called.
    assert {:ok, ["train", "validation"]} = Api.dataset_splits(id, ask(context, config: "en"))
    # It knows the default branch only.
    commit = Api.dataset_info!(id, ask(context)).sha
    assert {:ok, ["dev", "train"]} = Api.dataset_splits(id, ask(context, config: "en", revision: commit))
    assert {:ok, ["en/train.csv"]} = DatasetFiles.resolve(id, "en", "train", ask(context))
  end

  test "nonsense in a card or an answer is nothing" do
    for card <- [nil, 1, %{}, %{"configs" => 1}, %{"configs" => [1, %{}]}, %{"dataset_info" => "x"}],
        do: assert(Layout.from_card(card) == [])

    assert Layout.from_card(%{"dataset_config_names" => ["a", 1]}) == [{"a", []}]

    assert Layout.from_card(%{"dataset_info" => %{"splits" => [%{"name" => "train"}, 3]}}) == [
             {"default", ["train"]}
           ]

    for infos <- [nil, [], %{"a" => 1}], do: assert(Layout.from_infos(infos) == [])
    for answer <- [nil, %{}, %{"splits" => [1, %{}]}], do: assert(Layout.from_viewer(answer) == [])
  end

  test "what does not exist is an error", context do
    assert {:error, %Error{kind: :repo_not_found}} = Api.dataset_configs("org/none", ask(context))

    assert {:error, %Error{kind: :repo_not_found}} =
             DatasetFiles.resolve("org/none", nil, "train", ask(context))

    id = dataset(context, %{"a.bin" => "x"})
    assert {:ok, []} = Api.dataset_configs(id, ask(context))
    assert {:ok, []} = Api.dataset_splits(id, ask(context))
    assert_raise Error, fn -> DatasetFiles.resolve!(id, nil, "train", ask(context)) end
  end
end
