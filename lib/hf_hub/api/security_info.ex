defmodule HfHub.Api.SecurityInfo do
  @moduledoc """
  The results of the Hub's security scans of a file. Python: `BlobSecurityInfo`.
  """

  use HfHub.Schema,
    safe: {"status", {:is, "safe"}, "whether the status is `\"safe\"`"},
    status: {"status", :string, "verdict of the scanners, such as `\"safe\"`"},
    av_scan: {"avScan", :map, "details of the virus scan"},
    pickle_import_scan: {"pickleImportScan", :map, "details of the scan for imports in pickles"}
end
