defmodule HfHub.Inference.Call do
  # Runs one call: finds its route, sends the body that the provider expects, and decodes the response.
  @moduledoc false

  alias HfHub.{Decode, Error, Options, Request}
  alias HfHub.Inference.{Client, Body, Content, Failure, Results, Route, Tables, Tasks}

  # Milliseconds between two requests to a model that is being loaded.
  @pause 5_000
  @loading 300_000

  @type given :: {input :: term(), params :: keyword()}

  @doc "Runs a task of the table."
  @spec task(Client.t(), atom(), [term()], keyword()) :: {:ok, term()} | {:error, Error.t()}
  def task(client, name, args, opts) do
    row = Tasks.fetch!(name)
    opts = Options.validate!(opts, row[:params] ++ Tables.call())
    {params, opts} = Keyword.split(opts, Keyword.keys(row[:params]))
    given = Tasks.request(name, args, params)
    run(client, row[:task], given, opts, &Results.decode!(name, &1))
  end

  @doc "Runs a task, and decodes its result by `decode`, which may raise."
  @spec run(Client.t(), String.t(), given(), keyword(), (term() -> value)) ::
          {:ok, value} | {:error, Error.t()}
        when value: term()
  def run(client, task, given, opts, decode) do
    rescued(fn ->
      {route, request} = prepare!(client, task, given, opts)
      answer = send!(request, route)
      decode.(route.row.adapter.result(task, answer, route))
    end)
  end

  @doc "Sends a request of the user's own."
  @spec raw(Client.t(), keyword()) :: {:ok, term()} | {:error, Error.t()}
  def raw(client, opts) do
    rescued(fn ->
      {own, opts} = Keyword.split(opts, [:method, :path, :json, :body, :extra_body])
      route = Route.server!(client, opts)
      request = Route.request(route, own[:method], Route.path(route, own[:path]))
      send!(raw_body(request, own, route), route).content
    end)
  end

  defp raw_body(request, own, route) do
    case {own[:json], own[:body]} do
      {nil, nil} ->
        request

      {json, nil} ->
        Request.json(request, Body.json(json, route.opts))

      {nil, file} ->
        {body, type} = Content.body!(file, route.opts)
        with_body(request, {:bytes, body, type})

      _both ->
        raise ArgumentError, "options :json and :body are both the body; pass one of them"
    end
  end

  @doc "Returns the value of a function, or the `HfHub.Error` that it raises."
  @spec rescued((() -> value)) :: {:ok, value} | {:error, Error.t()} when value: term()
  def rescued(fun) do
    {:ok, fun.()}
  rescue
    error in Error -> {:error, error}
    error in Decode.Error -> {:error, Error.new(:invalid_response, "unexpected response: #{error.message}")}
  end

  @doc "Returns the route and the request of a task. Raises `HfHub.Error`."
  @spec prepare!(Client.t(), String.t(), given(), keyword()) :: {Route.t(), Request.t()}
  def prepare!(client, task, given, opts) do
    route = Route.find!(client, task, Keyword.delete(opts, :extra_body))
    {route, request(route, given, opts)}
  end

  defp request(route, {input, params}, opts) do
    adapter = route.row.adapter
    # Files are read only where they are sent.
    given = {input(input, route.opts), json(params, opts, route)}
    path = adapter.path(route.task, route.row.routes[route.task], route)

    route
    |> Route.request(:post, Route.path(route, path))
    |> accept(route.task)
    |> with_body(adapter.body(route.task, given, route))
  end

  # Other inputs are files, as bytes or something to read.
  defp input(input, opts) when is_list(input) or (is_map(input) and not is_struct(input)),
    do: Body.json(input, opts)

  defp input(input, _opts), do: input

  defp json(params, opts, route) do
    params = params |> Options.given() |> Map.new() |> Body.json(route.opts)
    Map.merge(params, Body.json(opts[:extra_body] || %{}, route.opts))
  end

  defp accept(request, task) when task in ["text-to-image", "image-to-image"] do
    if List.keymember?(request.headers, "accept", 0),
      do: request,
      else: Request.put_header(request, "accept", "image/png")
  end

  defp accept(request, _task), do: request

  defp with_body(request, {:json, json}), do: Request.json(request, json)

  defp with_body(request, {:bytes, pieces, "multipart/" <> _rest = type}),
    do: %{request | body: pieces, content_type: type}

  defp with_body(request, {:bytes, bytes, type}),
    do: Request.body(request, bytes, type || "application/octet-stream")

  @doc "Sends a request, and waits while the model is being loaded. Raises `HfHub.Error`."
  @spec send!(Request.t(), Route.t()) :: HfHub.Inference.Provider.answer()
  def send!(request, route) do
    patiently(route, fn -> Request.content(%{request | opts: Request.until(request.opts, route.deadline)}) end)
  end

  @doc "Calls a function until the model is loaded. Raises its last error."
  @spec patiently(Route.t(), (() -> {:ok, value} | {:error, Error.t()})) :: value when value: term()
  def patiently(route, fun) do
    limit = System.monotonic_time(:millisecond) + (route.opts[:loading_timeout] || @loading)
    patiently(route, fun, limit)
  end

  defp patiently(route, fun, limit) do
    case fun.() do
      {:ok, value} ->
        value

      {:error, %Error{status: 503, details: %{"estimated_time" => seconds}} = error}
      when is_number(seconds) ->
        pause = seconds |> Kernel.*(1000) |> ceil() |> max(100) |> min(@pause)
        if over?(route, limit, pause), do: raise(error)

        Route.wait(
          route,
          "#{route.model || route.server} is being loaded, which takes about #{ceil(seconds)} s"
        )

        Process.sleep(pause)
        patiently(route, fun, limit)

      {:error, error} ->
        raise Failure.explained(error, route)
    end
  end

  defp over?(route, limit, pause) do
    then = System.monotonic_time(:millisecond) + pause
    then > limit or (route.deadline != nil and then > route.deadline)
  end
end
