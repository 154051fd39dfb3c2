defmodule HfHub.InferenceEndpoints.Call do
  # The requests of `HfHub.InferenceEndpoints`, which go to other servers than the Hub's. The base URL is the endpoint of
  # the request, so the token is sent to no other host.
  @moduledoc false

  alias HfHub.{Account, Decode, Error, Options, Request}
  alias HfHub.Config.Setting
  alias HfHub.InferenceEndpoints.{Endpoint, Hardware}
  alias HfHub.Request.Place

  @type place :: {String.t(), String.t()}

  @doc """
  Returns all options of a call. Raises `ArgumentError` also if they have an `:endpoint` but not the other address: the
  token, which is one for that Hub, would be sent to the public service.
  """
  @spec validate!(keyword(), Options.table()) :: keyword()
  def validate!(opts, table) do
    opts = Options.validate!(opts, table)
    setting = Enum.find([:inference_endpoints_url, :inference_catalog_url], &Keyword.has_key?(table, &1))

    if opts[:endpoint] && match?({_url, :default}, Setting.find(setting, opts)) do
      raise ArgumentError,
            "option :endpoint is the address of the Hub only; pass #{inspect(setting)} too, or set it in HfHub.Config"
    end

    opts
  end

  @doc "Returns the namespace and the name of the endpoint of a call."
  @spec place(String.t() | Endpoint.t(), keyword()) :: {:ok, place()} | {:error, Error.t()}
  def place(%Endpoint{name: name, namespace: owner}, opts),
    do: with({:ok, owner} <- namespace(opts[:namespace] || owner, opts), do: {:ok, {owner, name}})

  def place(name, opts) when is_binary(name),
    do: with({:ok, owner} <- namespace(opts[:namespace], opts), do: {:ok, {owner, name}})

  def place(other, _opts), do: invalid(other)

  @doc "Returns the error for something that cannot be an endpoint."
  @spec invalid(term()) :: {:error, Error.t()}
  def invalid(given) do
    expected = "its name as a string, or a HfHub.InferenceEndpoints.Endpoint"
    {:error, Error.new(:invalid_name, "invalid endpoint #{Options.shown(given)}: expected #{expected}")}
  end

  @doc "Returns the namespace of a call: the one that was given, or the token's account."
  @spec namespace(String.t() | nil, keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def namespace(given, opts), do: Account.name(given, opts)

  @doc "Returns a request to the API of Inference Endpoints."
  @spec api(atom(), String.t(), keyword(), keyword()) :: Request.t()
  def api(method, route, params, opts), do: at(:inference_endpoints_url, method, route, params, opts)

  @doc "Returns a request to the API of the catalog."
  @spec catalog(atom(), String.t(), keyword(), keyword()) :: Request.t()
  def catalog(method, route, params, opts), do: at(:inference_catalog_url, method, route, params, opts)

  defp at(setting, method, route, params, opts) do
    opts = Keyword.put(opts, :endpoint, Setting.value(setting, opts))
    method |> Request.new(route, params, opts) |> Request.plain()
  end

  @doc "Returns a request about one endpoint, or a request to do something with it."
  @spec one(atom(), String.t(), place(), keyword()) :: Request.t()
  def one(method, action \\ "", {namespace, name}, opts),
    do: api(method, "/endpoint/:namespace/:name" <> action, [namespace: namespace, name: name], opts)

  @doc "Sends a request and decodes the response. `opts` are the call's options."
  @spec run(Request.t(), keyword(), (term() -> value)) :: {:ok, value} | {:error, Error.t()}
        when value: term()
  def run(request, opts, decode), do: request |> Request.run(decode) |> on_hub(request, opts)

  @doc "Sends a request about one endpoint and ignores the response."
  @spec effect(Request.t(), place(), keyword()) :: :ok | {:error, Error.t()}
  def effect(request, place, opts),
    do: request |> Request.effect() |> on_hub(request, opts) |> Place.missing("endpoint", place)

  @doc "Sends a request about one endpoint and returns the endpoint in its response."
  @spec endpoint(Request.t(), place(), keyword()) :: {:ok, Endpoint.t()} | {:error, Error.t()}
  def endpoint(request, {namespace, _name} = place, opts),
    do: request |> run(opts, &decode(&1, namespace)) |> Place.missing("endpoint", place)

  @doc "Returns the endpoint of a JSON object. The namespace is not part of the response."
  @spec decode(term(), String.t()) :: Endpoint.t()
  def decode(json, namespace), do: %{Decode.struct(Endpoint, json) | namespace: namespace}

  @doc "Returns the hardware in a response that groups it by vendor and region."
  @spec hardware(term()) :: [Hardware.t()]
  def hardware(json) do
    List.flatten(
      each(json, "vendors", fn vendor ->
        each(vendor, "regions", fn region -> each(region, "computes", &unit(&1, vendor, region)) end)
      end)
    )
  end

  defp each(json, name, fun), do: Decode.items(Decode.get(json, name), fun)

  defp unit(json, vendor, region) do
    place = %{"vendor" => Decode.get(vendor, "name"), "region" => Decode.get(region, "name")}
    Decode.struct(Hardware, Map.merge(Decode.object(json), place))
  end

  @doc "Corrects the error of a request, whose address other options choose than the Hub's."
  @spec on_hub(result, Request.t(), keyword()) :: result
        when result: :ok | {:ok, term()} | {:error, Error.t()}
  def on_hub(result, request, opts) do
    with {:error, error} <- Place.on_hub(result, request, opts[:endpoint]) do
      options = ":inference_endpoints_url and :inference_catalog_url"
      {:error, %{error | message: String.replace(error.message, ":endpoint and HF_ENDPOINT", options)}}
    end
  end
end
