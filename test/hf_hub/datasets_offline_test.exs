defmodule HfHub.DatasetsOfflineTest do
  # Offline mode is a setting of the whole VM.
  use HfHub.Case, async: false

  alias HfHub.{Datasets, Download, Error}

  @card "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: a.csv\n  - split: held_out\n    path: b.csv\n---\n"

  defp load(context, dataset, more),
    do: Datasets.load(dataset, [as: :rows, endpoint: context.endpoint, cache_dir: context.cache] ++ more)

  defp rows!(context, dataset, more) do
    {:ok, rows} = load(context, dataset, more)
    Enum.to_list(rows)
  end

  test "the rows of cached files are read without a request, and others are errors", context do
    own_env(["HF_HUB_OFFLINE"])
    files = %{"README.md" => @card, "a.csv" => "n\n1\n", "b.csv" => "n\n2\n"}
    {id, commit} = repo(context, files, repo_type: :dataset)
    assert rows!(context, id, split: "train") == [%{"n" => 1}]
    before = requests(id)

    # Each of the three ways to use cached files only.
    for {offline, dataset, more} <- [
          {true, & &1, []},
          {false, & &1, [local_files_only: true]},
          {false, &{:hf, &1, offline: true}, []},
          {true, &{:hf, &1, revision: commit}, []}
        ],
        stream <- [false, true] do
      Application.put_env(:hf_hub, :offline, offline)
      {none, dataset, more} = {dataset.("org/none"), dataset.(id), [stream: stream] ++ more}
      assert rows!(context, dataset, [split: "train"] ++ more) == [%{"n" => 1}]

      assert {:error, %Error{kind: :not_cached} = error} = load(context, dataset, [split: "held_out"] ++ more)
      assert error.message =~ "b.csv"

      # The card and the listing are cached.
      assert {:error, %Error{kind: :entry_not_found} = error} = load(context, dataset, [split: "x"] ++ more)
      assert error.message =~ ~s(has no split "x"; its splits are "train", "held_out")
      assert {:error, %Error{kind: :not_cached}} = load(context, none, more)
    end

    Application.delete_env(:hf_hub, :offline)
    assert requests(id) == before
  end

  test "of files that were cached one by one, those that are there are the dataset", context do
    {id, _commit} = repo(context, %{"train.csv" => "n\n1\n", "test.csv" => "n\n2\n"}, repo_type: :dataset)
    Download.hf_hub_download!(opts(context, repo_id: id, repo_type: :dataset, filename: "train.csv"))
    assert rows!(context, id, local_files_only: true) == [%{"n" => 1}]

    assert {:error, %Error{kind: :not_cached} = error} =
             load(context, id, local_files_only: true, split: "test")

    assert error.message =~ ~s(the cached part of dataset "#{id}" has no split "test"; its splits are "train")
    assert error.message =~ ":local_files_only"
  end

  test "cached files are read if the Hub cannot be reached", context do
    {id, _commit} = repo(context, %{"train.csv" => "n\n1\n"}, repo_type: :dataset)
    assert rows!(context, id, []) == [%{"n" => 1}]
    fault(id, %{kind: "status", code: 500})

    log =
      ExUnit.CaptureLog.capture_log(fn ->
        assert rows!(context, id, retries: 0, retry_delay: 1) == [%{"n" => 1}]
      end)

    assert log =~ "using the cached copy"
    assert {:error, %Error{kind: :server}} = load(context, id, retries: 0, stream: true)
  end
end
