defmodule HfHub.Webhooks.Plug do
  @moduledoc """
  Receives webhooks in a web application: a plug that checks the secret and passes the event to a handler.

  It works with any server for plugs, such as Phoenix, Bandit or Cowboy. The package `plug` is not a dependency of this
  library: it is only needed where this module is used.

      # Phoenix, above `Plug.Parsers` in the endpoint, or in a router
      plug HfHub.Webhooks.Plug,
        path: "/webhooks/hub",
        secret: {System, :fetch_env!, ["WEBHOOK_SECRET"]},
        handler: &MyApp.Hub.handle/1

      # Plug.Router
      forward "/webhooks/hub",
        to: HfHub.Webhooks.Plug,
        init_opts: [secret: secret, handler: {MyApp.Hub, :handle, []}]

  The handler gets a `HfHub.Webhooks.Payload`. If it returns `{:error, reason}` or raises, the response is an error,
  and a Local Hub sends the event again; any other result is a success. The Hub waits a few seconds only, so long work
  belongs into another process. An event can arrive twice.

  ## Options

    * `:handler` - function of arity 1, or `{module, function, arguments}`, to which the payload is prepended. Required.
    * `:secret` - secret of the webhook: a string, a function of arity 0, or `{module, function, arguments}`, which are
      called for each event. `:none` accepts every request. Required.
    * `:path` - path to respond to, such as `"/webhooks/hub"`; other requests are passed on. Defaults to every path.
    * `:max_body` - maximum size of a body, in bytes. Defaults to 1,048,576.

  ## Responses

  | status | when |
  |---|---|
  | 200 | the handler has accepted the event |
  | 400 | the body is not a webhook's payload |
  | 401 | the request has no header `x-webhook-secret` |
  | 403 | the secret is wrong |
  | 405 | the method is not POST |
  | 413 | the body is too large |
  | 500 | the handler has returned an error |

  The body is read here. If `Plug.Parsers` has read it before, its result is used.
  """

  alias HfHub.{Options, Webhooks}

  # It is only called where it is a dependency of the application.
  @compile {:no_warn_undefined, Plug.Conn}

  @options [
    handler: [type: :any, required: true, doc: ""],
    secret: [type: :any, required: true, doc: ""],
    path: [type: :string, doc: ""],
    max_body: [type: :pos_integer, default: 1_048_576, doc: ""]
  ]

  @doc """
  Checks the options. Raises `ArgumentError` if one is missing, unknown or invalid.

  ## Examples

      HfHub.Webhooks.Plug.init(secret: "s3cret", handler: &MyApp.Hub.handle/1)
  """
  @spec init(keyword()) :: map()
  def init(opts) do
    opts = Options.validate!(opts, @options)
    check!(callable?(opts[:handler], 1), :handler, "a function of arity 1 or {module, function, arguments}")

    check!(
      secret?(opts[:secret]),
      :secret,
      "a string, a function of arity 0, {module, function, arguments} or :none"
    )

    %{
      handler: opts[:handler],
      secret: opts[:secret],
      max_body: opts[:max_body],
      path: opts[:path] && segments(opts[:path])
    }
  end

  @doc """
  Responds to an event, or passes the request on if its path is another one.

  ## Examples

      HfHub.Webhooks.Plug.call(
        conn,
        HfHub.Webhooks.Plug.init(secret: "s3cret", handler: &MyApp.Hub.handle/1)
      )
  """
  @spec call(struct(), map()) :: struct()
  def call(%{path_info: path} = conn, %{path: other}) when other != nil and path != other, do: conn

  def call(conn, opts) do
    conn = respond(conn, opts)
    Plug.Conn.halt(conn)
  end

  defp respond(%{method: method} = conn, _opts) when method != "POST" do
    conn |> Plug.Conn.put_resp_header("allow", "POST") |> send_json(405, "expected a POST request")
  end

  defp respond(conn, opts) do
    with :ok <- verify(conn, opts.secret),
         {:ok, body, conn} <- body(conn, opts.max_body),
         {:ok, payload} <- decoded(body, conn) do
      handled(conn, run(opts.handler, [payload]))
    else
      {:error, status, message} -> send_json(conn, status, message)
      {:error, status, message, conn} -> send_json(conn, status, message)
    end
  end

  defp verify(_conn, :none), do: :ok

  defp verify(conn, secret) do
    given = conn |> Plug.Conn.get_req_header("x-webhook-secret") |> List.first()

    case Webhooks.verify(given, secret(secret)) do
      :ok -> :ok
      {:error, %{kind: :unauthorized, message: message}} -> {:error, 401, message}
      {:error, %{message: message}} -> {:error, 403, message}
    end
  end

  defp secret(text) when is_binary(text), do: text

  defp secret(function) do
    case run(function, []) do
      text when is_binary(text) and text != "" -> text
      other -> raise ArgumentError, "expected option :secret to return a string, got #{Options.sort(other)}"
    end
  end

  # `Plug.Parsers` puts a map here, and consumes the body.
  defp body(%{body_params: %{__struct__: _unfetched}} = conn, most), do: read(conn, [], most)
  defp body(%{body_params: params} = conn, _most) when params != %{}, do: {:ok, params, conn}
  defp body(conn, most), do: read(conn, [], most)

  # One call may return less than the whole body.
  defp read(conn, read, most) do
    case Plug.Conn.read_body(conn, length: most) do
      {:ok, part, conn} -> whole(conn, [read, part], most)
      {:more, part, conn} -> more(conn, [read, part], most)
      {:error, _reason} -> {:error, 400, "the body could not be read"}
    end
  end

  defp whole(conn, read, most) do
    if IO.iodata_length(read) > most, do: too_large(conn, most), else: {:ok, IO.iodata_to_binary(read), conn}
  end

  defp more(conn, read, most) do
    if IO.iodata_length(read) >= most, do: too_large(conn, most), else: read(conn, read, most)
  end

  defp too_large(conn, most), do: {:error, 413, "the body has more than #{most} bytes", conn}

  defp decoded(body, conn) do
    case Webhooks.decode_payload(body) do
      {:ok, payload} -> {:ok, payload}
      {:error, %{message: message}} -> {:error, 400, message, conn}
    end
  end

  defp handled(conn, {:error, _reason}), do: send_json(conn, 500, "the event could not be handled")
  defp handled(conn, _other), do: send_json(conn, 200, nil)

  defp send_json(conn, status, message) do
    body = if message, do: HfHub.Native.Nif.to_json(%{error: message}), else: "{}"
    conn |> Plug.Conn.put_resp_header("content-type", "application/json") |> Plug.Conn.send_resp(status, body)
  end

  defp run(function, arguments) when is_function(function), do: apply(function, arguments)
  defp run({module, name, more}, arguments), do: apply(module, name, arguments ++ more)

  defp segments(path), do: String.split(path, "/", trim: true)

  defp callable?(function, arity) when is_function(function), do: is_function(function, arity)
  defp callable?({module, name, more}, _arity), do: is_atom(module) and is_atom(name) and is_list(more)
  defp callable?(_other, _arity), do: false

  defp secret?(secret), do: secret == :none or (is_binary(secret) and secret != "") or callable?(secret, 0)

  # Without the value, which may be the secret.
  defp check!(true, _name, _expected), do: :ok

  defp check!(false, name, expected),
    do: raise(ArgumentError, "expected option #{inspect(name)} to be #{expected}")
end
