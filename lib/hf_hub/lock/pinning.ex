defmodule HfHub.Lock.Pinning do
  # Asks the Hub for the commit and the files of a repository, and compares its listing with an entry.
  @moduledoc false

  alias HfHub.{Api, Brief, Error, Fnmatch, Git, Options}
  alias HfHub.Lock.{Entry, PinnedFile, Text}

  @network Keyword.keys(Options.common())

  @doc "Returns a new entry with the commit that its revision points to now."
  @spec pin(Entry.t(), keyword()) :: {:ok, Entry.t()} | {:error, Error.t()}
  def pin(entry, opts) do
    place = [repo_type: entry.repo_type, revision: entry.revision] ++ network(opts)

    with {:ok, commit} <- Git.resolve_revision(repo(entry, opts), place),
         {:ok, listed} <- listing(%{entry | commit: commit}, opts),
         files = Enum.filter(listed, &wanted?(&1.path, entry)),
         :ok <- all_pinnable(files, entry),
         do: {:ok, %{entry | commit: commit, files: Enum.sort_by(files, & &1.path)}}
  end

  defp all_pinnable([], entry),
    do: {:error, Error.new(:entry_not_found, no_file(entry), repo_id: entry.repo_id)}

  # Some mirrors list ids of their own.
  defp all_pinnable(files, entry) do
    case Enum.find(files, &(not Text.hash?(&1.algorithm, &1.hash))) do
      nil ->
        :ok

      file ->
        {:error, Error.new(:invalid_response, no_hash(file, entry), repo_id: entry.repo_id, path: file.path)}
    end
  end

  defp no_hash(file, entry) do
    "the listing of #{Text.name(entry)} has no hash of the content of #{inspect(file.path)}, so it cannot be pinned; " <>
      "pin it from another Hub, or leave the file out by `:ignore_patterns`"
  end

  defp no_file(entry),
    do: "no file of #{Text.name(entry)} matches; check `:allow_patterns` and `:ignore_patterns`"

  @doc "Returns `:ok` if the Hub lists the given files of an entry with the pinned hashes."
  @spec compare(Entry.t(), [PinnedFile.t()], keyword()) :: :ok | {:error, Error.t()}
  def compare(entry, files, opts) do
    with {:ok, listed} <- listing(entry, opts) do
      listed = Map.new(listed, &{&1.path, &1})

      case Enum.find(files, &(listed[&1.path] != &1)) do
        nil -> :ok
        file -> {:error, mismatch(entry, file, listed[file.path], :hub)}
      end
    end
  end

  @doc "Returns the error of a file that is not what is pinned."
  @spec mismatch(Entry.t(), PinnedFile.t(), PinnedFile.t() | nil, :hub | :cache) :: Error.t()
  def mismatch(entry, file, found, source) do
    found = if found, do: shown(found), else: "no such file"

    message =
      "#{inspect(file.path)} of #{Text.name(entry)} at #{String.slice(entry.commit, 0, 8)} is not what the lock file pins: " <>
        "expected #{shown(file)}, #{source(source)} #{found}; #{advice(source, Text.name(entry))}"

    Error.new(:checksum_mismatch, message, repo_id: entry.repo_id, path: file.path, revision: entry.commit)
  end

  defp source(:hub), do: "the Hub lists"
  defp source(:cache), do: "the cache has"

  # Pinning again would not change a damaged file in the cache.
  defp advice(:hub, name), do: "if the new content is right, run `mix hf_hub.lock #{name}`"

  defp advice(:cache, name) do
    "if the file is damaged, `mix hf_hub.cache verify #{name} --repair` downloads it again; if the lock file is wrong, " <>
      "run `mix hf_hub.lock #{name}`"
  end

  defp shown(file), do: "#{file.algorithm} #{file.hash} (#{Brief.count(file.size, "bytes")})"

  defp listing(entry, opts) do
    place = [repo_type: entry.repo_type, revision: entry.commit, recursive: true] ++ network(opts)

    with {:ok, entries} <- Api.list_repo_tree(repo(entry, opts), place) do
      {:ok, for(%{type: :file} = file <- entries, do: pinned(file))}
    end
  end

  @doc "Returns a file of a listing with the hash of its content."
  @spec pinned(Api.TreeEntry.t()) :: PinnedFile.t()
  # A large file's pointer has an object id too, which does not identify the content.
  def pinned(%{lfs: %{sha256: sha256} = lfs} = file) when is_binary(sha256),
    do: %PinnedFile{path: file.path, algorithm: :sha256, hash: sha256, size: lfs.size || file.size}

  def pinned(file) do
    algorithm = if byte_size(file.oid || "") == 64, do: :git_sha256, else: :git_sha1
    %PinnedFile{path: file.path, algorithm: algorithm, hash: file.oid, size: file.size}
  end

  defp wanted?(path, entry) do
    (entry.allow_patterns == [] or Enum.any?(entry.allow_patterns, &Fnmatch.matches?(&1, path))) and
      not Enum.any?(entry.ignore_patterns, &Fnmatch.matches?(&1, path))
  end

  # Offline mode is that of a tuple.
  defp repo(entry, opts), do: {:hf, entry.repo_id, Options.given(offline: opts[:offline])}
  defp network(opts), do: opts |> Keyword.take(@network) |> Options.given()
end
