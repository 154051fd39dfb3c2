defmodule HfHub.RepoRef do
  # Parses the forms of a repository reference: an id, an `hf://` URI, the URL of a page,
  # or Bumblebee's tuples. The engine validates the parts.
  @moduledoc false

  import HfHub.RepoRef.Mistake

  alias HfHub.{Config, Error, Options}
  alias HfHub.Native.Nif

  # Without the token of a tuple.
  @derive {Inspect, except: [:auth_token]}
  @enforce_keys [:repo_type, :repo_id]
  defstruct [:repo_type, :repo_id, :revision, :path, :auth_token, :offline, names_file: false]

  @type t :: %__MODULE__{
          repo_type: :model | :dataset | :space | :bucket,
          repo_id: String.t(),
          revision: String.t() | nil,
          path: String.t() | nil,
          auth_token: String.t() | boolean() | nil,
          offline: boolean() | nil,
          names_file: boolean()
        }

  @types %{"models" => :model, "datasets" => :dataset, "spaces" => :space, "buckets" => :bucket}
  @hosts ~w(huggingface.co hf.co www.huggingface.co hub-ci.huggingface.co)
  @file_routes ~w(blob blame raw resolve)
  @routes ["tree" | @file_routes]
  @bucket_routes ~w(resolve tree)
  @doc """
  Resolves the repository reference of a call.

  `opts` are the call's options: `:repo_type` is the type of a bare id; page URLs below `:endpoint`
  (defaults to the configured one) and of the public Hub are accepted; `:revision` and `:path` take
  precedence over those in the reference; `:only` is the one repository type that the call accepts.
  """
  @spec resolve(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def resolve(ref, opts), do: with({:ok, parsed} <- parse(ref, opts), do: check(parsed))

  @doc "Same as `resolve/2`, but leaves it to the caller to check the names."
  @spec parse(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def parse(ref, opts) do
    repo_type = opts[:only] || opts[:repo_type] || :model

    with {:ok, parsed} <- split(ref, repo_type, opts[:endpoint] || Config.endpoint()),
         :ok <- only(parsed, opts[:only]),
         :ok <- beside(parsed, opts[:path]) do
      {:ok, %{parsed | revision: opts[:revision] || parsed.revision, path: opts[:path] || parsed.path}}
    end
  end

  # Only functions that ask for a bucket get one: a bucket has no revisions and no commits.
  defp only(%{repo_type: :bucket, repo_id: id}, nil) do
    message = "#{inspect(id)} is a bucket, not a repository; HfHub.Buckets has the functions for buckets"
    {:error, Error.new(:invalid_name, message, repo_id: id)}
  end

  defp only(%{repo_type: type}, wanted) when wanted in [nil, type], do: :ok

  defp only(%{repo_type: type, repo_id: id}, wanted),
    do: {:error, Error.new(:invalid_name, "expected a #{wanted}, got the #{type} #{inspect(id)}")}

  @doc """
  Resolves the address of a bucket: its id, to which a path may be appended, an `hf://buckets/` URI or the URL of a page.
  """
  @spec bucket(term(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def bucket(text, opts) do
    with {:ok, found} <- split(text, :bucket, opts[:endpoint] || Config.endpoint()),
         :ok <- only(found, :bucket),
         {:ok, found} <- inside(found),
         do: check(found)
  end

  # An id as it was given may have a path behind it.
  defp inside(%{path: nil, repo_id: id} = found) do
    if String.valid?(id),
      do: in_bucket(id, String.split(String.trim_trailing(id, "/"), "/")),
      else: {:ok, found}
  end

  defp inside(found), do: {:ok, found}

  @doc """
  Resolves the `hf://` URI or page URL of a place in a repository or a bucket. An id alone is an error, because it does
  not tell one from the other.
  """
  @spec location(term(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def location(text, opts) do
    with {:ok, found} <- split(text, nil, opts[:endpoint] || Config.endpoint()) do
      if found.repo_type, do: check(found), else: invalid(text, "neither an hf:// URI nor the URL of a page")
    end
  end

  @doc "Returns an error if both the reference and the call contain a file name."
  @spec beside(t(), term()) :: :ok | {:error, Error.t()}
  def beside(%{names_file: true, path: path, repo_id: id}, name) when name not in [nil, "", []] do
    message =
      "the URL already contains the file name #{inspect(path)}; omit the other one, or pass it with the repository " <>
        "#{inspect(id)}"

    {:error, Error.new(:invalid_name, message, repo_id: id, path: path)}
  end

  def beside(_ref, _name), do: :ok

  @doc "Resolves the reference of a whole repository; a revision or a path in it is an error."
  @spec whole(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def whole(ref, opts) do
    with {:ok, found} <- resolve(ref, Keyword.take(opts, [:repo_type, :endpoint, :only])) do
      if found.revision || found.path,
        do: too_much(ref, found.repo_id, "a revision or a path"),
        else: {:ok, found}
    end
  end

  @doc "Resolves the reference of a repository at a revision; a path in it is an error."
  @spec at_revision(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def at_revision(ref, opts) do
    with {:ok, found} <- resolve(ref, opts),
         do: if(found.path, do: too_much(ref, found.repo_id, "a path"), else: {:ok, found})
  end

  @doc "Same as `whole/2`, but an id without a namespace is an error."
  @spec owned(HfHub.repo(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def owned(ref, opts) do
    with {:ok, found} <- whole(ref, opts) do
      if String.contains?(found.repo_id, "/"),
        do: {:ok, found},
        else: invalid(ref, "the namespace (the user or organization that owns it) is missing")
    end
  end

  @doc "Returns the repository and revision as the engine expects them."
  @spec to_native(t()) :: %{repo: %{repo_type: String.t(), id: String.t()}, revision: String.t()}
  def to_native(ref),
    do: %{repo: %{repo_type: to_string(ref.repo_type), id: ref.repo_id}, revision: ref.revision || "main"}

  @doc "Returns the parts of a reference as parameters of a route template."
  @spec params(t()) :: keyword()
  def params(ref),
    do: [types: "#{ref.repo_type}s", repo: ref.repo_id, revision: ref.revision || "main", path: ref.path]

  @doc "Returns the route template of a repository's page and the files below it."
  @spec web_route(t()) :: String.t()
  def web_route(%__MODULE__{repo_type: :model}), do: "/*repo"
  def web_route(%__MODULE__{}), do: "/:types/*repo"

  @tuple_options [:revision, :subdir, :cache_dir, :offline, :auth_token]

  @doc "Returns the options in `{:hf, id, opts}`. Raises `ArgumentError` if one is unknown."
  @spec tuple_options!(term()) :: keyword()
  # Without the given options, one of which is a token.
  def tuple_options!(opts) do
    if mistake = unknown(opts, @tuple_options), do: raise(ArgumentError, mistake)

    for {name, type} <- [auth_token: {:or, [:string, :boolean]}, offline: :boolean],
        value = opts[name],
        not Options.valid_value?(value, type),
        do:
          raise(
            ArgumentError,
            "expected #{inspect(name)} in {:hf, id, opts} to be #{Options.type_name(type)}"
          )

    opts
  end

  @doc "Returns the folder in the options of `{:hf, id, opts}`, without slashes around it; `nil` is the root."
  @spec subdir(keyword()) :: String.t() | nil
  def subdir(opts) do
    with subdir when is_binary(subdir) <- opts[:subdir] do
      case String.trim(subdir, "/") do
        "" -> nil
        trimmed -> trimmed
      end
    end
  end

  @doc "Returns the options of a call that `{:hf, id, opts}` contains, by their names in this library."
  @spec options(HfHub.repo() | HfHub.repository() | nil) :: keyword()
  def options({:hf, _id, opts}) when is_list(opts) do
    tuple_options!(opts)
    Options.given(cache_dir: opts[:cache_dir], local_files_only: opts[:offline], token: opts[:auth_token])
  end

  def options(_other), do: []

  @doc "Returns the options of a request with those of the tuple that the reference was; the given ones take precedence."
  @spec network(t(), keyword()) :: keyword()
  def network(ref, opts),
    do: opts |> unless_given(:token, ref.auth_token) |> unless_given(:offline, ref.offline)

  @doc "Returns the repository for a call of another function, with the token and the offline mode of the tuple."
  @spec again(t()) :: HfHub.repo()
  def again(ref), do: {:hf, ref.repo_id, Options.given(auth_token: ref.auth_token, offline: ref.offline)}

  defp unless_given(opts, name, value),
    do: if(value == nil or opts[name] != nil, do: opts, else: Keyword.put(opts, name, value))

  defp split({:hf, id}, repo_type, endpoint), do: split(id, repo_type, endpoint)

  defp split({:hf, id, opts}, repo_type, endpoint) when is_list(opts) do
    tuple_options!(opts)

    with {:ok, parsed} <- split(id, repo_type, endpoint) do
      {:ok,
       %{
         parsed
         | revision: opts[:revision] || parsed.revision,
           path: subdir(opts) || parsed.path,
           auth_token: opts[:auth_token],
           offline: opts[:offline]
       }}
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

  defp split(other, _repo_type, _endpoint), do: invalid(other, "neither a string nor {:hf, id}")

  defp address(url, endpoint) do
    case URI.parse(url) do
      %URI{scheme: scheme, host: host, path: path} when scheme in ["http", "https"] and is_binary(host) ->
        if host?(authority(url), endpoint),
          do: page(relative(path || "", endpoint)),
          else: invalid(url, "#{host} is neither the Hugging Face Hub nor the endpoint in use")

      _other ->
        invalid(url, "not a valid URL")
    end
  end

  # hf://[type/]namespace/name[@revision][/path]
  defp uri(text) do
    {repo_type, segments} = type(String.split(String.trim(text, "/"), "/"))

    case segments do
      _path when repo_type == :bucket ->
        in_bucket("hf://" <> text, segments)

      ["kernels" | _rest] ->
        invalid("hf://" <> text, "kernels are not supported")

      [single] when single in ["model", "dataset", "space", "bucket"] ->
        invalid("hf://" <> text, "types are plural: #{single}s")

      [type, _name | _rest] when type in ["model", "dataset", "space", "bucket"] ->
        invalid("hf://" <> text, "types are plural: #{type}s")

      [namespace, name | path] ->
        {name, revision, path} = name_and_revision(name, path)

        if revision == "" or "" in path do
          invalid("hf://" <> text, "one of its parts is empty")
        else
          {:ok, ref(repo_type, "#{namespace}/#{name}", revision && decode(revision), path)}
        end

      _one ->
        invalid("hf://" <> text, "the namespace is missing")
    end
  end

  defp in_bucket(given, [namespace, name | path]) do
    cond do
      "" in [namespace, name | path] -> no_bucket(given, "one of its parts is empty")
      String.contains?(namespace <> name, "@") -> no_bucket(given, "a bucket has no revisions")
      true -> {:ok, ref(:bucket, "#{namespace}/#{name}", nil, path)}
    end
  end

  defp in_bucket(given, _segments), do: no_bucket(given, "the namespace is missing")

  defp name_and_revision(name, path) do
    case String.split(name, "@", parts: 2) do
      [name] -> {name, nil, path}
      [name, revision] -> with_special_ref(name, revision, path)
    end
  end

  # refs/pr/1 and refs/convert/parquet are the only revisions with an unencoded slash.
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
      [namespace, name, route | inside] when repo_type == :bucket and route in @bucket_routes ->
        in_bucket(path, [namespace, name | Enum.map(inside, &decode/1)])

      [_namespace, _name, _route | _inside] when repo_type == :bucket ->
        no_bucket(path, "not the page of a bucket")

      [namespace, name] ->
        {:ok, ref(repo_type, "#{namespace}/#{name}", nil, [])}

      [namespace, name, route] when route in @routes ->
        {:ok, ref(repo_type, "#{namespace}/#{name}", nil, [])}

      [namespace, name, route, revision | path] when route in @routes ->
        page_of(repo_type, "#{namespace}/#{name}", route, revision, path)

      # A few old repositories have no namespace.
      [name, route, revision | path] when route in @routes ->
        page_of(repo_type, name, route, revision, path)

      _other ->
        invalid(path, "not the page of a repository")
    end
  end

  defp page_of(repo_type, id, route, revision, path) do
    {id, revision, path} = with_special_ref(id, revision, path)
    found = ref(repo_type, id, decode(revision), Enum.map(path, &decode/1))
    {:ok, %{found | names_file: route in @file_routes and path != []}}
  end

  defp type([type | rest]) when is_map_key(@types, type), do: {@types[type], rest}
  defp type(segments), do: {:model, segments}

  defp ref(repo_type, id, revision, path) do
    path = if path == [], do: nil, else: Enum.join(path, "/")
    %__MODULE__{repo_type: repo_type, repo_id: id, revision: revision, path: path}
  end

  # Host names are case-insensitive.
  defp host?(host, endpoint) do
    host = String.downcase(host)
    host in @hosts or host == authority(endpoint)
  end

  # Without a user and a password, which a pasted URL may contain.
  defp authority(url) do
    uri = URI.parse(url)
    host = String.downcase(uri.host || "")
    if uri.port in [nil, 80, 443], do: host, else: "#{host}:#{uri.port}"
  end

  # As in browsers and the Python client, a percent sign without two hex digits is kept.
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
      not text?(ref.repo_id) -> invalid(ref.repo_id, "not a valid string")
      not text?(ref.revision || "") -> no_text(ref.revision, "revision")
      not text?(ref.path || "") -> no_text(ref.path, "file name")
      true -> check_names(ref)
    end
  end

  defp text?(part), do: is_binary(part) and String.valid?(part)

  # The Hub does not restrict the names of buckets as it does those of repositories.
  defp check_names(%{repo_type: :bucket} = ref) do
    if ref.repo_id =~ ~r"\A(?!\.\.?/)[\w.+~-]+/(?!\.\.?\z)[\w.+~-]+\z" do
      place = %{repo: %{repo_type: "model", id: "any"}, revision: "main"}
      if error = names_error(place, ref.path), do: {:error, error}, else: {:ok, ref}
    else
      no_bucket(ref.repo_id, "its names have letters, digits and the characters - _ . + ~")
    end
  end

  # Whether this machine can write a file of that path is checked by downloads only.
  defp check_names(ref) do
    place = to_native(ref)

    case names_error(place, ref.path) do
      nil ->
        {:ok, ref}

      error ->
        # The forms of a reference are no help with an invalid revision or path.
        id? = names_error(%{place | revision: "main"}, nil) != nil
        {:error, if(id?, do: with_forms(error, ref.repo_id), else: error)}
    end
  end

  defp names_error(place, path) do
    with %{} = fields <- Nif.check_names(Map.merge(place, %{path: path, filename: nil})),
         do: Error.from_native(fields)
  end
end
