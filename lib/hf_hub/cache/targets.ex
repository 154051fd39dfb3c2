defmodule HfHub.Cache.Targets do
  # What users name in a cache, looked up in a scan: `model/org/name`, `org/name`, an `hf://`
  # URI or a commit, as `hf cache rm` takes them. Case does not matter.
  @moduledoc false

  alias HfHub.{Config, RepoRef}

  @doc """
  Returns `{targets, unknown}`: folders with their commits (`nil` for all) as the engine takes
  them, and the names that are not in the cache.
  """
  def find(repos, names) do
    found = for name <- names, do: {name, look_up(repos, String.trim(name))}
    targets = for {_name, {repo, commits}} <- found, do: {Path.basename(repo.repo_path), commits}
    {merge(targets), for({name, nil} <- found, do: name)}
  end

  defp look_up(repos, "hf://" <> _rest = uri) do
    with {:ok, ref} <- RepoRef.parse(uri, :model, Config.endpoint()),
         {repo, nil} <- look_up(repos, "#{ref.repo_type}/#{ref.repo_id}") do
      at_revision(repo, ref.revision)
    else
      _unknown -> nil
    end
  end

  defp look_up(repos, name) do
    name = String.downcase(name)
    if name =~ ~r/\A[0-9a-f]{40}\z/, do: by_commit(repos, name), else: by_name(repos, name)
  end

  defp by_commit(repos, commit) do
    Enum.find_value(repos, fn repo ->
      if Enum.any?(repo.revisions, &(&1.commit_hash == commit)), do: {repo, [commit]}
    end)
  end

  # An id without its type, if only one type has it.
  defp by_name(repos, name) do
    full = Enum.filter(repos, &(String.downcase("#{&1.repo_type}/#{&1.repo_id}") == name))
    short = Enum.filter(repos, &(String.downcase(&1.repo_id) == name))

    case {full, short} do
      {[repo], _short} -> {repo, nil}
      {[], [repo]} -> {repo, nil}
      _none_or_several -> nil
    end
  end

  defp at_revision(repo, nil), do: {repo, nil}

  defp at_revision(repo, revision) do
    commits = for found <- repo.revisions, revision in [found.commit_hash | found.refs], do: found.commit_hash

    if commits == [], do: nil, else: {repo, commits}
  end

  defp merge(targets) do
    targets
    |> Enum.group_by(&elem(&1, 0), &elem(&1, 1))
    |> Enum.map(fn {folder, commits} ->
      {folder, if(nil in commits, do: nil, else: commits |> Enum.concat() |> Enum.uniq())}
    end)
  end
end
