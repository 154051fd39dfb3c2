defmodule HfHub.Inference.Route do
  # Where a call goes: the provider, its server, its name of the model, and the key that the server gets.
  #
  # A token of the Hub goes to the router, a provider's own key to the provider, and the stored token to the Hub's own
  # services only. The server is the endpoint of the requests, so neither is sent to another host.
  @moduledoc false

  alias HfHub.Auth.Credentials
  alias HfHub.Config.Setting
  alias HfHub.{Config, Decode, Error, Options, Request}
  alias HfHub.Inference.{Client, Content, Mapping, Media, Provider, Providers}
  alias HfHub.Inference.Providers.FalAi
  alias HfHub.Request.Poll

  @enforce_keys [:provider, :row, :task, :origin, :opts]
  defstruct [
    :provider,
    :row,
    :task,
    :model,
    :hub_model,
    :asked,
    :lora,
    :server,
    :origin,
    :token,
    :key,
    :opts,
    :deadline,
    prefix: "",
    routed?: true,
    headers: []
  ]

  @type t :: %__MODULE__{}

  # Servers with one model take any name of it; the Python client sends this one.
  @unnamed "dummy"

  # Names of hosts below these belong to the Hub, or to Inference Endpoints, which need a token. Spaces run the code of
  # other users, so the stored token is not for them.
  @own ~w(huggingface.co endpoints.huggingface.cloud)

  @doc "Returns the route of a call. Raises `HfHub.Error` if there is none."
  @spec find!(Client.t(), String.t(), keyword()) :: t()
  def find!(client, task, opts) do
    opts = Keyword.merge(client.opts, Options.given(opts))
    found = Error.unwrap!(Credentials.find(opts[:token]))

    {server, asked, model} = target(client.model, opts[:model])
    opts = Keyword.delete(opts, :model)

    route = %{
      client: client,
      task: task,
      opts: opts,
      found: found,
      asked: asked,
      model: model,
      server: server
    }

    route
    |> by_provider(provider(client.provider, server || model, task))
    |> finished(client)
  end

  @doc "Returns the route to the server of a model, for requests that are not those of a task."
  @spec server!(Client.t(), keyword()) :: t()
  def server!(client, opts) do
    opts = Keyword.merge(client.opts, Options.given(opts))
    {server, _asked, model} = target(client.model, opts[:model])

    cond do
      server ->
        route = find!(%{client | model: server}, "conversational", Keyword.delete(opts, :model))
        {_origin, path} = Content.split!(server)
        %{route | prefix: String.trim_trailing(path, "/")}

      model && client.provider in ["auto", "hf-inference"] ->
        found = Error.unwrap!(Credentials.find(opts[:token]))
        state = %{found: found, opts: opts, task: nil, asked: nil, model: model, server: nil}
        {origin, prefix} = routed(state, "hf-inference")
        row = Providers.find("hf-inference")
        route = build(state, row.name, row, %{model: model, origin: origin})
        finished(%{route | prefix: prefix <> Provider.path("/models/:model", route)}, client)

      true ->
        raise Error.new(
                :bad_request,
                "requests of your own need a model at hf-inference, or the URL of a server as :model"
              )
    end
  end

  # A server's URL comes before the model of the call, which the server gets to know.
  defp target(own, given) do
    cond do
      url?(given) -> {given, nil, nil}
      url?(own) -> {own, given, nil}
      true -> {nil, given || own, given || own}
    end
  end

  defp url?(text), do: is_binary(text) and String.starts_with?(text, ["http://", "https://"])

  defp provider("auto", nil, _task), do: "hf-inference"

  defp provider(name, target, task) do
    cond do
      url?(target) -> "hf-inference"
      name == "auto" and task == "conversational" -> "auto"
      true -> name
    end
  end

  # The router chooses the provider.
  defp by_provider(state, "auto") when state.task == "conversational" do
    hub_token!(state)
    {origin, path} = Content.split!(router(state.opts))

    build(
      state,
      "auto",
      %{Providers.find("openai") | name: "auto", routes: %{state.task => "/v1/chat/completions"}},
      %{
        model: state.model,
        origin: origin,
        prefix: String.trim_trailing(path, "/")
      }
    )
  end

  defp by_provider(state, "auto") do
    hub_token!(state)
    [%{provider: name} | _others] = Mapping.list!(state.model, state.opts)

    unless Providers.find(name),
      do:
        raise(
          Error.new(
            :bad_request,
            "#{state.model} is served by #{inspect(name)}, which this version does not know"
          )
        )

    by_provider(state, name)
  end

  defp by_provider(%{server: url} = state, "hf-inference") when is_binary(url) do
    {origin, path} = Content.split!(url)
    token = if own?(origin, state), do: state.found, else: explicit(state.found)
    state = %{state | found: token}
    prefix = String.trim_trailing(path, "/")

    if String.ends_with?(prefix, "/v1") and Map.has_key?(Providers.openai().routes, state.task),
      do:
        build(state, "the server", Providers.openai(), %{
          origin: origin,
          prefix: prefix,
          model: state.asked || @unnamed
        }),
      else: build(state, "hf-inference", Providers.find("hf-inference"), %{origin: origin})
  end

  defp by_provider(state, "hf-inference") do
    model = state.model || Mapping.recommended!(state.task, state.opts)
    Mapping.check_task!(model, state.task, state.opts)
    {origin, prefix} = routed(state, "hf-inference")

    build(state, "hf-inference", Providers.find("hf-inference"), %{
      model: model,
      origin: origin,
      prefix: prefix
    })
  end

  defp by_provider(state, name) do
    row = Providers.find(name)
    check_offer!(row, state.task)
    if state.model == nil, do: raise(Error.new(:bad_request, "#{name} needs a model; pass :model"))
    if state.found == nil, do: raise(Credentials.missing())

    mapping = mapping!(row, state)
    routed? = hub_token?(state.found)
    {origin, prefix} = if routed?, do: routed(state, name), else: direct(state, row)

    build(state, name, row, %{
      model: mapping.provider_id,
      lora: mapping.adapter_weights_path,
      routed?: routed?,
      origin: origin,
      prefix: prefix
    })
  end

  # Its models are not on the Hub.
  defp mapping!(%{name: "openai"}, state) do
    if hub_token?(state.found) do
      raise Error.new(:unauthorized, "openai is not reached through the Hub; pass a key of OpenAI as :token")
    end

    %{provider_id: state.model, adapter_weights_path: nil}
  end

  defp mapping!(row, state), do: Mapping.find!(state.model, row.name, state.task, state.opts)

  defp check_offer!(row, task) do
    unless Map.has_key?(row.routes, task) do
      offered = row.routes |> Map.keys() |> Enum.join(", ")
      raise Error.new(:bad_request, "#{row.name} does not offer #{task}; it offers #{offered}")
    end
  end

  defp build(state, name, row, facts) do
    struct!(
      %__MODULE__{
        provider: name,
        row: row,
        task: state.task,
        hub_model: state.model,
        asked: state.asked,
        server: state.server,
        origin: facts.origin,
        token: state.found,
        opts: state.opts
      },
      facts
    )
  end

  defp finished(route, client) do
    key = if route.routed?, do: nil, else: elem(route.token, 0)
    route = %{route | key: key, deadline: Request.deadline(route.opts[:timeout])}
    own = route.row.adapter.headers(route)
    bill = if client.bill_to && route.routed?, do: [{"x-hf-bill-to", client.bill_to}], else: []
    headers = for {name, value} <- client.headers, do: {String.downcase(name), value}
    %{route | headers: own ++ bill ++ headers}
  end

  defp router(opts), do: Setting.value(:inference_router_url, opts)

  defp routed(state, name) do
    {origin, path} = Content.split!(router(state.opts))
    {origin, String.trim_trailing(path, "/") <> "/" <> name}
  end

  defp direct(%{client: client, task: task}, row) do
    queue = if row.adapter == FalAi, do: FalAi.url(task)
    {origin, path} = Content.split!(client.provider_url || queue || row.url)
    {origin, String.trim_trailing(path, "/")}
  end

  # Stored tokens are the Hub's, whatever they look like.
  defp hub_token?({text, place}), do: place != :option or String.starts_with?(text, "hf_")

  defp hub_token!(%{found: nil}), do: raise(Credentials.missing())

  defp hub_token!(%{found: found}) do
    unless hub_token?(found) do
      raise Error.new(
              :unauthorized,
              "the key is not a token of the Hub, which chooses the provider; pass the provider of the key as :provider"
            )
    end
  end

  defp explicit({_text, :option} = found), do: found
  defp explicit(_stored), do: nil

  defp own?(origin, state) do
    host = URI.parse(origin).host
    configured = [state.opts[:endpoint] || Config.endpoint(), router(state.opts)]

    Enum.any?(@own, &(host == &1 or String.ends_with?(host, "." <> &1))) or
      Enum.any?(configured, &(Content.split!(&1) |> elem(0) == origin))
  end

  @doc "Returns the path of a route below the server's base URL."
  @spec path(t(), String.t()) :: String.t()
  def path(route, path), do: route.prefix <> path

  @doc "Returns a request to the server."
  @spec request(t(), atom(), String.t()) :: Request.t()
  def request(route, method, path) do
    opts = Request.until(route.opts, route.deadline)
    # A header holds the key if the provider has a form of its own for it.
    in_header? = List.keymember?(route.headers, "authorization", 0)
    token = if in_header?, do: false, else: route.token || false

    silence = route.opts[:receive_timeout] || 600_000

    opts =
      Keyword.merge(opts,
        endpoint: route.origin,
        token: token,
        download_timeout: silence,
        header_timeout: silence
      )

    request = Request.plain(%{Request.new(method, "/", [], opts) | path: path})

    request =
      for {name, value} <- route.headers, reduce: request, do: (r -> Request.put_header(r, name, value))

    if in_header? and route.key, do: request |> Request.hide([route.key]) |> Request.secret(), else: request
  end

  @doc "Returns the JSON object at a path of the server. Raises `HfHub.Error`."
  @spec get!(t(), String.t()) :: map()
  def get!(route, path), do: Error.unwrap!(Request.run(request(route, :get, path), &Decode.object/1))

  defp poll!(route, path, pause, longest, fun) do
    request = request(route, :get, path)
    left = Enum.min([request.opts[:timeout], longest])
    request = if is_integer(left), do: put_in(request.opts[:timeout], left), else: request

    Error.unwrap!(
      Poll.until(request, fun,
        decode: &Decode.object/1,
        pause: pause,
        longest_pause: pause,
        late: "the result of #{route.provider} was not ready",
        on_wait: fn _state -> wait(route, "#{route.provider} works on the result") end
      )
    )
  end

  @doc """
  Returns what `fun` makes of the JSON object that has come, or of the one at a path of the server, which is requested until
  `fun` accepts it; see `HfHub.Request.Poll`. `pause` and `longest` are milliseconds.
  """
  @spec await!(t(), map(), String.t(), pos_integer(), pos_integer() | nil, (map() -> Poll.decision())) ::
          term()
  def await!(route, first, path, pause, longest, fun) do
    case fun.(first) do
      {:done, value} -> value
      _again -> poll!(route, path, pause, longest, fun)
    end
  end

  @doc "Returns the decision of `fun` in `await!/6` to wait for another status than this one."
  @spec again(String.t() | nil) :: Poll.decision()
  def again(status), do: Poll.again("status", status)

  @doc "Reports to the caller what is being waited for."
  @spec wait(t(), String.t()) :: term()
  def wait(route, text), do: if(route.opts[:on_wait], do: route.opts[:on_wait].(text))

  @doc "Downloads a result from the address in a response, without the key. Raises `HfHub.Error`."
  @spec download!(t(), String.t()) :: Media.t()
  def download!(route, url) do
    opts = Request.until(route.opts, route.deadline)

    if String.starts_with?(url, "data:") do
      Content.media(url, nil)
    else
      {bytes, type} = Content.fetch!(url, opts)
      %Media{data: bytes, content_type: type}
    end
  end

  @doc "Returns the URL of the model's repository on the Hub, for a provider that reads it."
  @spec repo_url(t()) :: String.t()
  def repo_url(route),
    do: String.trim_trailing(route.opts[:endpoint] || Config.endpoint(), "/") <> "/" <> route.hub_model

  @doc "Returns the URL of a file in the model's repository."
  @spec file_url(t(), String.t()) :: String.t()
  def file_url(route, path), do: repo_url(route) <> "/resolve/main/" <> path
end
