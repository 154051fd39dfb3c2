defmodule HfHub.Jobs.Artifacts do
  # Files of this machine for jobs: they are in a bucket of the namespace, of which a job mounts a folder.
  @moduledoc false

  require Logger

  alias HfHub.{Account, Buckets, Error, LocalFiles, Options}
  alias HfHub.Config.Source
  alias HfHub.Jobs.Volume

  # As in the Python client.
  @bucket "jobs-artifacts"

  @doc "Returns the name of a new folder."
  @spec new_folder() :: String.t()
  def new_folder do
    random = Base.encode16(:crypto.strong_rand_bytes(3), case: :lower)
    Calendar.strftime(DateTime.utc_now(), "%Y%m%dT%H%M%S-") <> random
  end

  @doc "Returns the volume of a folder in the bucket of a namespace."
  @spec volume(String.t(), String.t() | nil, String.t(), boolean()) :: Volume.t()
  def volume(namespace, folder, mount_path, read_only) do
    %Volume{
      type: :bucket,
      source: bucket(namespace),
      mount_path: mount_path,
      path: folder,
      read_only: read_only
    }
  end

  defp bucket(namespace), do: "#{namespace}/#{@bucket}"

  @doc "Uploads files, given by their paths with their names in the folder."
  @spec upload(String.t(), String.t(), %{Path.t() => String.t()}, keyword()) :: :ok | {:error, Error.t()}
  def upload(namespace, folder, files, opts) do
    common = only(Options.common(), opts)
    files = for {path, name} <- files, do: {{:path, path}, "#{folder}/#{name}"}

    with {:ok, _url} <- create(namespace, common),
         {:ok, _files} <- Buckets.upload(bucket(namespace), files, common),
         do: :ok
  end

  @doc "Synchronizes a folder of this machine to one in the bucket, and returns its volume."
  @spec sync(Path.t(), String.t(), keyword()) :: {:ok, Volume.t()} | {:error, Error.t()}
  def sync(source, mount_path, opts) do
    unless is_binary(mount_path) and String.starts_with?(mount_path, "/") do
      raise ArgumentError,
            "expected the path in the container to begin with \"/\", got: #{Options.shown(mount_path)}"
    end

    common = only(Options.common(), opts)

    with {:ok, files} <- LocalFiles.all(Source.expand(source)),
         {:ok, namespace} <- Account.name(opts[:namespace], common),
         {:ok, _url} <- create(namespace, common),
         :ok <- warn_if_public(namespace, common),
         folder = opts[:remote_name] || folder_name(source),
         address = "hf://buckets/#{bucket(namespace)}/#{folder}",
         {:ok, _plan} <- Buckets.sync(source, address, only(Buckets.Tables.upload(), opts)),
         :ok <- keep(namespace, folder, files, common),
         do: {:ok, volume(namespace, folder, mount_path, opts[:read_only])}
  end

  defp only(table, opts), do: Keyword.take(opts, Keyword.keys(table))

  defp create(namespace, common),
    do: Buckets.create(bucket(namespace), [private: true, exist_ok: true] ++ common)

  # Files of jobs are rarely meant to be published.
  defp warn_if_public(namespace, common) do
    with {:ok, bucket} <- Buckets.get(bucket(namespace), common) do
      unless bucket.private do
        Logger.warning(
          "the bucket #{inspect(bucket.id)} is public, so everybody can read the files of the job; " <>
            "HfHub.Buckets.update_settings(#{inspect(bucket.id)}, private: true) changes that"
        )
      end

      :ok
    end
  end

  # A bucket has no empty folders, and a job cannot mount a folder that does not exist.
  defp keep(namespace, folder, files, common) when files == %{} do
    with {:ok, _file} <- Buckets.upload(bucket(namespace), [{{:binary, ""}, "#{folder}/.keep"}], common),
         do: :ok
  end

  defp keep(_namespace, _folder, _files, _common), do: :ok

  # The same for each call with the folder on this machine.
  defp folder_name(source) do
    path = Source.expand(source)
    {:ok, host} = :inet.gethostname()
    hash = :crypto.hash(:sha256, "#{host}:#{path}") |> Base.encode16(case: :lower) |> binary_part(0, 8)
    name = path |> Path.basename() |> String.replace(" ", "_")
    if(name == "", do: "root", else: name) <> "-" <> hash
  end
end
