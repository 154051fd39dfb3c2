defmodule HfHub.Api do
  @moduledoc """
  Reading what the Hub knows about repositories.

      {:ok, info} = HfHub.Api.model_info("openai-community/gpt2")
      info.downloads

  Repositories are named in any form that `HfHub.Download` takes. Functions that list return up to
  `:limit` items; their `stream_` twins are lazy, ask for a page when it is needed, and raise
  `HfHub.Error`.
  """

  alias HfHub.Api.{DatasetInfo, ModelInfo, SpaceInfo, TreeEntry}
  alias HfHub.{Config, Decode, Error, Options, RepoRef, Request}

  @revision [
    revision: [type: :string, doc: "branch, tag or commit. By default what the id names, else `\"main\"`."]
  ]

  @info @revision ++
          [
            files_metadata: [
              type: :boolean,
              default: false,
              doc: "tell size, git id and LFS facts of every file, too."
            ],
            expand: [
              type: {:list, :string},
              doc: "only these facts, by the Hub's names, such as `\"downloadsAllTime\"`."
            ]
          ] ++ Options.common()

  @tree [
          repo_type: [
            type: {:in, [:model, :dataset, :space]},
            default: :model,
            doc: "what an id alone stands for."
          ],
          path_in_repo: [type: :string, doc: "only what is below this folder."],
          recursive: [type: :boolean, default: false, doc: "also what is in folders."],
          expand: [type: :boolean, default: false, doc: "tell the last commit of each entry, too; slower."]
        ] ++ @revision ++ Options.common()

  # As many as the Hub takes at a time.
  @paths_at_once 500

  @paths Keyword.drop(@tree, [:recursive, :path_in_repo])

  @files Keyword.drop(@tree, [:recursive, :expand])

  @list [
          search: [type: {:or, [:string, {:list, :string}]}, doc: "words in the name."],
          author: [type: :string, doc: "the user or organization."],
          filter: [type: {:or, [:string, {:list, :string}]}, doc: "tags that all of them have."],
          gated: [type: :boolean, doc: "only gated ones, or only others."],
          sort: [
            type: {:in, [:last_modified, :trending_score, :created_at, :downloads, :likes]},
            doc: "what the list is ordered by, the largest first."
          ],
          limit: [type: :pos_integer, doc: "at most so many. By default all there are."],
          full: [type: :boolean, doc: "tell most facts of each."],
          expand: [type: {:list, :string}, doc: "only these facts, by the Hub's names."]
        ] ++ Options.common()

  @models [
            pipeline_tag: [type: :string, doc: "the task, such as `\"text-generation\"`."],
            apps: [type: {:or, [:string, {:list, :string}]}, doc: "local apps that can run it."],
            inference: [type: {:in, [:warm]}, doc: "only those that inference providers serve now."],
            inference_provider: [
              type: {:or, [:string, {:list, :string}]},
              doc: "served by these, or `\"all\"`."
            ],
            num_parameters: [type: :string, doc: "a range such as `\"min:6B,max:128B\"`."],
            config: [type: :boolean, doc: "tell the configuration, too."],
            card_data: [type: :boolean, doc: "tell the card's metadata, too."]
          ] ++ @list

  @spaces [
            models: [type: {:or, [:string, {:list, :string}]}, doc: "that use these models."],
            datasets: [type: {:or, [:string, {:list, :string}]}, doc: "that use these datasets."],
            linked: [type: :boolean, doc: "that use any model or dataset."]
          ] ++ @list

  @doc """
  Returns what the Hub says about a model.

  ## Options

  #{Options.docs(@info)}

  ## Examples

      {:ok, info} = HfHub.Api.model_info("openai-community/gpt2", files_metadata: true)
      for file <- info.siblings, do: {file.filename, file.size}
  """
  @doc python: "model_info"
  @spec model_info(term(), keyword()) :: {:ok, ModelInfo.t()} | {:error, Error.t()}
  def model_info(repo_id, opts \\ []), do: info(repo_id, :model, opts, &ModelInfo.from_json/1)

  @doc "Same as `model_info/2`, but returns the information or raises `HfHub.Error`."
  @spec model_info!(term(), keyword()) :: ModelInfo.t()
  def model_info!(repo_id, opts \\ []), do: Error.unwrap!(model_info(repo_id, opts))

  @doc """
  Returns what the Hub says about a dataset. Options: those of `model_info/2`.

  ## Examples

      {:ok, info} = HfHub.Api.dataset_info("rajpurkar/squad")
  """
  @doc python: "dataset_info"
  @spec dataset_info(term(), keyword()) :: {:ok, DatasetInfo.t()} | {:error, Error.t()}
  def dataset_info(repo_id, opts \\ []), do: info(repo_id, :dataset, opts, &DatasetInfo.from_json/1)

  @doc "Same as `dataset_info/2`, but returns the information or raises `HfHub.Error`."
  @spec dataset_info!(term(), keyword()) :: DatasetInfo.t()
  def dataset_info!(repo_id, opts \\ []), do: Error.unwrap!(dataset_info(repo_id, opts))

  @doc """
  Returns what the Hub says about a Space. Options: those of `model_info/2`.

  ## Examples

      {:ok, info} = HfHub.Api.space_info("huggingface/diffusers-gallery")
  """
  @doc python: "space_info"
  @spec space_info(term(), keyword()) :: {:ok, SpaceInfo.t()} | {:error, Error.t()}
  def space_info(repo_id, opts \\ []), do: info(repo_id, :space, opts, &SpaceInfo.from_json/1)

  @doc "Same as `space_info/2`, but returns the information or raises `HfHub.Error`."
  @spec space_info!(term(), keyword()) :: SpaceInfo.t()
  def space_info!(repo_id, opts \\ []), do: Error.unwrap!(space_info(repo_id, opts))

  @doc """
  Returns models.

  ## Options

  #{Options.docs(@models)}

  ## Examples

      {:ok, models} = HfHub.Api.list_models(search: "whisper", sort: :downloads, limit: 5)
  """
  @doc python: "list_models"
  @spec list_models(keyword()) :: {:ok, [ModelInfo.t()]} | {:error, Error.t()}
  def list_models(opts \\ []), do: list("models", opts, @models, &ModelInfo.from_json/1)

  @doc "Same as `list_models/1`, but returns the models or raises `HfHub.Error`."
  @spec list_models!(keyword()) :: [ModelInfo.t()]
  def list_models!(opts \\ []), do: Error.unwrap!(list_models(opts))

  @doc """
  Returns models as a stream that asks for pages when they are needed. Options: those of `list_models/1` but `:limit`.

  ## Examples

      HfHub.Api.stream_models(author: "google") |> Stream.filter(&(&1.likes > 100)) |> Enum.take(3)
  """
  @spec stream_models(keyword()) :: Enumerable.t()
  def stream_models(opts \\ []), do: stream("models", opts, @models, &ModelInfo.from_json/1)

  @doc """
  Returns datasets.

  ## Options

  #{Options.docs(@list)}

  ## Examples

      {:ok, datasets} = HfHub.Api.list_datasets(author: "rajpurkar")
  """
  @doc python: "list_datasets"
  @spec list_datasets(keyword()) :: {:ok, [DatasetInfo.t()]} | {:error, Error.t()}
  def list_datasets(opts \\ []), do: list("datasets", opts, @list, &DatasetInfo.from_json/1)

  @doc "Same as `list_datasets/1`, but returns the datasets or raises `HfHub.Error`."
  @spec list_datasets!(keyword()) :: [DatasetInfo.t()]
  def list_datasets!(opts \\ []), do: Error.unwrap!(list_datasets(opts))

  @doc """
  Returns datasets as a stream. Options: those of `list_datasets/1` but `:limit`.

  ## Examples

      HfHub.Api.stream_datasets(filter: "language:en") |> Enum.take(10)
  """
  @spec stream_datasets(keyword()) :: Enumerable.t()
  def stream_datasets(opts \\ []), do: stream("datasets", opts, @list, &DatasetInfo.from_json/1)

  @doc """
  Returns Spaces.

  ## Options

  #{Options.docs(@spaces)}

  ## Examples

      {:ok, spaces} = HfHub.Api.list_spaces(models: "openai-community/gpt2", limit: 10)
  """
  @doc python: "list_spaces"
  @spec list_spaces(keyword()) :: {:ok, [SpaceInfo.t()]} | {:error, Error.t()}
  def list_spaces(opts \\ []), do: list("spaces", opts, @spaces, &SpaceInfo.from_json/1)

  @doc "Same as `list_spaces/1`, but returns the Spaces or raises `HfHub.Error`."
  @spec list_spaces!(keyword()) :: [SpaceInfo.t()]
  def list_spaces!(opts \\ []), do: Error.unwrap!(list_spaces(opts))

  @doc """
  Returns Spaces as a stream. Options: those of `list_spaces/1` but `:limit`.

  ## Examples

      HfHub.Api.stream_spaces(author: "huggingface") |> Enum.take(10)
  """
  @spec stream_spaces(keyword()) :: Enumerable.t()
  def stream_spaces(opts \\ []), do: stream("spaces", opts, @spaces, &SpaceInfo.from_json/1)

  @doc """
  Returns the files and folders of a repository.

  ## Options

  #{Options.docs(@tree)}

  ## Examples

      {:ok, entries} = HfHub.Api.list_repo_tree("openai-community/gpt2", recursive: true)
  """
  @doc python: "list_repo_tree"
  @spec list_repo_tree(term(), keyword()) :: {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def list_repo_tree(repo_id, opts \\ []) do
    with {:ok, request} <- tree(repo_id, Options.validate!(opts, @tree)) do
      Request.list(request, nil, &TreeEntry.from_json/1)
    end
  end

  @doc "Same as `list_repo_tree/2`, but returns the entries or raises `HfHub.Error`."
  @spec list_repo_tree!(term(), keyword()) :: [TreeEntry.t()]
  def list_repo_tree!(repo_id, opts \\ []), do: Error.unwrap!(list_repo_tree(repo_id, opts))

  @doc """
  Returns the paths of all files of a repository.

  ## Options

  #{Options.docs(@files)}

  ## Examples

      {:ok, paths} = HfHub.Api.list_files("openai-community/gpt2")
  """
  @doc python: "list_repo_files"
  @spec list_files(term(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def list_files(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @files)

    with {:ok, entries} <- list_repo_tree(repo_id, [recursive: true] ++ given(opts)) do
      {:ok, for(%TreeEntry{type: :file, path: path} <- entries, do: path)}
    end
  end

  @doc "Same as `list_files/2`, but returns the paths or raises `HfHub.Error`."
  @spec list_files!(term(), keyword()) :: [String.t()]
  def list_files!(repo_id, opts \\ []), do: Error.unwrap!(list_files(repo_id, opts))

  @doc """
  Returns what the Hub says about some paths of a repository. Paths that do not exist are left out.

  ## Options

  #{Options.docs(@paths)}

  ## Examples

      {:ok, [entry]} = HfHub.Api.paths_info("openai-community/gpt2", "config.json")
  """
  @doc python: "get_paths_info"
  @spec paths_info(term(), String.t() | [String.t()], keyword()) ::
          {:ok, [TreeEntry.t()]} | {:error, Error.t()}
  def paths_info(repo_id, paths, opts \\ []) do
    opts = Options.validate!(opts, @paths)

    with {:ok, ref} <- RepoRef.parse(repo_id, opts[:repo_type], opts[:endpoint] || Config.endpoint()) do
      about = {ref, opts[:revision] || ref.revision || "main"}

      paths
      |> List.wrap()
      |> Enum.chunk_every(@paths_at_once)
      |> Enum.reduce_while({:ok, []}, fn some, {:ok, found} ->
        case some_paths(about, some, opts) do
          {:ok, more} -> {:cont, {:ok, found ++ more}}
          {:error, error} -> {:halt, {:error, error}}
        end
      end)
    end
  end

  @doc "Same as `paths_info/3`, but returns the entries or raises `HfHub.Error`."
  @spec paths_info!(term(), String.t() | [String.t()], keyword()) :: [TreeEntry.t()]
  def paths_info!(repo_id, paths, opts \\ []), do: Error.unwrap!(paths_info(repo_id, paths, opts))

  defp some_paths({ref, revision}, paths, opts) do
    params = [types: "#{ref.repo_type}s", repo: ref.repo_id, revision: revision]

    Request.new(:post, "/api/:types/*repo/paths-info/:revision", params, opts)
    |> Request.about(%{ref | revision: revision})
    |> Request.form(paths: paths, expand: opts[:expand])
    |> Request.run(Decode.list(&TreeEntry.from_json/1))
  end

  defp info(repo_id, repo_type, opts, decode) do
    opts = Options.validate!(opts, @info)

    with {:ok, ref} <- RepoRef.parse(repo_id, repo_type, opts[:endpoint] || Config.endpoint()),
         revision = opts[:revision] || ref.revision,
         route = if(revision, do: "/api/:types/*repo/revision/:revision", else: "/api/:types/*repo") do
      Request.new(:get, route, [types: "#{repo_type}s", repo: ref.repo_id, revision: revision], opts)
      |> Request.about(%{ref | revision: revision})
      |> Request.query(blobs: opts[:files_metadata] || nil, expand: opts[:expand])
      |> Request.run(decode)
    end
  end

  defp tree(repo_id, opts) do
    with {:ok, ref} <- RepoRef.parse(repo_id, opts[:repo_type], opts[:endpoint] || Config.endpoint()) do
      revision = opts[:revision] || ref.revision || "main"
      path = opts[:path_in_repo] || ref.path
      route = "/api/:types/*repo/tree/:revision" <> if path, do: "/:path", else: ""
      params = [types: "#{ref.repo_type}s", repo: ref.repo_id, revision: revision, path: path]

      {:ok,
       Request.new(:get, route, params, opts)
       |> Request.about(%{ref | revision: revision})
       |> Request.query(recursive: opts[:recursive], expand: opts[:expand])}
    end
  end

  defp list(types, opts, table, decode) do
    opts = Options.validate!(opts, table)
    Request.list(search(types, opts), opts[:limit], decode)
  end

  defp stream(types, opts, table, decode) do
    opts = Options.validate!(opts, Keyword.delete(table, :limit))
    Request.stream(search(types, opts), decode)
  end

  @names %{card_data: "cardData"}
  @sorts %{last_modified: "lastModified", trending_score: "trendingScore", created_at: "createdAt"}

  defp search(types, opts) do
    query =
      for {name, value} <- Keyword.drop(opts, [:sort | Keyword.keys(Options.common())]),
          do: {Map.get(@names, name, to_string(name)), value}

    sort = opts[:sort] && Map.get(@sorts, opts[:sort], to_string(opts[:sort]))

    Request.new(:get, "/api/:types", [types: types], opts)
    |> Request.query(query ++ [{"sort", sort}])
  end

  defp given(opts), do: Enum.reject(opts, fn {_name, value} -> value == nil end)
end
