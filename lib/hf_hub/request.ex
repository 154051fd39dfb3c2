defmodule HfHub.Request do
  # A request to the Hub as data, and the only module that sends one. Routes are written as in
  # the Hub's documentation: `:name` is one encoded segment, `*name` keeps its slashes, and
  # `[...]` is omitted if the repository reference does not contain its part.
  #
  # A request carries the error of its construction, such as an invalid id, until it is run.
  @moduledoc false

  alias HfHub.{Decode, Error, Native, Options, RepoRef, Telemetry}
  alias HfHub.Native.{Hub, Nif, Text}
  alias HfHub.RepoRef.Folder
  alias HfHub.Request.{Form, Pages, Place}

  # Options contain tokens, and bodies contain private data.
  @derive {Inspect, only: [:method, :path, :query]}
  @enforce_keys [:method, :path, :opts]

  # Bounds for a broken or hostile server that sends pages without end. `max_bytes` bounds a list in
  # memory; a stream holds one page at a time.
  @limits [max_pages: 10_000, max_bytes: 1_073_741_824]

  defstruct [
              :method,
              :path,
              :opts,
              :ref,
              :only,
              :repo,
              :error,
              :json,
              :body,
              :content_type,
              paging: :links,
              repeatable: false,
              query: [],
              headers: [],
              parse: false,
              secret: false,
              suggest: false,
              hidden: []
            ] ++ @limits

  @type t :: %__MODULE__{
          method: :get | :head | :post | :put | :patch | :delete,
          path: String.t(),
          opts: keyword(),
          ref: RepoRef.t() | nil,
          only: HfHub.repo_type() | nil,
          repo: map() | nil,
          error: Error.t() | nil,
          json: term(),
          body: [Form.piece()] | nil,
          content_type: String.t() | nil,
          paging: Pages.t(),
          repeatable: boolean(),
          query: [{String.t(), String.t()}],
          headers: [{String.t(), String.t()}],
          parse: boolean(),
          secret: boolean(),
          suggest: boolean() | :never,
          hidden: [String.t()],
          max_pages: pos_integer(),
          max_bytes: pos_integer() | :infinity
        }

  @doc "Returns a request for a route, the values of its parts, and a call's options."
  @spec new(atom(), String.t(), keyword(), keyword()) :: t()
  def new(method, template, params \\ [], opts \\ []) do
    path = Regex.replace(~r/([:*])(\w+)/, template, fn _all, sort, name -> segment(sort, name, params) end)
    %__MODULE__{method: method, path: path, opts: opts, error: Place.check_segments(template, params)}
  end

  # The entries of `more` that concern the reference; all others are parts of the route.
  @about_ref [:only, :path, :repo_type, :revision, :scope]

  @doc """
  Returns a request for a repository, given as a user's reference or as a resolved one.

  `more` contains parts of the route, and options of `HfHub.RepoRef.resolve/2` that override those in `opts`. `:scope` is
  `:whole` for requests that concern a whole repository, whose reference must not contain a revision or path, `:owned` for
  those that require the namespace too, `:at_revision` for those whose reference may contain a revision, but no path, and
  `{:folder, path}` for those about a folder, which is relative to that of the reference.
  """
  @spec repo(atom(), String.t(), RepoRef.t() | HfHub.repo(), keyword(), keyword()) :: t()
  def repo(method, route, repo, opts, more \\ []) do
    {about, params} = Keyword.split(more, @about_ref)

    case reference(repo, about ++ opts) do
      {:ok, ref} ->
        request = new(method, named_parts(route, ref), params ++ RepoRef.params(ref), opts)
        resolved(%{request | only: about[:only]}, ref)

      {:error, error} ->
        %__MODULE__{method: method, path: route, opts: opts, error: error}
    end
  end

  defp reference(%RepoRef{} = ref, opts), do: {:ok, %{ref | path: opts[:path] || ref.path}}

  defp reference(repo, opts) do
    case opts[:scope] do
      nil -> RepoRef.resolve(repo, opts)
      :whole -> RepoRef.whole(repo, opts)
      :owned -> RepoRef.owned(repo, opts)
      :at_revision -> RepoRef.at_revision(repo, opts)
      {:folder, path} -> Folder.resolve_folder(repo, path, opts)
    end
  end

  defp named_parts(route, ref) do
    Regex.replace(~r/\[([^\]]*[:*](\w+))\]/, route, fn _all, part, name ->
      if Map.fetch!(ref, String.to_existing_atom(name)), do: part, else: ""
    end)
  end

  defp resolved(request, ref),
    do: %{request | ref: ref, repo: RepoRef.to_native(ref), opts: RepoRef.network(ref, request.opts)}

  @doc "Sets the revision in errors of the request, if it is not the one of the reference."
  @spec at_revision(t(), String.t()) :: t()
  def at_revision(%{repo: nil} = request, _revision), do: request
  def at_revision(request, revision), do: put_in(request.repo.revision, revision)

  @doc "Adds query parameters: a list is repeated keys, and `nil` is omitted."
  @spec query(t(), keyword() | [{String.t(), term()}]) :: t()
  def query(request, params), do: %{request | query: request.query ++ Form.pairs(params)}

  @doc "Adds a header. The token, the content type and the user agent are set when the request is sent."
  @spec put_header(t(), String.t(), String.t()) :: t()
  def put_header(request, name, value), do: %{request | headers: request.headers ++ [{name, value}]}

  @doc """
  Sets a JSON body. Entries of a map that are `nil` are omitted; `:null` is sent as `null`.

  A function is called with the repository reference and returns the body.
  """
  @spec json(t(), map() | list() | (RepoRef.t() -> map() | list())) :: t()
  def json(%{error: error} = request, _body) when error != nil, do: request
  def json(request, fun) when is_function(fun, 1), do: json(request, fun.(request.ref))

  def json(request, map) when is_map(map) do
    entries = for {name, value} <- map, value != nil, do: {name, if(value == :null, do: nil, else: value)}
    %{request | json: Map.new(entries)}
  end

  def json(request, list), do: %{request | json: list}

  @doc "Sets a URL-encoded form as the body."
  @spec form(t(), keyword()) :: t()
  def form(request, params), do: body(request, Form.encode(params), "application/x-www-form-urlencoded")

  @doc "Sets a body of bytes or, as `{:path, path}`, of a file, which is read while it is sent."
  @spec body(t(), iodata() | {:path, Path.t()}, String.t()) :: t()
  def body(request, {:path, path}, content_type),
    do: %{request | body: [{:path, path}], content_type: content_type}

  def body(request, bytes, content_type),
    do: %{request | body: [IO.iodata_to_binary(bytes)], content_type: content_type}

  @doc """
  Sets a multipart form as the body, from pairs of a name and a value. A value is a text, or a file as
  `{:file, content, filename, content_type}`, where the content is that of `body/3`.
  """
  @spec multipart(t(), [Form.part()]) :: t()
  def multipart(request, parts) do
    {body, content_type} = Form.multipart(parts)
    %{request | body: body, content_type: content_type}
  end

  @doc "Marks the request as idempotent: it is sent again after a lost response. Only needed for POST."
  @spec repeatable(t()) :: t()
  def repeatable(request), do: %{request | repeatable: true}

  @doc """
  Sets how the pages of a list are requested. By default each page links to the next one.

    * `{:number, name, first}` - the parameter `name` counts the pages from `first`; an empty page ends the list
    * `{:cursor, name, path}` - the parameter `name` is the value at `path` in the previous page; a page without it is
      the last
    * `{:counted, name, key}` - the parameter `name` counts the pages from 0; each has its items at `key`, the number of
      those before it as `start`, and that of all as `count`
  """
  @spec paginate(t(), Pages.t()) :: t()
  def paginate(request, paging), do: %{request | paging: paging}

  @doc "Parses the response as JSON whatever its content type: files of repositories are served as text."
  @spec parse(t()) :: t()
  def parse(request), do: %{request | parse: true}

  @doc "Marks the body as a secret, which is only sent where a token would be sent."
  @spec secret(t()) :: t()
  def secret(request), do: %{request | secret: true}

  @doc "Turns off the search for similar names, which otherwise follows a 404."
  @spec plain(t()) :: t()
  def plain(request), do: %{request | suggest: :never}

  @doc "Adds secrets in the body, which are masked in the errors of the request."
  @spec hide(t(), [String.t()]) :: t()
  def hide(request, texts), do: %{request | hidden: request.hidden ++ texts}

  @doc "Sends the request, and returns the JSON of the response, decoded by `decode`."
  @spec run(t(), Decode.decoder()) :: {:ok, term()} | {:error, Error.t()}
  def run(request, decode \\ & &1) do
    with {:ok, answer} <- send_to(suggesting(request), nil, decode), do: decoded(answer, decode)
  end

  @doc "Sends the request, and ignores the body of the response."
  @spec effect(t()) :: :ok | {:error, Error.t()}
  def effect(request) do
    with {:ok, answer} <- send_to(request), do: if(page?(answer), do: web_page(), else: :ok)
  end

  @doc "Sends the request, and returns the content of the response, parsed if it is JSON, and its media type."
  @spec content(t()) :: {:ok, %{content: term(), content_type: String.t() | nil}} | {:error, Error.t()}
  def content(request) do
    with {:ok, answer} <- send_to(suggesting(request)),
         {:ok, content} <- decoded(answer, & &1),
         do: {:ok, %{content: content, content_type: answer.headers["content-type"]}}
  end

  @doc "Sends the request, and returns the headers of the response, with names in lower case."
  @spec headers(t()) :: {:ok, %{String.t() => String.t()}} | {:error, Error.t()}
  def headers(request), do: with({:ok, answer} <- send_to(request), do: {:ok, answer.headers})

  @doc """
  Returns a lazy stream of the items of a paginated list, decoded by a function or into the structs of a module. `items`
  returns the items in a page's JSON, which is the list of them by default. The stream raises `HfHub.Error`.
  """
  @spec stream(t(), (term() -> term()) | module(), (term() -> term()) | nil) :: Enumerable.t()
  def stream(request, decode, items \\ nil)
  def stream(%{error: %Error{} = error}, _decode, _items), do: raise(error)
  def stream(request, decode, items), do: pages(%{request | max_bytes: :infinity}, decode, items, nil)

  @doc "Returns the first `limit` items of a paginated list, or all if it is `nil`."
  @spec list(t(), non_neg_integer() | nil, (term() -> term()) | module(), (term() -> term()) | nil) ::
          {:ok, list()} | {:error, Error.t()}
  def list(request, limit, decode, items \\ nil) do
    stream = pages(request, decode, items, deadline(request.opts[:timeout]))
    {:ok, if(limit, do: Enum.take(stream, limit), else: Enum.to_list(stream))}
  rescue
    error in Error -> {:error, error}
  end

  # The deadline applies to all pages together.
  defp pages(request, decode, items, deadline) do
    request = suggesting(request)
    decode = page(decode, items)

    start = fn ->
      {Nif.new_list(request.max_pages, bytes(request.max_bytes), request.paging != :links),
       Pages.first(request.paging)}
    end

    next = fn
      {_list, :done} ->
        {:halt, nil}

      {list, page} ->
        answer =
          Error.unwrap!(
            send_to(%{query(request, Pages.query(page)) | opts: until(request.opts, deadline)}, list, decode)
          )

        found = Error.unwrap!(decoded(answer, decode))
        {found, {list, Pages.following(page, answer, found)}}
    end

    Stream.resource(start, next, fn _state -> :ok end)
  end

  defp page(module, nil) when is_atom(module), do: [module]
  defp page(module, items) when is_atom(module), do: page(Decode.to(module), items)
  defp page(decode, nil), do: &Decode.items(&1, decode)
  defp page(decode, items), do: &Decode.items(items.(&1), decode)

  # A failed GET looks for similar names, which costs another request.
  defp suggesting(%{suggest: :never} = request), do: %{request | suggest: false}
  defp suggesting(request), do: %{request | suggest: request.method == :get}

  defp bytes(:infinity), do: nil
  defp bytes(bytes), do: bytes

  @doc "Returns the deadline of a call with this `:timeout`, for calls that send several requests."
  @spec deadline(pos_integer() | nil) :: integer() | nil
  def deadline(timeout) when is_integer(timeout), do: System.monotonic_time(:millisecond) + timeout
  def deadline(_none), do: nil

  @doc "Returns the milliseconds until a deadline, 0 after it, and `:infinity` for none."
  @spec time_left(integer() | nil) :: non_neg_integer() | :infinity
  def time_left(nil), do: :infinity
  def time_left(deadline), do: max(0, deadline - System.monotonic_time(:millisecond))

  @doc "Returns the options with the time until a deadline as `:timeout`."
  @spec until(keyword(), integer() | nil) :: keyword()
  def until(opts, nil), do: opts

  def until(opts, deadline),
    do: Keyword.put(opts, :timeout, max(1, time_left(deadline)))

  @doc """
  Returns a lazy stream of server-sent events, or of JSON values in lines. Each event is a map of `:id`, `:event` and
  `:data`, which is decoded if it is JSON, and `:opened_at`, the server's time in seconds since 1970 when it began to
  respond. Events without data are left out. The stream raises `HfHub.Error`; halting it closes the connection.

  ## Options

    * `:reconnect` - whether to reopen a broken connection after the last event. Defaults to true for GET
    * `:quiet` - time without an event that ends the stream, in milliseconds. Defaults to no limit
    * `:ends_at_deadline` - whether the call's `:timeout` ends an open stream without an error. Defaults to false
  """
  @spec events(t(), keyword()) :: Enumerable.t()
  def events(request, opts \\ [])
  def events(%{error: %Error{} = error}, _opts), do: raise(error)

  def events(request, opts) do
    reconnect = Keyword.get(opts, :reconnect, request.method == :get)

    Native.stream(
      :events,
      fn ->
        spec = Error.unwrap!(spec(request, nil))
        # A stream is not watched.
        {shared, spec} = spec |> Map.delete(:progress) |> Map.split([:hub, :hidden])

        listen = %{
          reconnect: reconnect,
          quiet: opts[:quiet],
          ends_at_deadline: opts[:ends_at_deadline] == true
        }

        Map.merge(shared, Map.put(listen, :request, spec))
      end,
      &Telemetry.start(:request, metadata(request, &1), &1.hub.token)
    )
  end

  @doc "Returns an error if `fun` is false for the response, as for a login page or another server, which lacks `what`."
  @spec confirm({:ok, value} | {:error, Error.t()}, (value -> boolean()), String.t()) ::
          {:ok, value} | {:error, Error.t()}
        when value: term()
  def confirm({:ok, value}, fun, what) do
    hint = "check :endpoint and HF_ENDPOINT, and any proxy or mirror in between"
    message = "the response lacks #{what}, so the server does not look like a Hugging Face Hub; #{hint}"
    if fun.(value), do: {:ok, value}, else: {:error, Error.new(:invalid_response, message)}
  end

  def confirm(error, _fun, _what), do: error

  @doc "Converts the result of a request to whether its resource exists: errors of the kinds `absent` mean no."
  @spec exists({:ok, term()} | :ok | {:error, Error.t()}, [Error.kind()]) ::
          {:ok, boolean()} | {:error, Error.t()}
  def exists(result, absent) do
    case result do
      {:error, %Error{kind: kind} = error} -> if kind in absent, do: {:ok, false}, else: {:error, error}
      _found -> {:ok, true}
    end
  end

  defp send_to(request, list \\ nil, decode \\ & &1) do
    with {:ok, spec} <- spec(request, list) do
      spec = Map.put(spec, :structs, Decode.tables(decode))
      observed = metadata(request, spec)
      result = Telemetry.span(:request, observed, spec.hub.token, fn -> answer(spec) end)
      Place.named(result, request)
    end
  end

  defp metadata(request, spec),
    do: %{method: request.method, path: request.path, endpoint: spec.hub.endpoint}

  defp answer(spec) do
    with {:ok, answer} <- Native.run(:request, spec), do: {:ok, Text.parsed(answer, spec.structs)}
  end

  defp spec(%{error: %Error{} = error}, _list), do: {:error, error}

  defp spec(request, list) do
    with {:ok, hub} <- Hub.config(Keyword.merge([retries: 5, retry_delay: 1000], request.opts)) do
      spec = %{
        hub: hub,
        progress: false,
        method: request.method |> to_string() |> String.upcase(),
        url: url(hub.endpoint, request),
        headers: request.headers,
        list: list,
        content_type: request.content_type,
        body: request.body && Enum.map(request.body, &segment/1),
        json: request.json,
        repeatable: request.repeatable,
        parse: request.parse,
        secret: request.secret,
        suggest: request.suggest == true,
        hidden: Enum.map(request.hidden, &Nif.secret/1),
        place: request.repo
      }

      {:ok, spec}
    end
  end

  defp segment({:path, path}), do: {:file, path}
  defp segment(bytes), do: {:bytes, bytes}

  defp url(endpoint, %{path: path, query: []}), do: String.trim_trailing(endpoint, "/") <> path

  defp url(endpoint, %{path: path, query: query}) do
    String.trim_trailing(endpoint, "/") <> path <> "?" <> Form.encode(query)
  end

  defp decoded(%{broken: why}, _decode) when why != nil,
    do: {:error, Error.new(:invalid_response, "the Hub returned invalid JSON", reason: why)}

  defp decoded(answer, decode) do
    if page?(answer), do: web_page(), else: {:ok, Decode.response(decode, answer.body)}
  rescue
    error in [Decode.Error] -> unusable(error.message)
  end

  # No API route returns HTML: the response is a login page, or comes from another server.
  defp web_page, do: unusable("expected JSON, got a web page; check :endpoint and HF_ENDPOINT")
  defp unusable(why), do: {:error, Error.new(:invalid_response, "unexpected response from the Hub: #{why}")}

  defp page?(answer), do: String.starts_with?(answer.headers["content-type"] || "", "text/html")

  defp segment(sort, name, params) do
    value = text!(name, Keyword.fetch!(params, String.to_existing_atom(name)))

    case sort do
      ":" ->
        URI.encode(value, &URI.char_unreserved?/1)

      "*" ->
        value |> String.split("/") |> Enum.map_join("/", &URI.encode(&1, fn c -> URI.char_unreserved?(c) end))
    end
  end

  defp text!(_name, value) when is_binary(value) or is_atom(value) or is_integer(value), do: to_string(value)

  # Options in the place of a name may contain a token.
  defp text!(name, other),
    do: raise(ArgumentError, "expected the #{name} to be a string, got: #{Options.shown(other)}")
end
