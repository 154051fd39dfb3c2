defmodule HfHub.Papers.Author do
  @moduledoc """
  An author of a paper. Python: `PaperAuthor`.

    * `:name`
    * `:user` - a `HfHub.Users.User`, where the author has claimed the paper
    * `:status`, `:status_last_changed_at`
    * `:hidden`
  """

  alias HfHub.Decode
  alias HfHub.Users.User

  @fields [
    name: "name",
    user: {"user", &User.from_json/1},
    status: "status",
    status_last_changed_at: {"statusLastChangedAt", &Decode.datetime/1},
    hidden: "hidden"
  ]

  @type t :: %__MODULE__{
          name: String.t() | nil,
          user: User.t() | nil,
          status: String.t() | nil,
          status_last_changed_at: DateTime.t() | nil,
          hidden: boolean() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)
end
