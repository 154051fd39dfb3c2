defmodule HfHub.Api.SecurityInfo do
  @moduledoc """
  What the Hub's scanners found in a file. Python: `BlobSecurityInfo`.

    * `:status` - such as `"safe"`
    * `:safe` - whether the status is `"safe"`
    * `:av_scan`, `:pickle_import_scan` - maps with the details, or `nil`
  """

  alias HfHub.Decode

  @fields [
    safe: {"status", &__MODULE__.safe/1},
    status: "status",
    av_scan: "avScan",
    pickle_import_scan: "pickleImportScan"
  ]

  @type t :: %__MODULE__{
          safe: boolean(),
          status: String.t() | nil,
          av_scan: map() | nil,
          pickle_import_scan: map() | nil
        }

  defstruct Keyword.keys(@fields)

  @doc false
  def from_json(json), do: Decode.optional(&Decode.struct(&1, __MODULE__, @fields)).(json)

  @doc false
  def safe(status), do: status == "safe"
end
