defmodule HfHub.Config.Token do
  # The sources of a token: those of the Python client, and Livebook's secret. This module only reads;
  # `HfHub.Auth.Credentials` requests and renews tokens.
  @moduledoc false

  alias HfHub.Config.{Setting, Source}
  alias HfHub.RegularFile

  @variables ~w(HF_TOKEN HUGGING_FACE_HUB_TOKEN LB_HF_TOKEN)

  @type found :: {String.t(), place()} | nil
  @type place :: Setting.origin() | :prompt | :browser

  @doc "Returns the token of a call's option."
  @spec given(String.t()) :: found()
  def given(text), do: named(text, :option)

  @doc "Returns the token in config, a variable or the token file, in this order."
  @spec stored() :: found()
  def stored, do: configured() || environment() || file()

  @doc "Returns the token in the application environment."
  @spec configured() :: found()
  def configured, do: named(Source.app(:token, :string), {:config, :token})

  @doc "Returns the token in an environment variable."
  @spec environment() :: found()
  def environment do
    Enum.find_value(@variables, &named(Source.env(&1), {:env, &1}))
  end

  @doc "Returns the token in the file that all Hugging Face clients share."
  @spec file() :: found()
  def file do
    path = Setting.value(:token_path)

    case RegularFile.read(path, 10_000) do
      {:ok, text} -> named(text, {:file, path})
      {:error, _none} -> nil
    end
  end

  @doc "Returns a token without whitespace and invisible characters; `nil` if nothing is left."
  @spec clean(String.t() | nil) :: String.t() | nil
  def clean(nil), do: nil

  def clean(text) do
    case RegularFile.text(text) do
      {:ok, text} -> if (text = plain(text)) != "", do: text
      # A binary file is not a token.
      :error -> nil
    end
  end

  # Text copied from web pages may contain byte order marks, zero-width spaces and soft hyphens.
  defp plain(text), do: text |> String.replace(~r/\p{Cf}|[\r\n]/u, "") |> String.trim()

  @doc "Returns the part of a token that may be shown."
  @spec mask(String.t()) :: String.t()
  def mask(text) do
    if String.length(text) < 16,
      do: "****",
      else: "#{String.slice(text, 0, 3)}****#{String.slice(text, -4, 4)}"
  end

  @doc "Returns the source of a token, for messages."
  @spec place(place()) :: String.t()
  def place(:prompt), do: "the prompt"
  def place(:browser), do: "the browser login"
  def place(:option), do: "the option :token"
  def place({:config, key}), do: "config :hf_hub, #{inspect(key)}"
  def place({:env, variable}), do: variable
  def place({:file, path}), do: path

  defp named(text, origin), do: if(text = clean(text), do: {text, origin})
end
