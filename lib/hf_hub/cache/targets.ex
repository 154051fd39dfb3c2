defmodule HfHub.Cache.Targets do
  # Looks up a user's targets in a scan of the cache: `model/org/name`, `org/name`, an `hf://` URI,
  # a page URL or a commit. `hf cache rm` accepts all of these except URLs. Case is ignored. A
  # damaged repository is found by its folder.
  @moduledoc false

  alias HfHub.Git.Resolution
  alias HfHub.RepoRef

  @doc """
  Returns `{targets, unknown}`: folders with their commits (`nil` for all) as the engine expects
  them, and the names that are not in the cache.
  """
  def find(report, names, opts) do
    found = for name <- names, do: {name, look_up(report, String.trim(name), opts)}
    targets = for {_name, {repo, commits}} <- found, do: {Path.basename(repo.repo_path), commits}
    {merge(targets), for({name, nil} <- found, do: name)}
  end

  defp look_up(report, name, opts) do
    lower = String.downcase(name)

    cond do
      Resolution.commit?(lower) -> by_commit(report.repos, lower)
      lower =~ ~r"\A(hf|https?)://" -> by_reference(report, name, opts)
      true -> by_name(report.repos, lower) || by_folder(report, name)
    end
  end

  # The URL or URI of a single file must not remove its whole repository.
  defp by_reference(report, text, opts) do
    with {:ok, %{path: nil} = ref} <- RepoRef.resolve(text, Keyword.take(opts, [:endpoint])),
         {repo, nil} <- look_up(report, "#{ref.repo_type}/#{ref.repo_id}", opts) do
      at_revision(repo, ref.revision)
    else
      _unknown -> nil
    end
  end

  defp by_commit(repos, commit) do
    Enum.find_value(repos, fn repo ->
      if Enum.any?(repo.revisions, &(&1.commit_hash == commit)), do: {repo, [commit]}
    end)
  end

  # An id without a type, if it exists with one type only.
  defp by_name(repos, name) do
    full = Enum.filter(repos, &(String.downcase("#{&1.repo_type}/#{&1.repo_id}") == name))
    short = Enum.filter(repos, &(String.downcase(&1.repo_id) == name))

    case {full, short} do
      {[repo], _short} -> {repo, nil}
      {[], [repo]} -> {repo, nil}
      _none_or_several -> nil
    end
  end

  defp by_folder(report, name) do
    folders =
      for {type, id} <- typed(name) ++ short(name),
          type in ~w(model dataset space kernel),
          do: "#{type}s--" <> String.replace(id, "/", "--")

    broken = for warning <- report.warnings, do: top(warning.path, report.cache_dir)

    case Enum.filter(folders, &(&1 in broken)) do
      [folder] -> {%{repo_path: Path.join(report.cache_dir, folder), revisions: []}, nil}
      _none_or_several -> nil
    end
  end

  defp typed(name) do
    case String.split(name, "/", parts: 2) do
      [type, id] -> [{type, id}]
      _one -> []
    end
  end

  defp short(name), do: for(type <- ~w(model dataset space), do: {type, name})

  defp top(path, cache_dir), do: path |> Path.relative_to(cache_dir) |> Path.split() |> List.first()

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
