defmodule HfHub.CLI.Download do
  # Downloads of files and snapshots.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.Download
  alias HfHub.CLI.{Call, Command, Flags, Size, Target}

  @impl true
  def noun, do: [name: "download", summary: "Downloads files of a repository"]

  @impl true
  def commands do
    [
      struct!(Command,
        words: [],
        summary: "Downloads files of a repository",
        details:
          "Without file names, all files are downloaded, into the cache or into `--local-dir`. The result is the path " <>
            "of the file, or of the folder. A download that was interrupted continues where it stopped.",
        hf: "download",
        args: [
          repo_id: [doc: "Id of the repository, such as `me/my-model`, `datasets/me/data` or an `hf://` URI"],
          filenames: [
            type: {:list, :string},
            required: false,
            doc: "Files to download; a name that ends in `/` is a folder"
          ]
        ],
        flags: flags(),
        examples: [
          "openai-community/gpt2",
          "openai-community/gpt2 config.json tokenizer.json",
          ~s(openai-community/gpt2 --include "*.safetensors" --exclude "onnx/*"),
          "rajpurkar/squad plain_text/ --repo-type dataset --local-dir squad"
        ],
        run: &run/1
      )
    ]
  end

  defp flags do
    Flags.repo_type() ++
      Flags.revision() ++
      [
        include: [type: {:list, :string}, doc: "Pattern of files to download"],
        exclude: [type: {:list, :string}, doc: "Pattern of files not to download"],
        cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`"],
        local_dir: [type: :path, doc: "Folder to download into, instead of the cache"],
        force_download: [type: :boolean, negatable: true, doc: "Downloads files even if they are cached"],
        dry_run: [
          type: :boolean,
          negatable: true,
          doc: "Lists what would be downloaded, and downloads nothing"
        ],
        max_workers: [type: :integer, default: 8, doc: "Maximum number of files at the same time"]
      ]
  end

  defp run(call) do
    with :ok <- exclusive(call.flags),
         {:ok, target} <- Target.of(call),
         {:ok, names} <- names(call, target),
         {:ok, files, warnings} <- files(names, call.flags) do
      warnings ++ [call |> fetch(target, files) |> result()]
    end
  end

  defp names(%{args: %{filenames: names}}, %{path: nil}), do: {:ok, names}
  defp names(%{args: %{filenames: []}}, %{path: path}), do: {:ok, [path]}
  defp names(_call, _target), do: {:error, "a path in the URI and FILENAMES are mutually exclusive"}

  defp exclusive(%{local_dir: _local, cache_dir: _cache}),
    do: {:error, "--local-dir and --cache-dir are mutually exclusive"}

  defp exclusive(_flags), do: :ok

  # One file, or patterns of files.
  defp files(names, flags) do
    {folders, files} = Enum.split_with(names, &String.ends_with?(&1, "/"))
    filtered = for name <- [:include, :exclude], flags[name], do: "--#{name}"

    cond do
      folders != [] and filtered != [] ->
        {:error,
         ~s(a folder and #{hd(filtered)} are mutually exclusive; pass --include "#{hd(folders)}*" instead)}

      names == [] ->
        {:ok, {:some, flags[:include], flags[:exclude]}, []}

      folders == [] and length(files) == 1 ->
        {:ok, {:one, hd(files)}, ignored(filtered)}

      true ->
        patterns = files ++ Enum.map(folders, &(String.trim_trailing(&1, "/") <> "/**"))
        {:ok, {:some, patterns, nil}, ignored(filtered)}
    end
  end

  defp ignored(filtered), do: for(flag <- filtered, do: {:warning, "#{flag} has no effect with file names"})

  defp fetch(call, target, {:one, name}),
    do: Download.hf_hub_download([filename: name] ++ options(call, target))

  defp fetch(call, target, {:some, include, exclude}) do
    patterns =
      for {name, value} <- [allow_patterns: include, ignore_patterns: exclude], value, do: {name, value}

    Download.snapshot_download([max_workers: call.flags.max_workers] ++ patterns ++ options(call, target))
  end

  defp options(call, target) do
    names = [:cache_dir, :local_dir, :force_download, :dry_run]

    [repo_id: target.id] ++
      Target.options(target) ++ Call.options(call, names) ++ Call.progress(call, target.id)
  end

  defp result({:ok, path}) when is_binary(path), do: {:done, "Downloaded", path: path}
  defp result({:ok, files}), do: files |> List.wrap() |> plan()
  defp result(failed), do: failed

  defp plan(files) do
    wanted = Enum.filter(files, & &1.will_download?)
    sizes = Enum.map(wanted, & &1.file_size)
    total = if nil in sizes, do: "an unknown size", else: Size.short(Enum.sum(sizes))
    rows = for file <- Enum.sort_by(files, & &1.filename), do: [{"file", file.filename}, {"size", size(file)}]

    [
      {:text,
       "[dry-run] Will download #{length(wanted)} files (out of #{length(files)}) totalling #{total}."},
      {:table, rows, []}
    ]
  end

  defp size(%{will_download?: true, file_size: size}) when is_integer(size), do: Size.short(size)
  defp size(_cached), do: "-"
end
