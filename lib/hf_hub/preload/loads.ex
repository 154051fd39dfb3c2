defmodule HfHub.Preload.Loads do
  # What a preload has to load, as the options `:repos` and `:lock` say it.
  @moduledoc false

  alias HfHub.{Download, Error, Lock, Options}

  @typedoc "The key of a repository, and the function that loads it with the options of the network."
  @type load :: {String.t(), (keyword() -> {:ok, %{String.t() => Path.t()}} | {:error, Error.t()})}

  # Those that would load another repository or nothing, or contradict the progress of the preload.
  @not_own [:repo_id, :dry_run, :progress_callback]

  @doc "Raises `ArgumentError` if the options cannot be right, whatever the Hub has."
  @spec check!(keyword()) :: :ok
  def check!(opts) do
    if opts[:repos] == nil and opts[:lock] == nil,
      do: raise(ArgumentError, "option :repos or :lock is required")

    keys = for repo <- opts[:repos] || [], do: if(opts[:lock], do: key!(repo), else: check_listed!(repo))
    if opts[:lock], do: :ok, else: check_unique!(keys)
  end

  defp check_listed!(repo) do
    {repo, own} = with_own(repo)
    key = key!(repo)

    for name <- @not_own, own[name] do
      raise ArgumentError,
            "option :repos has the option #{inspect(name)} for #{inspect(key)}, which a preload does not take"
    end

    Download.check_snapshot!(Keyword.put(own, :repo_id, repo))
    key
  end

  # Their folders would have the same key.
  defp check_unique!(keys) do
    case keys -- Enum.uniq(keys) do
      [] ->
        :ok

      [twice | _more] ->
        raise ArgumentError,
              "option :repos contains #{inspect(twice)} twice; pass one of them as a URI such as " <>
                "\"hf://datasets/org/name\" or \"hf://org/name@revision\""
    end
  end

  @doc "Returns one load per repository, so that those that are loaded are known."
  @spec all(keyword()) :: {:ok, [load()]} | {:error, Error.t()}
  def all(opts) do
    if opts[:lock] do
      with {:ok, entries} <- Lock.read(lock: opts[:lock]), do: {:ok, pinned(entries, opts)}
    else
      {:ok, Enum.map(opts[:repos], &listed/1)}
    end
  end

  defp pinned(entries, opts) do
    chosen = if opts[:repos], do: opts[:repos], else: Enum.map(entries, &Lock.Text.name/1)

    for repo <- chosen do
      {key!(repo),
       fn network ->
         with {:ok, found} <- Lock.get([lock: opts[:lock], repos: [repo]] ++ network),
              do: {:ok, Map.new(found, &{id(&1), &1.path})}
       end}
    end
  end

  # A model and a dataset may have the same id.
  defp id(%{repo_type: :model, repo_id: id}), do: id
  defp id(snapshot), do: Lock.Text.name(snapshot)

  defp listed(repo) do
    {repo, own} = with_own(repo)
    key = key!(repo)

    {key,
     fn network ->
       with {:ok, path} <- Download.snapshot_download(Keyword.merge(network, own) ++ [repo_id: repo]),
            do: {:ok, %{key => path}}
     end}
  end

  defp with_own({repo, own}) when is_list(own), do: {repo, own}
  defp with_own(repo), do: {repo, []}

  # Bumblebee's tuples begin with `:hf` and the id.
  defp key!(repo) when is_binary(repo), do: repo
  defp key!({:hf, id}) when is_binary(id), do: id
  defp key!({:hf, id, own}) when is_binary(id) and is_list(own), do: id

  defp key!({_repo, own}) when is_list(own),
    do:
      raise(ArgumentError, "repositories of the option :lock have no options; the lock file has their files")

  defp key!(other),
    do:
      raise(
        ArgumentError,
        "expected option :repos to be a list of repositories, got: #{Options.shown(other)}"
      )
end
