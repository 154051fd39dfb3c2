defmodule HfHub.Request.Place do
  # The revision, path and names that a request is about: their checks, and how its errors name them.
  @moduledoc false

  alias HfHub.Error.Hint
  alias HfHub.{Config, Error, RepoRef}
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

  @doc "Returns an error if a part of a route is empty or dots, with which the URL would be that of another route."
  @spec check_segments(String.t(), keyword()) :: Error.t() | nil
  def check_segments(template, params) do
    Enum.find_value(Regex.scan(~r/:(\w+)/, template), fn [_all, name] ->
      value = to_string(params[String.to_existing_atom(name)])
      message = "invalid #{name} #{inspect(value)}: it would change the path of the request"
      if value in ["", ".", ".."], do: Error.new(:invalid_name, message)
    end)
  end

  @doc """
  Names the path of a request in the error for a missing file or folder, which the Hub's words do not, and leaves out the
  advice on `:repo_type` if the call has no such option.
  """
  @spec named(result, HfHub.Request.t()) :: result when result: {:ok, term()} | {:error, Error.t()}
  def named({:error, %Error{kind: kind} = error}, %{ref: %RepoRef{repo_type: :bucket} = ref})
      when kind in [:repo_not_found, :entry_not_found],
      do: {:error, in_bucket(error, ref)}

  def named({:error, %Error{kind: :entry_not_found, path: nil} = error}, %{ref: %RepoRef{path: path} = ref})
      when is_binary(path) do
    message =
      "#{inspect(ref.repo_id)} has no file or folder #{inspect(path)} at revision #{inspect(ref.revision || "main")}"

    {:error, %{error | message: message, path: path}}
  end

  def named({:error, %Error{kind: :repo_not_found} = error}, %{only: only}) when only != nil do
    message =
      for type <- [:model, :dataset, :space], reduce: error.message do
        message ->
          String.replace_suffix(message, Hint.sentence(%{"hint" => "repo_type", "repo_type" => type}), "")
      end

    {:error, %{error | message: message}}
  end

  def named(result, _request), do: result

  defp in_bucket(%{kind: :repo_not_found} = error, ref) do
    message =
      "the bucket #{inspect(ref.repo_id)} was not found; check its name, and whether the token has access"

    %{error | message: message, repo_id: ref.repo_id}
  end

  defp in_bucket(error, ref) do
    message = "the bucket #{inspect(ref.repo_id)} has no file #{inspect(ref.path)}"
    %{error | message: message, repo_id: ref.repo_id, path: ref.path}
  end

  @doc "Names what a request is about, `{namespace, id}`, in the error for one that is missing."
  @spec missing(result, String.t(), {String.t(), String.t()}) :: result
        when result: :ok | {:ok, term()} | {:error, Error.t()}
  def missing({:error, %Error{kind: :not_found} = error}, what, {namespace, id}) do
    message =
      "the #{what} #{inspect(id)} of #{inspect(namespace)} was not found; check both, and whether the token has access"

    {:error, %{error | message: message}}
  end

  def missing(result, _what, _place), do: result

  @doc """
  Corrects the address of the page for tokens in the error of a request to another server than the Hub at `endpoint`
  (defaults to the configured one).
  """
  @spec on_hub(result, HfHub.Request.t(), String.t() | nil) :: result
        when result: :ok | {:ok, term()} | {:error, Error.t()}
  def on_hub({:error, error}, request, endpoint) do
    [there, here] =
      for base <- [request.opts[:endpoint], endpoint || Config.endpoint()],
          do: String.trim_trailing(base, "/") <> "/settings/tokens"

    {:error, %{error | message: String.replace(error.message, there, here)}}
  end

  def on_hub(result, _request, _endpoint), do: result
end
