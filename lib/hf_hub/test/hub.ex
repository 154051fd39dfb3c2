defmodule HfHub.Test.Hub do
  @moduledoc """
  A Hub that `HfHub.Test` has started.
  """

  use HfHub.Schema,
    endpoint: {:string, "base URL, for the option `:endpoint`"},
    token: {:string, "token that the Hub accepts", json: false},
    cache_dir: {:path, "temporary cache folder of the test"},
    kind: {{:or, [:scripted, :local]}, "`:scripted` or `:local`"},
    pid: {:any, "process of the Hub", json: false}
end
