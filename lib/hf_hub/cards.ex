defmodule HfHub.Cards do
  @moduledoc """
  Model cards and dataset cards: READMEs of repositories with metadata in YAML.

      {:ok, card} = HfHub.Cards.load_model_card("openai-community/gpt2")
      card.data.license
      #=> "mit"
      HfHub.Cards.render(%{card | data: %{card.data | tags: ["exbert"]}})

  Parsing and rendering is lossless: metadata without a field is in `:extra`, unchanged entries keep their
  formatting, comments and order, and the text below the metadata is kept byte for byte: it is in `:text`, and without
  surrounding whitespace in `:content`. A changed `:content` is rendered in the place of the old one.

  ## Values

  Metadata is parsed as YAML 1.2, as on the Hub.

  | YAML | Elixir |
  |---|---|
  | `12`, `0x1F`, integers of any size | integer |
  | `1.5`, `1e3` | float |
  | `.nan`, `.inf`, `-.inf` | `:nan`, `:infinity`, `:neg_infinity` |
  | `null`, `~`, nothing | `nil` |
  | `no`, `2024-01-01`, `0123`, `12e4567` | string |

  A number with a leading zero is a string, because versions of YAML parse it differently. A number out of the range of
  floats is a string too, because it is most likely a hash. `render/1` writes all of these values back and quotes strings
  where necessary. A null key or a repeated key is an error of kind `:invalid_card`, whose message contains the line and
  the key.
  """

  alias HfHub.{Download, Error, Native, Options, Request}
  alias HfHub.Cards.{Data, DatasetCard, DatasetCardData, ModelCard, ModelCardData}

  @type card :: ModelCard.t() | DatasetCard.t()

  @validation [
                repo_type: [
                  type: :repo_type,
                  doc:
                    "Type of repository whose rules to check. Defaults to the type of the card, and to `:model` for a text."
                ]
              ] ++ Options.common()

  @doc """
  Downloads and parses the card of a model. Options: those of `HfHub.Download.hf_hub_download/1` except `:repo_id` and
  `:filename`.

  A repository without a README is an error of kind `:entry_not_found`, and invalid metadata an error of kind
  `:invalid_card`.

  ## Examples

      {:ok, card} = HfHub.Cards.load_model_card("openai-community/gpt2")
  """
  @doc python: "ModelCard.load"
  @spec load_model_card(HfHub.repo(), keyword()) :: {:ok, ModelCard.t()} | {:error, Error.t()}
  def load_model_card(repo_id, opts \\ []) do
    with {:ok, text} <- readme(repo_id, :model, opts), do: parse_model_card(text)
  end

  @doc "Same as `load_model_card/2`, but returns the card or raises `HfHub.Error`."
  @spec load_model_card!(HfHub.repo(), keyword()) :: ModelCard.t()
  def load_model_card!(repo_id, opts \\ []), do: Error.unwrap!(load_model_card(repo_id, opts))

  @doc """
  Downloads and parses the card of a dataset. Options and errors: those of `load_model_card/2`.

  ## Examples

      {:ok, card} = HfHub.Cards.load_dataset_card("rajpurkar/squad")
      card.data.task_categories
  """
  @doc python: "DatasetCard.load"
  @spec load_dataset_card(HfHub.repo(), keyword()) :: {:ok, DatasetCard.t()} | {:error, Error.t()}
  def load_dataset_card(repo_id, opts \\ []) do
    with {:ok, text} <- readme(repo_id, :dataset, opts), do: parse_dataset_card(text)
  end

  @doc "Same as `load_dataset_card/2`, but returns the card or raises `HfHub.Error`."
  @spec load_dataset_card!(HfHub.repo(), keyword()) :: DatasetCard.t()
  def load_dataset_card!(repo_id, opts \\ []), do: Error.unwrap!(load_dataset_card(repo_id, opts))

  @doc """
  Parses the text of a README into a model's card.

  ## Examples

      iex> {:ok, card} = HfHub.Cards.parse_model_card("---\\nlicense: mit\\n---\\n# Hello\\n")
      iex> {card.data.license, card.content}
      {"mit", "# Hello"}
  """
  @doc python: "ModelCard"
  @spec parse_model_card(String.t()) :: {:ok, ModelCard.t()} | {:error, Error.t()}
  def parse_model_card(text), do: parse(text, ModelCard, ModelCardData)

  @doc "Same as `parse_model_card/1`, but returns the card or raises `HfHub.Error`."
  @spec parse_model_card!(String.t()) :: ModelCard.t()
  def parse_model_card!(text), do: Error.unwrap!(parse_model_card(text))

  @doc """
  Parses the text of a README into a dataset's card.

  ## Examples

      iex> {:ok, card} = HfHub.Cards.parse_dataset_card("---\\npretty_name: Mine\\n---\\n")
      iex> card.data.pretty_name
      "Mine"
  """
  @doc python: "DatasetCard"
  @spec parse_dataset_card(String.t()) :: {:ok, DatasetCard.t()} | {:error, Error.t()}
  def parse_dataset_card(text), do: parse(text, DatasetCard, DatasetCardData)

  @doc "Same as `parse_dataset_card/1`, but returns the card or raises `HfHub.Error`."
  @spec parse_dataset_card!(String.t()) :: DatasetCard.t()
  def parse_dataset_card!(text), do: Error.unwrap!(parse_dataset_card(text))

  @doc """
  Returns the metadata of a README as a map, and the text below it without the blank lines around it.

  The map is empty if the README has no metadata. `parse_model_card/1` and `parse_dataset_card/1` return structs.

  ## Examples

      iex> HfHub.Cards.extract_frontmatter("---\\nlicense: mit\\n---\\n\\n# Hello\\n")
      {:ok, {%{"license" => "mit"}, "# Hello"}}
  """
  @spec extract_frontmatter(String.t()) :: {:ok, {map(), String.t()}} | {:error, Error.t()}
  def extract_frontmatter(text) do
    with {:ok, card} <- read(text), do: {:ok, {card.data, String.trim(below(card))}}
  end

  @doc "Same as `extract_frontmatter/1`, but returns the pair or raises `HfHub.Error`."
  @spec extract_frontmatter!(String.t()) :: {map(), String.t()}
  def extract_frontmatter!(text), do: Error.unwrap!(extract_frontmatter(text))

  @doc """
  Creates a model's card from metadata and a text.

  The names of the metadata are fields of `HfHub.Cards.ModelCardData`; any other name is written to the card unchanged.

  ## Examples

      iex> card = HfHub.Cards.create_model_card([license: "mit", tags: ["tiny"]], "# Tiny\\n")
      iex> HfHub.Cards.render(card)
      "---\\nlicense: mit\\ntags:\\n- tiny\\n---\\n# Tiny\\n"
  """
  @doc python: "ModelCardData"
  @spec create_model_card(map() | keyword(), String.t()) :: ModelCard.t()
  def create_model_card(data, content \\ "") when is_binary(content),
    do: created(ModelCard, Data.create(data, ModelCardData), data, content)

  @doc """
  Creates a dataset's card from metadata, whose names are fields of `HfHub.Cards.DatasetCardData`, and a text.

  ## Examples

      iex> HfHub.Cards.create_dataset_card(license: "cc0-1.0", language: "no") |> HfHub.Cards.render()
      "---\\nlicense: cc0-1.0\\nlanguage: \\"no\\"\\n---\\n"
  """
  @doc python: "DatasetCardData"
  @spec create_dataset_card(map() | keyword(), String.t()) :: DatasetCard.t()
  def create_dataset_card(data, content \\ "") when is_binary(content),
    do: created(DatasetCard, Data.create(data, DatasetCardData), data, content)

  @doc """
  Returns a card as the text of a README.

  Raises `ArgumentError` for metadata that YAML cannot represent, such as a function.

  ## Examples

      iex> text = "---\\n# mine\\nlicense: mit   # for now\\n---\\nHello"
      iex> text |> HfHub.Cards.parse_model_card!() |> HfHub.Cards.render() == text
      true
  """
  @doc python: "RepoCard.content"
  @spec render(card()) :: String.t()
  def render(%module{} = card) when module in [ModelCard, DatasetCard] do
    front = card.front || %{head: "", yaml: "", tail: ""}
    pairs = card.data |> Data.to_pairs() |> Enum.sort_by(fn {name, _value} -> place(name, card.order) end)

    case {pairs, front} do
      {[], %{tail: ""}} -> front.head <> text(card)
      {pairs, %{tail: ""}} -> front.head <> "---\n" <> yaml(pairs, "") <> "\n---\n" <> text(card)
      {pairs, front} -> front.head <> yaml(pairs, front.yaml) <> front.tail <> text(card)
    end
  end

  @doc """
  Validates a card, or the text of a README, by a request to the Hub, and returns the warnings.

  A card that the Hub would reject is an error of kind `:bad_request`.

  ## Options

  #{Options.docs(@validation)}

  ## Examples

      {:ok, []} = HfHub.Cards.validate(HfHub.Cards.create_model_card(license: "mit"))
  """
  @doc python: "RepoCard.validate"
  @spec validate(card() | String.t(), keyword()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def validate(card, opts \\ []) do
    opts = Options.validate!(opts, @validation)
    content = if is_binary(card), do: card, else: render(card)

    Request.new(:post, "/api/validate-yaml", [], opts)
    |> Request.json(%{"repoType" => to_string(opts[:repo_type] || type(card)), "content" => content})
    |> Request.run(&warnings/1)
  end

  @doc "Same as `validate/2`, but returns the warnings or raises `HfHub.Error`."
  @spec validate!(card() | String.t(), keyword()) :: [String.t()]
  def validate!(card, opts \\ []), do: Error.unwrap!(validate(card, opts))

  # Changed content is surrounded by the same whitespace as before, unless it has its own.
  defp text(%{content: content, text: text}) do
    cond do
      content == String.trim(text) -> text
      String.trim(content) == "" -> content
      true -> missing(before(text), before(content)) <> content <> missing(behind(text), behind(content))
    end
  end

  defp missing(whitespace, own), do: if(own == "", do: whitespace, else: "")

  defp before(text), do: String.replace_suffix(text, String.trim_leading(text), "")

  defp behind(text) do
    text = String.trim_leading(text)
    String.replace_prefix(text, String.trim_trailing(text), "")
  end

  defp readme(repo_id, repo_type, opts) do
    opts =
      Keyword.merge([repo_type: repo_type], opts) |> Keyword.merge(repo_id: repo_id, filename: "README.md")

    with {:ok, path} <- Download.hf_hub_download(opts) do
      case File.read(path) do
        {:ok, text} ->
          {:ok, text}

        {:error, reason} ->
          {:error, Error.new(:io, "cannot read `#{path}`", reason: "#{:file.format_error(reason)}")}
      end
    end
  end

  defp parse(text, module, data) do
    with {:ok, card} <- read(text) do
      front = Map.take(card, [:head, :yaml, :tail])

      {:ok,
       struct!(module,
         data: Data.from_map(card.data, data),
         content: String.trim(card.body),
         text: card.body,
         front: front,
         order: card.order
       )}
    end
  end

  # For the engine, as for the Python client, empty metadata is part of the text.
  defp below(%{tail: ""} = card), do: String.replace(card.body, ~r/\A---\r?\n---(\r?\n|\z)/, "")
  defp below(card), do: card.body

  defp read(text) do
    if is_binary(text) and String.valid?(text),
      do: Native.run(:parse_card, text),
      else: {:error, Error.new(:invalid_card, "the card is not valid UTF-8")}
  end

  defp created(module, data, given, text),
    do: struct!(module, data: data, content: String.trim(text), text: text, order: names(given))

  defp yaml(pairs, source) do
    data = if pairs == [], do: %{}, else: pairs
    Error.unwrap!(Native.run(:render_card, %{data: data, source: source}))
  rescue
    _error in [ArgumentError, ErlangError] ->
      raise ArgumentError, "invalid card metadata: a value cannot be represented in YAML"
  end

  defp names(data), do: for({name, _value} <- data, do: to_string(name))

  defp place(name, order), do: Enum.find_index(order, &(&1 == name)) || length(order)

  defp type(%DatasetCard{}), do: :dataset
  defp type(_other), do: :model

  defp warnings(json) do
    for %{"message" => message} <- List.wrap(is_map(json) && json["warnings"]), do: message
  end
end
