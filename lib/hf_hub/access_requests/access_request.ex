defmodule HfHub.AccessRequests.AccessRequest do
  @moduledoc """
  A user's request for access to a gated repository. Python: `AccessRequest`.
  """

  alias HfHub.{Brief, Decode}
  alias HfHub.Users.User

  use HfHub.Schema,
    request_id: {"requestId", :string, "id of the request"},
    user: {["user", "user"], :string, "name of the user; `nil` if the repository hides it"},
    fullname: {["user", "fullname"], :string, "full name of the user"},
    email:
      {["user", "email"], :string, "email address of the user; `nil` if access was granted without a request"},
    status: {"status", {:enum, [:pending, :accepted, :rejected]}, "state of the request"},
    timestamp: {"timestamp", :datetime, "time of the request"},
    fields: {"fields", :map, "values that the user has filled into the form of the repository", default: %{}},
    granted_by: {"grantedBy", User, "user who granted access without a request"},
    rejection_reason: {"rejectionReason", :string, "reason for the rejection, where the Hub returns it"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  @doc """
  Returns the struct for an object of the Hub's JSON, given as a map with string keys, in a list of this status.

  Missing entries are `nil`. Raises `HfHub.Error` of kind `:invalid_response` if the object cannot be one.

  ## Examples

      iex> response = %{"user" => %{"user" => "ada"}}
      iex> HfHub.AccessRequests.AccessRequest.from_response(response, :pending).user
      "ada"
  """
  @spec from_response(map(), atom()) :: t()
  def from_response(response, status) when is_map(response) and is_atom(status) do
    request = Decode.response!(__MODULE__, response)
    %{request | status: request.status || status}
  end

  defimpl Inspect do
    def inspect(request, _opts),
      do: Brief.line(request, [request.user || request.request_id, request.status])
  end
end
