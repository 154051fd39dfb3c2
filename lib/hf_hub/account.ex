defmodule HfHub.Account do
  # The account of a call's token.
  @moduledoc false

  alias HfHub.{Decode, Error, Options, Request}

  @doc "Returns `name`, or the name of the token's account if it is `nil`."
  @spec name(String.t() | nil, keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def name(name, _opts) when is_binary(name), do: {:ok, name}

  def name(nil, opts) do
    Request.new(:get, "/api/whoami-v2", [], opts)
    |> Request.run(fn
      %{"name" => account} when is_binary(account) -> account
      _other -> raise Decode.Error, message: "the name of the account is missing"
    end)
  end

  def name(other, _opts),
    do:
      raise(
        ArgumentError,
        "expected the name of an account as a string, or nil, got: #{Options.shown(other)}"
      )
end
