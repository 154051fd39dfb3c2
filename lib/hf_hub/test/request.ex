defmodule HfHub.Test.Request do
  @moduledoc """
  A request that a Hub of `HfHub.Test` has received.
  """

  use HfHub.Schema,
    method: {"method", :string, "method, in upper case"},
    path: {"path", :string, "decoded path, without the query"},
    query: {"query", :string, "query, as it was sent"},
    status: {"status", :integer, "status of the response; `nil` if there was none"}
end
