defmodule HfHub.Download.Cached do
  # A file of a commit never changes: once it is in the cache, a call for it needs neither a request nor a job.
  @moduledoc false

  alias HfHub.Cache.Engine
  alias HfHub.Config
  alias HfHub.Download.Spec
  alias HfHub.{Error, Telemetry}

  # Errors that a copy does not hide, as for downloads in the engine.
  @final [:entry_not_found, :revision_not_found, :io, :invalid_response, :invalid_name]

  @doc "Returns whether a call uses cached files only, by its option or in offline mode."
  @spec only?(keyword()) :: boolean()
  def only?(opts), do: opts[:local_files_only] == true or Config.offline?()

  @doc "Returns whether a copy of the last known commit may be used where the request to the Hub failed with the error."
  @spec replaces?(Error.t()) :: boolean()
  def replaces?(error), do: error.kind not in @final

  # With any of these, more than the path is asked for, or another file.
  @more [:local_dir, :force_download, :dry_run, :extract, :expected_sha256, :progress, :progress_callback]

  @doc "Returns the path of the file if it is in the cache and cannot differ from the Hub's; `nil` otherwise."
  @spec path(keyword()) :: Path.t() | nil
  def path(opts) do
    with false <- Enum.any?(@more, &opts[&1]),
         {:ok, %{revision: <<_commit::binary-size(40)>>} = ref, filename} <- Spec.names(opts),
         path when path != nil <- Engine.find_verified(ref, filename, opts) do
      observed(ref, filename, path, opts)
    else
      _not_here -> nil
    end
  end

  defp observed(ref, filename, path, opts) do
    metadata = %{
      repo_id: ref.repo_id,
      repo_type: to_string(ref.repo_type),
      revision: ref.revision,
      filename: filename,
      endpoint: opts[:endpoint] || Config.endpoint()
    }

    Telemetry.span(:download, metadata, fn -> path end)
  end
end
