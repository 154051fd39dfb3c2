defmodule HfHub.Parity.DialectsTest do
  # The Python client and this library at Hubs that behave like other servers: operations that work with the Python
  # client work with this library, with the same result.
  use HfHub.Case, async: false, hub: :own

  alias HfHub.{Api, DialectOperations, Error, LocalHub, Python, TlsRelay}

  @moduletag :python
  @moduletag :openssl
  @moduletag timeout: 180_000

  @files %{
    "README.md" => "---\nlicense: mit\n---\n",
    "config.json" => "{}\n",
    "data/1.txt" => "1",
    "data/2.txt" => "2",
    "ü.txt" => "3"
  }

  # Operations with the same result in every dialect.
  @contents ~w(download_large download_name download_small download_tag file_exists file_info read_range read_stream
               safetensors snapshot)a

  # The files that a write affects, in its repository.
  @written %{
    upload_small: ~w(new.txt),
    upload_large: ~w(new.bin),
    upload_folder: ~w(f/1.txt f/2.bin old/x.txt),
    delete_file: ~w(gone.txt)
  }

  @downloads ~w(download_large download_name download_small download_tag file_info)a
  @commits ~w(delete_file upload_folder upload_large upload_small)a
  @pages @downloads ++ ~w(file_exists read_range read_stream safetensors snapshot)a
  @api @commits ++
         ~w(branch commits dataset_info model_info paths_info refs repo_exists revision_exists snapshot tag tree
            whoami list_models)a

  # Operations that fail or have another result in a dialect: with the Python client, and with this library.
  @failures %{
    "commit_refused" => {@commits, @commits},
    "giftless" => {~w(upload_folder upload_large)a, []},
    "html_for_files" => {@pages, @pages},
    "html_for_json" => {@api ++ ~w(read_range read_stream)a, @api},
    "lfs_headers" => {~w(upload_folder upload_large)a, []},
    "no_commit" => {[:snapshot | @downloads], @downloads},
    "no_etag" => {[:snapshot | @downloads], @downloads},
    "range_elsewhere" => {~w(read_range safetensors)a, []},
    "range_ignored" => {~w(read_range)a, []},
    "range_multipart" => {~w(read_range safetensors)a, []}
  }

  # A dialect applies to paths of a repository. These dialects also apply to paths without one.
  @everywhere %{
    "json_with_mark" => %{kind: "replace_body", pattern: "^", with: "\uFEFF"},
    "json_with_nan" => %{kind: "replace_body", pattern: ~S'"(likes|downloads)":\d+', with: ~S'"${1}":NaN'},
    "html_for_json" => %{
      kind: "status",
      code: 200,
      headers: %{"Content-Type" => "text/html"},
      body: "<!DOCTYPE html><html></html>"
    }
  }

  setup do: own_env(~w(HTTPS_PROXY https_proxy SSL_CERT_FILE NO_PROXY no_proxy))

  setup context do
    files = TlsRelay.certificates(context.dir, ["DNS:huggingface.co"])
    relay = TlsRelay.start(files, URI.parse(context.endpoint).port)
    tunnel = "http://127.0.0.1:#{TlsRelay.tunnel(relay)}"
    public = [{"HTTPS_PROXY", tunnel}, {"SSL_CERT_FILE", files.ca}, {"NO_PROXY", "127.0.0.1"}]
    System.put_env(public)
    header = ~s({"a":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]}})
    weights = <<byte_size(header)::little-64>> <> header <> large(100_000)
    all = Map.put(@files, "model.safetensors", weights)
    {read, _commit} = repo(context, all, id: "reader/judged")
    repo(context, @files, id: read, repo_type: :dataset)
    LocalHub.command!(hub(), ["repo", "tag", read, "v1.0"])

    there = %{
      "old/x.txt" => "x",
      "gone.txt" => "g",
      ".gitattributes" => "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    }

    {template, _commit} = repo(context, there, id: "reader/template")
    folder = folder(context, %{"f/1.txt" => "1", "f/2.bin" => large(2000)})

    {:ok,
     python: python(context, public),
     read: read,
     weights: weights,
     template: template,
     folder: folder,
     content: large(3000)}
  end

  # A process that runs the operations of one task per line.
  defp python(context, env) do
    script = Path.join(__DIR__, "dialects.py")
    variables = [{"HF_HUB_CACHE", Path.join(context.dir, "python")} | env ++ Python.env(context.dir)]
    Python.open(File.read!(script), [], variables)
  end

  defp ask_python(socket, task) do
    task = %{task | content: Base.encode16(task.content)}
    :ok = :gen_tcp.send(socket, [json(task), "\n"])
    fn -> socket |> Python.line() |> decode() end
  end

  # The JSON of plain strings.
  defp json(map) do
    text = &inspect(&1, printable_limit: :infinity)
    pairs = for {name, value} <- map, do: [text.(to_string(name)), ":", text.(value)]
    ["{", Enum.intersperse(pairs, ","), "}"]
  end

  defp decode(line) do
    {:ok, card} = HfHub.Native.run(:parse_card, ~s(---\n{"all": #{line}}\n---\n))
    card.data["all"]
  end

  test "operations that work with the Python client in a dialect work with this library", context do
    truth = ask(nil, context)
    assert {[], []} = judge(truth, truth)
    assert map_size(truth) >= 22
    dialects = Map.keys(control(:get, "dialects"))
    assert Map.keys(@failures) -- dialects == []

    found = for dialect <- Enum.sort(dialects), do: {dialect, dialect |> ask(context) |> judge(truth)}

    expected =
      Map.new(@failures, fn {dialect, {theirs, ours}} -> {dialect, {Enum.sort(theirs), Enum.sort(ours)}} end)

    assert for(
             {dialect, {_, _} = failures} <- found,
             failures != {[], []},
             into: %{},
             do: {dialect, failures}
           ) == expected
  end

  # The results of an operation: `{theirs, ours}`, with the affected files of a write.
  defp ask(dialect, context) do
    [ours, theirs] = for client <- ~w(ours theirs), do: "reader/#{client}-#{dialect || "plain"}"
    for id <- [ours, theirs], do: HfHub.Repo.duplicate!(context.template, write(to: id))
    endpoint = if dialect, do: speak(dialect, context, [ours, theirs]), else: endpoint()
    answer = ask_python(context.python, task(theirs, endpoint, context))
    found = DialectOperations.run(task(ours, endpoint, context))
    their_found = answer.()
    control(:delete, "faults")
    [their_tree, our_tree] = for id <- [theirs, ours], do: tree_of(id)

    for {name, result} <- found, into: %{} do
      {name, {outcome(their_found[to_string(name)], name, their_tree), outcome(result, name, our_tree)}}
    end
  end

  defp task(id, endpoint, context) do
    task = %{endpoint: endpoint, token: token(), read: context.read, write: id}
    more = %{cache: Path.join(context.dir, "caches/#{id}"), folder: context.folder, content: context.content}
    Map.merge(task, more)
  end

  defp speak(dialect, context, writes) do
    for path <- ["/api/whoami-v2", "/api/model[s]"], fault = @everywhere[dialect], do: fault(path, fault)
    for id <- writes, do: dialect(id, dialect)
    dialect(context.read, dialect, [context.weights, context.content])
  end

  defp outcome(%{"ok" => value}, name, tree), do: {:ok, value, Map.take(tree, @written[name] || [])}
  defp outcome(%{"error" => error}, _name, _tree), do: {:error, error}
  defp outcome({:ok, value}, name, tree), do: {:ok, value, Map.take(tree, @written[name] || [])}
  defp outcome({:error, %Error{} = error}, _name, _tree), do: {:error, Exception.message(error)}

  # Names of the operations that failed: with the Python client, with this library.
  defp judge(found, truth) do
    for {name, {theirs, ours}} <- found do
      {right, _ours} = truth[name]
      theirs = if name in @contents and theirs != right, do: {:error, {:wrong, theirs}}, else: theirs
      wanted = if match?({:ok, _, _}, theirs), do: theirs, else: right
      # An error is allowed if the Python client has one, a wrong result never.
      assert ours == wanted or (wanted != theirs and match?({:error, _}, ours)),
             inspect({name, theirs: theirs, ours: ours}, pretty: true, printable_limit: 500)

      {name, match?({:error, _}, theirs), match?({:error, _}, ours)}
    end
    |> then(&{for({name, true, _} <- &1, do: name), for({name, _, true} <- &1, do: name)})
  end

  defp tree_of(id) do
    for entry <- Api.list_repo_tree!(id, write(recursive: true)), into: %{}, do: {entry.path, entry.oid}
  end
end
