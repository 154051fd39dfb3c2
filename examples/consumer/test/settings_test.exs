defmodule SettingsTest do
  # Code that takes no options: the settings of the VM are changed, so the tests are not async.
  use ExUnit.Case, async: false

  import HfHub.Test

  test "the code of the application uses the Hub of the test" do
    configure(start_hub(%{"org/model" => %{"config.txt" => "6"}}))
    assert Consumer.layers("org/model") == {:ok, 6}
  end
end
