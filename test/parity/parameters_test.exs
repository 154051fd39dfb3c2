defmodule HfHub.Parity.ParametersTest do
  # Every parameter of a method of Python's HfApi is an argument or an option of the functions that stand for it, or has a
  # reason here why it is not.
  use ExUnit.Case, async: true

  alias HfHub.Python

  @moduletag :python

  # Parameters by the names of the arguments that they are here.
  @arguments %{
    "bucket_id" => ~w(bucket name),
    "collection_slug" => ~w(collection),
    "comment" => ~w(text),
    "discussion_num" => ~w(num),
    "folder_path" => ~w(folder),
    "from_id" => ~w(from repo_id),
    "item_object_id" => ~w(item),
    "job_id" => ~w(job jobs),
    "lfs_files" => ~w(files),
    "local_dir" => ~w(folder),
    "model_id" => ~w(name),
    "name" => ~w(endpoint),
    "new_content" => ~w(text),
    "new_status" => ~w(status),
    "new_title" => ~w(title),
    "organization" => ~w(name),
    "path_or_fileobj" => ~w(content),
    "remote_path" => ~w(path),
    "scheduled_job_id" => ~w(job),
    "sleep_time" => ~w(seconds),
    "source" => ~w(folder),
    "to_id" => ~w(to),
    "url" => ~w(url_or_opts),
    "user" => ~w(username),
    "webhook_id" => ~w(id)
  }

  # Other options or values in their place, and parameters that are not wanted.
  @reasons %{
    "*" => %{
      "run_as_future" => "every process can run a call beside others",
      "tqdm_class" => "the option :progress"
    },
    "accept_access_request" => %{"request_id" => "the user may be {:request_id, id}"},
    "batch_bucket_files" => %{
      "add" => "operations of HfHub.Buckets.Operation",
      "copy" => "operations of HfHub.Buckets.Operation",
      "delete" => "operations of HfHub.Buckets.Operation"
    },
    "cancel_access_request" => %{"request_id" => "the user may be {:request_id, id}"},
    "create_commit" => %{"_hot_reload" => "the option :hot_reload"},
    "create_inference_endpoint" => %{"account_id" => "deprecated, and without effect"},
    "duplicate_repo" => %{"to_id" => "the option :to"},
    "get_hf_file_metadata" => %{"url" => "the option :repo_id, which accepts the URLs of files"},
    "preupload_lfs_files" => %{
      "free_memory" => "content is always dropped: the results have :uploaded in its place",
      "gitignore_content" => "a .gitignore among the additions counts, or else that of the repository"
    },
    "reject_access_request" => %{"request_id" => "the user may be {:request_id, id}"},
    "sync_bucket" => %{
      "apply" => "HfHub.Buckets.apply_plan/2",
      "quiet" => "a library prints nothing",
      "verbose" => "the result lists all operations"
    },
    "upload_file" => %{"_hot_reload" => "the option :hot_reload"}
  }

  # Arguments that are checked before the options are.
  @samples %{
    "command" => ["ls"],
    "comment_id" => String.duplicate("a", 24),
    "content" => {:binary, "a"},
    "delete_patterns" => ["*"],
    "hardware" => :cpu_basic,
    "item_type" => :model,
    "key" => "KEY",
    "labels" => %{},
    "num" => 1,
    "schedule" => "@daily",
    "seconds" => 1,
    "status" => :open
  }

  @lists ~w(paths files operations additions volumes)

  defp functions do
    for module <- Application.spec(:hf_hub, :modules),
        {:docs_v1, _, _, _, _, _, docs} <- [Code.fetch_docs(module)],
        {{:function, name, _arity}, _, [signature | _], _, %{python: python}} <- docs,
        reduce: %{} do
      found -> Map.update(found, python, [{module, name, signature}], &[{module, name, signature} | &1])
    end
  end

  defp arguments(signature) do
    [_all, arguments] = Regex.run(~r/\((.*)\)$/, signature)
    names = for argument <- String.split(arguments, ", "), do: argument |> String.split(" ") |> hd()
    {Enum.reject(names, &(&1 == "opts")), "opts" in names or "url_or_opts" in names}
  end

  # An option is known if its value is what is wrong.
  defp option?({module, name, signature}, parameter) do
    {arguments, options?} = arguments(signature)
    option = String.to_atom(parameter)

    values =
      for argument <- arguments,
          do: if(argument in @lists, do: [], else: Map.get(@samples, argument, "acme/x"))

    opts = [{option, make_ref()}, endpoint: "http://127.0.0.1:9", retries: 0]

    options? and
      try do
        module |> apply(name, values ++ [opts]) |> Enum.take(1)
        true
      rescue
        error in ArgumentError -> not (error.message =~ "unknown option #{inspect(option)}")
        _error_of_the_call -> true
      end
  end

  defp here?(function, parameter) do
    {_module, _name, signature} = function
    {names, _options?} = arguments(signature)

    Enum.any?([parameter | Map.get(@arguments, parameter, [])], &(&1 in names)) or
      option?(function, parameter)
  end

  test "all parameters of the methods of HfApi are options or arguments, or have a reason" do
    script = """
    import inspect
    for name in dir(HfApi):
        method = getattr(HfApi, name)
        if not name.startswith("_") and callable(method):
            print(name, *[p for p in inspect.signature(method).parameters if p != "self"])
    """

    folder = Path.join(System.tmp_dir!(), "hf_hub_parameters_#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(folder) end)

    lines =
      script
      |> Python.run!("http://127.0.0.1:9", Path.join(folder, "cache"))
      |> String.split("\n", trim: true)

    assert length(lines) > 160
    functions = functions()

    missing =
      for line <- lines,
          [method | parameters] = String.split(line),
          method != "run_as_future",
          parameter <- parameters,
          not reason?(method, parameter),
          not Enum.any?(Map.fetch!(functions, method), &here?(&1, parameter)),
          do: {method, parameter}

    assert missing == []

    # No function of these would accept any name.
    methods = for line <- lines, [method | _parameters] = String.split(line), do: method

    blind =
      for {method, found} <- functions,
          method in methods,
          function <- found,
          here?(function, "no_such"),
          do: function

    assert blind == []
  end

  defp reason?(method, parameter) do
    reasons = Map.merge(@reasons["*"], Map.get(@reasons, method, %{}))
    Map.has_key?(reasons, parameter)
  end

  test "parameters with a reason are not options" do
    functions = functions()

    for {method, reasons} <- @reasons, method != "*", {parameter, why} <- reasons do
      assert String.length(why) > 10
      refute Enum.any?(Map.fetch!(functions, method), &here?(&1, parameter)), "#{method}: #{parameter}"
    end
  end
end
