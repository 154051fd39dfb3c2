defmodule HfHub.Git.CommitInfo do
  @moduledoc """
  A commit of a repository's history. Python: `GitCommitInfo`.

    * `:id` - Python's `commit_id`
    * `:title`, `:message`
    * `:authors` - names of users
    * `:date` - a `DateTime`; Python's `created_at`
    * `:formatted_title`, `:formatted_message` - as HTML, with `formatted: true`
  """

  alias HfHub.Decode

  @fields [
    id: {"id", &Decode.text/1},
    title: "title",
    message: "message",
    authors: {"authors", &__MODULE__.authors/1},
    date: {"date", &Decode.datetime/1},
    formatted_title: ["formatted", "title"],
    formatted_message: ["formatted", "message"]
  ]

  @type t :: %__MODULE__{
          id: String.t(),
          title: String.t(),
          message: String.t(),
          authors: [String.t()],
          date: DateTime.t(),
          formatted_title: String.t() | nil,
          formatted_message: String.t() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  @doc false
  def authors(list), do: Decode.list(Decode.field("user")).(list)
end
