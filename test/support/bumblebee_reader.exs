# What Bumblebee 0.7 does to find files, with its documented cache: the listing, then each file, by URL, scope and etag.
defmodule BumblebeeReader do
  def files({:local, dir}),
    do: for(name <- File.ls!(dir), File.regular?(Path.join(dir, name)), into: %{}, do: {name, nil})

  def files({:hf, id, opts}) do
    below = if opts[:subdir], do: "/" <> opts[:subdir]

    {:ok, path} =
      cached(
        "https://huggingface.co/api/models/#{id}/tree/#{opts[:revision] || "main"}#{below}",
        id,
        nil,
        opts
      )

    {:ok, data} = HfHub.StrictJson.parse(File.read!(path))

    for %{"type" => "file", "path" => path} = entry <- data, into: %{} do
      name = if opts[:subdir], do: String.replace_leading(path, opts[:subdir] <> "/", ""), else: path
      {name, <<?", entry["lfs"]["oid"] || entry["oid"]::binary, ?">>}
    end
  end

  def download({:local, dir}, name, _etag), do: {:ok, Path.join(dir, name)}

  def download({:hf, id, opts}, name, etag) do
    name = if opts[:subdir], do: opts[:subdir] <> "/" <> name, else: name
    cached("https://huggingface.co/#{id}/resolve/#{opts[:revision] || "main"}/#{name}", id, etag, opts)
  end

  # Offline the stored etag counts; online a known one must be the stored one.
  defp cached(url, id, etag, opts) do
    scope = id |> String.replace("/", "--") |> String.replace(~r/[^\w-]/, "")
    dir = Path.join([opts[:cache_dir], "huggingface", scope])
    key = url |> :erlang.md5() |> Base.encode32(case: :lower, padding: false)

    with {:ok, json} <- File.read(Path.join(dir, key <> ".json")),
         {:ok, %{"etag" => stored}} <- HfHub.StrictJson.parse(json),
         true <- opts[:offline] || stored == etag,
         path = Path.join(dir, key <> "." <> Base.encode32(stored, case: :lower, padding: false)),
         true <- File.exists?(path) do
      {:ok, path}
    else
      _other -> {:error, url}
    end
  end
end
