defmodule HfHub.DuckDb do
  # The program of DuckDB, with its extension for HTTP. `bin/setup.sh` installs it.
  @moduledoc false

  @version "duckdb-1.5.5"

  @doc "Returns a home folder with the extension and `bin/duckdb`, which may be missing."
  @spec home() :: Path.t()
  def home do
    System.get_env("HF_HUB_TEST_DUCKDB") || HfHub.Installed.path(@version)
  end

  @doc "Returns whether it is there."
  @spec there?() :: boolean()
  def there?, do: File.exists?(Path.join(home(), "bin/duckdb"))
end
