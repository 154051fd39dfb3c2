defmodule HfHub.Git.Author do
  @moduledoc """
  An author of a commit.

  `to_string/1` returns the name, which is all that the Python client has.
  """

  # The Hub sends the name of the account, other Hubs may send what git has.
  use HfHub.Schema,
    name: {{:or, ["user", "name"]}, :string, "name of the account"},
    email: {"email", :string, "email address, where the Hub sends it"},
    avatar_url: {"avatar", :string, "address of the picture"}

  defimpl String.Chars do
    def to_string(author), do: author.name || ""
  end
end
