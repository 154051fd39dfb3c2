defmodule HfHub.CLI.Listed do
  # Listings of files in a repository or a bucket: lines with size and time, a tree, or JSON.
  @moduledoc false

  alias HfHub.CLI.{Command, Json, Output, Size, Table}

  @typedoc "A file or folder: its path, size, time and JSON."
  @type entry :: %{
          path: String.t(),
          folder: boolean(),
          size: non_neg_integer() | nil,
          time: DateTime.t() | nil,
          json: map()
        }

  @doc "Returns the flags of listings."
  @spec flags() :: Command.rules()
  def flags do
    [
      human_readable: [type: :boolean, short: "h", doc: "Prints sizes with units"],
      tree: [type: :boolean, doc: "Prints files as a tree"],
      recursive: [type: :boolean, short: "R", doc: "Lists the files in folders, too"]
    ]
  end

  @doc "Returns what to print of a listing."
  @spec shown([entry()], map(), Output.t()) :: Output.shown()
  def shown(_entries, %{tree: true}, %{mode: :json}), do: {:usage, "--tree and --json are mutually exclusive"}
  def shown(entries, _flags, %{mode: :json}), do: {:raw, Json.encode(Enum.map(entries, &Json.given(&1.json)))}
  def shown([], _flags, _output), do: {:text, "(empty)"}

  def shown(entries, flags, output) do
    lines =
      if flags[:tree], do: tree(entries, flags, output), else: Enum.map(entries, &line(&1, flags, output))

    [{:raw, Enum.join(lines, "\n")} | hint(entries, flags)]
  end

  defp hint(entries, flags) do
    if not (flags[:recursive] || false) and Enum.any?(entries, & &1.folder),
      do: [{:note, "Hint: -R lists the files in folders, too"}],
      else: []
  end

  defp line(entry, _flags, %{mode: :quiet}), do: name(entry)

  defp line(entry, flags, _output) do
    time = String.pad_leading(Size.time(entry.time, short?(flags)), 19)
    "#{String.pad_leading(size(entry, flags), 12)}  #{time}  #{name(entry)}"
  end

  defp name(%{folder: true, path: path}), do: Table.line(path) <> "/"
  defp name(%{path: path}), do: Table.line(path)

  defp size(%{folder: true}, _flags), do: ""
  defp size(%{size: size}, flags), do: if(short?(flags), do: Size.units(size || 0), else: to_string(size))

  defp short?(flags), do: flags[:human_readable] || false

  # Each file hangs in a map by the parts of its path; a folder is a map.
  defp tree(entries, flags, output) do
    facts =
      for entry <- entries, not entry.folder, output.mode != :quiet, into: %{} do
        {entry.path, {size(entry, flags), Size.time(entry.time, short?(flags))}}
      end

    widths = widths(Map.values(facts))
    root = Enum.reduce(entries, %{}, &hang(&2, String.split(&1.path, "/"), &1))
    branches(root, "", &prefix(facts[&1], widths))
  end

  defp widths([]), do: nil

  defp widths(facts) do
    for column <- 0..1, do: facts |> Enum.map(&String.length(elem(&1, column))) |> Enum.max()
  end

  defp hang(folder, [name], %{folder: true}), do: Map.put_new(folder, name, %{})
  defp hang(folder, [name], entry), do: Map.put(folder, name, entry.path)

  defp hang(folder, [name | rest], entry) do
    below = if is_map(folder[name]), do: folder[name], else: %{}
    Map.put(folder, name, hang(below, rest, entry))
  end

  defp prefix(_facts, nil), do: ""
  defp prefix(nil, [size, time]), do: String.duplicate(" ", size + 2 + time) <> "  "
  defp prefix({size, time}, [width, _time]), do: "#{String.pad_leading(size, width)}  #{time}  "

  defp branches(folder, indent, prefix) do
    items = Enum.sort(folder)

    items
    |> Enum.with_index(1)
    |> Enum.flat_map(fn {{name, below}, i} -> branch(name, below, indent, prefix, i == length(items)) end)
  end

  defp branch(name, below, indent, prefix, last?) do
    connector = if last?, do: "└── ", else: "├── "
    folder? = is_map(below)
    path = unless folder?, do: below
    line = "#{prefix.(path)}#{indent}#{connector}#{Table.line(name)}#{if folder?, do: "/"}"
    deeper = indent <> if(last?, do: "    ", else: "│   ")
    [line | if(folder?, do: branches(below, deeper, prefix), else: [])]
  end
end
