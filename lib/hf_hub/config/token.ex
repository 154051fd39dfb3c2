defmodule HfHub.Config.Token do
  # The places a token can be kept in, as Python's client has them, with Livebook's secret as one
  # more. It reads only: `HfHub.Auth.Credentials` fetches and renews tokens.
  @moduledoc false

  alias HfHub.Config.{Setting, Source}
  alias HfHub.RegularFile

  @variables ~w(HF_TOKEN HUGGING_FACE_HUB_TOKEN LB_HF_TOKEN)

  @type found :: {String.t(), place()} | nil
  @type place :: Setting.origin() | :prompt | :browser

  @doc "Returns a token that a call was given."
  @spec given(String.t()) :: found()
  def given(text), do: named(text, :option)

  @doc "Returns the token that config, a variable or the token file holds."
  @spec stored() :: found()
  def stored, do: configured() || environment() || file()

  @doc "Returns the token of the application's config."
  @spec configured() :: found()
  def configured, do: named(Source.app(:token, :string), {:config, :token})

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
