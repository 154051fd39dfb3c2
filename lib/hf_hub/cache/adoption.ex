defmodule HfHub.Cache.Adoption do
  @moduledoc """
  The result of `HfHub.Cache.adopt/1`.
  """

  @repo_type {:or, [:model, :dataset, :space]}
  @place [repo_type: @repo_type, repo_id: :string, revision: :string]
  @reason {:or, [:different, :not_listed, :no_checksum, :changed, :failed]}
  @unmatched @place ++ [filename: :string, path: :path, reason: @reason, message: {:or, [:string, nil]}]
  @failed [
    repo_type: {:or, [:model, :dataset, :space, nil]},
    repo_id: {:or, [:string, nil]},
    revision: {:or, [:string, nil]},
    path: :path,
    error: HfHub.Error
  ]

  use HfHub.Schema,
    dry_run?: {:dry_run, :boolean, "whether this is the result of a dry run", default: false},
    files: {:integer, "number of files that match the Hub and were adopted", default: 0},
    bytes: {:integer, "total size of these files, in bytes", default: 0},
    revisions:
      {[{:keys, @place ++ [commit: :string, files: :integer, bytes: :integer]}],
       "revisions with adopted files", default: []},
    unmatched:
      {[{:keys, @unmatched}],
       "files that stay where they are. Reasons: `:different` (content differs from the Hub), `:not_listed` (not in the " <>
         "revision), `:no_checksum` (the Hub lists no checksum), `:changed` (modified meanwhile), `:failed` (not " <>
         "readable, or could not be stored; `:message` has the cause)", default: []},
    failures:
      {[{:keys, @failed}],
       "folders that could not be compared, such as that of a repository that no longer exists", default: []}

  @doc """
  Returns whether no file was left behind.

  ## Examples

      iex> HfHub.Cache.Adoption.complete?(%HfHub.Cache.Adoption{files: 3})
      true
  """
  @spec complete?(t()) :: boolean()
  def complete?(%__MODULE__{} = adoption), do: adoption.unmatched == [] and adoption.failures == []

  defimpl Inspect do
    alias HfHub.Brief

    def inspect(adoption, _opts) do
      verb = if adoption.dry_run?, do: "would adopt", else: "adopted"

      "#HfHub.Cache.Adoption<#{verb} #{Brief.count(adoption.files, "files")}, #{Brief.size(adoption.bytes)}, " <>
        "#{length(adoption.unmatched)} unmatched, #{Brief.count(length(adoption.failures), "failures")}>"
    end
  end
end
