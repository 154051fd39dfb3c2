defmodule HfHub.Download.Metadata do
  # The metadata of a file, from the headers of its URL.
  @moduledoc false

  alias HfHub.{Decode, Error, RepoRef, Request}
  alias HfHub.Download.FileMetadata

  @hex ~r/\A[[:xdigit:]]{40}([[:xdigit:]]{24})?\z/

  @doc "Returns the metadata of the file in a reference."
  @spec get(RepoRef.t(), keyword()) :: {:ok, FileMetadata.t()} | {:error, Error.t()}
  def get(ref, opts) do
    with {:ok, headers} <- headers(ref, opts) do
      xet = if headers["x-xet-hash"], do: %{"refresh-url" => refresh_url(headers)}, else: %{}
      facts = headers |> Map.merge(%{"etag" => etag(headers), "size" => size(headers)}) |> Map.merge(xet)
      {:ok, Decode.struct(FileMetadata, facts)}
    end
  end

  @doc "Returns the headers of the file in a reference; those of a page that is not a file are an error."
  @spec headers(RepoRef.t(), keyword()) :: {:ok, %{String.t() => String.t()}} | {:error, Error.t()}
  def headers(ref, opts) do
    Request.repo(:head, RepoRef.web_route(ref) <> "/resolve/:revision/*path", ref, opts)
    |> Request.put_header("accept-encoding", "identity")
    |> Request.headers()
    |> Request.confirm(&file?/1, "the X-Repo-Commit header")
  end

  @doc "Returns the URL of the token that reads a file from Xet storage, from the headers of the file."
  @spec refresh_url(%{String.t() => String.t()}) :: String.t() | nil
  def refresh_url(headers) do
    case Regex.run(~r/<([^>]*)>;\s*rel="?xet-auth"?/, headers["link"] || "") do
      [_all, url] -> url
      nil -> headers["x-xet-refresh-route"]
    end
  end

  # A Hub sends X-Repo-Commit. Without it, the etag must be a checksum, as for a download. The etag of a redirect is
  # not that of the file, so there X-Linked-ETag is required.
  defp file?(headers) do
    linked? = headers["x-linked-etag"] != nil or headers["location"] == nil
    page? = String.starts_with?(headers["content-type"] || "", "text/html")
    headers["x-repo-commit"] != nil or ((etag(headers) || "") =~ @hex and not page? and linked?)
  end

  defp etag(headers) do
    etag = headers["x-linked-etag"] || headers["etag"]
    etag && etag |> String.replace_prefix("W/", "") |> String.trim("\"")
  end

  # The length of a redirect is not that of the file.
  defp size(headers) do
    own = if headers["location"], do: nil, else: headers["content-length"]

    case Integer.parse(headers["x-linked-size"] || own || "") do
      {size, ""} when size >= 0 -> size
      _other -> nil
    end
  end
end
