defmodule HfHub.TwoHubs do
  # Wire tests: the PyPI client and this library do the same on a Hub each, and send the same requests: method, path,
  # query and JSON are equal, and this library sends no additional ones.
  #
  # Separate Hubs, so that what one client makes does not affect the other. The user `me`, who is in `acme`, has the
  # token `hf_me`; more are added to both Hubs by `command/2`.
  @moduledoc false

  use ExUnit.CaseTemplate

  import HfHub.Case, only: [control: 4]

  alias HfHub.{LocalHub, Python}

  using do
    quote do
      use HfHub.Case, async: true
      import HfHub.TwoHubs, only: [theirs: 2, command: 2, plant: 4, plant: 5, asked: 1, assert_same: 1]

      @moduletag :python
      @moduletag timeout: 180_000

      setup context, do: HfHub.TwoHubs.start(context)
    end
  end

  @doc "Setup: starts both Hubs, with `@tag hub_options: […]` of `HfHub.LocalHub.start_link/1`; `:ours` are the options of a call to this library's."
  def start(context) do
    locals =
      for name <- [:theirs, :ours], into: %{} do
        opts = [root: Path.join(context.dir, "#{name}"), test_control: true] ++ (context[:hub_options] || [])
        {:ok, hub} = LocalHub.start_link(opts)
        {name, hub}
      end

    command(%{locals: locals}, ["user", "add", "me", "--org", "acme", "--token", "hf_me"])
    hubs = Map.new(locals, fn {name, hub} -> {name, LocalHub.endpoint(hub)} end)
    {:ok, locals: locals, hubs: hubs, ours: [endpoint: hubs.ours, token: "hf_me"]}
  end

  @doc "Runs a command of the Local Hub on both."
  def command(context, args) do
    for {_name, hub} <- context.locals, do: LocalHub.command!(hub, args)
    :ok
  end

  @doc """
  Plants the response of both Hubs to requests with this method and path: JSON, or a text as it is.

  Options: `:code`, `:type` (of the content), `:headers`, and `:skip` and `:times`, the numbers of requests that get another
  response first, and that get this one.
  """
  def plant(context, method, path, body, opts \\ []) do
    text = if is_binary(body), do: body, else: encoded(body)
    headers = Map.merge(%{"content-type" => opts[:type] || "application/json"}, opts[:headers] || %{})
    fault = %{kind: "status", code: opts[:code] || 200, headers: headers, body: text}
    # The braces make the pattern that of the whole path.
    rule = %{match: "{#{path}}", method: method, fault: fault, skip: opts[:skip] || 0, times: opts[:times]}

    for {_name, endpoint} <- context.hubs,
        do: control(:post, "faults", Map.reject(rule, &match?({_key, nil}, &1)), endpoint)

    :ok
  end

  # There is no JSON library to encode with, so the values are those of the tests only.
  defp encoded(map) when is_map(map),
    do:
      "{" <>
        Enum.map_join(map, ",", fn {key, value} -> inspect(to_string(key)) <> ":" <> encoded(value) end) <>
        "}"

  defp encoded(list) when is_list(list), do: "[" <> Enum.map_join(list, ",", &encoded/1) <> "]"
  defp encoded(nil), do: "null"
  defp encoded(text) when is_binary(text), do: inspect(text)
  defp encoded(other), do: to_string(other)

  @doc "Runs Python code on its Hub, with `api` logged in, and returns its output."
  def theirs(context, code) do
    Python.run!("api = HfApi(token='hf_me')\n" <> code, context.hubs.theirs, Path.join(context.dir, "cache"))
  end

  @doc "Asserts that both Hubs were sent the same requests with the same success, and at least one."
  def assert_same(context) do
    asked = asked(context.hubs.ours)
    assert asked == asked(context.hubs.theirs)
    assert asked != []
  end

  @doc """
  Returns the requests that a Hub got: method, path, query, body, status.

  Ids that a Hub makes up are numbered instead. `null` means the same as a missing entry. Once a day, the Python client
  requests a list of agents.
  """
  def asked(endpoint) do
    requests =
      for request <- control(:get, "requests", nil, endpoint), request["path"] != "/api/agent-harnesses" do
        {request["method"], request["path"], request["query"], present(request["body"]), request["status"]}
      end

    ids =
      ~r/\b[0-9a-f]{24}\b/
      |> Regex.scan(inspect(requests, limit: :infinity, printable_limit: :infinity))
      |> Enum.uniq()

    numbered(requests, for({[id], number} <- Enum.with_index(ids), into: %{}, do: {id, "ID#{number}"}))
  end

  defp present(body) when is_map(body), do: Map.reject(body, &match?({_key, nil}, &1))
  defp present(body), do: body

  defp numbered(text, names) when is_binary(text), do: String.replace(text, Map.keys(names), &names[&1])
  defp numbered(list, names) when is_list(list), do: Enum.map(list, &numbered(&1, names))
  defp numbered(map, names) when is_map(map), do: Map.new(map, &numbered(&1, names))

  defp numbered(tuple, names) when is_tuple(tuple),
    do: tuple |> Tuple.to_list() |> numbered(names) |> List.to_tuple()

  defp numbered(other, _names), do: other
end
