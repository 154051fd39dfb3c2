defmodule HfHub.RepoFiles do
  @moduledoc """
  The files of a repository by name, with their etags, as Bumblebee needs them to load a model.

      {:ok, files} = HfHub.RepoFiles.get_repo_files({:hf, "openai-community/gpt2"})
      Map.has_key?(files, "model.safetensors")

  `HfHub.Api.list_repo_tree/2` returns more about each file, and also those in folders.
  """

  require Logger

  alias HfHub.{Api, Config, Download, Error, FS, Git, Options, Repository}

  @options Options.repo_type() ++ Options.common()

  # Errors of a Hub that cannot be reached, rather than of a request that it rejects.
  @unreachable [:offline, :timeout, :transport, :server]

  @doc """
  Returns a map of the names of the files in the root of a repository, or in its `:subdir`, to their etags.

  An etag is quoted, as in the headers of the Hub; it is `nil` for the files of `{:local, dir}`. With `offline: true` in
  the repository, in offline mode, or if the Hub cannot be reached, the files are those in the cache.

  The error is a text, as in Bumblebee; `get_repo_files!/2` raises `HfHub.Error`.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      iex> dir = Path.join(System.tmp_dir!(), "hf_hub_doc_\#{System.unique_integer([:positive])}")
      iex> File.mkdir_p!(dir)
      iex> File.write!(Path.join(dir, "config.json"), "{}")
      iex> HfHub.RepoFiles.get_repo_files({:local, dir})
      {:ok, %{"config.json" => nil}}
  """
  @spec get_repo_files(Repository.t(), keyword()) ::
          {:ok, %{String.t() => String.t() | nil}} | {:error, String.t()}
  def get_repo_files(repository, opts \\ []) do
    with {:error, error} <- list(repository, opts), do: {:error, Exception.message(error)}
  end

  @doc "Same as `get_repo_files/2`, but returns the files or raises `HfHub.Error`."
  @spec get_repo_files!(Repository.t(), keyword()) :: %{String.t() => String.t() | nil}
  def get_repo_files!(repository, opts \\ []), do: Error.unwrap!(list(repository, opts))

  defp list(repository, opts) do
    opts = Options.validate!(opts, @options)

    case Repository.normalize!(repository) do
      {:local, dir} -> folder(dir, fn _path -> nil end)
      {:hf, _id, about} = repository -> on_the_hub(repository, about, opts)
    end
  end

  defp on_the_hub(repository, about, opts) do
    copy = cached_folder(repository, about, opts)

    if about[:offline] || Config.offline?() do
      cached(copy)
    else
      # With a copy, an unresponsive Hub is not waited for.
      opts = if copied?(copy), do: Keyword.put(opts, :retries, 0), else: opts

      with {:error, %Error{kind: kind} = error} when kind in @unreachable <- listed(repository, about, opts) do
        or_cached(error, cached(copy))
      end
    end
  end

  defp copied?({:ok, folder}), do: File.dir?(folder)
  defp copied?(_not_cached), do: false

  defp or_cached(error, {:ok, files}) do
    Logger.warning(
      "using the cached files, because the request to the Hub failed: #{Exception.message(error)}"
    )

    {:ok, files}
  end

  defp or_cached(error, _not_cached), do: {:error, error}

  defp listed({:hf, id, _opts}, about, opts) do
    place = {:hf, id, Keyword.take(about, [:revision, :subdir])}

    with {:ok, entries} <- Api.list_repo_tree(place, with_token(opts, about)) do
      {:ok, for(%{type: :file} = entry <- entries, into: %{}, do: {Path.basename(entry.path), etag(entry)})}
    end
  end

  defp cached_folder({:hf, id, _opts} = repository, about, opts) do
    opts = [local_files_only: true] ++ with_token(opts, about)

    # An incomplete snapshot, as `HfHub.Download.hf_hub_download/1` leaves it, is an error of this call only.
    snapshot =
      with {:error, error} <- Download.snapshot_download([repo_id: repository] ++ opts),
           do: incomplete(repository, id, about, opts, error)

    with {:ok, folder} <- snapshot, do: {:ok, Path.join(folder, about[:subdir] || "")}
  end

  defp incomplete(repository, id, about, opts, error) do
    cache_dir = about[:cache_dir] || Config.cache_dir()

    with {:ok, commit} <- Git.resolve_revision(repository, [cache_dir: cache_dir] ++ opts),
         snapshot = Path.join([cache_dir, FS.repo_folder(id, :model), "snapshots", commit]),
         true <- File.dir?(snapshot) do
      {:ok, snapshot}
    else
      _none -> {:error, error}
    end
  end

  defp cached({:ok, folder}), do: folder(folder, &blob_etag/1)
  defp cached(not_cached), do: not_cached

  defp with_token(opts, about) do
    Options.given(if about[:auth_token], do: Keyword.put(opts, :token, about[:auth_token]), else: opts)
  end

  defp folder(dir, etag) do
    case File.ls(dir) do
      {:ok, names} ->
        {:ok,
         for(
           name <- names,
           path = Path.join(dir, name),
           File.regular?(path),
           into: %{},
           do: {name, etag.(path)}
         )}

      {:error, reason} ->
        {:error, Error.new(:io, "could not read #{dir}", reason: "#{:file.format_error(reason)}")}
    end
  end

  defp etag(entry), do: quoted((entry.lfs && entry.lfs.sha256) || entry.oid)

  # A file in the cache is a link to the blob that its etag names.
  defp blob_etag(path) do
    case File.read_link(path) do
      {:ok, blob} -> quoted(Path.basename(blob))
      {:error, _copy} -> nil
    end
  end

  defp quoted(nil), do: nil
  defp quoted(etag), do: ~s("#{etag}")
end
