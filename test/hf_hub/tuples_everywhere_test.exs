defmodule HfHub.TuplesEverywhereTest do
  # Every public function that takes a repository, by its spec or by an option, called with `{:hf, id, opts}` as users of
  # Bumblebee write it. New functions are found by themselves.
  use HfHub.Case, async: true

  alias HfHub.Commit.Operation
  alias HfHub.{Error, Receiver}

  @id "org/everywhere"

  # What the types do not tell: arguments other than the repository and the options, and options.
  @arguments %{
    {HfHub.Cards, :push_to_hub} => ["# A card"],
    {HfHub.Commit, :create} => [[Operation.add("a.txt", {:binary, "a"})]],
    {HfHub.Commit, :preupload_lfs_files} => [[Operation.add("a.bin", {:binary, "a"})]],
    {HfHub.Commit, :upload_file} => [{:binary, "a"}, "a.txt"],
    {HfHub.LFS, :permanently_delete_files} => [[String.duplicate("a", 64)]],
    {HfHub.Spaces, :request_hardware} => ["cpu-basic"],
    {HfHub.Spaces, :request_storage} => [:small]
  }
  @options %{
    {HfHub.GGUF, :read} => [filename: "x.gguf"],
    {HfHub.Repo, :update_settings} => [private: true]
  }

  # These look at files of this machine only, whatever the tuple contains, or return a URL.
  @local [
    {HfHub.Cache, :validate_integrity},
    {HfHub.Cache.Transport, :adopt},
    {HfHub.Lock, :unpin},
    {HfHub.Repository, :file_listing_url},
    {HfHub.Repository, :file_url}
  ]

  # A form, ids of a catalog, and what finds out whether the network works.
  @other [{HfHub.Kino, :download}, {HfHub.InferenceEndpoints, :create_from_catalog}, {HfHub.Doctor, :run}]

  # A text that is valid as any argument: a name, a title, an id of a comment.
  @text "abcdef0123456789abcdef01"

  defp functions do
    for module <- Application.spec(:hf_hub, :modules),
        {:docs_v1, _, _, _, %{"en" => _}, _, docs} <- [Code.fetch_docs(module)],
        {{:function, name, arity}, _, _signature, %{"en" => doc}, _meta} <- docs,
        not String.ends_with?("#{name}", "!"),
        {module, name} not in (@other ++ @local),
        types = types(module, name, arity),
        by_option? <- [doc =~ "  * `:repo_id` (a value"],
        by_option? or Enum.any?(types, &repo?/1),
        do: {module, name, types, doc, by_option?}
  end

  defp types(module, name, arity) do
    {:ok, specs} = Code.Typespec.fetch_specs(module)

    case List.keyfind(specs, {name, arity}, 0) do
      {_name, [{:type, _, :bounded_fun, [{:type, _, :fun, [{:type, _, :product, types}, _]}, _]} | _]} ->
        types

      {_name, [{:type, _, :fun, [{:type, _, :product, types}, _]} | _clauses]} ->
        types

      # Generated for all structs.
      nil ->
        []
    end
  end

  defp repo?({:remote_type, _, [{:atom, _, HfHub}, {:atom, _, :repo}, []]}), do: true
  defp repo?({:type, _, :union, types}), do: Enum.any?(types, &repo?/1)
  defp repo?(_type), do: false

  # Calls the function, with values that its types allow.
  defp call({module, name, types, doc, by_option?}, tuple, opts, context) do
    opts = opts ++ Map.get(@options, {module, name}, []) ++ required(doc, context)
    opts = if by_option?, do: Keyword.put(opts, :repo_id, tuple), else: opts
    given = Map.get(@arguments, {module, name}, [])
    {arguments, _rest} = Enum.map_reduce(types, given, &argument(&1, &2, module, tuple, opts, context))

    case apply(module, name, arguments) do
      {:ok, stream} when is_function(stream) -> Enum.to_list(stream)
      %Stream{} = stream -> Enum.to_list(stream)
      stream when is_function(stream, 2) -> Enum.to_list(stream)
      result -> result
    end
  rescue
    error in Error ->
      {:error, error}

    # A function that sends no requests does not have the options of requests.
    error in ArgumentError ->
      if error.message =~ "unknown option :retries",
        do: :local,
        else: reraise(error, __STACKTRACE__)
  end

  defp argument(type, given, module, tuple, opts, context) do
    cond do
      repo?(type) -> {tuple, given}
      keyword?(type) -> {opts, given}
      given != [] -> {hd(given), tl(given)}
      true -> {value(type, module, context), given}
    end
  end

  defp keyword?(type), do: match?({:remote_type, _, [{:atom, _, :elixir}, {:atom, _, :keyword}, []]}, type)

  defp value({:type, _, :union, [first | _others]}, module, context), do: value(first, module, context)
  defp value({:type, _, :list, _}, _module, _context), do: []
  defp value({:type, _, :map, _}, _module, _context), do: %{}

  defp value({:type, _, :tuple, types}, module, context),
    do: types |> Enum.map(&value(&1, module, context)) |> List.to_tuple()

  defp value({:type, _, name, []}, _module, _context) when name in [:pos_integer, :integer], do: 1
  defp value({:type, _, :atom, []}, _module, _context), do: :x
  defp value({:type, _, :binary, []}, _module, _context), do: @text
  defp value({:atom, _, atom}, _module, _context), do: atom
  defp value({:ann_type, _, [_name, type]}, module, context), do: value(type, module, context)
  defp value({:remote_type, _, [{:atom, _, String}, _, []]}, _module, _context), do: @text
  defp value({:remote_type, _, [{:atom, _, Path}, _, []]}, _module, context), do: context.folder
  defp value({:remote_type, _, [{:atom, _, Enumerable}, _, []]}, _module, _context), do: []

  defp value({:remote_type, _, [{:atom, _, other}, {:atom, _, name}, []]}, _module, context),
    do: named(other, name, context)

  defp value({:user_type, _, name, []}, module, context), do: named(module, name, context)

  defp named(module, name, context) do
    {:ok, types} = Code.Typespec.fetch_types(module)
    [type] = for {_kind, {^name, type, []}} <- types, do: type
    value(type, module, context)
  end

  defp required(doc, context) do
    for [_all, name, type] <- Regex.scan(~r/\* `:(\w+)` \(([^)]*)\)[^\n]* Required/, doc),
        name != "repo_id",
        do: {String.to_atom(name), if(type =~ "path", do: context.folder, else: @text)}
  end

  defp shown({module, name, types, _doc, _by_option?}), do: "#{inspect(module)}.#{name}/#{length(types)}"

  setup_all do
    {:ok, functions: functions()}
  end

  setup context do
    {:ok, folder: folder(context, %{"a.txt" => "a"})}
  end

  test "there are functions that take a repository by their spec, and by an option", context do
    names = for {module, name, _types, _doc, by_option?} <- context.functions, do: {module, name, by_option?}
    assert length(names) > 100
    assert {HfHub.Api, :model_info, false} in names and {HfHub.Download, :snapshot_download, true} in names
  end

  test "an offline tuple sends no request, and is an error of its kind", context do
    tuple = {:hf, @id, offline: true, auth_token: token(), cache_dir: context.cache}

    wrong =
      for function <- context.functions,
          result = call(function, tuple, [], context),
          not offline?(result),
          do: {shown(function), result}

    assert wrong == []
  end

  defp offline?({:error, %Error{kind: kind}}), do: kind in [:offline, :not_cached]
  defp offline?(result), do: result in [false, :ok, nil]

  test "the token of a tuple is sent with every first request", context do
    server = Receiver.start(fn _request -> {404, "{}", "x-error-code: RepoNotFound"} end)
    opts = [endpoint: String.trim_trailing(server.url, "/hook"), retries: 0]
    tuple = {:hf, @id, auth_token: token(), cache_dir: context.cache}

    wrong =
      for function <- context.functions,
          (result = call(function, tuple, opts, context)) != :local,
          sent = for(request <- received(), do: request.headers["authorization"]),
          Enum.uniq(sent) != ["Bearer " <> token()],
          do: {shown(function), sent, result}

    assert wrong == []
  end

  defp received do
    receive do
      {:received, request} -> [request | received()]
    after
      0 -> []
    end
  end
end
