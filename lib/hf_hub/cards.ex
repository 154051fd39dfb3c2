defmodule HfHub.Cards do
  @moduledoc """
  Cards of models, datasets and Spaces: READMEs of repositories with metadata in YAML.

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

  alias HfHub.{Commit, Error, Options, Request}
  alias HfHub.Cards.{DatasetCard, ModelCard, Readme, SpaceCard, Template, Update}
  alias HfHub.Commit.{CommitInfo, Tables}

  @type card :: ModelCard.t() | DatasetCard.t() | SpaceCard.t()

  # Cards are uploaded to repositories of their type.
  @push Keyword.update!(Tables.one(), :repo_type, fn _entry ->
          [type: :repo_type, doc: "Type of the repository. Defaults to the type of the card."]
        end)

  @update [
            overwrite: [type: :boolean, default: false, doc: "Whether to replace other values of the card."]
          ] ++ Tables.one()

  @template [
    template_path: [
      type: :path,
      doc:
        "File with the template, instead of the default one. If its name ends in `.eex` it is an EEx template: code, " <>
          "which must come from a trusted source."
    ],
    template_str: [type: :string, doc: "Text of the template, instead of the default one."]
  ]

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
  def load_model_card(repo_id, opts \\ []), do: Readme.load(ModelCard, repo_id, opts)

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
  def load_dataset_card(repo_id, opts \\ []), do: Readme.load(DatasetCard, repo_id, opts)

  @doc "Same as `load_dataset_card/2`, but returns the card or raises `HfHub.Error`."
  @spec load_dataset_card!(HfHub.repo(), keyword()) :: DatasetCard.t()
  def load_dataset_card!(repo_id, opts \\ []), do: Error.unwrap!(load_dataset_card(repo_id, opts))

  @doc """
  Downloads and parses the card of a Space. Options and errors: those of `load_model_card/2`.

  ## Examples

      {:ok, card} = HfHub.Cards.load_space_card("gradio/hello_world")
      {card.data.sdk, card.data.app_file}
  """
  @doc python: "SpaceCard.load"
  @spec load_space_card(HfHub.repo(), keyword()) :: {:ok, SpaceCard.t()} | {:error, Error.t()}
  def load_space_card(repo_id, opts \\ []), do: Readme.load(SpaceCard, repo_id, opts)

  @doc "Same as `load_space_card/2`, but returns the card or raises `HfHub.Error`."
  @spec load_space_card!(HfHub.repo(), keyword()) :: SpaceCard.t()
  def load_space_card!(repo_id, opts \\ []), do: Error.unwrap!(load_space_card(repo_id, opts))

  @doc """
  Parses the text of a README into a model's card.

  ## Examples

      iex> {:ok, card} = HfHub.Cards.parse_model_card("---\\nlicense: mit\\n---\\n# Hello\\n")
      iex> {card.data.license, card.content}
      {"mit", "# Hello"}
  """
  @doc python: "ModelCard"
  @spec parse_model_card(String.t()) :: {:ok, ModelCard.t()} | {:error, Error.t()}
  def parse_model_card(text), do: Readme.parse(text, ModelCard)

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
  def parse_dataset_card(text), do: Readme.parse(text, DatasetCard)

  @doc "Same as `parse_dataset_card/1`, but returns the card or raises `HfHub.Error`."
  @spec parse_dataset_card!(String.t()) :: DatasetCard.t()
  def parse_dataset_card!(text), do: Error.unwrap!(parse_dataset_card(text))

  @doc """
  Parses the text of a README into a Space's card.

  ## Examples

      iex> {:ok, card} = HfHub.Cards.parse_space_card("---\\nsdk: docker\\napp_port: 7860\\n---\\n")
      iex> {card.data.sdk, card.data.app_port}
      {"docker", 7860}
  """
  @doc python: "SpaceCard"
  @spec parse_space_card(String.t()) :: {:ok, SpaceCard.t()} | {:error, Error.t()}
  def parse_space_card(text), do: Readme.parse(text, SpaceCard)

  @doc "Same as `parse_space_card/1`, but returns the card or raises `HfHub.Error`."
  @spec parse_space_card!(String.t()) :: SpaceCard.t()
  def parse_space_card!(text), do: Error.unwrap!(parse_space_card(text))

  @doc """
  Returns the metadata of a README as a map, and the text below it without the blank lines around it.

  The map is empty if the README has no metadata. `parse_model_card/1` and `parse_dataset_card/1` return structs.

  ## Examples

      iex> HfHub.Cards.extract_frontmatter("---\\nlicense: mit\\n---\\n\\n# Hello\\n")
      {:ok, {%{"license" => "mit"}, "# Hello"}}
  """
  @spec extract_frontmatter(String.t()) :: {:ok, {map(), String.t()}} | {:error, Error.t()}
  def extract_frontmatter(text) do
    with {:ok, card} <- Readme.read(text), do: {:ok, {card.data, String.trim(card.body)}}
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
    do: Readme.create(ModelCard, data, content)

  @doc """
  Creates a dataset's card from metadata, whose names are fields of `HfHub.Cards.DatasetCardData`, and a text.

  ## Examples

      iex> HfHub.Cards.create_dataset_card(license: "cc0-1.0", language: "no") |> HfHub.Cards.render()
      "---\\nlicense: cc0-1.0\\nlanguage: \\"no\\"\\n---\\n"
  """
  @doc python: "DatasetCardData"
  @spec create_dataset_card(map() | keyword(), String.t()) :: DatasetCard.t()
  def create_dataset_card(data, content \\ "") when is_binary(content),
    do: Readme.create(DatasetCard, data, content)

  @doc """
  Creates a Space's card from metadata, whose names are fields of `HfHub.Cards.SpaceCardData`, and a text.

  ## Examples

      iex> HfHub.Cards.create_space_card(title: "Demo", sdk: "static") |> HfHub.Cards.render()
      "---\\ntitle: Demo\\nsdk: static\\n---\\n"
  """
  @doc python: "SpaceCardData"
  @spec create_space_card(map() | keyword(), String.t()) :: SpaceCard.t()
  def create_space_card(data, content \\ "") when is_binary(content),
    do: Readme.create(SpaceCard, data, content)

  @doc """
  Creates a model's card from metadata, as `create_model_card/2` does, with a text from a template.

  The default template has the sections that the Hub recommends, in which values such as `:model_id`, `:developers` and
  `:direct_use` are filled in; it takes the values of the Python client's template.

  In a template, `{{ name }}` is the value or the metadata of that name, `{{ name | default("text", true) }}` has a text
  for a missing or empty one, and `{{ card_data }}` is the metadata as YAML. Without it, the metadata is written above
  the text, unless that has its own. Lists are joined by commas. In EEx, values are `@name`, and `@card_data` is the YAML.
  Any other expression is an error of kind `:invalid_card`.

  ## Options

  #{Options.docs(@template)}

  ## Examples

      iex> {:ok, card} =
      ...>   HfHub.Cards.model_card_from_template([license: "mit"], model_id: "T", developers: "Me")
      iex> {card.data.license, card.content =~ "# T\\n",
      ...>  card.content =~ "- **Developed by:** Me\\n"}
      {"mit", true, true}
  """
  @doc python: "ModelCard.from_template"
  @spec model_card_from_template(map() | keyword(), map() | keyword(), keyword()) ::
          {:ok, ModelCard.t()} | {:error, Error.t()}
  def model_card_from_template(data, values \\ [], opts \\ []),
    do: Template.create(ModelCard, data, values, Options.validate!(opts, @template))

  @doc "Same as `model_card_from_template/3`, but returns the card or raises `HfHub.Error`."
  @spec model_card_from_template!(map() | keyword(), map() | keyword(), keyword()) :: ModelCard.t()
  def model_card_from_template!(data, values \\ [], opts \\ []),
    do: Error.unwrap!(model_card_from_template(data, values, opts))

  @doc """
  Creates a dataset's card from metadata, as `create_dataset_card/2` does, with a text from a template. Options: those of
  `model_card_from_template/3`.

  ## Examples

      iex> template = "# {{ pretty_name }}\\n\\n{{ about | default('To be written.') }}\\n"
      iex> {:ok, card} =
      ...>   HfHub.Cards.dataset_card_from_template([pretty_name: "Mine"], [], template_str: template)
      iex> card.content
      "# Mine\\n\\nTo be written."
  """
  @doc python: "DatasetCard.from_template"
  @spec dataset_card_from_template(map() | keyword(), map() | keyword(), keyword()) ::
          {:ok, DatasetCard.t()} | {:error, Error.t()}
  def dataset_card_from_template(data, values \\ [], opts \\ []),
    do: Template.create(DatasetCard, data, values, Options.validate!(opts, @template))

  @doc "Same as `dataset_card_from_template/3`, but returns the card or raises `HfHub.Error`."
  @spec dataset_card_from_template!(map() | keyword(), map() | keyword(), keyword()) :: DatasetCard.t()
  def dataset_card_from_template!(data, values \\ [], opts \\ []),
    do: Error.unwrap!(dataset_card_from_template(data, values, opts))

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
  def render(%module{} = card) when module in [ModelCard, DatasetCard, SpaceCard], do: Readme.render(card)

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
    |> Request.json(%{
      "repoType" => to_string(opts[:repo_type] || Readme.repo_type(card)),
      "content" => content
    })
    |> Request.run(&warnings/1)
  end

  @doc "Same as `validate/2`, but returns the warnings or raises `HfHub.Error`."
  @spec validate!(card() | String.t(), keyword()) :: [String.t()]
  def validate!(card, opts \\ []), do: Error.unwrap!(validate(card, opts))

  @doc """
  Uploads a card as the `README.md` of a repository, which must exist.

  The Hub validates the card before the upload, as `validate/2` does; warnings are ignored.

  ## Options

  #{Options.docs(@push)}

  ## Examples

      card = HfHub.Cards.load_model_card!("me/model")
      card = put_in(card.data.tags, ["tiny"])
      {:ok, info} = HfHub.Cards.push_to_hub(card, "me/model", commit_message: "Add a tag")
      info.commit_url
  """
  @doc python: "RepoCard.push_to_hub"
  @spec push_to_hub(card() | String.t(), HfHub.repo(), keyword()) ::
          {:ok, CommitInfo.t()} | {:error, Error.t()}
  def push_to_hub(card, repo_id, opts \\ []) do
    opts = Options.validate!(opts, @push)
    opts = Keyword.put(opts, :repo_type, opts[:repo_type] || Readme.repo_type(card))
    text = if is_binary(card), do: card, else: render(card)
    Commit.upload_file({:binary, text}, "README.md", repo_id, opts)
  end

  @doc "Same as `push_to_hub/3`, but returns the commit or raises `HfHub.Error`."
  @spec push_to_hub!(card() | String.t(), HfHub.repo(), keyword()) :: CommitInfo.t()
  def push_to_hub!(card, repo_id, opts \\ []), do: Error.unwrap!(push_to_hub(card, repo_id, opts))

  @doc """
  Changes metadata of a repository's card, and leaves the rest of it as it is.

  The names are those in the card or fields of its struct; `nil` removes an entry. A value that differs from the card's
  is an error of kind `:conflict` unless `overwrite: true` is given, and nothing is uploaded.

  Evaluation results, as a `"model-index"` or as `:eval_results`, are added to those of the card. A result that differs
  from one in the card in its value only replaces this value, which requires `overwrite: true`.

  A model or dataset without a README gets one from the default template of `model_card_from_template/3`; a Space without
  one is an error of kind `:entry_not_found`. The card is read from the branch that is committed to, and may change before
  the commit is made; with `:parent_commit` such a change is an error.

  ## Options

  #{Options.docs(@update)}

  ## Examples

      {:ok, info} =
        HfHub.Cards.update_metadata("me/model", license: "mit", pipeline_tag: "text-generation")

      info.commit_url
  """
  @doc python: "metadata_update"
  @spec update_metadata(HfHub.repo(), map() | keyword(), keyword()) ::
          {:ok, CommitInfo.t()} | {:error, Error.t()}
  def update_metadata(repo_id, metadata, opts \\ []) do
    {[overwrite: overwrite], opts} = Keyword.split(Options.validate!(opts, @update), [:overwrite])
    opts = Keyword.put(opts, :commit_message, opts[:commit_message] || "Update metadata with hf_hub")
    deadline = Request.deadline(opts[:timeout])

    with {:ok, card} <- Update.card(repo_id, metadata, overwrite, opts),
         do: push_to_hub(card, repo_id, Request.until(opts, deadline))
  end

  @doc "Same as `update_metadata/3`, but returns the commit or raises `HfHub.Error`."
  @spec update_metadata!(HfHub.repo(), map() | keyword(), keyword()) :: CommitInfo.t()
  def update_metadata!(repo_id, data, opts \\ []), do: Error.unwrap!(update_metadata(repo_id, data, opts))

  defp warnings(json) do
    for %{"message" => message} <- List.wrap(is_map(json) && json["warnings"]), do: message
  end
end
