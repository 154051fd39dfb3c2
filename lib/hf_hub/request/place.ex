defmodule HfHub.Request.Place do
  # The revision and path that a request is about, as its errors name them.
  @moduledoc false

  alias HfHub.{Error, RepoRef}
  alias HfHub.Native.Nif

  @doc "Sets the error of a request if the text cannot be the name of a revision."
  @spec check_revision(HfHub.Request.t(), String.t()) :: HfHub.Request.t()
  def check_revision(%{repo: nil} = request, _revision), do: request

  def check_revision(request, revision) do
    case Nif.check_names(Map.merge(request.repo, %{revision: revision, path: nil, filename: nil})) do
      nil -> request
      fields -> %{request | error: Error.from_native(fields)}
    end
  end

  @doc "Names the path of the reference in the error for a missing file or folder: the Hub's words do not."
  @spec named(result, RepoRef.t() | nil) :: result when result: {:ok, term()} | {:error, Error.t()}
  def named({:error, %Error{kind: :entry_not_found, path: nil} = error}, %RepoRef{path: path} = ref)
      when is_binary(path) do
    message =
      "#{inspect(ref.repo_id)} has no file or folder #{inspect(path)} at revision #{inspect(ref.revision || "main")}"

    {:error, %{error | message: message, path: path}}
  end

  def named(result, _ref), do: result
end
