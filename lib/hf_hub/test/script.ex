defmodule HfHub.Test.Script do
  # Checks what a test gives a Hub, because a mistake in it would show as a failed request of the code under test.
  @moduledoc false

  alias HfHub.Native.Nif
  alias HfHub.{Options, RepoRef}
  alias HfHub.Test.Routes

  @doc "Returns the repositories of a Hub. Raises `ArgumentError` if they are not maps, or a name is invalid."
  @spec repos!(term()) :: HfHub.Test.repos()
  def repos!(repos) when is_map(repos) and not is_struct(repos) do
    for {repo, files} <- repos, do: files!(repo, files)
    repos
  end

  def repos!(other),
    do:
      raise(
        ArgumentError,
        "expected the repositories as a map of ids to their files, got: #{Options.shown(other)}"
      )

  @doc "Returns the files of a repository. Raises `ArgumentError` if they are none, or a name is invalid."
  @spec files!(term(), term()) :: %{String.t() => binary()}
  def files!(repo, files) when is_binary(repo) and is_map(files) and not is_struct(files) do
    names!(repo, nil)

    for {name, content} <- files do
      unless is_binary(name) and is_binary(content),
        do:
          raise(
            ArgumentError,
            "expected the files of #{inspect(repo)} as a map of names to binaries, got: #{Options.shown({name, content})}"
          )

      names!(repo, name)
    end

    files
  end

  def files!(repo, other) do
    raise ArgumentError,
          "expected the files of #{Options.shown(repo)} as a map of names to binaries, got: #{Options.shown(other)}"
  end

  defp names!(repo, name) do
    {id, type} = typed(repo)
    ref = RepoRef.to_native(%RepoRef{repo_type: type, repo_id: id})

    if error = Nif.check_names(Map.merge(ref, %{path: name, filename: name})),
      do: raise(ArgumentError, error.message <> hint(name))
  end

  defp hint(nil), do: "; the name of a dataset or Space begins with \"datasets/\" or \"spaces/\""
  defp hint(_file), do: ""

  @doc "Returns the id and the type in the name of a repository of a Hub."
  @spec typed(String.t()) :: {String.t(), :model | :dataset | :space}
  def typed("datasets/" <> id), do: {id, :dataset}
  def typed("spaces/" <> id), do: {id, :space}
  def typed(id), do: {id, :model}

  @doc "Returns routes. Raises `ArgumentError` if one is not a method and a path, or has no response."
  @spec routes!(map()) :: map()
  def routes!(routes) do
    for {route, response} <- routes do
      unless is_binary(route) and route =~ ~r"\A[A-Z]+ /[^?#]*\z" do
        raise ArgumentError,
              "expected a route as a method and a path without a query, such as \"GET /api/models\", got: #{inspect(route)}"
      end

      unless is_function(response, 1), do: Routes.response!(response)
    end

    routes
  end
end
