defmodule Demo do
  # Downloads a repository and shows what a user would want to know about it.

  alias HfHub.{Brief, Config, Download, LocalHub, Request}

  @switches [endpoint: :string, repo_type: :string, revision: :string, cache_dir: :string]

  def run(argv) do
    {opts, ids} = OptionParser.parse!(argv, strict: @switches)
    folder = Path.join(System.tmp_dir!(), "hf_hub_demo_#{System.unique_integer([:positive])}")

    try do
      case ids do
        [] -> local(folder, opts)
        [id] -> download(id, opts[:endpoint] || Config.endpoint(), folder, opts, nil)
        _more -> raise OptionParser.ParseError, "expected one repository id"
      end
    after
      unless opts[:cache_dir], do: File.rm_rf!(folder)
    end
  rescue
    error in [OptionParser.ParseError, HfHub.Error, ArgumentError] ->
      IO.puts(:stderr, "bin/demo: " <> Exception.message(error))
      System.halt(1)
  end

  defp local(folder, opts) do
    {:ok, hub} = LocalHub.start_link(root: Path.join(folder, "hub"), test_control: true)
    title("A Local Hub at #{LocalHub.endpoint(hub)}")
    id = "sentence-transformers/all-MiniLM-L6-v2"
    commit = LocalHub.import_folder!(hub, System.fetch_env!("HF_HUB_TEST_MODEL"), id)
    IO.puts("  #{id} imported as commit #{commit}")
    download(id, LocalHub.endpoint(hub), folder, opts, hub)
    LocalHub.stop(hub)
  end

  defp download(id, endpoint, folder, opts, hub) do
    call =
      [repo_id: id, endpoint: endpoint, cache_dir: opts[:cache_dir] || Path.join(folder, "cache")] ++
        for({key, value} <- Keyword.take(opts, [:revision]), do: {key, value}) ++
        for({:repo_type, type} <- opts, do: {:repo_type, type!(type)})

    title("Downloading #{id} from #{endpoint}")
    before = count(hub)
    {time, path} = :timer.tc(fn -> Download.snapshot_download!([progress: true] ++ call) end)
    files = files(path)
    bytes = files |> Enum.map(&elem(&1, 1)) |> Enum.sum()
    seconds = time / 1_000_000
    IO.puts("  #{path}")

    IO.puts(
      "  #{length(files)} files, #{Brief.size(bytes)} in #{Float.round(seconds, 2)} s" <>
        " (#{Brief.size(round(bytes / seconds))}/s, every byte verified)#{requests(hub, before)}"
    )

    title("Checked again by git and sha256sum")
    for {name, size} <- files, do: check(path, name, size)

    title("The cache, as every Hugging Face client reads it")
    listing(Path.dirname(Path.dirname(path)))

    title("The same call again, for the commit it found")
    before = count(hub)
    # Where requests cannot be counted, the network is switched off instead.
    offline = if hub, do: [], else: [local_files_only: true]
    pinned = Keyword.merge(call, [revision: Path.basename(path)] ++ offline)
    {time, ^path} = :timer.tc(fn -> Download.snapshot_download!(pinned) end)
    made = if hub, do: requests(hub, before), else: ", without the network"
    IO.puts("  #{Float.round(time / 1000, 2)} ms#{made}")
  end

  defp check(folder, name, size) do
    path = Path.join(folder, name)
    blob = blob(path)

    {tool, actual} =
      case byte_size(blob) do
        64 -> {"sha256sum", tool("sha256sum", [path])}
        _git -> {"git", tool("git", ["hash-object", "--no-filters", path])}
      end

    verdict = if actual == blob, do: "ok", else: "WRONG: #{actual}"
    IO.puts("  #{pad(name, 34)} #{String.pad_leading(Brief.size(size), 9)}  #{pad(tool, 9)} #{verdict}")
    if actual != blob, do: System.halt(1)
  end

  defp blob(path) do
    case File.read_link(path) do
      {:ok, target} -> Path.basename(target)
      {:error, _no_link} -> ""
    end
  end

  defp tool(name, args) do
    {output, 0} = System.cmd(name, args)
    output |> String.split() |> hd()
  end

  defp listing(repo) do
    IO.puts("  #{Path.basename(repo)}")

    for path <- repo |> Path.join("**") |> Path.wildcard() |> Enum.sort(), not File.dir?(path) do
      arrow = if target = link(path), do: " -> #{target}", else: ""
      IO.puts("    #{Path.relative_to(path, repo)}#{arrow}")
    end
  end

  defp link(path) do
    case File.read_link(path) do
      {:ok, target} -> target
      {:error, _no_link} -> nil
    end
  end

  defp files(folder) do
    for path <- Path.wildcard(Path.join(folder, "**"), match_dot: true), File.regular?(path) do
      {Path.relative_to(path, folder), File.stat!(path).size}
    end
  end

  defp count(nil), do: 0

  defp count(hub) do
    opts = [endpoint: LocalHub.endpoint(hub), retries: 0, token: false]
    {:ok, requests} = Request.new(:get, "/_test/requests", [], opts) |> Request.run()
    length(requests)
  end

  defp requests(nil, _before), do: ""
  defp requests(hub, before), do: ", #{count(hub) - before} requests at the Hub and its content host"

  defp type!(type) when type in ["model", "dataset", "space"], do: String.to_existing_atom(type)
  defp type!(type), do: raise(OptionParser.ParseError, "#{type} is no type of repository")

  defp title(text), do: IO.puts(["\n", IO.ANSI.format([:bright, text])])
  defp pad(text, width), do: String.pad_trailing(text, width)
end

Demo.run(System.argv())
