defmodule HfHub.Lock.Reference do
  # How callers name a repository of a lock file: by any reference, or by its name in the file, which the commands print.
  @moduledoc false

  alias HfHub.{Error, RepoRef}
  alias HfHub.Lock.{Entry, Text}

  @doc """
  Returns the reference of a whole repository, with its revision.

  Without a type, an id is that of the one entry that has it, so that an entry is updated as it was added.
  """
  @spec resolve(HfHub.repo(), [Entry.t()], keyword()) :: {:ok, RepoRef.t()} | {:error, Error.t()}
  def resolve(repo, entries, opts) do
    {repo, type} = typed(repo, entries, opts[:repo_type])

    with {:ok, ref} <- RepoRef.resolve(repo, Keyword.put(opts, :repo_type, type)) do
      if ref.path == nil,
        do: {:ok, ref},
        else: {:error, Error.new(:invalid_name, path_given(ref), repo_id: ref.repo_id, path: ref.path)}
    end
  end

  defp path_given(ref),
    do: "the reference contains the path #{inspect(ref.path)}; pass the repository and `:allow_patterns`"

  defp typed(repo, entries, type) do
    case Enum.filter(entries, &named?(&1, repo)) do
      [entry] when type in [nil, entry.repo_type] ->
        {if(repo == Text.name(entry), do: entry.repo_id, else: repo), entry.repo_type}

      _none_or_several ->
        new(repo, type)
    end
  end

  # Three parts are no id. Of two, the first may be the name of an organization.
  defp new(repo, nil) when is_binary(repo) do
    with [_type, _namespace, _name] <- String.split(repo, "/"),
         {:ok, type, id} <- Text.split_name(repo),
         do: {id, type},
         else: (_other -> {repo, :model})
  end

  defp new(repo, type), do: {repo, type || :model}

  @doc "Returns whether a reference is that of an entry; an id alone may be of any type."
  @spec named?(Entry.t(), HfHub.repo()) :: boolean()
  def named?(entry, repo) do
    repo == Text.name(entry) or
      match?(
        {:ok, ref} when ref.repo_id == entry.repo_id and ref.repo_type == entry.repo_type,
        RepoRef.resolve(repo, repo_type: entry.repo_type)
      )
  end
end
