defmodule HfHub.CLI.Browse do
  # What `models`, `datasets` and `spaces` have in common: search, information, files and cards.
  @moduledoc false

  alias HfHub.{Api, Cards}
  alias HfHub.CLI.{Call, Command, Flags, Json, Listed, Output}

  @limit 30

  @types %{models: :model, datasets: :dataset, spaces: :space}
  @search %{models: &Api.list_models/1, datasets: &Api.list_datasets/1, spaces: &Api.list_spaces/1}
  @info %{models: &Api.model_info/2, datasets: &Api.dataset_info/2, spaces: &Api.space_info/2}
  @card %{
    models: &Cards.load_model_card/2,
    datasets: &Cards.load_dataset_card/2,
    spaces: &Cards.load_space_card/2
  }

  @doc "Returns a command of one of the three nouns."
  @spec command(String.t(), [String.t()], (Call.t() -> Output.shown()), keyword()) :: Command.t()
  def command(noun, words, run, fields),
    do: struct!(Command, [words: words, run: run, hf: Enum.join([noun | words], " ")] ++ fields)

  @doc "Returns the commands `list`, `info` and `card`. The filters are flags of the search only."
  @spec commands(:models | :datasets | :spaces, Command.rules()) :: [Command.t()]
  def commands(kind, filters) do
    noun = to_string(kind)
    one = String.trim_trailing(noun, "s")
    id = [repo_id: [doc: "Id of the #{one}"]]

    [
      command(noun, ["list"], &list(&1, kind, filters),
        summary: "Searches #{noun}, or lists the files of one",
        aliases: ["ls"],
        args: [repo_id: [required: false, doc: "Id of a #{one}, to list its files"]],
        flags:
          search_flags() ++
            filters ++ [expand: expand()] ++ Flags.limit(@limit) ++ Listed.flags() ++ Flags.revision(),
        examples: ["--search gpt --limit 10", "--author me --json", "me/name -R"]
      ),
      command(noun, ["info"], &info(&1, kind),
        summary: "Shows information about a #{one}",
        args: id,
        flags: Flags.revision() ++ [expand: expand()]
      ),
      command(noun, ["card"], &card(&1, kind),
        summary: "Prints the card of a #{one}",
        args: id,
        flags: [
          metadata: [type: :boolean, doc: "Prints only the metadata"],
          text: [type: :boolean, doc: "Prints only the text"]
        ]
      )
    ]
  end

  defp search_flags do
    [
      search: [type: :string, doc: "Text to search for"],
      author: [type: :string, doc: "User or organization"],
      filter: [type: {:list, :string}, doc: "Tag that all results have"],
      sort: [
        type: {:in, ~w(created_at downloads last_modified likes trending_score)},
        doc: "Order of the results"
      ]
    ]
  end

  defp expand, do: [type: :string, doc: "Properties to return, and no others, separated by commas"]

  defp list(%{args: %{repo_id: nil}} = call, kind, filters) do
    case misplaced(call, Keyword.keys(Listed.flags() ++ Flags.revision())) do
      nil -> search(call, kind, Keyword.keys(filters))
      flag -> {:usage, "#{flag} is for the files of a repository"}
    end
  end

  defp list(call, kind, filters) do
    names = Keyword.keys(search_flags() ++ filters) ++ [:expand]
    flag = misplaced(call, names) || if(call.flags.limit != @limit, do: "--limit")
    if flag, do: {:usage, "#{flag} is for a search"}, else: files(call, @types[kind])
  end

  defp misplaced(call, names) do
    Enum.find_value(names, fn name ->
      call.flags[name] != nil && "--" <> String.replace(to_string(name), "_", "-")
    end)
  end

  defp search(call, kind, filters) do
    {warm, filters} = Enum.split_with(filters, &(&1 == :warm))
    names = [:search, :author, :filter, :sort, :limit] ++ filters
    inference = if warm != [] and call.flags[:warm], do: [inference: :warm], else: []
    opts = Call.options(call, names) ++ inference ++ expanded(call)

    with {:ok, found} <- @search[kind].(opts), do: {:table, Json.rows(found), id: "id"}
  end

  defp expanded(%{flags: %{expand: text}}), do: [expand: String.split(text, ",", trim: true)]
  defp expanded(_call), do: []

  @doc "Returns the files of a repository of a type, which `:repo_id` of the arguments names."
  @spec files(Call.t(), atom() | String.t()) :: Output.shown()
  def files(call, repo_type) do
    opts = [repo_type: repo_type, expand: true] ++ Call.options(call, [:recursive, :revision])

    with {:ok, entries} <- Api.list_repo_tree(call.args.repo_id, opts),
         do: entries |> Enum.map(&entry/1) |> Listed.shown(call.flags, call.output)
  end

  # As `RepoFile` and `RepoFolder` of the Python client.
  defp entry(%{type: :folder} = entry),
    do: entry(entry, true, %{path: entry.path, tree_id: entry.oid, last_commit: entry.last_commit})

  defp entry(file) do
    json = file |> Map.from_struct() |> Map.drop([:type, :oid]) |> Map.put(:blob_id, file.oid)
    entry(file, false, json)
  end

  defp entry(entry, folder?, json) do
    time = entry.last_commit && entry.last_commit.date
    %{path: entry.path, folder: folder?, size: entry.size, time: time, json: json}
  end

  defp info(call, kind) do
    opts = Call.options(call, [:revision]) ++ expanded(call)

    with {:ok, info} <- @info[kind].(call.args.repo_id, opts), do: {:record, shown(info), id: "id"}
  end

  # The stage of a Space as the Hub writes it, and with all that is known about its runtime, as `hf` does.
  defp shown(%{runtime: %{raw: raw} = runtime} = info),
    do: %{info | runtime: runtime |> Map.from_struct() |> Map.put(:stage, raw["stage"])}

  defp shown(info), do: info

  defp card(%{flags: %{metadata: true, text: true}}, _kind),
    do: {:error, "--metadata and --text are mutually exclusive"}

  defp card(call, kind) do
    with {:ok, card} <- @card[kind].(call.args.repo_id, Call.options(call)), do: part(card, call.flags)
  end

  defp part(card, %{metadata: true}),
    do: {:record, Cards.extract_frontmatter(Cards.render(card)) |> metadata(), []}

  defp part(card, %{text: true}), do: {:own, %{text: card.text}, & &1.text}
  defp part(card, _flags), do: {:own, %{content: Cards.render(card)}, & &1.content}

  defp metadata({:ok, {data, _text}}), do: data
end
