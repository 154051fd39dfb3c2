defmodule HfHub.Api.Files do
  # Requests for listings and paths of a repository.
  @moduledoc false

  alias HfHub.Api.{Sibling, Tables, TreeEntry}
  alias HfHub.{Decode, Error, Options, RepoRef, Request}
  alias HfHub.RepoRef.Folder

  # Limit of the Hub for one request.
  @paths_at_once 500

  @doc "Returns up to `:limit` entries of a tree."
  @spec tree(HfHub.repo(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def tree(repo_id, opts) do
    opts = Options.validate!(opts, Tables.tree())

    Request.list(request(repo_id, opts), opts[:limit], TreeEntry)
  end

  @doc "Returns a tree as a lazy stream."
  @spec stream_tree(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_tree(repo_id, opts) do
    opts = Options.validate!(opts, Tables.unlimited(Tables.tree()))
    Request.stream(request(repo_id, opts), TreeEntry)
  end

  @doc "Returns up to `:limit` files."
  @spec list(HfHub.repo(), keyword()) :: {:ok, [Sibling.t()]} | {:error, Error.t()}
  def list(repo_id, opts), do: list(repo_id, opts, Decode.to(Sibling))

  @doc "Returns files as a lazy stream."
  @spec stream(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream(repo_id, opts), do: stream(repo_id, opts, Decode.to(Sibling))

  @doc "Returns up to `:limit` paths of files."
  @spec paths(HfHub.repo(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def paths(repo_id, opts), do: list(repo_id, opts, &path/1)

  @doc "Returns the paths of files as a lazy stream."
  @spec stream_paths(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_paths(repo_id, opts), do: stream(repo_id, opts, &path/1)

  defp list(repo_id, opts, decode) do
    opts = Options.validate!(opts, Tables.files())
    Request.list(request(repo_id, [expand: false] ++ opts), opts[:limit], decode, &files/1)
  end

  defp stream(repo_id, opts, decode) do
    opts = Options.validate!(opts, Tables.unlimited(Tables.files()))
    Request.stream(request(repo_id, [expand: false] ++ opts), decode, &files/1)
  end

  @doc "Returns information about the given paths."
  @spec info(HfHub.repo(), String.t() | [String.t()], keyword()) ::
          {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def info(repo_id, paths, opts) do
    opts = Options.validate!(opts, Tables.paths())
    paths = List.wrap(paths)

    unless Enum.all?(paths, &(is_binary(&1) and String.valid?(&1))) do
      raise ArgumentError,
            "expected paths as a string or a list of strings, got: #{Options.shown(paths)}"
    end

    with {:ok, ref} <- RepoRef.resolve(repo_id, opts),
         :ok <- RepoRef.beside(ref, paths) do
      paths
      |> Enum.map(&Folder.join(ref, &1))
      |> Enum.chunk_every(@paths_at_once)
      |> Enum.reduce_while({:ok, []}, fn some, {:ok, found} ->
        case some_paths(ref, some, opts) do
          {:ok, more} -> {:cont, {:ok, found ++ more}}
          {:error, error} -> {:halt, {:error, error}}
        end
      end)
    end
  end

  defp some_paths(ref, paths, opts) do
    Request.repo(:post, "/api/:types/*repo/paths-info/:revision", ref, opts)
    |> Request.form(paths: paths, expand: opts[:expand])
    |> Request.run([TreeEntry])
  end

  defp request(repo_id, opts) do
    folder = {:folder, opts[:path_in_repo]}

    Request.repo(:get, "/api/:types/*repo/tree/:revision[/:path]", repo_id, opts, scope: folder)
    |> Request.query(recursive: opts[:recursive], expand: opts[:expand])
  end

  defp path(json), do: json |> Decode.object() |> Map.get("path") |> Decode.text()

  defp files(page) when is_list(page), do: Enum.filter(page, &match?(%{"type" => "file"}, &1))
  defp files(other), do: other
end
