defmodule HfHub.ConstantsTest do
  use ExUnit.Case, async: true

  alias HfHub.Config.Setting
  alias HfHub.Constants

  doctest HfHub.Constants

  test "defaults are those of the settings" do
    # The default of the setting, whatever this machine is configured to use.
    defaults = for line <- String.split(Setting.docs(), "\n"), do: line |> String.split("|") |> Enum.at(4)
    assert " `#{Constants.default_endpoint()}` " in defaults
    assert " `#{Constants.default_etag_timeout() * 1000}` " in defaults
    assert " `#{Constants.default_download_timeout() * 1000}` " in defaults
  end

  test "an unknown repository type has no prefix" do
    assert_raise FunctionClauseError, fn -> Constants.repo_type_url_prefix(:kernel) end
  end
end
