defmodule HfHub.Spaces.Lists do
  # The functions of `HfHub.Spaces` that are not about one Space: hardware, templates, search, quota.
  @moduledoc false

  alias HfHub.{Decode, Error, Options, Request}
  alias HfHub.Repo.Template
  alias HfHub.Spaces.{Lists, SpaceHardware, SpaceSearchResult, SpaceTemplate, Tables, ZeroGpuQuota}

  @doc "Returns the request of a search. An empty query raises `ArgumentError`."
  @spec search(String.t(), keyword()) :: Request.t()
  def search(query, opts) do
    unless is_binary(query) and String.valid?(query) and String.trim(query) != "" do
      raise ArgumentError,
            "expected the query to be a text with at least one word, got: #{inspect(query, limit: 10)}"
    end

    Request.new(:get, "/api/spaces/semantic-search", [], opts)
    |> Request.query(
      q: query,
      filter: opts[:filter],
      sdk: opts[:sdk],
      includeNonRunning: if(opts[:include_non_running], do: true)
    )
  end

  @doc "Returns the converter of results."
  @spec result() :: (term() -> SpaceSearchResult.t())
  def result, do: Decode.to(SpaceSearchResult)

  defmacro __using__(_opts) do
    quote location: :keep do
      @doc """
      Returns the hardware that Spaces can request, with its costs.

      ## Options

      #{Options.docs(Options.common())}

      ## Examples

          {:ok, hardware} = HfHub.Spaces.list_hardware()
          for flavor <- hardware, do: {flavor.name, flavor.unit_cost_usd}
      """
      @doc python: "list_spaces_hardware"
      @spec list_hardware(keyword()) :: {:ok, [SpaceHardware.t()]} | {:error, Error.t()}
      def list_hardware(opts \\ []) do
        opts = Options.validate!(opts, Options.common())
        request = Request.new(:get, "/api/spaces/hardware", [], opts)
        Request.list(request, nil, Decode.to(SpaceHardware))
      end

      @doc "Same as `list_hardware/1`, but returns the hardware or raises `HfHub.Error`."
      @spec list_hardware!(keyword()) :: [SpaceHardware.t()]
      def list_hardware!(opts \\ []), do: Error.unwrap!(list_hardware(opts))

      @doc """
      Returns the templates for `:space_template` of `HfHub.Repo.create/2`. Options: those of `list_hardware/1`.

      ## Examples

          {:ok, templates} = HfHub.Spaces.list_templates()
          for template <- templates, do: {template.name, template.sdk}
      """
      @doc python: "list_space_templates"
      @spec list_templates(keyword()) :: {:ok, [SpaceTemplate.t()]} | {:error, Error.t()}
      def list_templates(opts \\ []),
        do: Template.list(Options.validate!(opts, Options.common()))

      @doc "Same as `list_templates/1`, but returns the templates or raises `HfHub.Error`."
      @spec list_templates!(keyword()) :: [SpaceTemplate.t()]
      def list_templates!(opts \\ []), do: Error.unwrap!(list_templates(opts))

      @doc """
      Searches Spaces by meaning, most similar first.

      ## Options

      #{Options.docs([limit: [type: :pos_integer, doc: "Maximum number of Spaces to return."]] ++ Tables.search())}

      ## Examples

          {:ok, found} = HfHub.Spaces.search("remove the background of a photo", sdk: :gradio, limit: 5)
          for space <- found, do: {space.id, space.ai_short_description}
      """
      @doc python: "search_spaces"
      @spec search(String.t(), keyword()) :: {:ok, [SpaceSearchResult.t()]} | {:error, Error.t()}
      def search(query, opts \\ []) do
        opts = Options.validate!(opts, [limit: [type: :pos_integer]] ++ Tables.search())
        Request.list(Lists.search(query, opts), opts[:limit], Lists.result())
      end

      @doc "Same as `search/2`, but returns the Spaces or raises `HfHub.Error`."
      @spec search!(String.t(), keyword()) :: [SpaceSearchResult.t()]
      def search!(query, opts \\ []), do: Error.unwrap!(search(query, opts))

      @doc """
      Searches Spaces and returns a lazy stream. Options: those of `search/2` but `:limit`.

      ## Examples

          HfHub.Spaces.stream_search("chat with a PDF") |> Enum.take(3)
      """
      @doc python: "search_spaces"
      @spec stream_search(String.t(), keyword()) :: Enumerable.t()
      def stream_search(query, opts \\ []) do
        opts = Options.validate!(opts, Tables.search())
        Request.stream(Lists.search(query, opts), Lists.result())
      end

      @doc """
      Returns the ZeroGPU quota of the token's account. Options: those of `list_hardware/1`.

      ## Examples

          {:ok, quota} = HfHub.Spaces.get_zero_gpu_quota()
          quota.remaining
      """
      @doc python: "get_zero_gpu_quota"
      @spec get_zero_gpu_quota(keyword()) :: {:ok, ZeroGpuQuota.t()} | {:error, Error.t()}
      def get_zero_gpu_quota(opts \\ []) do
        opts = Options.validate!(opts, Options.common())
        request = Request.new(:get, "/api/spaces/zero-gpu/quota", [], opts)
        Request.run(Request.plain(request), Decode.to(ZeroGpuQuota))
      end

      @doc "Same as `get_zero_gpu_quota/1`, but returns the quota or raises `HfHub.Error`."
      @spec get_zero_gpu_quota!(keyword()) :: ZeroGpuQuota.t()
      def get_zero_gpu_quota!(opts \\ []), do: Error.unwrap!(get_zero_gpu_quota(opts))
    end
  end
end
