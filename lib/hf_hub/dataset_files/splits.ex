defmodule HfHub.DatasetFiles.Splits do
  # Assigns files to splits by their names, by the rules of `datasets` (its `data_files.py`). The first rule that
  # matches any file applies to all: shards in `data/`, folders named after a split, files named after a split.
  # Otherwise all files are `train`.
  @moduledoc false

  alias HfHub.DatasetFiles.Formats

  @keywords [
    {"train", ~w(train training)},
    {"validation", ~w(validation valid dev val)},
    {"test", ~w(test testing eval evaluation)}
  ]
  @separator "[-._ 0-9]"
  @shard ~r/\Adata\/([^\/]+)-[0-9]{5}-of-[0-9]{5}[^\/]*\.[^\/]*\z/u
  @split ~r/\A\w+(\.\w+)*\z/u

  @type t :: [{String.t(), [String.t()]}]

  @doc "Returns the splits that have files, in order, with their files. Paths are relative to the configuration's folder."
  @spec of([String.t()]) :: t()
  def of(paths) do
    paths = paths |> Enum.filter(&visible?/1) |> Formats.data()
    by_kind = [&logs/1, &tasks/1, &by_keyword(&1, :folder), &by_keyword(&1, :file), &all/1]
    splits = Enum.find_value([(&shards/1) | by_kind], [], &some(&1.(paths)))
    for {split, files} <- splits, do: {split, Formats.main(files)}
  end

  @doc "Returns the files of a split, or those that are named by a keyword of a split, such as `dev`."
  @spec files([String.t()], String.t()) :: [String.t()]
  def files(paths, split) do
    splits = of(paths)

    case List.keyfind(splits, split, 0) do
      {_split, files} -> files
      nil -> called(splits, split)
    end
  end

  @doc "Returns whether a folder is named after a split."
  @spec folder?(String.t()) :: boolean()
  def folder?(name),
    do: Enum.any?(@keywords, fn {_split, words} -> name <> "/" =~ pattern(:folder, words) end)

  defp called(splits, word) do
    with {split, _words} <- Enum.find(@keywords, fn {_split, words} -> word in words end),
         {_split, files} <- List.keyfind(splits, split, 0) do
      [folder, file] = for kind <- [:folder, :file], do: pattern(kind, [word])
      Enum.filter(files, &(&1 =~ folder or &1 =~ file))
    else
      nil -> []
    end
  end

  defp some([]), do: nil
  defp some(splits), do: splits

  # Next to shards, a file with another name does not belong to any split.
  defp shards(paths) do
    shards = for path <- paths, [_all, split] <- [Regex.run(@shard, path)], do: {split, path}
    splits = Enum.group_by(shards, &elem(&1, 0), &elem(&1, 1))

    if Enum.all?(Map.keys(splits), &(&1 =~ @split)) do
      {known, own} = Enum.split_with(splits, fn {split, _files} -> List.keymember?(@keywords, split, 0) end)
      Enum.sort_by(known, &position/1) ++ Enum.sort(own)
    else
      []
    end
  end

  defp position({split, _files}), do: Enum.find_index(@keywords, &(elem(&1, 0) == split))

  defp logs(paths), do: named("logs", Enum.filter(paths, &String.ends_with?(&1, ".eval")))

  defp tasks(paths),
    do: named("test", Enum.filter(paths, &(Path.basename(&1) in ~w(task.toml instruction.md))))

  defp all(paths), do: named("train", paths)

  defp by_keyword(paths, kind) do
    for {split, words} <- @keywords,
        pattern = pattern(kind, words),
        files = Enum.filter(paths, &(&1 =~ pattern)),
        files != [],
        do: {split, files}
  end

  defp named(_split, []), do: []
  defp named(split, files), do: [{split, files}]

  # A keyword is at the start of a name or after a separator, and before a separator.
  defp pattern(kind, words) do
    word = "\\A(?:.+/)?(?:[^/]*#{@separator})?(?:#{Enum.join(words, "|")})"

    Regex.compile!(
      word <> if(kind == :file, do: "#{@separator}[^/]*\\z", else: "(?:#{@separator}[^/]*)?/"),
      "s"
    )
  end

  # Hidden files and folders, and folders such as `__pycache__`, contain no data.
  defp visible?(path) do
    parts = String.split(path, "/")

    not Enum.any?(parts, &String.starts_with?(&1, ".")) and
      not Enum.any?(Enum.drop(parts, -1), &String.starts_with?(&1, "__"))
  end
end
