defmodule HfHub.Cache.Integrity do
  @moduledoc """
  The result of `HfHub.Cache.validate_integrity/1`.
  """

  use HfHub.Schema,
    total_files:
      {:integer, "number of files in the revisions; a blob that several of them link to is read once",
       default: 0},
    valid_files: {:integer, "number of valid files", default: 0},
    corrupted_files: {:integer, "number of files whose checksum does not match", default: 0},
    missing_files: {:integer, "number of files whose blob is missing or cannot be read", default: 0},
    missing_checksum:
      {:integer,
       "number of files without a known checksum: not links, and the commit's listing is not cached",
       default: 0},
    checked_bytes: {:integer, "number of bytes read", default: 0},
    problems:
      {[:map],
       "files that are not valid: `:repo_type`, `:repo_id`, `:commit`, `:filename`, `:path`, `:blob_path`, `:status` " <>
         "(`:corrupted`, `:missing`, `:unreadable`, `:no_checksum`), `:algorithm`, `:expected`, `:actual`, and with " <>
         "`repair: true` also `:repaired`, which is `true` or the `HfHub.Error`", default: []},
    details:
      {:problems, [{:tuple, [:path, :atom]}],
       "`{path, status}` of each of the problems, as in hf_hub 0.3. Valid files are only counted",
       by: :details},
    revisions:
      {[:map],
       "revisions: `:repo_type`, `:repo_id`, `:commit`, `:path`, `:listed` (whether the commit's listing is cached), " <>
         "`:checked` (files compared with it), `:absent` (files of the commit that were not downloaded, which is not a " <>
         "problem), `:extra` (files that are not in the commit)", default: []}

  defp details(problems), do: for(problem <- problems, do: {problem.path, problem.status})

  @doc """
  Returns whether all files are valid or were repaired.

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
