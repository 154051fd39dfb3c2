defmodule HfHub.Cache.FolderVerification do
  @moduledoc """
  The result of `HfHub.Cache.verify_folder/3`. Python: `FolderVerification`.
  """

  alias HfHub.Brief

  @mismatch [
    {:keys,
     [path: :string, expected: :string, actual: :string, algorithm: {:or, [:sha256, :git_sha1, :git_sha256]}]}
  ]

  use HfHub.Schema,
    verified_path: {:path, "folder whose files were compared"},
    revision: {:string, "revision of the repository that they were compared with"},
    checked_count: {:integer, "number of files in both, which were hashed", default: 0},
    mismatches: {@mismatch, "files whose checksum is not that of the repository", default: []},
    missing_paths: {[:string], "files of the repository that the folder does not have", default: []},
    extra_paths: {[:string], "files of the folder that the repository does not have", default: []}

  @doc """
  Returns whether no file differs. Files may be missing, as in a folder that has some files of the repository.

  ## Examples

      iex> HfHub.Cache.FolderVerification.sound?(%HfHub.Cache.FolderVerification{checked_count: 3})
      true
  """
  @spec sound?(t()) :: boolean()
  def sound?(%__MODULE__{mismatches: mismatches}), do: mismatches == []

  defimpl Inspect do
    def inspect(found, _opts) do
      differ = length(found.mismatches)
      counts = [{differ, "mismatches"}, {length(found.missing_paths), "missing"}]
      Brief.line(found, [{found.checked_count, "files"}] ++ counts ++ [{length(found.extra_paths), "extra"}])
    end
  end
end
