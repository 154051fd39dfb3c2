defmodule HfHub.Buckets.Files do
  # Requests for the files of a bucket.
  @moduledoc false

  alias HfHub.Buckets.{Call, FileMetadata, Tables, TreeEntry}
  alias HfHub.Download.Metadata
  alias HfHub.{Error, Options, RepoRef, Request}

  # As in the Python client; the Hub accepts twice as many.
  @paths_at_once 1000

  @doc "Returns up to `:limit` entries of a tree."
  @spec list_tree(HfHub.Buckets.bucket(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def list_tree(bucket, opts) do
    opts = Options.validate!(opts, Tables.list_tree())
    Request.list(tree(bucket, opts), opts[:limit], TreeEntry, &entries/1)
  end

  @doc "Returns a tree as a lazy stream."
  @spec stream_tree(HfHub.Buckets.bucket() | RepoRef.t(), keyword()) :: Enumerable.t()
  def stream_tree(bucket, opts),
    do:
      Request.stream(
        tree(bucket, Options.validate!(opts, Tables.stream_tree())),
        TreeEntry,
        &entries/1
      )

  defp tree(bucket, opts) do
    with {:ok, ref} <- Call.address(bucket, opts), {:ok, prefix} <- prefix(ref, opts[:prefix]) do
      {route, params} = if prefix, do: {"/tree/:path", [path: prefix]}, else: {"/tree", []}

      Call.request(:get, route, %{ref | path: nil}, opts, params)
      |> Request.query(recursive: opts[:recursive])
    else
      {:error, error} -> %{Request.new(:get, "/api/buckets", [], opts) | error: error}
    end
  end

  defp prefix(%{path: path}, prefix) when prefix in [nil, ""], do: {:ok, path}
  defp prefix(%{path: nil}, prefix), do: {:ok, prefix}

  defp prefix(ref, prefix) do
    message =
      "the address contains the path #{inspect(ref.path)}, and :prefix is #{inspect(prefix)}; pass one of them"

    {:error, Error.new(:invalid_name, message, repo_id: ref.repo_id)}
  end

  # The Hub may add kinds of entries.
  defp entries(page) when is_list(page),
    do: Enum.filter(page, &match?(%{"type" => type} when type in ["file", "directory"], &1))

  defp entries(other), do: other

  @doc "Returns the files at the given paths; those that do not exist are left out."
  @spec paths_info(HfHub.Buckets.bucket() | RepoRef.t(), [String.t()], keyword()) ::
          {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def paths_info(bucket, paths, opts) do
    {:ok, Enum.to_list(stream_paths_info(bucket, paths, opts))}
  rescue
    error in Error -> {:error, error}
  end

  @doc "Returns the files at the given paths, an enumerable, as a lazy stream."
  @spec stream_paths_info(HfHub.Buckets.bucket() | RepoRef.t(), Enumerable.t(), keyword()) :: Enumerable.t()
  def stream_paths_info(bucket, paths, opts) do
    opts = Options.validate!(opts, Options.common())
    ref = Error.unwrap!(Call.whole(bucket, opts))

    deadline = Request.deadline(opts[:timeout])

    paths
    |> Stream.map(&path!/1)
    |> Stream.chunk_every(@paths_at_once)
    |> Stream.flat_map(&Error.unwrap!(some_paths(ref, &1, Request.until(opts, deadline))))
  end

  defp some_paths(ref, paths, opts) do
    Call.request(:post, "/paths-info", ref, opts)
    |> Request.json(%{paths: paths})
    |> Request.repeatable()
    |> Request.run([TreeEntry])
  end

  defp path!(path) do
    if is_binary(path) and String.valid?(path),
      do: path,
      else: raise(ArgumentError, "expected the path of a file in the bucket, got: #{Options.shown(path)}")
  end

  @doc "Returns the metadata in the headers of a file."
  @spec metadata(HfHub.Buckets.bucket(), String.t(), keyword()) ::
          {:ok, FileMetadata.t()} | {:error, Error.t()}
  def metadata(bucket, path, opts) do
    opts = Options.validate!(opts, Options.common())

    with {:ok, ref} <- Call.whole(bucket, opts),
         request = Call.resolve(:head, ref, path!(path), opts),
         # The size would be that of the compressed response.
         {:ok, headers} <- request |> Request.put_header("accept-encoding", "identity") |> Request.headers() do
      from_headers(path, headers)
    end
  end

  defp from_headers(path, headers) do
    hash = headers["x-xet-hash"]
    length = if headers["location"], do: nil, else: headers["content-length"]

    case Integer.parse(headers["x-linked-size"] || length || "") do
      {size, ""} when hash != nil ->
        {:ok,
         %FileMetadata{path: path, size: size, xet_hash: hash, refresh_url: Metadata.refresh_url(headers)}}

      _other ->
        message = "the response about #{inspect(path)} has no size or no Xet hash"
        {:error, Error.new(:invalid_response, message, path: path)}
    end
  end
end
