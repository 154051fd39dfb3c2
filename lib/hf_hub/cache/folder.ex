defmodule HfHub.Cache.Folder do
  @moduledoc """
  What `HfHub.Cache.materialize/3` has made.

    * `:path` - the folder
    * `:files`, `:bytes` - of all of them
    * `:hard_linked`, `:reflinked`, `:copied` - how many files came to be which way
  """

  @type t :: %__MODULE__{
          path: Path.t(),
          files: non_neg_integer(),
          bytes: non_neg_integer(),
          hard_linked: non_neg_integer(),
          reflinked: non_neg_integer(),
          copied: non_neg_integer()
        }

  defstruct [:path, files: 0, bytes: 0, hard_linked: 0, reflinked: 0, copied: 0]
end
