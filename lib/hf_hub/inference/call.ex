defmodule HfHub.Inference.Call do
  # Runs one call: finds its route, sends the body that the provider expects, and decodes the response.
  @moduledoc false

  alias HfHub.{Decode, Error, Options, Request, Spool}
  alias HfHub.Inference.{Client, Body, Content, Failure, Provider, Results, Route, Tables, Tasks}

  # Milliseconds between two requests to a model that is being loaded.
  @pause 5_000
  @loading 300_000
  # Seconds; a longer estimate is none.
  @day 86_400
  # Repetitions of a request that is one too many, and the longest pause that a server may ask for: those of native code.
  @retries 5
  @longest 600_000

  @type given :: {input :: term(), params :: keyword()}

  @doc "Runs a task of the table."
  @spec task(Client.t(), atom(), [term()], keyword()) :: {:ok, term()} | {:error, Error.t()}
  def task(client, name, args, opts) do
    row = Tasks.fetch!(name)
    Tasks.check!(name, args)
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
      answer = request |> held(&send!(&1, route)) |> Failure.check!(route)
      decode.(route.row.adapter.result(task, answer, route))
    end)
  end

  @doc "Sends a request of the user's own."
  @spec raw(Client.t(), keyword()) :: {:ok, term()} | {:error, Error.t()}
  def raw(client, opts) do
    rescued(fn ->
      {own, opts} = Keyword.split(opts, [:method, :path, :json, :body, :extra_body])
      check_path!(own[:path])
      route = Route.server!(client, opts)
      request = Route.request(route, own[:method], Route.path(route, own[:path]))
      held(raw_body(request, own, route), &send!(&1, route)).content
    end)
  end

  # After the host's name, anything else would be a part of it.
  defp check_path!(path) do
    unless path == "" or String.starts_with?(path, ["/", "?"]),
      do: raise(ArgumentError, "expected option :path to begin with /, got: #{Options.shown(path)}")
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
    |> parsed(route.task)
    |> with_body(adapter.body(route.task, given, route))
  end

  # Other inputs are texts, messages, and files as bytes or something to read.
  defp input(%{} = map, opts) when not is_struct(map), do: Body.json(map, opts)
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

  # Some servers do not say that they send JSON.
  defp parsed(request, task), do: if(Provider.media?(task), do: request, else: Request.parse(request))

  defp with_body(request, {:json, json}), do: Request.json(request, json)

  defp with_body(request, {:pieces, pieces, type}), do: %{request | body: pieces, content_type: type}

  defp with_body(request, {:bytes, bytes, nil}),
    do: with_body(request, {:bytes, bytes, "application/octet-stream"})

  defp with_body(request, {:bytes, {:stream, _} = stream, type}),
    do: with_body(request, {:pieces, [stream], type})

  defp with_body(request, {:bytes, bytes, type}), do: Request.body(request, bytes, type)

  # Native code sends a file while it reads it, but cannot ask a process for the next piece of a body.
  defp held(request, fun) do
    stream = &if match?({:stream, _pieces}, &1), do: &1
    piece = fn piece, source -> {:ok, if(source, do: source.content, else: piece)} end
    send = fn body -> {:ok, fun.(if request.body, do: %{request | body: body}, else: request)} end
    Error.unwrap!(Spool.with_sources(request.body || [], stream, piece, send))
  end

  @doc "Sends a request, and waits while the model is being loaded. Raises `HfHub.Error`."
  @spec send!(Request.t(), Route.t()) :: HfHub.Inference.Provider.answer()
  def send!(request, route) do
    patiently(route, fn -> Request.content(%{request | opts: Request.until(request.opts, route.deadline)}) end)
  end

  @doc "Calls a function until the model is loaded and the server accepts a request. Raises its last error."
  @spec patiently(Route.t(), (() -> {:ok, value} | {:error, Error.t()})) :: value when value: term()
  def patiently(route, fun) do
    limit = System.monotonic_time(:millisecond) + (route.opts[:loading_timeout] || @loading)
    patiently(route, fun, limit, route.opts[:retries] || @retries)
  end

  defp patiently(route, fun, limit, retries) do
    case fun.() do
      {:ok, value} ->
        value

      {:error, %Error{status: 503, details: %{"estimated_time" => seconds}} = error}
      when is_number(seconds) ->
        seconds = seconds |> max(0) |> min(@day)
        pause = seconds |> Kernel.*(1000) |> ceil() |> max(100) |> min(@pause)
        text = "#{route.model || route.server} is being loaded, which takes about #{ceil(seconds)} s"
        wait!(route, error, pause, limit, text)
        patiently(route, fun, limit, retries)

      # Requests that change something are not repeated by native code, but this one has not been worked on.
      {:error, %Error{status: 429} = error} when retries > 0 ->
        pause = error.retry_after || route.opts[:retry_delay] || 1000
        text = "the rate limit of #{route.provider} is exhausted, for #{ceil(pause / 1000)} s"
        wait!(route, error, pause, System.monotonic_time(:millisecond) + @longest, text)
        patiently(route, fun, limit, retries - 1)

      {:error, error} ->
        raise Failure.explained(error, route)
    end
  end

  defp wait!(route, error, pause, limit, text) do
    then = System.monotonic_time(:millisecond) + pause

    if then > limit or (route.deadline != nil and then > route.deadline),
      do: raise(Failure.explained(error, route))

    Route.wait(route, text)
    Process.sleep(pause)
  end
end
