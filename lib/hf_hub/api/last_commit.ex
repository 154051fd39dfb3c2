defmodule HfHub.Api.LastCommit do
  @moduledoc """
  The commit that last touched a file or folder. Python: `LastCommitInfo`.

    * `:oid` - the commit
    * `:title`
    * `:date` - a `DateTime`
  """

  alias HfHub.Decode

  @fields [oid: "id", title: "title", date: {"date", &Decode.datetime/1}]

  @type t :: %__MODULE__{oid: String.t() | nil, title: String.t() | nil, date: DateTime.t() | nil}

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.optional(&Decode.struct(&1, __MODULE__, @fields)).(json)
end
