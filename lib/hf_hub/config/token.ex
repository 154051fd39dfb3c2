defmodule HfHub.Config.Token do
  # The chain of places a token can be in, as Python's client has it, with Livebook's secret
  # as one more.
  @moduledoc false

  alias HfHub.Auth.{JobIdentity, Renewal}
  alias HfHub.Config.{Setting, Source}
  alias HfHub.{Error, RegularFile}

  @variables ~w(HF_TOKEN HUGGING_FACE_HUB_TOKEN LB_HF_TOKEN)

  @type found :: {String.t(), place()} | nil
  @type place :: Setting.origin() | :prompt | :browser

  @doc "The token to send: a string given, one that was found, the stored one for `nil` or `true`, none for `false`."
  @spec find(String.t() | boolean() | found()) :: {:ok, found()} | {:error, Error.t()}
  def find(false), do: {:ok, nil}
  def find(text) when is_binary(text), do: {:ok, named(text, :option)}
  def find({text, _place} = found) when is_binary(text), do: {:ok, found}
  def find(nil), do: if(Setting.value(:implicit_token), do: chosen(), else: {:ok, nil})
  def find(true), do: with({:ok, nil} <- chosen(), do: {:error, missing()})

  defp chosen do
    case {configured(), Setting.value(:oidc_resource)} do
      {nil, resource} when is_binary(resource) ->
        with {:ok, text} <- JobIdentity.token(resource), do: {:ok, {text, {:env, "HF_OIDC_RESOURCE"}}}

      _no_job ->
        {:ok, stored()}
    end
  end

  defp configured, do: named(Source.app(:token, :string), {:config, :token})

  @doc "The error of those who need a token where there is none."
  @spec missing() :: Error.t()
  def missing do
    Error.new(
      :no_token,
      "no token found; run HfHub.Auth.login(), set HF_TOKEN or pass :token. " <>
        "Tokens are made at #{Setting.value(:endpoint)}/settings/tokens"
    )
  end

  @doc "The token that no option gives, wherever it is kept."
  @spec stored() :: found()
  def stored do
    configured() || environment() || renewed(file())
  end

  defp renewed(nil), do: nil
  defp renewed({text, place}), do: {Renewal.fresh(text), place}

  @doc "The token of a variable."
  @spec environment() :: found()
  def environment do
    Enum.find_value(@variables, &named(Source.env(&1), {:env, &1}))
  end

  @doc "The token in the file that all Hugging Face clients share."
  @spec file() :: found()
  def file do
    path = Setting.value(:token_path)

    case RegularFile.read(path, 10_000) do
      {:ok, text} -> named(text, {:file, path})
      {:error, _none} -> nil
    end
  end

  @doc "A token without what clings to it when it is pasted; `nil` where nothing is left."
  @spec clean(String.t() | nil) :: String.t() | nil
  def clean(nil), do: nil

  def clean(text) do
    case RegularFile.text(text) do
      {:ok, text} -> if (text = plain(text)) != "", do: text
      # A file of something else is no token.
      :error -> nil
    end
  end

  # Invisible characters come along from web pages: byte order marks, zero-width and soft characters.
  defp plain(text), do: text |> String.replace(~r/\p{Cf}|[\r\n]/u, "") |> String.trim()

  @doc "What may be shown of a token."
  @spec mask(String.t()) :: String.t()
  def mask(text) do
    if String.length(text) < 16,
      do: "****",
      else: "#{String.slice(text, 0, 3)}****#{String.slice(text, -4, 4)}"
  end

  @doc "Where a token was found, for a sentence."
  @spec place(place()) :: String.t()
  def place(:prompt), do: "the prompt"
  def place(:browser), do: "the login by browser"
  def place(:option), do: "the option :token"
  def place({:config, key}), do: "config :hf_hub, #{inspect(key)}"
  def place({:env, variable}), do: variable
  def place({:file, path}), do: path

  defp named(text, origin), do: if(text = clean(text), do: {text, origin})
end
