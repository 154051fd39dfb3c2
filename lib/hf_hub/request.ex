defmodule HfHub.Request do
  # A call to the Hub as data, and the only place that sends one. An endpoint reads
  # like the Hub's documentation: in a route, `:name` is one encoded segment, `*name` keeps
  # its slashes, and `[...]` is left out where the repository reference does not name its part.
  #
  # A request carries an error from where it arose, such as an id that is none, to where it is run.
  @moduledoc false

  alias HfHub.{Error, Native, RepoRef, Telemetry}
  alias HfHub.Native.{Hub, Nif}
  alias HfHub.Request.{Form, Pages}

  # Options hold tokens, and bodies hold what users write.
  @derive {Inspect, only: [:method, :path, :query]}
  @enforce_keys [:method, :path, :opts]

  # No list of the Hub has so many pages: a server that sends on for ever is broken, or means harm.
  # The bytes are those that a list may take in memory; a stream holds a page at a time.
  @limits [max_pages: 10_000, max_bytes: 1_073_741_824]

  defstruct [
              :method,
              :path,
              :opts,
              :ref,
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
          repo: map() | nil,
          error: Error.t() | nil,
          json: term(),
          body: [binary() | {:path, Path.t()}] | nil,
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

  @doc "Makes a request out of a route, the values of its parts, and a call's options."
  @spec new(atom(), String.t(), keyword(), keyword()) :: t()
  def new(method, template, params \\ [], opts \\ []) do
    path = Regex.replace(~r/([:*])(\w+)/, template, fn _all, sort, name -> segment(sort, name, params) end)
    %__MODULE__{method: method, path: path, opts: opts}
  end

  # What a call may say about its reference beside its options; all else are parts of the route.
  @about_ref [:only, :path, :repo_type, :revision, :scope]

  @doc """
  Makes a request about a repository: the reference that a user gave, or one that was resolved already.

  `more` has parts of the route, and what `HfHub.RepoRef.resolve/2` takes in place of `opts`. `:scope` is `:whole` for
  calls about all of a repository, which take no revision or path in the reference, and `:owned` for those that
  need the namespace, too.
  """
  @spec repo(atom(), String.t(), RepoRef.t() | HfHub.repo(), keyword(), keyword()) :: t()
  def repo(method, route, repo, opts, more \\ []) do
    {about, params} = Keyword.split(more, @about_ref)

    case reference(repo, about ++ opts) do
      {:ok, ref} -> resolved(new(method, named_parts(route, ref), params ++ RepoRef.params(ref), opts), ref)
      {:error, error} -> %__MODULE__{method: method, path: route, opts: opts, error: error}
    end
  end

  defp reference(%RepoRef{} = ref, opts), do: {:ok, %{ref | path: opts[:path] || ref.path}}

  defp reference(repo, opts) do
    case opts[:scope] do
      nil -> RepoRef.resolve(repo, opts)
      :whole -> RepoRef.whole(repo, opts)
      :owned -> RepoRef.owned(repo, opts)
    end
  end

  defp named_parts(route, ref) do
    Regex.replace(~r/\[([^\]]*[:*](\w+))\]/, route, fn _all, part, name ->
      if Map.fetch!(ref, String.to_existing_atom(name)), do: part, else: ""
    end)
  end

  defp resolved(request, ref), do: %{request | ref: ref, repo: RepoRef.to_native(ref)}

  @doc "Says which revision an error of the request is about, where it is not the reference's."
  @spec at_revision(t(), String.t()) :: t()
  def at_revision(%{repo: nil} = request, _revision), do: request
  def at_revision(request, revision), do: put_in(request.repo.revision, revision)

  @doc "Adds parameters: lists become repeated keys, `nil` nothing."
  @spec query(t(), keyword() | [{String.t(), term()}]) :: t()
  def query(request, params), do: %{request | query: request.query ++ Form.pairs(params)}

  @doc "Adds a header. The token, the body's type and the user agent are set by the call itself."
  @spec put_header(t(), String.t(), String.t()) :: t()
  def put_header(request, name, value), do: %{request | headers: request.headers ++ [{name, value}]}

  @doc """
  Gives the request a JSON body. Entries of a map that are `nil` are left out; `:null` is sent as `null`.

  A function makes the body out of the repository reference.
  """
  @spec json(t(), map() | list() | (RepoRef.t() -> map() | list())) :: t()
  def json(%{error: error} = request, _body) when error != nil, do: request
  def json(request, fun) when is_function(fun, 1), do: json(request, fun.(request.ref))

  def json(request, map) when is_map(map) do
    entries = for {name, value} <- map, value != nil, do: {name, if(value == :null, do: nil, else: value)}
    %{request | json: Map.new(entries)}
  end

  def json(request, list), do: %{request | json: list}

  @doc "Gives the request the body of an HTML form."
  @spec form(t(), keyword()) :: t()
  def form(request, params), do: body(request, Form.encode(params), "application/x-www-form-urlencoded")

  @doc "Gives the request a body of bytes, or of a file, which is read while it is sent: `{:path, path}`."
  @spec body(t(), iodata() | {:path, Path.t()}, String.t()) :: t()
  def body(request, {:path, path}, content_type),
    do: %{request | body: [{:path, path}], content_type: content_type}

  def body(request, bytes, content_type),
    do: %{request | body: [IO.iodata_to_binary(bytes)], content_type: content_type}

  @doc """
  Gives the request the body of an HTML form with files: pairs of a name and its value. A value is a text, or a file
  as `{:file, content, filename, content_type}`, whose content is as that of `body/3`.
  """
  @spec multipart(t(), [Form.part()]) :: t()
  def multipart(request, parts) do
    {body, content_type} = Form.multipart(parts)
    %{request | body: body, content_type: content_type}
  end

  @doc "Says that sending the request a second time does no harm, as after a lost answer. Only a POST needs it."
  @spec repeatable(t()) :: t()
  def repeatable(request), do: %{request | repeatable: true}

  @doc """
  Says how the server names the pages of a list. By default each page links the next one.

    * `{:number, name, first}` - a parameter counts the pages; the first empty one ends the list
    * `{:cursor, name, path}` - a parameter takes what the page has at `path`; a page without it is the last
  """
  @spec paginate(t(), Pages.t()) :: t()
  def paginate(request, paging), do: %{request | paging: paging}

  @doc "Says that the answer is JSON whatever its content type says: files are served as text."
  @spec parse(t()) :: t()
  def parse(request), do: %{request | parse: true}

  @doc "Says that the body holds a secret, which is sent only where a token would be."
  @spec secret(t()) :: t()
  def secret(request), do: %{request | secret: true}

  @doc "Asks for a yes or a no: what was meant is not looked for."
  @spec plain(t()) :: t()
  def plain(request), do: %{request | suggest: :never}

  @doc "Names secrets in the body, which no error of the request shows."
  @spec hide(t(), [String.t()]) :: t()
  def hide(request, texts), do: %{request | hidden: request.hidden ++ texts}

  @doc "Sends the request; `decode` makes the result out of the answer's JSON."
  @spec run(t(), (term() -> value)) :: {:ok, value} | {:error, Error.t()} when value: term()
  def run(request, decode \\ & &1) do
    with {:ok, answer} <- send_to(suggesting(request), nil), do: decoded(answer, decode)
  end

  @doc "Sends the request for its effect."
  @spec effect(t()) :: :ok | {:error, Error.t()}
  def effect(request) do
    with {:ok, answer} <- send_to(request, nil), do: if(page?(answer), do: web_page(), else: :ok)
  end

  @doc "Sends the request for its headers: names in lower case."
  @spec headers(t()) :: {:ok, %{String.t() => String.t()}} | {:error, Error.t()}
  def headers(request), do: with({:ok, answer} <- send_to(request, nil), do: {:ok, answer.headers})

  @doc """
  Returns the items of a list of pages, as they are asked for. `items` finds them in a page's JSON.
  Raises `HfHub.Error`.
  """
  @spec stream(t(), (term() -> term()), (term() -> term())) :: Enumerable.t()
  def stream(request, decode, items \\ & &1)
  def stream(%{error: %Error{} = error}, _decode, _items), do: raise(error)
  def stream(request, decode, items), do: pages(%{request | max_bytes: :infinity}, decode, items, nil)

  @doc "Returns up to `limit` items of a list of pages; `nil` for all."
  @spec list(t(), non_neg_integer() | nil, (term() -> value), (term() -> term())) ::
          {:ok, [value]} | {:error, Error.t()}
        when value: term()
  def list(request, limit, decode, items \\ & &1) do
    stream = pages(request, decode, items, deadline(request.opts[:timeout]))
    {:ok, if(limit, do: Enum.take(stream, limit), else: Enum.to_list(stream))}
  rescue
    error in Error -> {:error, error}
  end

  # The deadline is that of all pages together.
  defp pages(request, decode, items, deadline) do
    request = suggesting(request)

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
            send_to(%{query(request, Pages.query(page)) | opts: until(request.opts, deadline)}, list)
          )

        found = Error.unwrap!(decoded(answer, &HfHub.Decode.items(items.(&1), decode)))
        {found, {list, Pages.following(page, answer, found)}}
    end

    Stream.resource(start, next, fn _state -> :ok end)
  end

  # Whoever wants to read something is told what was meant; an answer of yes or no costs one request.
  defp suggesting(%{suggest: :never} = request), do: %{request | suggest: false}
  defp suggesting(request), do: %{request | suggest: request.method == :get}

  defp bytes(:infinity), do: nil
  defp bytes(bytes), do: bytes

  @doc "Returns when a call with this `:timeout` has to have ended, for one of many requests."
  @spec deadline(pos_integer() | nil) :: integer() | nil
  def deadline(timeout) when is_integer(timeout), do: System.monotonic_time(:millisecond) + timeout
  def deadline(_none), do: nil

  @doc "Returns the options with what is left of the time until a deadline."
  @spec until(keyword(), integer() | nil) :: keyword()
  def until(opts, nil), do: opts

  def until(opts, deadline),
    do: Keyword.put(opts, :timeout, max(1, deadline - System.monotonic_time(:millisecond)))

  @doc """
  Returns the events of a stream (server-sent events, or a JSON value a line) as they come. Each is a map of `:id`,
  `:event` and `:data`; the data is decoded where it is JSON. Raises `HfHub.Error`; halting it closes the connection.

  A broken connection is opened again behind the last event if `:reconnect` is true, the default for GET. The stream ends
  after `:quiet` milliseconds without an event; by default it waits for as long as the connection lives.
  """
  @spec events(t(), keyword()) :: Enumerable.t()
  def events(request, opts \\ [])
  def events(%{error: %Error{} = error}, _opts), do: raise(error)

  def events(request, opts) do
    reconnect = Keyword.get(opts, :reconnect, request.method == :get)

    Native.stream(fn ref ->
      spec = Error.unwrap!(spec(request, nil))
      Nif.open_events(ref, %{request: spec, reconnect: reconnect, quiet: opts[:quiet]})
    end)
  end

  @doc "Refuses an answer in which `fun` does not find `what`: that of a login page, or of another server."
  @spec confirm({:ok, value} | {:error, Error.t()}, (value -> boolean()), String.t()) ::
          {:ok, value} | {:error, Error.t()}
        when value: term()
  def confirm({:ok, value}, fun, what) do
    hint = "check :endpoint and HF_ENDPOINT, and any proxy or mirror in between"
    message = "the server answered without #{what}, so it does not look like a Hugging Face Hub; #{hint}"
    if fun.(value), do: {:ok, value}, else: {:error, Error.new(:invalid_response, message)}
  end

  def confirm(error, _fun, _what), do: error

  @doc "Whether there is what the request asks for, as a result: the error kinds `absent` mean no."
  @spec exists({:ok, term()} | :ok | {:error, Error.t()}, [Error.kind()]) ::
          {:ok, boolean()} | {:error, Error.t()}
  def exists(result, absent) do
    case result do
      {:error, %Error{kind: kind} = error} -> if kind in absent, do: {:ok, false}, else: {:error, error}
      _found -> {:ok, true}
    end
  end

  defp send_to(request, list) do
    with {:ok, spec} <- spec(request, list) do
      metadata = %{method: request.method, path: request.path, endpoint: spec.hub.endpoint}
      Telemetry.span(:request, metadata, spec.hub.token, fn -> Native.run(&Nif.request(&1, spec)) end)
    end
  end

  defp spec(%{error: %Error{} = error}, _list), do: {:error, error}

  defp spec(request, list) do
    with {:ok, hub} <- Hub.config(Keyword.merge([retries: 5, retry_delay: 1000], request.opts)) do
      spec = %{
        hub: hub,
        method: request.method |> to_string() |> String.upcase(),
        url: url(hub.endpoint, request),
        headers: request.headers,
        list: list,
        content_type: request.content_type,
        body: request.body,
        json: request.json,
        repeatable: request.repeatable,
        parse: request.parse,
        secret: request.secret,
        suggest: request.suggest,
        hidden: Enum.map(request.hidden, &Nif.secret/1),
        repo: request.repo
      }

      {:ok, spec}
    end
  end

  defp url(endpoint, %{path: path, query: []}), do: String.trim_trailing(endpoint, "/") <> path

  defp url(endpoint, %{path: path, query: query}) do
    String.trim_trailing(endpoint, "/") <> path <> "?" <> Form.encode(query)
  end

  defp decoded(%{broken: why}, _decode) when why != nil,
    do: {:error, Error.new(:invalid_response, "the Hub's answer is no JSON that can be read", reason: why)}

  defp decoded(answer, decode) do
    if page?(answer), do: web_page(), else: {:ok, decode.(answer.body)}
  rescue
    error in [HfHub.Decode.Error] -> unusable(error.message)
  end

  # No route has a page for an answer, whatever its status: that is a login page, or another server's.
  defp web_page, do: unusable("it is a web page; is the endpoint right?")
  defp unusable(why), do: {:error, Error.new(:invalid_response, "the Hub's answer cannot be used: #{why}")}

  defp page?(answer), do: String.starts_with?(answer.headers["content-type"] || "", "text/html")

  defp segment(sort, name, params) do
    value = to_string(Keyword.fetch!(params, String.to_existing_atom(name)))

    case sort do
      ":" ->
        URI.encode(value, &URI.char_unreserved?/1)

      "*" ->
        value |> String.split("/") |> Enum.map_join("/", &URI.encode(&1, fn c -> URI.char_unreserved?(c) end))
    end
  end
end
