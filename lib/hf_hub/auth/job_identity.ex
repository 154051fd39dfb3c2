defmodule HfHub.Auth.JobIdentity do
  # A CI job has no secret: its provider vouches for it, and the Hub trades that for a token that
  # lasts as long as the job may (RFC 8693; the Hub's "trusted publishers").
  @moduledoc false

  alias HfHub.Auth.Memory
  alias HfHub.Config.Source
  alias HfHub.{Config, Error, Request}

  @exchange "urn:ietf:params:oauth:grant-type:token-exchange"
  @id_token "urn:ietf:params:oauth:token-type:id_token"

  # Seconds before its end at which a token is replaced, where another can be had.
  @margin 300

  @doc "A token for a resource (a repository or a user). Who sets HF_OIDC_RESOURCE wants it, so a failure is one."
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
      # One that was given cannot be had anew, so it serves to its end.
      until = now() + max(lifetime - if(given, do: 0, else: @margin), 0)
      # In a function, because whoever looks into the VM is to see no token.
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

  defp lifetime(%{"access_token" => token} = answer) when is_binary(token) do
    seconds = answer["expires_in"]
    {token, if(is_integer(seconds), do: seconds, else: 3600)}
  end

  defp lifetime(_other), do: raise(HfHub.Decode.Error, message: "it holds no token")

  # GitHub's word for its jobs.
  defp issued do
    names = ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"]

    case {Source.env("GITHUB_ACTIONS"), Enum.map(names, &Source.env/1)} do
      {"true", [url, token]} when url != nil and token != nil -> ask(URI.parse(url), token)
      {"true", _missing} -> refused("the job may not ask for one; give it `permissions: id-token: write`")
      {_elsewhere, _} -> refused("this is no GitHub job; set HF_OIDC_ID_TOKEN, or unset HF_OIDC_RESOURCE")
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
      _other -> raise HfHub.Decode.Error, message: "it holds no identity"
    end)
  end

  defp refused(why) do
    {:error,
     Error.new(:no_token, "HF_OIDC_RESOURCE is set, but there is no identity to trade for a token: #{why}")}
  end

  defp now, do: System.os_time(:second)
end
