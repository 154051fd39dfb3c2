defmodule HfHub.TestConfigureTest do
  # Settings of the whole VM.
  use ExUnit.Case, async: false

  import HfHub.Test

  alias HfHub.{Config, Download}

  @keys [:endpoint, :token, :cache_dir, :offline]

  setup do
    before = for key <- @keys, do: {key, Application.fetch_env(:hf_hub, key)}

    on_exit(fn ->
      for {key, value} <- before do
        case value do
          {:ok, value} -> Application.put_env(:hf_hub, key, value)
          :error -> Application.delete_env(:hf_hub, key)
        end
      end
    end)
  end

  for offline <- [true, false, nil] do
    test "code without options uses the Hub of the test, also where offline is #{inspect(offline)}" do
      if unquote(offline) == nil,
        do: Application.delete_env(:hf_hub, :offline),
        else: Application.put_env(:hf_hub, :offline, unquote(offline))

      hub = start_hub(%{"org/model" => %{"a.txt" => "a"}})
      # Registered first, so it is called after the settings are restored.
      on_exit(fn -> assert(Application.get_env(:hf_hub, :offline) == unquote(offline)) end)
      configure(hub)
      assert Config.endpoint() == hub.endpoint
      assert File.read!(Download.hf_hub_download!(repo_id: "org/model", filename: "a.txt")) == "a"
    end
  end
end
