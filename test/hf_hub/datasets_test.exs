defmodule HfHub.DatasetsTest do
  use HfHub.Case, async: true
  doctest HfHub.Datasets

  alias HfHub.{Datasets, Error}

  # Three rows in two groups, written by pyarrow.
  @parquet File.read!(Path.expand("../fixtures/rows.parquet", __DIR__))

  defp dataset(context, files) do
    {id, _commit} = repo(context, files, repo_type: :dataset)
    id
  end

  defp load(context, dataset, more) do
    opts = [as: :rows, endpoint: context.endpoint, cache_dir: context.cache, retry_delay: 10]
    with {:ok, rows} <- Datasets.load(dataset, opts ++ more), do: {:ok, Enum.to_list(rows)}
  end

  defp rows!(context, dataset, more \\ []) do
    {:ok, rows} = load(context, dataset, more)
    rows
  end

  defp error!(context, dataset, more \\ []) do
    assert {:error, %Error{} = error} = load(context, dataset, more)
    error
  end

  describe "a dataset" do
    test "is read from the cache or streamed, in the order of its files", context do
      id =
        dataset(context, %{
          "data/train-00000-of-00002.jsonl" => ~s({"a":1,"b":["x"]}\n{"a":2.5,"b":null}\n),
          "data/train-00001-of-00002.jsonl" => ~s({"a":3}\n),
          "data/test-00000-of-00001.jsonl" => ~s({"a":true}\n)
        })

      expected = [%{"a" => 1.0, "b" => ["x"]}, %{"a" => 2.5, "b" => nil}, %{"a" => 3.0, "b" => nil}]
      assert rows!(context, id, split: "train", stream: true) == expected
      assert File.ls(context.cache) == {:error, :enoent}
      assert rows!(context, id, split: "train") == expected
      assert rows!(context, {:hf, id}, split: "test") == [%{"a" => true}]
      # The second time, no content is received.
      before = length(requests(id))
      assert rows!(context, "hf://datasets/#{id}", split: "train", columns: ["b"]) |> hd() == %{"b" => ["x"]}
      refute Enum.any?(Enum.drop(requests(id), before), &(&1["path"] =~ "resolve" and &1["method"] == "GET"))
    end

    test "has the configurations of its card", context do
      card = """
      ---
      configs:
      - config_name: en
        default: true
        data_files:
        - split: train
          path: one/*.csv
        - split: held_out
          path: two.csv
      - config_name: fr
        data_dir: fr
      ---
      """

      id =
        dataset(context, %{
          "README.md" => card,
          "one/a.csv" => "n\n1\n",
          "one/b.csv" => "n\n2\n",
          "two.csv" => "n\n3\n",
          "fr/train.csv" => "n\n4\n"
        })

      assert rows!(context, id, split: "train") == [%{"n" => 1}, %{"n" => 2}]
      assert rows!(context, id, config: "en", split: "held_out", stream: true) == [%{"n" => 3}]
      assert rows!(context, id, config: "fr") == [%{"n" => 4}]

      error = error!(context, id, split: "test")
      assert {error.kind, error.repo_id} == {:entry_not_found, id}
      assert error.message =~ ~s(has no split "test"; its splits are "train", "held_out")
      assert error!(context, id).message =~ ~s(has the splits "train", "held_out"; choose one)

      assert error!(context, id, config: "de").message =~
               ~s(no configuration "de"; its configurations are "en", "fr")
    end

    test "is a folder in the repository, or one of its files, if the reference contains it", context do
      card = "---\nconfigs:\n- config_name: default\n  data_files: top.csv\n---\n"

      files = %{
        "README.md" => card,
        "top.csv" => "n\n0\n",
        "a/b/train.csv" => "n\n1\n",
        "a/b/test.csv" => "n\n2\n"
      }

      id = dataset(context, files)

      for stream <- [false, true] do
        read = &rows!(context, &1, [stream: stream] ++ &2)
        assert read.(id, []) == [%{"n" => 0}]
        assert read.({:hf, id, subdir: "a/b"}, split: "test") == [%{"n" => 2}]
        assert read.("hf://datasets/#{id}/a", split: "train") == [%{"n" => 1}]
        assert read.("hf://datasets/#{id}/a/b/test.csv", []) == [%{"n" => 2}]
        assert error!(context, {:hf, id, subdir: "c"}, stream: stream).kind == :entry_not_found
      end
    end

    test "is read as the public Hub has converted it", context do
      id = dataset(context, %{"train.csv" => "n\n1\n"})
      files = %{"default/train/0000.parquet" => @parquet, "default/partial-test/0000.parquet" => @parquet}
      repo(context, files, id: id, repo_type: :dataset, revision: "refs/convert/parquet")
      assert length(rows!(context, id, converted: true, split: "train")) == 3
      assert length(rows!(context, id, converted: true, split: "test", config: "default", stream: true)) == 3
      assert rows!(context, id) == [%{"n" => 1}]
    end

    test "without files of one known format is an error", context do
      assert error!(context, dataset(context, %{"notes.md" => "x"})).message =~ "no files with rows"
      error = error!(context, dataset(context, %{"train/1.png" => "x"}))
      assert error.kind == :bad_request and error.message =~ "the format of `train/1.png` is not supported"

      card = "---\nconfigs:\n- config_name: default\n  data_files: \"*.*\"\n---\n"
      mixed = dataset(context, %{"README.md" => card, "a.csv" => "n\n1\n", "b.jsonl" => ~s({"n":1}\n)})
      assert error!(context, mixed).message =~ "several formats: csv, json"
      assert {:error, %Error{kind: :repo_not_found}} = load(context, "org/none-#{System.pid()}", [])
    end
  end

  test "a folder has the configurations of its card", context do
    files = %{"one/a.csv" => "n\n1\n", "one/.hidden.csv" => "n\n0\n", "two.csv" => "n\n2\n"}

    card = """
    ---
    license: mit
    configs:
    - config_name: en
      default: true
      data_files:
      - split: train
        path: one/*.csv
      - split: held_out
        path: ["two.csv", "../*.csv"]
    - config_name: fr
      data_dir: one
    ---
    # A dataset
    """

    local = {:local, folder(context, Map.put(files, "README.md", card))}
    assert rows!(context, local, split: "train") == [%{"n" => 1}]
    assert rows!(context, local, split: "held_out", stream: true) == [%{"n" => 2}]
    assert rows!(context, local, config: "fr") == [%{"n" => 1}]
    assert error!(context, local, config: "de").message =~ ~s(its configurations are "en", "fr")
    assert error!(context, local, split: "test").message =~ ~s(its splits are "train", "held_out")

    # A file alone has no card.
    {:local, folder} = local
    assert rows!(context, {:local, Path.join(folder, "two.csv")}) == [%{"n" => 2}]

    error = error!(context, {:local, folder(context, Map.put(files, "README.md", "---\na: [\n---\n"))})
    assert error.kind == :invalid_card and error.path =~ "README.md" and error.message =~ error.path
  end

  test "a card may set what separates the values of CSV, and nothing else of the reader", context do
    local = fn more ->
      card = "---\nconfigs:\n- config_name: default\n  data_files: a.csv\n  #{more}\n---\n"
      {:local, folder(context, %{"README.md" => card, "a.csv" => "a;b\n1;2,3\n"})}
    end

    for more <- [~s(sep: ";"), ~s(delimiter: ";")],
        do: assert(rows!(context, local.(more)) == [%{"a" => 1, "b" => "2,3"}])

    assert rows!(context, local.(~S(sep: "\t"))) == [%{"a;b" => "1;2,3"}]

    for more <- ["skiprows: 1", "skip_blank_lines: false", ~s(sep: "; ")] do
      error = error!(context, local.(more))
      assert error.kind == :bad_request and error.message =~ "`#{hd(String.split(more, ":"))}`"
    end
  end

  describe "a card" do
    defp with_card(context, configs) do
      card = "---\nconfigs:#{configs}\n---\n"
      files = %{"README.md" => card, "a.csv" => "n\n1\n", "b.csv" => "n\n2\n"}
      {:local, folder(context, files)}
    end

    test "of several configurations needs a default one, or a choice", context do
      configs = ~s( [{config_name: en, data_files: a.csv}, {config_name: fr, data_files: b.csv%s}])
      local = &with_card(context, String.replace(configs, "%s", &1))
      error = error!(context, local.(""))
      assert error.kind == :bad_request
      assert error.message =~ ~s(lists the configurations "en", "fr", and not one as the default; choose one)
      assert rows!(context, local.(""), config: "en") == [%{"n" => 1}]
      assert rows!(context, local.(", default: true")) == [%{"n" => 2}]

      two = String.replace(configs, "a.csv", "a.csv, default: true")

      assert error!(context, with_card(context, String.replace(two, "%s", ", default: true"))).kind ==
               :bad_request

      id =
        dataset(context, %{
          "README.md" => "---\nconfigs:#{String.replace(configs, "%s", "")}\n---\n",
          "a.csv" => "n\n1\n"
        })

      assert error!(context, id, stream: true).message =~
               ~s(the card of dataset "#{id}" lists the configurations)

      assert {:error, %Error{kind: :bad_request}} =
               HfHub.DatasetFiles.resolve(id, nil, "train", endpoint: context.endpoint)

      assert {:ok, ["a.csv"]} = HfHub.DatasetFiles.resolve(id, "en", "train", endpoint: context.endpoint)
    end

    test "of another form than that of datasets is an error", context do
      for {configs, message} <- [
            {" {config_name: en}", "has configs that are not a list"},
            {" [{data_files: a.csv}]", "has an entry without a config_name"},
            {" [a]", "has an entry without a config_name"},
            {" [{config_name: en, data_files: 5}]", ~s(has data_files of "en" that are neither a path)},
            {" [{config_name: en, data_files: [5]}]", "that are neither a path"},
            {" [{config_name: en, data_files: {train: 5}}]", "that are neither a path"},
            {" [{config_name: en, data_files: [{split: train}]}]", "that are neither a path"},
            {" [{config_name: en, data_files: [{split: train, path: a.csv, x: 1}]}]",
             "that are neither a path"},
            {" [{config_name: en, data_files: [{split: t, path: a.csv}, {split: t, path: b.csv}]}]",
             ~s(with several entries of the split "t")}
          ] do
        error = error!(context, with_card(context, configs))
        assert error.kind == :bad_request and error.message =~ message
      end

      assert rows!(context, with_card(context, " [{config_name: en, data_files: {train: a.csv}}]")) == [
               %{"n" => 1}
             ]
    end

    test "with paths of files that do not exist is an error that names them", context do
      local =
        &with_card(
          context,
          " [{config_name: en, data_files: [{split: train, path: #{&1}}, {split: test, path: b.csv}]}]"
        )

      for paths <- ["y.csv", "[a.csv, y.csv]", ~s("y.cs*")] do
        error = error!(context, local.(paths), split: "train")
        assert error.kind == :entry_not_found
        assert error.message =~ ~r/has no files "y.cs[v*]", which its card lists/
      end

      assert rows!(context, local.("y.csv"), split: "test") == [%{"n" => 2}]
      assert rows!(context, local.(~s([a.csv, "y*"])), split: "train") == [%{"n" => 1}]
    end
  end

  describe "files" do
    test "of Parquet have values of all types", context do
      folder = folder(context, %{"train.parquet" => @parquet})
      [first, second, third] = rows!(context, {:local, folder})

      assert first == %{
               "id" => 1,
               "text" => "a",
               "tags" => ["x", "y"],
               "at" => ~U[2024-02-29 12:30:00.000000Z],
               "price" => "1.50",
               "score" => 0.5,
               "map" => %{"k" => 1}
             }

      assert %{"text" => nil, "tags" => [], "price" => nil, "score" => :nan, "map" => nil} = second
      assert %{"text" => "ü", "tags" => nil, "price" => "-0.05", "score" => nil, "map" => %{}} = third
    end

    test "are read up to the limit, and only the wanted columns", context do
      path = Path.join(folder(context, %{"x.parquet" => @parquet}), "x.parquet")
      assert rows!(context, {:local, path}, limit: 2, columns: ["text", "id"]) |> length() == 2
      assert [%{"id" => 1}] = rows!(context, {:local, path}, limit: 1, columns: ["id"])
      error = error!(context, {:local, path}, columns: ["texts"])
      assert error.kind == :not_found and error.message == ~s(no column "texts"; similar: "text")
      assert error!(context, {:local, path}, columns: []).kind == :bad_request
      assert error!(context, {:local, path <> "x"}).kind == :entry_not_found
      error = error!(context, {:local, path}, split: "test")
      assert error.path == path and error.message =~ "`#{path}` has no split \"test\""
    end

    test "are not read by a path alone, which is an error that shows how", context do
      folder = folder(context, %{"x.parquet" => @parquet})

      for path <- [folder, Path.join(folder, "none"), Path.relative_to_cwd("lib")] do
        error = error!(context, path, split: "train")
        assert error.message =~ "; pass {:local, #{inspect(path)}} for files on this machine"
      end

      refute error!(context, "org/none-#{System.pid()}").message =~ "{:local"
    end

    test "of text may be compressed, and an array of JSON", context do
      folder =
        folder(context, %{
          "a/train.csv.gz" => :zlib.gzip("n,s\n1,x\n,\n"),
          "b/train.json" => ~s([{"n": 1, "t": "2020-01-01"},\n {"n": 2}]),
          "c/train.tsv" => "n\ts\n1\ta,b\n"
        })

      local = fn name -> {:local, Path.join(folder, name)} end
      assert rows!(context, local.("a")) == [%{"n" => 1.0, "s" => "x"}, %{"n" => nil, "s" => nil}]

      assert rows!(context, local.("b")) == [
               %{"n" => 1, "t" => ~N[2020-01-01 00:00:00]},
               %{"n" => 2, "t" => nil}
             ]

      assert rows!(context, local.("c")) == [%{"n" => 1, "s" => "a,b"}]
    end

    test "with other contents than their names announce are errors", context do
      truncated = binary_part(@parquet, 0, byte_size(@parquet) - 20)

      for {name, content, why} <- [
            {"a.parquet", "not Parquet", "does not end as Parquet files do"},
            {"b.parquet", truncated <> binary_part(@parquet, byte_size(@parquet), -8), "Required field"},
            {"c.jsonl", ~s({"a":), "row 1: EOF"},
            {"d.csv", "a\n1,2\n", "line 2: it has more values than the header, which has 1 name"},
            {"e.csv.gz", "a\n" <> String.duplicate("1\n", 20), "invalid gzip header"},
            {"f.jsonl", "", "it has no rows"},
            {"g.jsonl", "{}\n{}\n", "it has no columns"}
          ] do
        path = Path.join(folder(context, %{name => content}), name)
        error = error!(context, {:local, path})
        assert {error.kind, error.path} == {:invalid_response, name}
        assert error.message =~ why
      end
    end

    test "may have their columns in another order, and be in a folder of any name", context do
      files = %{
        "a[1]*/{x}/train/a.csv" => "n,m\n1,x\n",
        "a[1]*/{x}/train/b.csv" => "m,n\ny,2.0\n",
        "a[1]*/{x}/.hidden/train.csv" => "other\n1\n"
      }

      local = {:local, Path.join(folder(context, files), "a[1]*/{x}")}
      assert rows!(context, local) == [%{"n" => 1, "m" => "x"}, %{"n" => 2, "m" => "y"}]
    end

    test "that are written to while they are read are errors", context do
      lines = for n <- 1..5_000, do: [~s({"n":), "#{n}", "}\n"]

      for {name, content} <- [{"a.jsonl", lines}, {"b.csv", ["n\n", List.duplicate("1\n", 5_000)]}] do
        path = Path.join(folder(context, %{name => content}), name)

        assert_raise Error, ~r/was changed or truncated after it was opened/, fn ->
          Datasets.load!({:local, path}, as: :rows)
          |> Stream.with_index()
          |> Enum.each(fn {_row, at} -> if at == 0, do: File.write!(path, "x", [:append]) end)
        end
      end
    end

    test "with other columns than the first are errors while rows are read", context do
      folder = folder(context, %{"train/a.csv" => "n\n1\n", "train/b.csv" => "m\n2\n"})
      {:ok, rows} = Datasets.load({:local, folder}, as: :rows)
      assert Enum.take(rows, 1) == [%{"n" => 1}]

      assert_raise Error, ~r/`train\/b.csv`: it has a column "m" where the first file has "n"/, fn ->
        Enum.to_list(rows)
      end
    end
  end

  @tag :proc
  test "a halted stream closes its file", context do
    lines = for n <- 1..50_000, do: [~s({"n":), "#{n}", "}\n"]
    path = Path.join(folder(context, %{"train.jsonl" => lines}), "train.jsonl")
    rows = Datasets.load!({:local, path}, as: :rows)
    assert Enum.take(rows, 2) == [%{"n" => 1}, %{"n" => 2}]
    assert eventually(fn -> path not in open_files() end)
    # Again from the start.
    assert Enum.count(rows) == 50_000
  end

  defp open_files do
    for link <- Path.wildcard("/proc/self/fd/*"), {:ok, path} <- [File.read_link(link)], do: path
  end

  test "without Explorer, a data frame names the dependency", context do
    folder = folder(context, %{"train.csv" => "n\n1\n"})
    assert_raise ArgumentError, ~r/add \{:explorer/, fn -> Datasets.load({:local, folder}, as: :explorer) end
    assert Enum.to_list(Datasets.load!({:local, folder})) == [%{"n" => 1}]
  end
end
