defmodule HfHub.Test.Routes do
  # The routes of a scripted Hub, over repositories that are maps of file names to contents.
  @moduledoc false

  alias HfHub.Native.Nif

  # Files that the public Hub stores as large files.
  @large ~w(.safetensors .bin .gguf .onnx .parquet .npz .pt .zip .gz)

  @type response :: {pos_integer(), [{String.t(), term()}], binary()}

  @doc "Returns the response to a request: that of a test's route, or that of a repository."
  @spec respond(map(), map()) :: response()
  def respond(request, hub) do
    case Map.fetch(hub.routes, "#{request.method} #{request.path}") do
      {:ok, route} when is_function(route, 1) -> request |> route.() |> response()
      {:ok, route} -> response(route)
      :error -> own(request, hub)
    end
  end

  defp response({status, headers, body}) when is_integer(status), do: {status, headers, body}
  defp response({status, body}) when is_integer(status), do: json(body, status)
  defp response(body), do: json(body, 200)

  defp own(%{path: "/api/whoami-v2"} = request, hub) do
    if request.headers["authorization"] == "Bearer #{hub.token}",
      do:
        json(
          %{type: "user", name: "tester", auth: %{type: "access_token", accessToken: %{role: "write"}}},
          200
        ),
      else: error(401, nil, "Invalid username or password.")
  end

  defp own(%{path: "/api/" <> path} = request, hub) do
    with {repo, files, rest} <- find(path, hub.repos) do
      revision(api(rest), repo, files, request)
    else
      nil -> error(404, "RepoNotFound", "Repository not found")
    end
  end

  defp own(%{path: "/" <> path} = request, hub) do
    with {_repo, files, "resolve/" <> rest} <- find(with_type(path), hub.repos) do
      [revision | name] = String.split(rest, "/", parts: 2)
      at(revision, files, fn -> file(files, List.first(name), request) end)
    else
      {_repo, _files, _other} -> error(404, "EntryNotFound", "Page not found")
      nil -> error(404, "RepoNotFound", "Repository not found")
    end
  end

  defp with_type(path),
    do: if(String.starts_with?(path, ["datasets/", "spaces/"]), do: path, else: "models/" <> path)

  # The longest name, because a name may be the beginning of another.
  defp find(path, repos) do
    repos
    |> Enum.filter(fn {repo, _files} -> String.starts_with?(path <> "/", with_type(repo) <> "/") end)
    |> Enum.max_by(fn {repo, _files} -> byte_size(repo) end, fn -> nil end)
    |> case do
      nil ->
        nil

      {repo, files} ->
        {repo, files, String.trim_leading(String.replace_prefix(path, with_type(repo), ""), "/")}
    end
  end

  defp api(""), do: {:info, "main"}
  defp api("revision/" <> revision), do: {:info, revision}
  defp api("paths-info/" <> revision), do: {:paths, revision}

  defp api("tree/" <> rest) do
    [revision | folder] = String.split(rest, "/", parts: 2)
    {{:tree, List.first(folder)}, revision}
  end

  defp api(_other), do: nil

  defp revision(nil, _repo, _files, _request), do: error(404, nil, "Not found")

  defp revision({what, revision}, repo, files, request),
    do: at(revision, files, fn -> answer(what, repo, files, request) end)

  defp at(revision, files, answer) do
    if revision in ["main", commit(files)],
      do: answer.(),
      else: error(404, "RevisionNotFound", "Invalid rev id: #{revision}")
  end

  defp answer(:info, repo, files, _request) do
    siblings = for name <- Enum.sort(Map.keys(files)), do: %{rfilename: name}
    id = String.replace(repo, ~r"^(datasets|spaces)/", "")
    json(%{id: id, modelId: id, sha: commit(files), private: false, tags: [], siblings: siblings}, 200)
  end

  defp answer({:tree, folder}, _repo, files, request) do
    recursive? = request.query =~ ~r/recursive=(true|1)/
    files |> entries() |> Enum.filter(&listed?(&1.path, folder, recursive?)) |> json(200)
  end

  defp answer(:paths, _repo, files, request) do
    asked = for {"paths", path} <- URI.query_decoder(request.body), do: path
    files |> entries() |> Enum.filter(&(&1.path in asked)) |> json(200)
  end

  defp entries(files) do
    folders =
      for name <- Map.keys(files),
          parent <- parents(name),
          uniq: true,
          do: %{type: "directory", path: parent, oid: sha1(parent), size: 0}

    files =
      for {name, content} <- files,
          do: Map.merge(%{type: "file", path: name, size: byte_size(content)}, hashes(name, content))

    Enum.sort_by(folders ++ files, & &1.path)
  end

  defp parents(name) do
    parts = name |> Path.dirname() |> Path.split()
    for n <- 1..length(parts), parts != ["."], do: parts |> Enum.take(n) |> Path.join()
  end

  defp listed?(path, nil, recursive?), do: recursive? or not String.contains?(path, "/")

  defp listed?(path, folder, recursive?) do
    inside = String.replace_prefix(path, folder <> "/", "")
    inside != path and listed?(inside, nil, recursive?)
  end

  defp hashes(name, content) do
    if large?(name) do
      pointer =
        "version https://git-lfs.github.com/spec/v1\noid sha256:#{sha256(content)}\nsize #{byte_size(content)}\n"

      %{
        oid: git_id(pointer),
        lfs: %{oid: sha256(content), size: byte_size(content), pointerSize: byte_size(pointer)}
      }
    else
      %{oid: git_id(content)}
    end
  end

  defp file(files, name, request) do
    case files do
      %{^name => content} -> content(content, headers(files, name, content), request.headers["range"])
      _none -> error(404, "EntryNotFound", "Entry not found", [{"x-repo-commit", commit(files)}])
    end
  end

  defp headers(files, name, content) do
    etag = if large?(name), do: sha256(content), else: git_id(content)

    [
      {"x-repo-commit", commit(files)},
      {"etag", ~s("#{etag}")},
      {"accept-ranges", "bytes"},
      {"content-type", "application/octet-stream"}
    ]
  end

  defp content(content, headers, "bytes=" <> range) do
    size = byte_size(content)

    case Regex.run(~r/\A(\d+)-(\d*)\z/, range) do
      [_all, first, last] ->
        first = String.to_integer(first)
        last = if last == "", do: size - 1, else: min(String.to_integer(last), size - 1)

        if first > last,
          do: {416, [{"content-range", "bytes */#{size}"} | headers], ""},
          else:
            {206, [{"content-range", "bytes #{first}-#{last}/#{size}"} | headers],
             binary_part(content, first, last - first + 1)}

      nil ->
        {200, headers, content}
    end
  end

  defp content(content, headers, _whole), do: {200, headers, content}

  defp large?(name), do: Path.extname(name) in @large

  @doc "Returns the commit of files: a hash of their names and contents."
  @spec commit(%{String.t() => binary()}) :: String.t()
  def commit(files),
    do: files |> Enum.sort() |> Enum.map(fn {name, content} -> [name, 0, sha256(content), 0] end) |> sha1()

  defp git_id(content), do: sha1(["blob #{byte_size(content)}\0", content])
  defp sha1(data), do: :sha |> :crypto.hash(data) |> Base.encode16(case: :lower)
  defp sha256(data), do: :sha256 |> :crypto.hash(data) |> Base.encode16(case: :lower)

  defp json(term, status),
    do: {status, [{"content-type", "application/json; charset=utf-8"}], Nif.to_json(term)}

  defp error(status, code, message, headers \\ []) do
    headers = if code, do: [{"x-error-code", code}, {"x-error-message", message} | headers], else: headers
    {status, json, body} = json(%{error: message}, status)
    {status, json ++ headers, body}
  end
end
