defmodule HfHub.ConstantsTest do
  use ExUnit.Case, async: true

  alias HfHub.Config.Setting
  alias HfHub.Constants

  doctest HfHub.Constants

  test "defaults are those of the settings" do
    # The default of the setting, whatever this machine is configured to use.
    defaults = for [_all, default] <- Regex.scan(~r/; default: `(.*?)` \|/, Setting.docs()), do: default
    assert Constants.default_endpoint() in defaults
    assert to_string(Constants.default_etag_timeout() * 1000) in defaults
    assert to_string(Constants.default_download_timeout() * 1000) in defaults
  end

  test "an unknown repository type has no prefix" do
    assert_raise FunctionClauseError, fn -> Constants.repo_type_url_prefix(:kernel) end
  end
end
