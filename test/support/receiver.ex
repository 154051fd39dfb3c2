defmodule HfHub.Receiver do
  # An HTTP server on a socket of its own, for what the Local Hub sends: each request is a message to the test, and gets
  # the response of a function, or none.
  @moduledoc false

  defstruct [:port, :url]

  @doc "Starts it; `answer` gets a request and returns `{status, body}` with or without a header line, or `:silence`."
  def start(answer \\ fn _request -> {200, "{}"} end) do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, packet: :http_bin, active: false, ip: {127, 0, 0, 1}])
    {:ok, port} = :inet.port(listener)
    test = self()

    ExUnit.Callbacks.start_supervised!({Task, fn -> accept(listener, test, answer) end},
      id: {__MODULE__, port}
    )

    %__MODULE__{port: port, url: "http://127.0.0.1:#{port}/hook"}
  end

  defp accept(listener, test, answer) do
    {:ok, socket} = :gen_tcp.accept(listener)
    request = read(socket)
    send(test, {:received, request})

    case answer.(request) do
      :silence -> :gen_tcp.recv(socket, 0)
      {status, body} -> :gen_tcp.send(socket, response(status, body, ""))
      {status, body, header} -> :gen_tcp.send(socket, response(status, body, header <> "\r\n"))
    end

    :gen_tcp.close(socket)
    accept(listener, test, answer)
  end

  defp response(status, body, header),
    do:
      "HTTP/1.1 #{status} X\r\n#{header}content-length: #{byte_size(body)}\r\nconnection: close\r\n\r\n#{body}"

  defp read(socket) do
    {:ok, {:http_request, method, {:abs_path, path}, _version}} = :gen_tcp.recv(socket, 0)
    headers = headers(socket, %{})
    :ok = :inet.setopts(socket, packet: :raw)
    length = String.to_integer(Map.get(headers, "content-length", "0"))
    {:ok, body} = if length == 0, do: {:ok, ""}, else: :gen_tcp.recv(socket, length)
    %{method: to_string(method), path: path, headers: headers, body: body}
  end

  defp headers(socket, headers) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, {:http_header, _bit, name, _reserved, value}} ->
        headers(socket, Map.put(headers, String.downcase(to_string(name)), value))

      {:ok, :http_eoh} ->
        headers
    end
  end
end
