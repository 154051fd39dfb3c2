defmodule HfHub.RepoRef do
  # What users write for a repository, taken apart: an id, an `hf://` URI, a URL
  # pasted from the browser, or Bumblebee's tuples. The engine checks the parts.
  @moduledoc false

  alias HfHub.{Config, Error}
  alias HfHub.Native.Nif

  @enforce_keys [:repo_type, :repo_id]
  defstruct [:repo_type, :repo_id, :revision, :path, names_file: false]

  @type t :: %__MODULE__{
          repo_type: :model | :dataset | :space,
          repo_id: String.t(),
          revision: String.t() | nil,
          path: String.t() | nil,
          names_file: boolean()
        }

  @types %{"models" => :model, "datasets" => :dataset, "spaces" => :space}
  @hosts ~w(huggingface.co hf.co www.huggingface.co hub-ci.huggingface.co)
  @file_routes ~w(blob blame raw resolve)
  @routes ["tree" | @file_routes]
  @forms ~s("name", "namespace/name", "hf://[datasets/|spaces/]namespace/name[@revision][/path]", ) <>
           ~s(the address of the repository's web page, {:hf, id} or {:hf, id, opts})

  @doc """
  Resolves the repository reference of a call.

  The call's options decide: `:repo_type` is the type of a bare id, page addresses below `:endpoint`
  (defaults to the configured one) and of the public Hub are accepted, `:revision` and `:path` take
  precedence over those in the reference, and `:only` is the one repository type the call accepts.
  """
  @spec resolve(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def resolve(ref, opts) do
    repo_type = opts[:only] || opts[:repo_type] || :model

    with {:ok, parsed} <- split(ref, repo_type, opts[:endpoint] || Config.endpoint()),
         :ok <- only(parsed, opts[:only]),
         :ok <- beside(parsed, opts[:path]) do
      check(%{parsed | revision: opts[:revision] || parsed.revision, path: opts[:path] || parsed.path})
    end
  end

  defp only(%{repo_type: type}, wanted) when wanted in [nil, type], do: :ok

  defp only(%{repo_type: type, repo_id: id}, wanted),
    do: {:error, Error.new(:invalid_name, "#{inspect(id)} was given as a #{type}; expected a #{wanted}")}

  @doc "Returns an error where both the reference and the call name a file."
  @spec beside(t(), term()) :: :ok | {:error, Error.t()}
  def beside(%{names_file: true, path: path, repo_id: id}, name) when name not in [nil, "", []] do
    message =
      "the address names a file already, #{inspect(path)}; leave out the name, or pass the repository #{inspect(id)} with it"

    {:error, Error.new(:invalid_name, message, repo_id: id, path: path)}
  end

  def beside(_ref, _name), do: :ok

  @doc "Resolves the reference of a whole repository; a revision or a path in it is an error."
  @spec whole(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def whole(ref, opts) do
    case resolve(ref, Keyword.take(opts, [:repo_type, :endpoint])) do
      {:ok, %{revision: nil, path: nil} = found} ->
        {:ok, found}

      {:ok, found} ->
        message = "#{inspect(ref)} names more than a repository; pass #{inspect(found.repo_id)}"
        {:error, Error.new(:invalid_name, message, repo_id: found.repo_id)}

      error ->
        error
    end
  end

  @doc "The same for calls that need the namespace."
  @spec owned(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def owned(ref, opts) do
    with {:ok, found} <- whole(ref, opts) do
      if String.contains?(found.repo_id, "/"),
        do: {:ok, found},
        else: invalid(ref, "its namespace, the user or organization that owns it, is missing")
    end
  end

  @doc "Returns the repository and revision as the engine takes them."
  @spec to_native(t()) :: %{repo_type: String.t(), id: String.t(), revision: String.t()}
  def to_native(ref),
    do: %{repo_type: to_string(ref.repo_type), id: ref.repo_id, revision: ref.revision || "main"}

  @doc "The parts of a reference as a route's template names them."
  @spec params(t()) :: keyword()
  def params(ref),
    do: [types: "#{ref.repo_type}s", repo: ref.repo_id, revision: ref.revision || "main", path: ref.path]

  @doc "The template of a repository's web address, which its files are below."
  @spec web_route(t()) :: String.t()
  def web_route(%__MODULE__{repo_type: :model}), do: "/*repo"
  def web_route(%__MODULE__{}), do: "/:types/*repo"

  @tuple_options [:revision, :subdir, :cache_dir, :offline, :auth_token]

  @doc "The options of a call that `{:hf, id, opts}` brings along, by this library's names."
  @spec options(HfHub.repo()) :: keyword()
  def options({:hf, _id, opts}) when is_list(opts) do
    case Keyword.keyword?(opts) && Keyword.keys(opts) -- @tuple_options do
      [] -> :ok
      _other -> raise ArgumentError, "unknown option in {:hf, id, opts}; known: #{inspect(@tuple_options)}"
    end

    named = [cache_dir: opts[:cache_dir], local_files_only: opts[:offline], token: opts[:auth_token]]
    Enum.reject(named, fn {_name, value} -> value == nil end)
  end

  def options(_other), do: []

  defp split({:hf, id}, repo_type, endpoint), do: split(id, repo_type, endpoint)

  defp split({:hf, id, opts}, repo_type, endpoint) when is_list(opts) do
    with {:ok, parsed} <- split(id, repo_type, endpoint) do
      {:ok, %{parsed | revision: opts[:revision] || parsed.revision, path: opts[:subdir] || parsed.path}}
    end
  end

  defp split("hf://" <> rest, _repo_type, _endpoint), do: uri(rest)

  defp split("http://" <> _rest = url, _repo_type, endpoint), do: address(url, endpoint)
  defp split("https://" <> _rest = url, _repo_type, endpoint), do: address(url, endpoint)

  defp split(id, repo_type, endpoint) when is_binary(id) do
    if String.valid?(id) and host?(id |> String.split("/") |> hd(), endpoint),
      do: address("https://" <> id, endpoint),
      else: {:ok, %__MODULE__{repo_type: repo_type, repo_id: id}}
  end

  defp split(other, _repo_type, _endpoint), do: invalid(other, "it is neither a string nor {:hf, id}")

  defp address(url, endpoint) do
    case URI.parse(url) do
      %URI{scheme: scheme, host: host, path: path} when scheme in ["http", "https"] and is_binary(host) ->
        if host?(authority(url), endpoint),
          do: page(relative(path || "", endpoint)),
          else: invalid(url, "#{host} is neither the Hugging Face Hub nor the endpoint in use")

      _other ->
        invalid(url, "it is not a URL")
    end
  end

  # hf://[type/]namespace/name[@revision][/path]
  defp uri(text) do
    {repo_type, segments} = type(String.split(String.trim(text, "/"), "/"))

    case segments do
      [type | _rest] when type in ["buckets", "kernels"] ->
        invalid("hf://" <> text, "#{type} are not supported")

      [single] when single in ["model", "dataset", "space"] ->
        invalid("hf://" <> text, "types are plural: #{single}s")

      [type, _name | _rest] when type in ["model", "dataset", "space"] ->
        invalid("hf://" <> text, "types are plural: #{type}s")

      [namespace, name | path] ->
        {name, revision, path} = at_revision(name, path)

        if revision == "" or "" in path do
          invalid("hf://" <> text, "a part of it is empty")
        else
          {:ok, ref(repo_type, "#{namespace}/#{name}", revision && decode(revision), path)}
        end

      _one ->
        invalid("hf://" <> text, "the namespace is missing")
    end
  end

  defp at_revision(name, path) do
    case String.split(name, "@", parts: 2) do
      [name] -> {name, nil, path}
      [name, revision] -> with_special_ref(name, revision, path)
    end
  end

  # refs/pr/1 and refs/convert/parquet are the only revisions that may hold a slash unencoded.
  defp with_special_ref(name, "refs", [kind, last | path]) do
    if special?(kind, last),
      do: {name, "refs/#{kind}/#{last}", path},
      else: {name, "refs", [kind, last | path]}
  end

  defp with_special_ref(name, revision, path), do: {name, revision, path}

  defp special?("pr", number), do: number =~ ~r/\A\d+\z/
  defp special?("convert", name), do: name =~ ~r/\A[\w.-]+\z/
  defp special?(_kind, _last), do: false

  # namespace/name[/route/revision/path] as in the browser
  defp page(path) do
    {repo_type, segments} = type(String.split(String.trim(path, "/"), "/", trim: true))

    case segments do
      [namespace, name] ->
        {:ok, ref(repo_type, "#{namespace}/#{name}", nil, [])}

      [namespace, name, route] when route in @routes ->
        {:ok, ref(repo_type, "#{namespace}/#{name}", nil, [])}

      [namespace, name, route, revision | path] when route in @routes ->
        {name, revision, path} = with_special_ref(name, revision, path)
        found = ref(repo_type, "#{namespace}/#{name}", decode(revision), Enum.map(path, &decode/1))
        {:ok, %{found | names_file: route in @file_routes and path != []}}

      _other ->
        invalid(path, "it is no page of a repository")
    end
  end

  defp type([type | rest]) when is_map_key(@types, type), do: {@types[type], rest}
  defp type(segments), do: {:model, segments}

  defp ref(repo_type, id, revision, path) do
    path = if path == [], do: nil, else: Enum.join(path, "/")
    %__MODULE__{repo_type: repo_type, repo_id: id, revision: revision, path: path}
  end

  # Hosts are the same in any case of letters.
  defp host?(host, endpoint) do
    host = String.downcase(host)
    host in @hosts or host == authority(endpoint)
  end

  # Without a user and a password, which people paste along.
  defp authority(url) do
    uri = URI.parse(url)
    host = String.downcase(uri.host || "")
    if uri.port in [nil, 80, 443], do: host, else: "#{host}:#{uri.port}"
  end

  # As browsers and Python do: what is no code stays as it is.
  defp decode(text) do
    Regex.replace(~r/%([0-9a-fA-F]{2})/, text, fn _code, hex -> <<String.to_integer(hex, 16)>> end)
  end

  defp relative(path, endpoint) do
    case URI.parse(endpoint).path do
      prefix when prefix in [nil, "", "/"] -> path
      prefix -> String.replace_prefix(path, String.trim_trailing(prefix, "/"), "")
    end
  end

  defp check(%__MODULE__{} = ref) do
    cond do
      not text?(ref.repo_id) -> invalid(ref.repo_id, "a part of it is no text")
      not text?(ref.revision || "") -> no_text(ref.revision, "revision")
      not text?(ref.path || "") -> no_text(ref.path, "file name")
      true -> check_names(ref)
    end
  end

  defp text?(part), do: is_binary(part) and String.valid?(part)

  defp no_text(part, what),
    do:
      {:error,
       Error.new(
         :invalid_name,
         "#{inspect(part, limit: 10)} cannot be a #{what}: it is no text; accepted: #{@forms}"
       )}

  # The path need not be one that this machine can write; a download checks that.
  defp check_names(ref) do
    case Nif.check_names(%{repo: to_native(ref), path: ref.path, filename: nil}) do
      nil -> {:ok, ref}
      fields -> {:error, hint(Error.from_native(fields), ref.repo_id)}
    end
  end

  # What is wrong with a revision or a file name is not helped by the forms of a repository.
  defp hint(error, id) do
    if error.message =~ "repository id", do: forms(error, id), else: error
  end

  defp forms(error, id) do
    case advice(String.split(id, "/"), id) do
      nil -> %{error | message: "#{error.message}; accepted: #{@forms}"}
      advice -> %{error | message: "#{error.message}; #{advice}"}
    end
  end

  # What people write who mean the right thing.
  defp advice([type | rest], _id) when is_map_key(@types, type) and length(rest) in 1..2 do
    "pass #{inspect(Enum.join(rest, "/"))} with repo_type: #{inspect(@types[type])}"
  end

  defp advice(_parts, id) do
    trimmed = id |> String.trim() |> String.trim("/")

    cond do
      trimmed != id and trimmed != "" -> "did you mean #{inspect(trimmed)}?"
      id =~ ~r/\A[^@]+@[^@]+\z/ -> "pass the part after the @ as :revision"
      true -> nil
    end
  end

  defp invalid(given, why) do
    {:error, Error.new(:invalid_name, "#{shown(given)} names no repository: #{why}; accepted: #{@forms}")}
  end

  # A password may be pasted along, and options given in the wrong place may hold a token.
  defp shown(text) when is_binary(text), do: inspect(String.replace(text, ~r"//[^/@]*@", "//"))
  defp shown(other) when is_atom(other) or is_number(other), do: inspect(other)
  defp shown(other) when is_tuple(other), do: "this tuple"
  defp shown(other) when is_list(other), do: "this list"
  defp shown(_other), do: "this"
end
