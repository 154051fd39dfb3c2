defmodule HfHub.Repo.Address do
  # The URL of a repository: by its reference, or by a response of the Hub.
  @moduledoc false

  alias HfHub.{Decode, RepoRef}
  alias HfHub.Repo.RepoUrl

  @doc "Returns the URL of a repository by its reference."
  @spec of(RepoRef.t(), String.t()) :: RepoUrl.t()
  def of(ref, endpoint) do
    endpoint = String.trim_trailing(endpoint, "/")

    {namespace, name} =
      case String.split(ref.repo_id, "/") do
        [namespace, name] -> {namespace, name}
        [name] -> {nil, name}
      end

    %RepoUrl{
      url: "#{endpoint}/#{prefix(ref.repo_type)}#{ref.repo_id}",
      endpoint: endpoint,
      repo_type: ref.repo_type,
      repo_id: ref.repo_id,
      namespace: namespace,
      name: name
    }
  end

  @doc """
  Returns the URL in the Hub's response about the repository `asked`. Behind a mirror, the response contains the URL at
  the public Hub.
  """
  @spec answered(term(), RepoRef.t(), String.t()) :: RepoUrl.t()
  def answered(%{"url" => url} = json, asked, endpoint) when is_binary(url),
    do: named(json, named_in(json, asked.repo_type, endpoint) || asked, endpoint)

  def answered(_json, _asked, _endpoint),
    do: raise(Decode.Error, message: "the URL of the repository is missing")

  @doc "Returns the URL in a response of the Hub whose request is not known."
  @spec from_response!(map(), HfHub.repo_type(), String.t()) :: RepoUrl.t()
  def from_response!(json, repo_type, endpoint) do
    case named_in(json, repo_type, endpoint) do
      nil -> raise HfHub.Error.new(:invalid_response, "the URL of the repository is missing")
      ref -> named(json, ref, endpoint)
    end
  end

  defp named(json, ref, endpoint),
    do: %{of(ref, endpoint) | files_copy_pending: json["filesCopyPending"] == true}

  defp named_in(json, repo_type, endpoint) do
    Enum.find_value(["url", "name", "repo_id"], fn entry ->
      with text when is_binary(text) <- json[entry],
           {:ok, ref} <- reference(text, repo_type, endpoint) do
        ref
      else
        _other -> nil
      end
    end)
  end

  defp reference(text, :bucket, endpoint), do: RepoRef.bucket(text, endpoint: endpoint)
  defp reference(text, type, endpoint), do: RepoRef.resolve(text, repo_type: type, endpoint: endpoint)

  defp prefix(:model), do: ""
  defp prefix(repo_type), do: "#{repo_type}s/"
end
