defmodule HfHub.DatasetFiles.Place do
  # Where the files of a dataset are, and the errors about it.
  @moduledoc false

  alias HfHub.DatasetFiles.Patterns
  alias HfHub.Error.Hint
  alias HfHub.Native.Hub
  alias HfHub.{Error, RepoRef}

  @typedoc """
  A folder or a file on this machine, with the folder that names are relative to; or a repository. Files in the cache are of
  the commit of the reference, and some of them may not be downloaded yet; `:partly` if its listing is not in the cache, so
  that others than the cached files are unknown.
  """
  @type t :: {:local, Path.t(), Path.t()} | {:cache, RepoRef.t(), :wholly | :partly} | {:hub, RepoRef.t()}

  @doc "Returns an error about a dataset."
  @spec error(atom(), String.t(), t()) :: {:error, Error.t()}
  def error(kind, message, {:local, path, _folder}), do: {:error, Error.new(kind, message, path: path)}

  # Without its listing, the rest of the dataset is unknown.
  def error(:entry_not_found, message, {:cache, ref, :partly}) do
    message = message <> Hint.sentence(%{"hint" => "local_files_only"})
    {:error, Error.new(:not_cached, message, in_repo(ref))}
  end

  def error(kind, message, place), do: {:error, Error.new(kind, message, in_repo(elem(place, 1)))}

  @doc "Returns the error of a split, or of something else with a name, that a dataset does not have."
  @spec missing(t(), String.t(), String.t(), [String.t()]) :: {:error, Error.t()}
  def missing(place, what, name, []),
    do: error(:entry_not_found, "#{shown(place)} has no #{what} #{inspect(name)}", place)

  def missing(place, what, name, names) do
    message = "#{shown(place)} has no #{what} #{inspect(name)}; its #{what}s are #{list(names)}"
    error(:entry_not_found, message, place)
  end

  @doc "Returns an error if the card of a dataset is wrong, or does not say which configuration `nil` stands for."
  @spec check_card(t(), term(), String.t() | nil) :: :ok | {:error, Error.t()}
  def check_card(place, card, config) do
    case Patterns.mistake(card, config) do
      nil -> :ok
      mistake -> error(:bad_request, "the card of #{shown(place)} #{mistake}", place)
    end
  end

  @doc "Returns the name of a dataset in messages."
  @spec shown(t()) :: String.t()
  def shown({:local, path, _folder}), do: "`#{path}`"
  def shown({:cache, ref, :partly}), do: "the cached part of dataset #{inspect(ref.repo_id)}"
  def shown(place), do: "dataset #{inspect(elem(place, 1).repo_id)}"

  @doc "Returns names as they are listed in messages."
  @spec list([String.t()]) :: String.t()
  def list(names), do: Enum.map_join(names, ", ", &inspect/1)

  @doc "Returns the configuration of the engine for a dataset. Files on this machine need no token."
  @spec hub(t(), keyword()) :: {:ok, map()} | {:error, Error.t()}
  def hub({:local, _path, _folder}, opts), do: Hub.config(Keyword.put(opts, :token, false))
  def hub(place, opts), do: Hub.config(RepoRef.network(elem(place, 1), opts))

  @doc "Returns the metadata of a dataset for telemetry."
  @spec about(t(), map()) :: map()
  def about({:local, path, _folder}, _hub),
    do: %{repo_id: nil, repo_type: nil, revision: nil, endpoint: nil, path: path}

  def about(place, hub) do
    ref = elem(place, 1)
    %{repo_id: ref.repo_id, repo_type: "dataset", revision: ref.revision, endpoint: hub.endpoint, path: nil}
  end

  defp in_repo(ref), do: [repo_id: ref.repo_id, revision: ref.revision]
end
