defmodule HfHub.Discussions.Call do
  # The requests of `HfHub.Discussions`, with validated options.
  @moduledoc false

  alias HfHub.{Config, Decode, Error, Request}
  alias HfHub.Discussions.{Address, Discussion, DiscussionDetails}

  @doc "Returns the discussions of a repository."
  @spec list(HfHub.repo(), keyword()) :: {:ok, [Discussion.t()]} | {:error, Error.t()}
  def list(repo_id, opts),
    do: Request.list(listed(repo_id, opts), opts[:limit], &at(Discussion, &1, opts), items(opts))

  @doc "Returns the discussions of a repository as a lazy stream."
  @spec stream(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream(repo_id, opts),
    do: Request.stream(listed(repo_id, opts), &at(Discussion, &1, opts), items(opts))

  @doc "Returns the details of a discussion."
  @spec get(HfHub.repo(), HfHub.Discussions.num(), keyword()) ::
          {:ok, DiscussionDetails.t()} | {:error, Error.t()}
  def get(repo_id, num, opts) do
    with {:ok, num} <- Address.number(num, repo_id, opts) do
      one(:get, "", repo_id, num, opts)
      |> Request.query(diff: if(opts[:diff], do: 1))
      |> Request.run(&at(DiscussionDetails, &1, opts))
    end
  end

  @doc "Opens a discussion, and returns its details."
  @spec create(HfHub.repo(), String.t(), keyword()) :: {:ok, DiscussionDetails.t()} | {:error, Error.t()}
  def create(repo_id, title, opts) do
    deadline = Request.deadline(opts[:timeout])
    what = if opts[:pull_request], do: "Pull request", else: "Discussion"
    default = "#{what} opened with the [hf_hub Elixir library](https://hex.pm/packages/hf_hub)"

    with {:ok, title} <- Address.title(title),
         {:ok, description} <- Address.optional_comment(opts[:description]) do
      body = %{
        title: String.trim(title),
        description: description || default,
        pullRequest: opts[:pull_request]
      }

      route("", repo_id, :post, [], opts)
      |> Request.json(body)
      |> Request.run(&number!/1)
      |> opened(repo_id, Request.until(opts, deadline))
    end
  end

  @doc "Returns a request that changes a discussion, with a JSON body unless it is `nil`."
  @spec post(HfHub.repo(), HfHub.Discussions.num(), String.t(), map() | nil, keyword()) :: Request.t()
  def post(repo_id, num, what, body, opts) do
    case Address.number(num, repo_id, opts) do
      {:ok, num} ->
        request = one(:post, what, repo_id, num, opts)
        if body, do: Request.json(request, body), else: request

      {:error, error} ->
        %{Request.new(:post, what, [], opts) | error: error}
    end
  end

  @doc "Sends a request, and returns the event of that name in its response."
  @spec event(Request.t(), String.t(), module()) :: {:ok, struct()} | {:error, Error.t()}
  def event(request, name, module),
    do: Request.run(request, &Decode.struct(module, Decode.get(&1, name)))

  defp number!(%{"num" => num}) when is_integer(num) and num > 0, do: num
  defp number!(_other), do: raise(Decode.Error, message: "the number of the discussion is missing")

  # The discussion is there, whether its details can be read or not.
  defp opened({:ok, num}, repo_id, opts) do
    case get(repo_id, num, [diff: true] ++ opts) do
      {:error, error} ->
        {:error, %{error | message: "opened number #{num}, but could not read its details: #{error.message}"}}

      found ->
        found
    end
  end

  defp opened(error, _repo_id, _opts), do: error

  defp listed(repo_id, opts) do
    # The Hub counts drafts among the open ones, and merged ones among the closed.
    status = Keyword.get([draft: :open, merged: :closed], opts[:status], opts[:status])

    route("", repo_id, :get, [], opts)
    |> Request.query(type: opts[:type], status: status, author: opts[:author])
    |> Request.paginate({:counted, "p", "discussions"})
  end

  defp items(opts) do
    case opts[:status] do
      status when status in [:draft, :merged] ->
        fn page -> page |> Decode.get("discussions") |> having(to_string(status)) end

      _all ->
        &Decode.get(&1, "discussions")
    end
  end

  defp having(list, status) when is_list(list), do: Enum.filter(list, &(Decode.get(&1, "status") == status))
  defp having(other, _status), do: other

  defp one(method, what, repo_id, num, opts), do: route("/:num" <> what, repo_id, method, [num: num], opts)

  defp route(rest, repo_id, method, params, opts),
    do:
      Request.repo(method, "/api/:types/*repo/discussions" <> rest, repo_id, opts, [scope: :whole] ++ params)

  defp at(module, json, opts),
    do: module |> Decode.struct(json) |> Address.put_url(opts[:endpoint] || Config.endpoint())
end
