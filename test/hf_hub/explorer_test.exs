defmodule HfHub.ExplorerTest do
  # With a stub of Explorer, which is loaded for this module's tests only.
  use HfHub.Case, async: false

  alias HfHub.Datasets

  setup do: stub(:explorer)

  test "a split is a data frame, whose columns have their types", context do
    folder = Path.expand("../fixtures", __DIR__)

    frame =
      Datasets.load!({:local, Path.join(folder, "rows.parquet")}, columns: ~w(id text tags at score map))

    assert frame.names == ~w(id text tags at score map)
    assert frame.series["id"].dtype == {:s, 64} and frame.series["id"].values == [1, 2, 3]
    assert frame.series["tags"].dtype == {:list, :string}
    assert frame.series["at"].dtype == {:datetime, :microsecond, "Etc/UTC"}
    assert frame.series["score"].dtype == {:f, 32} and frame.series["score"].values == [0.5, :nan, nil]
    assert frame.series["map"].values == [[%{"key" => "k", "value" => 1}], nil, []]

    json =
      ~s({"any":1,"s":{"n":1,"any":[{}]},"t":"2020-01-01"}\n{"any":"x","s":null,"t":null}\n{"any":false}\n)

    local = {:local, folder(context, %{"train.jsonl" => json})}
    frame = Datasets.load!(local, as: :explorer)
    assert frame.series["any"].values == ["1", ~s("x"), "false"] and frame.series["any"].dtype == :string
    assert frame.series["s"].values == [%{"n" => 1, "any" => ["{}"]}, nil, nil]
    assert frame.series["t"].dtype == {:naive_datetime, :millisecond}

    assert Enum.to_list(Datasets.load!(local, as: :rows, columns: ["any"])) == [
             %{"any" => 1},
             %{"any" => "x"},
             %{"any" => false}
           ]

    assert {:error, %HfHub.Error{kind: :not_found}} = Datasets.load(local, columns: ["none"])
  end

  test "a stream has a data frame for each batch, also without rows", context do
    local = {:local, folder(context, %{"train.csv" => ["n\n" | for(n <- 1..2500, do: "#{n}\n")]})}
    frames = Enum.to_list(Datasets.load!(local, stream: true))
    assert length(frames) > 2 and Enum.flat_map(frames, & &1.series["n"].values) == Enum.to_list(1..2500)
    empty = Datasets.load!({:local, folder(context, %{"train.csv" => "n,m\n"})})
    assert empty.names == ["n", "m"] and empty.series["n"].values == []
  end
end
