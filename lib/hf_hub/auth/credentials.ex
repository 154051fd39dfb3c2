defmodule HfHub.Auth.Credentials do
  # The token that a call sends: given, kept somewhere, made for a job, or renewed because it soon ends.
  @moduledoc false

  alias HfHub.Auth.{JobIdentity, Renewal}
  alias HfHub.Config.{Setting, Token}
  alias HfHub.Error

  @doc "The token to send: a string given, one that was found, the stored one for `nil` or `true`, none for `false`."
  @spec find(String.t() | boolean() | Token.found()) :: {:ok, Token.found()} | {:error, Error.t()}
  def find(false), do: {:ok, nil}
  def find(text) when is_binary(text), do: {:ok, Token.given(text)}
  def find({text, _place} = found) when is_binary(text), do: {:ok, found}
  def find(nil), do: if(Setting.value(:implicit_token), do: chosen(), else: {:ok, nil})
  def find(true), do: with({:ok, nil} <- chosen(), do: {:error, missing()})

  defp chosen do
    case {Token.configured(), Setting.value(:oidc_resource)} do
      {nil, resource} when is_binary(resource) ->
        with {:ok, text} <- JobIdentity.token(resource), do: {:ok, {text, {:env, "HF_OIDC_RESOURCE"}}}

      _no_job ->
        {:ok, stored()}
    end
  end

  @doc "The error of those who need a token where there is none."
  @spec missing() :: Error.t()
  def missing do
    Error.new(
      :no_token,
      "no token found; run HfHub.Auth.login(), set HF_TOKEN or pass :token. " <>
        "Tokens are made at #{Setting.value(:endpoint)}/settings/tokens"
    )
  end

  @doc "Returns the token that no option gives, wherever it is kept."
  @spec stored() :: Token.found()
  def stored do
    case Token.stored() do
      {text, {:file, _path} = place} -> {Renewal.fresh(text), place}
      other -> other
    end
  end
end
