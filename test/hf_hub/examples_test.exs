defmodule HfHub.ExamplesTest do
  # Runs the scripts in `examples`, one after the other in one VM.
  use HfHub.Case, async: true

  alias HfHub.{LocalHub, Vm}

  @moduletag timeout: 120_000

  @folder Path.expand("../../examples", __DIR__)

  # A line that each script prints.
  @prints [
    branches_and_tags: "experiment: second",
    cache_clean: ~r/^kept: [0-9a-f]{8}, pinned$/m,
    cache_export: ~s(config.json without a network: {"model_type": "bert"),
    cache_report: "Is config.json cached? true",
    cache_verify: ~r/^config.json is corrupted\nrepaired: true\nvalid again: true$/m,
    commit_operations: "in the repository: .gitattributes, config.json, old/vocab.txt, vocab.txt\n",
    create_repo: ~r(^renamed to me/hf-hub-example-final\nexists: false$)m,
    dataset_files: ~r(^File: cola/train-00000-of-00001.parquet\nDownloaded: true$)m,
    dataset_info: "File: mrpc/train-00000-of-00001.parquet (4 bytes)",
    dataset_splits: "Splits of mrpc: train, validation\n",
    doctor: ~r/^failed: \[\]\ntcp: 127.0.0.1:9: connection refused; nothing listens on this port/m,
    download_and_extract: "unpacked: ds/train.csv",
    download_file: ~r(^Downloaded to: /.*/config.json\nFile size: 64 bytes$)m,
    download_snapshot: ~r/^downloaded: README.md\ndownloaded: config.json$/m,
    download_to_folder: ~s(config.json is again: {"model_type": "bert"),
    handle_errors: ~r/^a file that is misspelled: check the name$/m,
    inspect_weights: "model.safetensors: embeddings.weight [6000, 384]",
    list_datasets: "1. nyu-mll/glue\n",
    list_models: ~r(^1. openai-community/gpt2\n   Downloads: 0, likes: 0\n   Pipeline: text-generation$)m,
    list_repo_tree: ~r/^folder\tcola\nfolder\tmrpc$/m,
    local_hub: "downloaded: .gitattributes, config.json, notes.txt\n",
    login: ~r/^Logged in as me .*role write$/m,
    model_card: ~r/^license: mit # for now\ntags:\n- a\n- b$/m,
    offline: "found while the Hub is down: config.json\n",
    pin_models: ~r/^ready: true, 1 model\nanother hash: checksum_mismatch$/m,
    pull_request: ~r/^its config.json: {"layers": 2}\nthat of main: {}$/m,
    repo_files: ~r/^config.json "[0-9a-f]{40}"$/m,
    resume_download:
      ~r/^continued at byte [1-9]\d*, received \d+ bytes more\ncomplete and verified: 9216091 bytes$/m,
    show_progress: "done: 6 of 6 files, ",
    stream_file: ~r/^Total bytes: 9216091$/m,
    sync_bucket: "in the copy: 2026/2.log, 2026/3.log\n",
    upload_file: ~r/^nothing to commit: true$/m,
    upload_folder: "in the repository: .gitattributes, config.json, logs/2.log, model.safetensors\n",
    upload_large_folder: "40 of 40 files are in the repository\n"
  ]

  test "each script runs against the Local Hub that it starts, and prints what it does", context do
    outputs = run(context, Keyword.keys(@prints), [])

    for {name, line} <- @prints do
      output = outputs[name] || flunk("#{name} did not run")
      assert output =~ line, "#{name} printed:\n#{output}"
      refute output =~ "warning: ", "#{name} does not compile without warnings:\n#{output}"
    end

    # The Hub and all files of the scripts.
    assert left_over(context) == []
  end

  test "HF_ENDPOINT and HF_TOKEN choose another Hub, and the cache of the user", context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"))
    token = LocalHub.command!(hub, ["user", "add", "ann"])
    source = folder(context, %{"config.json" => "{}"})
    LocalHub.import_folder!(hub, source, "sentence-transformers/all-MiniLM-L6-v2")
    env = [{"HF_ENDPOINT", LocalHub.endpoint(hub)}, {"HF_TOKEN", token}, {"HF_HUB_CACHE", context.cache}]

    outputs = run(context, [:download_file, :login, :upload_file], env)

    assert outputs[:download_file] =~ "Hub: #{LocalHub.endpoint(hub)}\nDownloaded to: #{context.cache}/"
    assert outputs[:login] =~ "Logged in as ann "
    assert outputs[:upload_file] =~ "#{LocalHub.endpoint(hub)}/ann/hf-hub-example-file/commit/"
    # A login of the user is not replaced.
    refute File.exists?(Path.join(context.dir, "home/token"))
    assert HfHub.Api.list_models!(endpoint: LocalHub.endpoint(hub), author: "ann", token: token) == []
  end

  test "each script is short, and described in the README by its first line" do
    names = for path <- Path.wildcard(@folder <> "/*.exs"), do: Path.basename(path, ".exs")
    assert names == Enum.sort(for name <- Keyword.keys(@prints), do: to_string(name))
    readme = File.read!(Path.join(@folder, "README.md"))

    for name <- names do
      ["# " <> job | lines] = @folder |> Path.join(name <> ".exs") |> File.read!() |> String.split("\n")
      assert length(lines) <= 40, name
      assert readme =~ "| [#{name}.exs](#{name}.exs) | #{job} |\n"
    end
  end

  test "the demo runs", context do
    source = folder(context, %{"config.json" => "{}", "model.safetensors" => large(2_000_000)})
    script = Vm.script(context, "Code.require_file(#{inspect(Path.join(@folder, "../bin/demo.exs"))})")
    assert {output, 0} = Vm.run(script, env(context, [{"HF_HUB_TEST_MODEL", source}]))
    assert output =~ ~r/model.safetensors +2.0 MB  sha256sum ok/
    assert output =~ "0 requests at the Hub"
  end

  # Returns the output of each script by its name.
  defp run(context, names, env) do
    script = """
    for name <- #{inspect(names)} do
      IO.puts("=== \#{name}")
      # As `mix run` does, which compiles the script.
      Code.require_file("#{@folder}/\#{name}.exs")
      Logger.flush()
    end
    """

    {output, status} = Vm.run(Vm.script(context, script), env(context, env))
    assert status == 0, output

    for [_all, name, output] <- Regex.scan(~r/^=== (\w+)\n(.*?)(?=^=== |\z)/ms, output), into: %{} do
      {String.to_existing_atom(name), output}
    end
  end

  @others ~w(HF_ENDPOINT HF_TOKEN HF_HUB_CACHE HF_TOKEN_PATH HF_HUB_OFFLINE)

  defp env(context, more) do
    own = [{"TMPDIR", context.dir}, {"HF_HOME", Path.join(context.dir, "home")}]
    for(name <- @others, do: {name, nil}) ++ own ++ more
  end

  defp left_over(context) do
    for name <- File.ls!(context.dir), String.starts_with?(name, "hf_hub_example"), do: name
  end
end
