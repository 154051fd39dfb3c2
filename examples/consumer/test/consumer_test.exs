defmodule ConsumerTest do
  use ExUnit.Case, async: true

  import HfHub.Test

  setup do
    {:ok, hub: start_hub(%{"org/model" => %{"config.txt" => "12\n"}})}
  end

  test "reads the layers of a model", %{hub: hub} do
    assert Consumer.layers("org/model", opts(hub)) == {:ok, 12}
  end

  test "names an unknown model", %{hub: hub} do
    assert Consumer.layers("org/none", opts(hub)) == {:error, :unknown_model}
  end

  test "repeats a failed request, and reports an outage", %{hub: hub} do
    fault(hub, "config.txt", {:status, 503}, times: 1)
    assert Consumer.layers("org/model", opts(hub)) == {:ok, 12}
    fault(hub, "config.txt", {:status, 503})
    put_repo(hub, "org/model", %{"config.txt" => "24\n"})
    other = opts(hub, cache_dir: hub.cache_dir <> "2", retries: 1)
    assert Consumer.layers("org/model", other) == {:error, :unavailable}
    assert Enum.count(requests(hub, "config.txt"), &(&1.status == 503)) == 3
  end

  test "a damaged download is not used", %{hub: hub} do
    fault(hub, "config.txt", {:body, "99\n"})
    assert Consumer.layers("org/model", opts(hub, retries: 0)) == {:error, :unavailable}
  end

  test "loads its models at the start", %{hub: hub} do
    for child <- Consumer.children(["org/model"], opts(hub)), do: start_supervised!(child)
    assert {:ok, %{"org/model" => folder}} = HfHub.Preload.await(Consumer.Models, 10_000)
    assert File.ls!(folder) == ["config.txt"]
    assert HfHub.Preload.ready?(Consumer.Models)
  end
end
