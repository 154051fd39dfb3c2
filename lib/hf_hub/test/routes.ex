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
    case Map.fetch(hub.routes, route(request)) do
      {:ok, route} when is_function(route, 1) -> request |> route.() |> response!()
      {:ok, route} -> response!(route)
      :error -> own(request, hub)
    end
  end

  defp route(request), do: "#{request.method} #{request.path}"

  @doc "Returns the response that a test has given for a route. Raises `ArgumentError` for any other value."
  @spec response!(term()) :: response()
  def response!({status, headers, body}) when is_integer(status) and is_list(headers) and is_binary(body),
    do: {status, headers, body}

  def response!({status, body}) when is_integer(status), do: json(body, status)

  def response!(tuple) when is_tuple(tuple) do
    raise ArgumentError,
          "expected the response of a route as {status, headers, body}, {status, json} or JSON, got: #{inspect(tuple)}"
  end

  def response!(body), do: json(body, 200)

  @doc "Returns the response that shows why a request cannot be served. No client sends such a request again."
  @spec failed(String.t()) :: response()
  def failed(why), do: error(501, nil, why, [{"x-error-message", why}])

  defp missing(request) do
    failed("the scripted Hub has no route #{route(request)}; add it to :routes, or use start_local_hub/2")
  end

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
    case find(path, hub.repos) do
      {repo, files, rest} ->
        revision(api(request.method, rest), repo, files, request)

      nil ->
        if repository?(path), do: error(404, "RepoNotFound", "Repository not found"), else: missing(request)
    end
  end

  defp own(%{path: "/" <> path, method: method} = request, hub) do
    with true <- method in ["GET", "HEAD"],
         {_repo, files, "resolve/" <> rest} <- find(with_type(path), hub.repos) do
      [revision | name] = String.split(rest, "/", parts: 2)
      at(revision, files, fn -> file(files, List.first(name), request) end)
    else
      nil -> error(404, "RepoNotFound", "Repository not found")
      _other -> missing(request)
    end
  end

  # A path below that of a repository, which this Hub does not have.
  defp repository?(path), do: path =~ ~r"\A(models|datasets|spaces)/[^/]"

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

  defp api("GET", ""), do: {:info, "main"}
  defp api("GET", "revision/" <> revision), do: {:info, revision}
  defp api("POST", "paths-info/" <> revision), do: {:paths, revision}

  defp api("GET", "tree/" <> rest) do
    [revision | folder] = String.split(rest, "/", parts: 2)
    {{:tree, List.first(folder)}, revision}
  end

  defp api(_method, _other), do: nil

  defp revision(nil, _repo, _files, request), do: missing(request)

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
