defmodule HfHub.Parity.DatasetsTest do
  # What the Python library `datasets` pushes and reads: the same rows, types and absent values.
  use HfHub.Case, async: true, hub: :own

  alias HfHub.{Datasets, DatasetsJudge}

  @moduletag :python
  @moduletag :datasets
  @moduletag timeout: 120_000

  # One run of Python for all tests.
  setup_all context do
    Process.put(HfHub.Case, context.hub)
    {:ok, account} = writer(context)
    folder = Path.join(System.tmp_dir!(), "hf_hub_judge_#{System.pid()}")
    on_exit(fn -> File.rm_rf!(folder) end)
    {wide, judged} = endpoint() |> DatasetsJudge.run!(account[:writer], folder) |> Map.pop!("wide")
    {:ok, judged: judged, wide: wide}
  end

  test "rows are those of `datasets`, downloaded and streamed", context do
    assert map_size(context.judged) > 25

    for {name, %{"repo" => repo, "what" => what, "rows" => expected}} <- context.judged,
        stream <- [false, true] do
      load = for key <- [:split, :config], value = what["#{key}"], do: {key, value}
      ours = repo |> dataset() |> Datasets.load!(options(context) ++ [stream: stream] ++ load) |> chosen(what)
      ours = Enum.map(ours, &DatasetsJudge.tagged/1)
      assert length(ours) == length(expected), "#{name}: #{length(ours)} rows, expected #{length(expected)}"
      for {ours, theirs} <- Enum.zip(ours, expected), do: compare(name, ours, theirs)
    end
  end

  test "of a column, only its chunks are received, and of some rows only their row groups", context do
    %{"repo" => repo, "needed" => needed, "size" => size} = context.wide
    stream = Datasets.load!(repo, options(context) ++ [stream: true, columns: ["id"]])
    # The first read of the end of the file, for the footer, and up to 16 KiB between chunks.
    assert received(repo, fn -> assert Enum.count(stream) == 30_000 end) <= Enum.sum(needed) + 64 * 1024
    assert received(repo, fn -> assert Enum.at(stream, 5000) == %{"id" => 5000} end) <= hd(needed) + 64 * 1024
    assert Enum.sum(needed) + 64 * 1024 < size / 5
  end

  # A folder on this machine, or a repository.
  defp dataset("/" <> _rest = folder), do: {:local, folder}
  defp dataset(repo), do: repo

  defp options(context), do: [as: :rows, endpoint: context.endpoint, cache_dir: context.cache]

  # Bytes of contents that the Hub sends.
  defp received(repo, work) do
    before = length(control(:get, "requests"))
    work.()
    asked = Enum.drop(control(:get, "requests"), before)
    assert Enum.any?(asked, &(&1["path"] =~ repo))

    Enum.sum(
      for %{"range" => "bytes=" <> _} = request <- asked, request["status"] == 206, do: request["bytes_sent"]
    )
  end

  defp chosen(rows, %{"every" => every}) when every != nil, do: Enum.take_every(rows, every)
  defp chosen(rows, %{"last" => last}) when last != nil, do: Enum.take(rows, -last)
  defp chosen(rows, _all), do: Enum.to_list(rows)

  # Column by column, so that a failure shows one value.
  defp compare(name, ["map", ours], ["map", theirs]) do
    assert Enum.map(ours, &hd/1) == Enum.map(theirs, &hd/1), "#{name}: other columns"

    for {[column, ours], [column, theirs]} <- Enum.zip(ours, theirs),
        do:
          assert(
            DatasetsJudge.same?(ours, theirs),
            "#{name}: #{column}: #{inspect(ours)}, expected #{inspect(theirs)}"
          )
  end
end
