defmodule HfHub.Buckets.Call do
  # Requests about a bucket, whose address they carry.
  @moduledoc false

  alias HfHub.Buckets.Bucket
  alias HfHub.{Error, RepoRef, Request}

  @doc """
  Returns a request for a route below that of a bucket. An invalid address, or one with a path where the whole bucket is
  meant, is the error of the request.
  """
  @spec request(atom(), String.t(), HfHub.Buckets.bucket() | RepoRef.t(), keyword(), keyword()) :: Request.t()
  def request(method, route, bucket, opts, params \\ []) do
    case whole(bucket, opts) do
      {:ok, ref} -> at("/api/buckets/*repo" <> route, method, ref, opts, params)
      {:error, error} -> %{Request.new(method, "/api/buckets", [], opts) | error: error}
    end
  end

  @doc "Returns a request for the content of a file."
  @spec resolve(atom(), RepoRef.t(), String.t(), keyword()) :: Request.t()
  def resolve(method, ref, path, opts) do
    at("/buckets/*repo/resolve/:path", method, %{ref | path: path}, opts, path: path)
  end

  defp at(template, method, ref, opts, params),
    do: %{Request.new(method, template, [repo: ref.repo_id] ++ params, opts) | ref: ref, suggest: :never}

  @doc "Returns the address of a bucket without a path in it."
  @spec whole(HfHub.Buckets.bucket() | RepoRef.t(), keyword()) :: {:ok, RepoRef.t()} | {:error, Error.t()}
  def whole(bucket, opts) do
    case address(bucket, opts) do
      {:ok, %{path: path} = ref} when path != nil ->
        message = "#{inspect(path)} is a path in the bucket; pass the bucket #{inspect(ref.repo_id)}"
        {:error, Error.new(:invalid_name, message, repo_id: ref.repo_id, path: path)}

      other ->
        other
    end
  end

  @doc "Returns the address of a bucket or of a place in one."
  @spec address(HfHub.Buckets.bucket() | RepoRef.t(), keyword()) :: {:ok, RepoRef.t()} | {:error, Error.t()}
  def address(%RepoRef{} = ref, _opts), do: {:ok, ref}
  def address(%Bucket{id: id}, opts), do: RepoRef.bucket(id, opts)
  def address(bucket, opts), do: RepoRef.bucket(bucket, opts)
end
