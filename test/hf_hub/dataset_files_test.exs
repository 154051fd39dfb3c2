defmodule HfHub.DatasetFilesTest do
  use HfHub.Case, async: true
  doctest HfHub.DatasetFiles
  doctest HfHub.Api, only: [extract_config_names: 1]

  alias HfHub.Api.TreeEntry
  alias HfHub.{Api, DatasetFiles, Error}
  alias HfHub.DatasetFiles.{DatasetParquetEntry, Layout}

  defp ask(context, more \\ []), do: [endpoint: context.endpoint, retry_delay: 10] ++ more
  defp entries(paths), do: for(path <- paths, do: %TreeEntry{type: :file, path: path})

  defp dataset(context, files) do
    {id, _commit} = repo(context, files, repo_type: :dataset)
    id
  end

  test "file names determine configurations and splits" do
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
    # Without a configuration the whole repository is used, where a folder is named after a split.
    assert DatasetFiles.splits_from_tree(tree, nil) == ["validation"]
    assert DatasetFiles.resolve_from_tree(tree, "en", "train") == {:ok, ["en/train-0.parquet"]}
    assert DatasetFiles.resolve_from_tree(tree, "fr", "validation") == {:ok, ["fr/validation/0.jsonl"]}
    assert DatasetFiles.resolve_from_tree(entries(["train.json"]), "de", "train") == {:ok, ["train.json"]}
    assert {:error, %Error{kind: :entry_not_found}} = DatasetFiles.resolve_from_tree(tree, "default", "trai")
    assert DatasetFiles.configs_from_tree([%TreeEntry{type: :folder, path: "x.csv"}]) == []
  end

  # The splits and files that `datasets` 5.2.0 finds in repositories with these files.
  @by_names [
    {~w(data.csv), train: ~w(data.csv)},
    {~w(my_data_train.csv), train: ~w(my_data_train.csv)},
    {~w(training.csv), train: ~w(training.csv)},
    {~w(articles-data/data/train-00000-of-00001.parquet),
     train: ~w(articles-data/data/train-00000-of-00001.parquet)},
    {~w(train/a/1.jpg), train: ~w(train/a/1.jpg)},
    {~w(README.md train.csv test.csv), train: ~w(train.csv), test: ~w(test.csv)},
    {~w(data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet data/held_out-00000-of-00001.parquet
        data/notes.txt data/test.parquet),
     train: ~w(data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet),
     held_out: ~w(data/held_out-00000-of-00001.parquet)},
    {~w(data/train-00000-of-00001-abcdef.parquet), train: ~w(data/train-00000-of-00001-abcdef.parquet)},
    {~w(train_0.csv train_1.csv dev.csv), train: ~w(train_0.csv train_1.csv), validation: ~w(dev.csv)},
    {~w(my-train_2/x.csv eval/y.csv), train: ~w(my-train_2/x.csv), test: ~w(eval/y.csv)},
    {~w(trainer.csv contest.csv), train: ~w(contest.csv trainer.csv)},
    {~w(data/train/s0.csv data/test/s0.csv data/train.csv),
     train: ~w(data/train/s0.csv), test: ~w(data/test/s0.csv)},
    {~w(.hidden/train.csv .x.csv a.csv), train: ~w(a.csv)},
    {~w(__pycache__/test.csv a.csv), train: ~w(a.csv)},
    {~w(train.csv notes.txt LICENSE train.py), train: ~w(train.csv)},
    {~w(train.tar.gz), train: ~w(train.tar.gz)},
    {~w(train.csv.gz), train: ~w(train.csv.gz)},
    {~w(train/a/1.JPG train/metadata.csv test/2.jpg),
     train: ~w(train/a/1.JPG train/metadata.csv), test: ~w(test/2.jpg)},
    {~w(evaluation.json testing.json), test: ~w(evaluation.json testing.json)},
    {~w(Train.csv TEST.csv), train: ~w(TEST.csv Train.csv)},
    {["val 1.csv", "x.train.csv"], train: ["x.train.csv"], validation: ["val 1.csv"]},
    {~w(valid.csv validated.csv), validation: ~w(valid.csv)},
    {~w(logs/a.eval), logs: ~w(logs/a.eval)},
    {~w(t/task.toml t/instruction.md t/x.csv), test: ~w(t/instruction.md t/task.toml)},
    {~w(en/train.csv de/test.csv), train: ~w(en/train.csv), test: ~w(de/test.csv)},
    {~w(config.json dataset_infos.json x.jsonl), train: ~w(x.jsonl)},
    {~w(LICENSE model.bin), []}
  ]

  test "the default configuration has the splits and files that `datasets` finds" do
    for {paths, splits} <- @by_names do
      tree = entries(paths)
      names = for {split, _files} <- splits, do: to_string(split)
      assert {paths, DatasetFiles.splits_from_tree(tree, nil)} == {paths, Enum.sort(names)}

      for {split, files} <- splits, config <- [nil, "default"] do
        assert DatasetFiles.resolve_from_tree(tree, config, to_string(split)) == {:ok, files}
      end
    end
  end

  test "a keyword of a split selects the files named by it" do
    tree = entries(~w(dev.csv val_1.csv train.csv))
    assert DatasetFiles.resolve_from_tree(tree, nil, "validation") == {:ok, ~w(dev.csv val_1.csv)}
    assert DatasetFiles.resolve_from_tree(tree, nil, "dev") == {:ok, ~w(dev.csv)}
    assert {:error, %Error{kind: :entry_not_found}} = DatasetFiles.resolve_from_tree(tree, nil, "training")
    assert {:error, %Error{kind: :entry_not_found}} = DatasetFiles.resolve_from_tree(tree, nil, "held_out")
  end

  test "splits of the dataset viewer have files", context do
    for {paths, splits} <- Enum.take(@by_names, 13) -- [Enum.at(@by_names, 4)] do
      id = dataset(context, Map.new(paths, &{&1, "a"}))
      names = for {split, _files} <- splits, do: to_string(split)
      assert Api.dataset_splits(id, ask(context)) == {:ok, Enum.sort(names)}

      for {split, files} <- splits,
          do: assert({:ok, ^files} = DatasetFiles.resolve(id, nil, to_string(split), ask(context)))
    end
  end

  test "a card's patterns select the only files, relative to its folder", context do
    card = """
    ---
    configs:
    - config_name: one
      data_dir: ./in
      data_files:
      - split: held_out
        path: "./*.csv"
    - config_name: two
      data_dir: in
    - config_name: three
      data_files: {train: "x/[^a].bin", test: "**"}
    ---
    """

    paths = ~w(in/1.csv in/.2.csv in/__a__/3.csv in/test/4.csv x/^.bin x/b.bin train.csv)
    id = dataset(context, Map.put(Map.new(paths, &{&1, "a"}), "README.md", card))
    assert {:ok, ["in/1.csv"]} = DatasetFiles.resolve(id, "one", "held_out", ask(context))
    assert {:error, %Error{kind: :entry_not_found}} = DatasetFiles.resolve(id, "one", "train", ask(context))
    assert {:ok, ["in/test/4.csv"]} = DatasetFiles.resolve(id, "two", "test", ask(context))
    assert {:ok, ["x/^.bin"]} = DatasetFiles.resolve(id, "three", "train", ask(context))

    assert {:ok, ["in/1.csv", "in/test/4.csv", "train.csv"]} =
             DatasetFiles.resolve(id, "three", "test", ask(context))

    assert {:ok, ["test", "train"]} = Api.dataset_splits(id, ask(context, config: "three"))
  end

  test "configurations and splits are read from the card", context do
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

    assert message =~ ~s(no files of the split "none" of the configuration "main" in #{id})
    assert {:error, %Error{message: message}} = DatasetFiles.resolve(id, nil, "none", ask(context))
    assert message =~ ~s(no files of the split "none" of the default configuration in #{id})
  end

  test "a folder in the reference is a dataset of its own, and a file is all of it", context do
    card = "---\nconfigs:\n- config_name: en\n  data_files:\n  - split: held_out\n    path: top.csv\n---\n"
    files = ~w(top.csv train.csv a/b/train.csv a/b/test.csv)
    id = dataset(context, Map.new(files, &{&1, "n\n1\n"}) |> Map.put("README.md", card))
    ask = ask(context)

    for place <- [{:hf, id, subdir: "a"}, {:hf, id, subdir: "a/b"}, "hf://datasets/#{id}/a/b"] do
      assert Api.dataset_configs(place, ask) == {:ok, ["default"]}
      assert {:ok, splits} = Api.dataset_splits(place, ask)
      assert Enum.sort(splits) == ["test", "train"]
      assert DatasetFiles.resolve(place, "default", "train", ask) == {:ok, ["a/b/train.csv"]}
      assert DatasetFiles.resolve(place, nil, "test", ask) == {:ok, ["a/b/test.csv"]}
      assert {:error, %Error{kind: :entry_not_found}} = DatasetFiles.resolve(place, nil, "held_out", ask)
    end

    file = "hf://datasets/#{id}/a/b/test.csv"
    assert Api.dataset_splits(file, ask) == {:ok, ["test"]}
    assert DatasetFiles.resolve(file, nil, "test", ask) == {:ok, ["a/b/test.csv"]}
    assert Api.dataset_configs({:hf, id, subdir: "none"}, ask) == {:ok, []}
    assert Api.dataset_configs(id, ask) == {:ok, ["en"]}
  end

  test "configurations and splits are read from dataset_infos.json", context do
    infos = ~s({"b": {"splits": {"train": {}, "test": {}}}, "a": {"splits": [{"name": "dev"}]}})
    id = dataset(context, %{"dataset_infos.json" => infos})
    assert {:ok, ["a", "b"]} = Api.dataset_configs(id, ask(context))
    assert {:ok, ["dev"]} = Api.dataset_splits(id, ask(context))
    assert {:ok, ["test", "train"]} = Api.dataset_splits(id, ask(context, config: "b"))
  end

  test "configurations and splits are read from the viewer, or from the files", context do
    id = dataset(context, %{"en/train.csv" => "a", "en/dev.csv" => "a", "de/test.csv" => "a"})
    # The viewer returns the subsets that a card lists, for the default branch only.
    assert {:ok, ["default"]} = Api.dataset_configs(id, ask(context))
    assert {:ok, ["test", "train", "validation"]} = Api.dataset_splits(id, ask(context))
    assert {:ok, ["train", "validation"]} = Api.dataset_splits(id, ask(context, config: "en"))
    commit = Api.dataset_info!(id, ask(context)).sha
    assert {:ok, ["de", "en"]} = Api.dataset_configs(id, ask(context, revision: commit))

    assert {:ok, ["train", "validation"]} =
             Api.dataset_splits(id, ask(context, config: "en", revision: commit))

    assert {:ok, ["en/train.csv"]} = DatasetFiles.resolve(id, "en", "train", ask(context))
  end

  test "the splits of no configuration are those of the default one, which the card has to name", context do
    configs =
      "configs: [{config_name: a, data_files: {train: a.csv}}, {config_name: b, data_files: {test: b.csv}"

    ask = ask(context)
    files = &%{"README.md" => "---\n#{configs}#{&1}\n---\n", "a.csv" => "n", "b.csv" => "n"}
    id = dataset(context, files.("}]"))
    assert {:error, %Error{kind: :bad_request, message: message}} = Api.dataset_splits(id, ask)
    assert message =~ ~s(the card of dataset "#{id}" lists the configurations "a", "b")
    assert {:ok, ["test"]} = Api.dataset_splits(id, [config: "b"] ++ ask)

    id = dataset(context, files.(", default: true}]"))
    assert {:ok, ["test"]} = Api.dataset_splits(id, ask)
    assert {:error, %Error{kind: :entry_not_found} = error} = Api.dataset_splits(id, [config: "c"] ++ ask)
    assert error.message == ~s(dataset "#{id}" has no configuration "c"; its configurations are "a", "b")
  end

  test "malformed cards and responses have no configurations" do
    for card <- [nil, 1, %{}, %{"configs" => 1}, %{"configs" => [1, %{}]}, %{"dataset_info" => "x"}],
        do: assert(Layout.from_card(card) == [])

    assert Layout.from_card(%{"dataset_config_names" => ["a", 1]}) == [{"a", []}]

    assert Layout.from_card(%{"dataset_info" => %{"splits" => [%{"name" => "train"}, 3]}}) == [
             {"default", ["train"]}
           ]

    for infos <- [nil, [], %{"a" => 1}], do: assert(Layout.from_infos(infos) == [])
    for answer <- [nil, %{}, %{"splits" => [1, %{}]}], do: assert(Layout.from_viewer(answer) == [])
  end

  test "a missing dataset or split is an error", context do
    assert {:error, %Error{kind: :repo_not_found}} = Api.dataset_configs("org/none", ask(context))

    assert {:error, %Error{kind: :repo_not_found}} =
             DatasetFiles.resolve("org/none", nil, "train", ask(context))

    id = dataset(context, %{"a.bin" => "x"})
    assert {:ok, []} = Api.dataset_configs(id, ask(context))
    assert {:ok, []} = Api.dataset_splits(id, ask(context))
    assert_raise Error, fn -> DatasetFiles.resolve!(id, nil, "train", ask(context)) end
  end

  test "the names of configurations are extracted from a card" do
    for {card, names} <- [
          {nil, []},
          {%{}, []},
          {"text", []},
          {%{"configs" => [%{"config_name" => "en"}, %{"data_files" => "x"}, 5]}, ["en"]},
          {%{"dataset_config_names" => ["a", "b"]}, ["a", "b"]},
          {%{"configs" => nil, "dataset_config_names" => ["a"]}, ["a"]},
          {%{"dataset_info" => %{"config_name" => "c"}}, ["c"]}
        ] do
      assert HfHub.Api.extract_config_names(card) == names
    end
  end

  describe "Parquet files" do
    @card "---\nconfigs:\n- config_name: en\n  data_files:\n  - split: train\n    path: en/*.parquet\n- config_name: \"no\"\n  data_files: no.parquet\n---\n"

    setup context do
      files = %{
        "README.md" => @card,
        "en/0.parquet" => "12345",
        "en/1.parquet" => "1",
        "no.parquet" => "123",
        "x.csv" => "a"
      }

      {:ok, id: dataset(context, files)}
    end

    test "are listed with configuration, split, URL and size", %{id: id} = context do
      assert {:ok, [first, second, third]} = DatasetFiles.parquet_files(id, ask(context))
      assert %DatasetParquetEntry{config: "en", split: "train", size: 5, filename: "en/0.parquet"} = first
      assert first.url == "#{context.endpoint}/datasets/#{id}/resolve/main/en/0.parquet"
      assert second.size == 1 and {third.config, third.size} == {"no", 3}
      assert DatasetFiles.parquet_files!("hf://datasets/#{id}", ask(context, config: "no")) == [third]
      assert DatasetFiles.parquet_files(id, ask(context, config: "de")) == {:ok, []}
      assert DatasetFiles.parquet_files(dataset(context, %{"x.csv" => "a"}), ask(context)) == {:ok, []}

      path = HfHub.Download.hf_hub_download!(opts(context, repo_id: first.url))
      assert File.read!(path) == "12345"
    end

    test "of a missing dataset, a model or a revision are an error", %{id: id} = context do
      assert {:error, %Error{status: 404} = error} = DatasetFiles.parquet_files("org/none", ask(context))
      assert error.message =~ "org/none"
      assert {:error, %Error{kind: :invalid_name}} = DatasetFiles.parquet_files("hf://#{id}", ask(context))

      assert {:error, %Error{kind: :invalid_name}} =
               DatasetFiles.parquet_files("hf://datasets/#{id}@v1", ask(context))
    end

    @tag :python
    test "are those of the Python client, by the same requests", %{id: id} = context do
      # The Python client supports the viewer of the public Hub only.
      script = """
      import os
      from huggingface_hub import constants
      constants._HF_DEFAULT_ENDPOINT = constants.DATASETS_SERVER_ENDPOINT = os.environ["HF_ENDPOINT"]
      for config in None, "no":
          for f in list_dataset_parquet_files("#{id}", config=config):
              print(f.config, f.split, f.url, f.size)
      """

      theirs = HfHub.Python.run!(script, context.endpoint, context.cache) |> String.split("\n")

      asked = fn ->
        for %{"path" => "/parquet"} = r <- control(:get, "requests"),
            r["query"] =~ URI.encode_www_form(id) or r["query"] =~ id,
            do: {r["method"], URI.decode_query(r["query"])}
      end

      by_python = asked.()

      ours =
        for config <- [nil, "no"], f <- DatasetFiles.parquet_files!(id, ask(context, config: config)) do
          "#{f.config} #{f.split} #{f.url} #{f.size}"
        end

      assert ours == theirs and length(by_python) == 2
      assert Enum.drop(asked.(), 2) == by_python
    end
  end
end
