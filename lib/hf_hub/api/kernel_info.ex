defmodule HfHub.Api.KernelInfo do
  @moduledoc """
  Metadata of a kernel: a repository with compiled code for accelerators. Python: `KernelInfo`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    id: {"id", :name, "id of the repository"},
    author: {"author", :string, "namespace of the repository: a user or an organization"},
    sha: {"sha", :string, "commit that the information is about"},
    private: {"private", :boolean, "whether the repository is private"},
    gated: {"gated", {:enum, [false, :auto, :manual]}, "whether access is granted on request, and how"},
    last_modified: {"lastModified", :datetime, "time of the last commit"},
    downloads: {"downloads", :integer, "downloads in the last 30 days"},
    likes: {"likes", :integer, "number of likes"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  defimpl Inspect do
    def inspect(info, _opts), do: Brief.line(info, [info.id, {info.likes || 0, "likes"}])
  end
end
