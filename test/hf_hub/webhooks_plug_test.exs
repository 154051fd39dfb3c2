# The part of the package `plug` that `HfHub.Webhooks.Plug` uses, by its documented contract: it is not a dependency.
unless Code.ensure_loaded?(Plug.Conn) do
  defmodule Plug.Conn.Unfetched do
    defstruct [:aspect]
  end

  defmodule Plug.Conn do
    defstruct method: "POST",
              path_info: ["webhooks"],
              req_headers: [],
              resp_headers: [],
              body_params: %Plug.Conn.Unfetched{aspect: :body_params},
              body: [],
              status: nil,
              resp_body: nil,
              state: :unset,
              halted: false

    def get_req_header(conn, name), do: for({^name, value} <- conn.req_headers, do: value)
    def put_resp_header(conn, name, value), do: %{conn | resp_headers: [{name, value} | conn.resp_headers]}
    def halt(conn), do: %{conn | halted: true}

    def send_resp(%{state: :unset} = conn, status, body),
      do: %{conn | status: status, resp_body: body, state: :sent}

    # The pieces that the server's adapter returns.
    def read_body(%{body: [:error | _rest]}, _opts), do: {:error, :timeout}
    def read_body(%{body: []} = conn, _opts), do: {:ok, "", conn}
    def read_body(%{body: [last]} = conn, opts), do: limited(conn, last, opts[:length])
    def read_body(%{body: [part | rest]} = conn, _opts), do: {:more, part, %{conn | body: rest}}

    defp limited(conn, last, most) when byte_size(last) <= most, do: {:ok, last, %{conn | body: []}}

    defp limited(conn, last, most) do
      <<part::binary-size(most), rest::binary>> = last
      {:more, part, %{conn | body: [rest]}}
    end
  end
end

defmodule HfHub.Webhooks.PlugTest do
  use HfHub.Case, async: true

  alias HfHub.{Receiver, Repo, Webhooks}
  alias HfHub.Webhooks.Payload

  @body ~s({"event": {"action": "create", "scope": "repo"}, "repo": {"name": "a/b", "id": "r"}, ) <>
          ~s("webhook": {"id": "w", "version": 3}})

  @right {"x-webhook-secret", "s3cret"}

  setup :writer

  defp conn(fields \\ []),
    do: struct!(Plug.Conn, [req_headers: [@right], body: [@body]] ++ fields)

  defp call(conn, more \\ []) do
    test = self()
    handler = fn payload -> send(test, {:handled, payload}) end
    Webhooks.Plug.call(conn, Webhooks.Plug.init(Keyword.merge([secret: "s3cret", handler: handler], more)))
  end

  def handle(payload, extra), do: send(self(), {:handled, payload, extra})
  def secret(text), do: text

  test "passes an event with the right secret to the handler" do
    assert %{status: 200, halted: true, resp_headers: [{"content-type", "application/json"}]} = call(conn())
    assert_received {:handled, %Payload{scope: "repo", action: :create}}

    assert %{status: 200} =
             call(conn(), handler: {__MODULE__, :handle, [:more]}, secret: {__MODULE__, :secret, ["s3cret"]})

    assert_received {:handled, %Payload{}, :more}
    assert %{status: 200} = call(conn(req_headers: []), secret: :none)
    assert %{status: 200} = call(conn(), secret: fn -> "s3cret" end)
  end

  test "rejects requests without reading more than is needed" do
    for {conn, status} <- [
          {conn(req_headers: []), 401},
          {conn(req_headers: [{"x-webhook-secret", ""}]), 401},
          {conn(req_headers: [{"x-webhook-secret", "wrong"}], body: [:error]), 403},
          {conn(req_headers: [{"x-webhook-secret", "wrong"}, @right]), 403},
          {conn(method: "GET"), 405},
          {conn(body: ["{}"]), 400},
          {conn(body: ["[]"]), 400},
          {conn(body: []), 400},
          {conn(body: [<<0xFF>>]), 400},
          {conn(body: [:error]), 400}
        ] do
      assert %{status: ^status, halted: true, resp_body: ~s({"error":) <> _rest} = call(conn)
    end

    refute_received {:handled, _payload}
  end

  test "limits the size of a body, in one piece or in several" do
    for body <- [[@body], String.split(@body, ~r/(?<=,)/)] do
      assert %{status: 413} = call(conn(body: body), max_body: byte_size(@body) - 1)
      assert %{status: 200} = call(conn(body: body), max_body: byte_size(@body))
    end
  end

  test "uses what a parser has read" do
    {:ok, %{raw: params}} = Webhooks.decode_payload(@body)
    assert %{status: 200} = call(conn(body: [], body_params: params))
    assert %{status: 400} = call(conn(body: [], body_params: %{"x" => 1}))
  end

  test "passes on requests to other paths" do
    other = conn(path_info: ["other"])
    assert call(other, path: "/webhooks") == other
    assert %{status: 200} = call(conn(path_info: ["webhooks"]), path: "/webhooks/")
  end

  test "an error of the handler is an error of the receiver, and an exception is not hidden" do
    assert %{status: 500} = call(conn(), handler: fn _payload -> {:error, :busy} end)
    assert_raise RuntimeError, "no", fn -> call(conn(), handler: fn _payload -> raise "no" end) end
  end

  test "invalid options raise, without the secret" do
    handler = fn _payload -> :ok end

    for {opts, message} <- [
          {[handler: handler], "option :secret is required"},
          {[secret: "x"], "option :handler is required"},
          {[secret: "", handler: handler], "option :secret"},
          {[secret: 12_345, handler: handler], "option :secret"},
          {[secret: "x", handler: fn -> :ok end], "option :handler"},
          {[secret: "x", handler: handler, max_body: 0], "option :max_body"},
          {[secret: "x", handler: handler, max: 1], "unknown option :max"}
        ] do
      error = assert_raise ArgumentError, fn -> Webhooks.Plug.init(opts) end
      assert error.message =~ message
      refute error.message =~ "12345"
    end

    assert_raise ArgumentError, ~r/:secret to return a string/, fn -> call(conn(), secret: fn -> nil end) end
  end

  test "receives what the Local Hub delivers", %{account: account, writer: writer} do
    test = self()
    plug = Webhooks.Plug.init(secret: "s3cret", handler: &send(test, {:handled, &1}))

    receiver =
      Receiver.start(fn request ->
        headers = Map.to_list(request.headers)
        answered = Webhooks.Plug.call(struct!(Plug.Conn, req_headers: headers, body: [request.body]), plug)
        {answered.status, answered.resp_body}
      end)

    opts = write(token: writer)
    Webhooks.create!(receiver.url, opts ++ [watched: [{:user, account}], secret: "s3cret"])
    Repo.create!("#{account}/r", opts)
    assert_receive {:handled, %Payload{action: :create, repo: %{name: name}}}, 20_000
    assert name == "#{account}/r"
  end
end
