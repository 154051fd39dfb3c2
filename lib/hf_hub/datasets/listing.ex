defmodule HfHub.Datasets.Listing do
  # Lists the files of a dataset and reads its card: in a folder on this machine, in the cache, or on the Hub.
  @moduledoc false

  alias HfHub.Api.TreeEntry
  alias HfHub.Cache.CachedTree
  alias HfHub.Cards.Readme
  alias HfHub.DatasetFiles.{Layout, Place, Selection}
  alias HfHub.Download.Cached
  alias HfHub.{Api, Download, Error, Options, RegularFile, RepoRef}

  @card "README.md"
  @max_card 32 * 1_048_576

  @doc "Returns where the files of a dataset are, their listing, and the metadata of its card."
  @spec list(HfHub.repo() | {:local, Path.t()}, keyword()) ::
          {:ok, Place.t(), [TreeEntry.t()], map() | nil} | {:error, Error.t()}
  def list({:local, path}, _opts) when is_binary(path) do
    path = Path.expand(path)

    cond do
      File.dir?(path) -> with {:ok, card} <- card(path), do: {:ok, {:local, path, path}, below(path), card}
      File.exists?(path) -> {:ok, {:local, path, Path.dirname(path)}, [entry(Path.dirname(path), path)], nil}
      true -> {:error, Error.new(:entry_not_found, "`#{path}` does not exist", path: path)}
    end
  end

  def list(dataset, opts),
    do: with({:error, error} <- in_repo(dataset, opts), do: {:error, about_path(error, dataset)})

  # A path is no id, and may look like one.
  defp about_path(%{kind: kind} = error, path)
       when is_binary(path) and kind in [:invalid_name, :repo_not_found, :not_cached] do
    if path =~ ~r"\A[/.~]" or File.exists?(path),
      do: %{error | message: "#{error.message}; pass {:local, #{inspect(path)}} for files on this machine"},
      else: error
  end

  defp about_path(error, _dataset), do: error

  defp in_repo(dataset, opts) do
    with {:ok, ref} <- RepoRef.resolve(dataset, [only: :dataset] ++ opts),
         {:ok, place, tree, card} <-
           if(opts[:stream] and not Cached.only?(opts),
             do: on_the_hub(ref, opts),
             else: in_cache(ref, opts)
           ) do
      {tree, card} = Selection.within(tree, if(not opts[:converted], do: card), ref.path)
      {:ok, place, tree, card}
    end
  end

  @doc "Downloads files of a dataset to the cache, unless they are there, and returns their folder."
  @spec download(RepoRef.t(), [String.t()], keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  def download(ref, names, opts) do
    transfer =
      [:cache_dir, :local_files_only, :progress | Keyword.keys(Options.transfer())] -- [:max_connections]

    at = [repo_id: RepoRef.again(ref), repo_type: :dataset, revision: ref.revision]
    Download.existing_files(names, Options.given(at ++ Keyword.take(opts, transfer)))
  end

  defp on_the_hub(ref, opts) do
    with {:ok, info} <- Api.dataset_info(RepoRef.again(ref), Layout.at(ref, opts)),
         # Files are of the commit that the revision stands for now, whatever is pushed meanwhile.
         ref = %{ref | revision: info.sha || ref.revision},
         {:ok, tree} <- Layout.listed(ref, opts),
         do: {:ok, {:hub, ref}, tree, info.card_data}
  end

  # The revision is resolved by the download of the card, which also stores what it stands for and the listing of that
  # commit, so that later calls need no network.
  defp in_cache(ref, opts) do
    with {:ok, folder} <- download(ref, [@card], Keyword.delete(opts, :progress)),
         ref = %{ref | revision: Path.basename(folder)},
         {:ok, known, tree} <- of_commit(ref, folder, opts),
         {:ok, card} <- card(folder),
         do: {:ok, {:cache, ref, known}, tree, card}
  end

  defp of_commit(ref, folder, opts) do
    case CachedTree.stored(Path.dirname(Path.dirname(folder)), ref.revision) do
      {:ok, tree} ->
        {:ok, :wholly, tree}

      :none ->
        if Cached.only?(opts),
          do: {:ok, :partly, below(folder)},
          else: with({:ok, tree} <- Layout.listed(ref, opts), do: {:ok, :wholly, tree})
    end
  end

  defp card(folder) do
    path = Path.join(folder, @card)

    with {:ok, text} <- RegularFile.read(path, @max_card),
         {:error, error} <- Readme.read(text) do
      {:error, %{error | message: "#{error.message} (`#{path}`)", path: path}}
    else
      {:ok, card} -> {:ok, card.data}
      {:error, _no_card} -> {:ok, nil}
    end
  end

  defp below(folder) do
    # The folder is not part of the pattern: its own name may have `[` or `*`. Hidden files are no data.
    for name <- :filelib.wildcard(~c"**", String.to_charlist(folder)),
        name = List.to_string(name),
        not Enum.any?(Path.split(name), &String.starts_with?(&1, ".")),
        path = Path.join(folder, name),
        File.regular?(path),
        do: entry(folder, path)
  end

  defp entry(folder, path),
    do: %TreeEntry{type: :file, path: Path.relative_to(path, folder), size: File.stat!(path).size}
end
