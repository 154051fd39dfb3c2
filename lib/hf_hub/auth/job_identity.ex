defmodule HfHub.Auth.JobIdentity do
  # Exchanges the OIDC id token of a CI job for a short-lived token of the Hub (RFC 8693; the Hub's
  # "trusted publishers").
  @moduledoc false

  alias HfHub.Memory
  alias HfHub.Config.Source
  alias HfHub.{Config, Error, Request}

  @exchange "urn:ietf:params:oauth:grant-type:token-exchange"
  @id_token "urn:ietf:params:oauth:token-type:id_token"

  # Seconds before its expiry at which a token is replaced, if a new id token can be requested.
  @margin 300

  @doc "Returns a token for a resource, which is a repository or a user."
  @spec token(String.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def token(resource) do
    key = Memory.key(:job, [Config.endpoint(), resource])

    case Memory.get(key) do
      {until, reveal} when is_function(reveal) ->
        if now() < until, do: {:ok, reveal.()}, else: trade(resource, key)

      nil ->
        trade(resource, key)
    end
  end

  defp trade(resource, key) do
    given = Source.env("HF_OIDC_ID_TOKEN")

    with {:ok, identity} <- if(given, do: {:ok, given}, else: issued()),
         {:ok, {token, lifetime}} <- exchange(identity, resource) do
      # The id token in HF_OIDC_ID_TOKEN cannot be replaced, so its token is used until it expires.
      until = now() + max(lifetime - if(given, do: 0, else: @margin), 0)
      # In a function, so that a dump of the VM shows no token.
      Memory.put(key, {until, fn -> token end})
      {:ok, token}
    end
  end

  defp exchange(identity, resource) do
    body = %{
      grant_type: @exchange,
      subject_token_type: @id_token,
      subject_token: identity,
      resource: resource
    }

    Request.new(:post, "/oauth/token", [], token: false)
    |> Request.json(body)
    |> Request.secret()
    |> Request.hide([identity])
    |> Request.run(&lifetime/1)
  end

  defp lifetime(%{"access_token" => token} = json) when is_binary(token) do
    seconds = json["expires_in"]
    {token, if(is_integer(seconds), do: seconds, else: 3600)}
  end

  defp lifetime(_other), do: raise(HfHub.Decode.Error, message: "the access_token is missing")

  # GitHub Actions issues an id token to each job that has the permission.
  defp issued do
    names = ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"]

    case {Source.env("GITHUB_ACTIONS"), Enum.map(names, &Source.env/1)} do
      {"true", [url, token]} when url != nil and token != nil -> ask(URI.parse(url), token)
      {"true", _missing} -> missing("the job may not request one; add `permissions: id-token: write` to it")
      {_elsewhere, _} -> missing("not a GitHub Actions job; set HF_OIDC_ID_TOKEN, or unset HF_OIDC_RESOURCE")
    end
  end

  defp ask(uri, token) do
    query = URI.decode_query(uri.query || "") |> Map.put("audience", Config.endpoint())
    site = URI.to_string(%URI{scheme: uri.scheme, host: uri.host, port: uri.port})
    path = String.trim_leading(URI.decode(uri.path || ""), "/")

    Request.new(:get, "/*path", [path: path], endpoint: site, token: token)
    |> Request.query(Map.to_list(query))
    |> Request.run(fn
      %{"value" => identity} when is_binary(identity) -> identity
      _other -> raise HfHub.Decode.Error, message: "the value of the id token is missing"
    end)
  end

  defp missing(why) do
    {:error,
     Error.new(:no_token, "HF_OIDC_RESOURCE is set, but there is no id token to exchange for a token: #{why}")}
  end

  defp now, do: System.os_time(:second)
end
