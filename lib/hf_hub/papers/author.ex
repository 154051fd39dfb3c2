defmodule HfHub.Papers.Author do
  @moduledoc """
  An author of a paper. Python: `PaperAuthor`.
  """

  alias HfHub.Users.User

  use HfHub.Schema,
    name: {"name", :string, "name of the author"},
    user: {"user", User, "account of an author who has claimed the paper"},
    status: {"status", :string, "state of the claim, such as `\"claimed_verified\"`"},
    status_last_changed_at: {"statusLastChangedAt", :datetime, "time of the last change of the status"},
    hidden: {"hidden", :boolean, "whether the paper is hidden on the author's page"}
end
