defmodule HfHub.Cache.Integrity do
  @moduledoc """
  What `HfHub.Cache.validate_integrity/1` finds. Python: `FolderVerification`.
  """

  use HfHub.Schema,
    total_files:
      {:integer, "number of files of revisions; a content that several files show is read once", default: 0},
    valid_files: {:integer, "number of valid files", default: 0},
    corrupted_files: {:integer, "number of files whose checksum does not match", default: 0},
    missing_files: {:integer, "number of links whose content is missing or cannot be read", default: 0},
    missing_checksum:
      {:integer, "number of files without a known checksum: they are no links, and no listing is kept",
       default: 0},
    checked_bytes: {:integer, "number of bytes read", default: 0},
    problems:
      {[:map],
       "files that are not valid: `:repo_type`, `:repo_id`, `:commit`, `:filename`, `:path`, `:blob_path`, `:status` " <>
         "(`:corrupted`, `:missing`, `:unreadable`, `:no_checksum`), `:algorithm`, `:expected`, `:actual`, and with " <>
         "`repair: true` also `:repaired`, `true` or the `HfHub.Error`", default: []},
    revisions:
      {[:map],
       "revisions: `:repo_type`, `:repo_id`, `:commit`, `:path`, `:listed` (whether the commit's listing is kept), " <>
         "`:checked` (files compared with it), `:absent` (files of the commit that are not in the cache, which is no " <>
         "fault), `:extra` (files that are not the commit's)", default: []}

  @doc """
  Returns whether no file is corrupt or missing, but for those that were repaired.

  ## Examples

      iex> HfHub.Cache.Integrity.sound?(%HfHub.Cache.Integrity{total_files: 3, valid_files: 3})
      true
  """
  @spec sound?(t()) :: boolean()
  def sound?(%__MODULE__{} = integrity) do
    Enum.all?(integrity.problems, &(&1.status == :no_checksum or Map.get(&1, :repaired) == true))
  end

  defimpl Inspect do
    def inspect(found, _opts) do
      "#HfHub.Cache.Integrity<#{found.valid_files} of #{found.total_files} files valid, " <>
        "#{found.corrupted_files} corrupted, #{found.missing_files} missing, " <>
        "#{found.missing_checksum} without checksum>"
    end
  end
end
