defmodule HfHub.Auth.Credentials do
  # The token that a call sends: the option's, a stored one (renewed shortly before it expires), or a CI job's.
  @moduledoc false

  alias HfHub.Auth.{JobIdentity, Renewal}
  alias HfHub.Config.{Setting, Token}
  alias HfHub.Error
  alias HfHub.Error.Hint

  @doc """
  Returns the token to send: the given string or found token, the stored one for `nil` or `true`, none for `false`.
  """
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

  @doc "Returns the error of a call that requires a token."
  @spec missing() :: Error.t()
  def missing do
    Error.new(
      :no_token,
      "no token found; #{Hint.sign_in()}. " <>
        "Create a token at #{Setting.value(:endpoint)}/settings/tokens"
    )
  end

  @doc "Returns the token that calls without the option `:token` send, from config, a variable or the token file."
  @spec stored() :: Token.found()
  def stored do
    case Token.stored() do
      {text, {:file, _path} = place} -> {Renewal.fresh(text), place}
      other -> other
    end
  end
end
