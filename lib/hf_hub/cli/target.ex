defmodule HfHub.CLI.Target do
  # The repository of a command that takes an `hf://` URI in the place of an id.
  @moduledoc false

  alias HfHub.CLI.Call
  alias HfHub.{Error, RepoRef}

  @enforce_keys [:id, :type]
  defstruct [:id, :type, :revision, :path]

  @type t :: %__MODULE__{
          id: String.t(),
          type: HfHub.repo_type(),
          revision: String.t() | nil,
          path: String.t() | nil
        }

  @types %{"model" => :model, "dataset" => :dataset, "space" => :space}

  @doc "Returns what the arguments and flags name. A URI excludes the flags for what it contains."
  @spec of(Call.t()) :: {:ok, t()} | {:error, String.t() | Error.t()}
  def of(%{args: %{repo_id: "hf://" <> _rest = uri}, flags: flags}) do
    case for(name <- [:repo_type, :revision], flags[name], do: name) do
      [] ->
        parsed(uri)

      [name | _more] ->
        {:error, "--#{String.replace(to_string(name), "_", "-")} and an hf:// URI are mutually exclusive"}
    end
  end

  def of(%{args: args, flags: flags}) do
    type = Map.fetch!(@types, flags[:repo_type] || "model")
    {:ok, %__MODULE__{id: args.repo_id, type: type, revision: flags[:revision]}}
  end

  # A folder in a URI keeps its slash at the end.
  defp parsed(uri) do
    with {:ok, ref} <- RepoRef.resolve(uri, []) do
      slash = if String.ends_with?(uri, "/"), do: "/", else: ""
      path = if ref.path not in [nil, ""], do: String.trim_trailing(ref.path, "/") <> slash
      {:ok, %__MODULE__{id: ref.repo_id, type: ref.repo_type, revision: ref.revision, path: path}}
    end
  end

  @doc "Returns the options of a call for the repository."
  @spec options(t()) :: keyword()
  def options(target) do
    revision = if target.revision, do: [revision: target.revision], else: []
    [repo_type: target.type] ++ revision
  end
end
