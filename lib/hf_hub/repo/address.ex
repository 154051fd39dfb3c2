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
  def answered(%{"url" => url} = json, asked, endpoint) when is_binary(url) do
    found =
      Enum.find_value([url, json["name"]], asked, fn text ->
        case is_binary(text) && RepoRef.resolve(text, repo_type: asked.repo_type, endpoint: endpoint) do
          {:ok, ref} -> ref
          _other -> nil
        end
      end)

    %{of(found, endpoint) | files_copy_pending: json["filesCopyPending"] == true}
  end

  def answered(_json, _asked, _endpoint),
    do: raise(Decode.Error, message: "the URL of the repository is missing")

  defp prefix(:model), do: ""
  defp prefix(repo_type), do: "#{repo_type}s/"
end
