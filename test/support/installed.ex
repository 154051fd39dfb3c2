defmodule HfHub.Installed do
  # What `bin/setup.sh` installs for the tests.
  @moduledoc false

  @doc "Returns the path of a name in the folder of all that is installed; there may be nothing."
  @spec path(String.t()) :: Path.t()
  def path(name) do
    cache = System.get_env("XDG_CACHE_HOME") || Path.expand("~/.cache")
    Path.join([cache, "hf_hub_demo", name])
  end
end
