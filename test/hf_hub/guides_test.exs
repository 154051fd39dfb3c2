defmodule HfHub.GuidesTest do
  # Runs the Livebooks cell by cell, each in a separate VM, against a Hub with their repositories.
  use HfHub.Case, async: true

  alias HfHub.{Dockerfile, LlamaServer, LocalHub, Vm}

  @moduletag timeout: 120_000

  setup context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"))
    source = Path.join(context.dir, "source")
    File.mkdir_p!(source)

    for {name, content} <- %{
          "config.json" => "{}",
          "vocab.txt" => "a\n"
        },
        do: File.write!(Path.join(source, name), content)

    tensors = %{"embeddings.weight" => {"F32", [1000, 75], large(300_000)}, "bias" => {"F32", [8], large(32)}}
    HfHub.Safetensors.write!(Path.join(source, "model.safetensors"), tensors, metadata: %{"format" => "pt"})

    LocalHub.import_folder!(hub, source, "sentence-transformers/all-MiniLM-L6-v2")
    import_gguf(hub, Path.join(context.dir, "gguf"))
    import_dataset(hub, Path.join(context.dir, "dataset"))
    LocalHub.command!(hub, ["user", "add", "me", "--token", "hf_me"])
    {:ok, hub: LocalHub.endpoint(hub)}
  end

  # One entry of metadata, and one tensor of two floats.
  defp import_gguf(hub, folder) do
    text = &(<<byte_size(&1)::little-64>> <> &1)
    entry = text.("general.architecture") <> <<8::little-32>> <> text.("gemma3")
    tensor = text.("w") <> <<1::little-32, 2::little-64, 0::little-32, 0::little-64>>
    header = "GGUF" <> <<3::little-32, 1::little-64, 1::little-64>> <> entry <> tensor
    padding = :binary.copy(<<0>>, 32 - rem(byte_size(header), 32))
    write_files(folder, %{"gemma-3-1b-it-Q4_K_M.gguf" => header <> padding <> large(8)})
    LocalHub.import_folder!(hub, folder, "ggml-org/gemma-3-1b-it-GGUF")
  end

  defp import_dataset(hub, folder) do
    row = ~s({"title":"Lourdes","question":"To whom?"}\n)

    for split <- ~w(train validation),
        do: write_files(folder, %{"plain_text/#{split}.jsonl" => String.duplicate(row, 5)})

    LocalHub.import_folder!(hub, folder, "rajpurkar/squad", repo_type: :dataset)
  end

  @guides ~w(quickstart migrating_from_0_3 configuration downloads_and_cache uploads branches_and_tags buckets spaces
             community inference datasets tensors bumblebee telemetry from_python cheatsheet)
  # These call a server with models, which is installed with the Python clients.
  @with_models ~w(inference cheatsheet)

  for guide <- @guides do
    if guide in @with_models, do: @tag(:python)

    test "#{guide} runs cell by cell", context do
      models = if unquote(guide) in @with_models, do: models(context), else: []
      cells = cells(unquote(guide), models)
      assert length(cells) > 3

      script = """
      Logger.configure(level: :error)
      #{packages(unquote(guide))}
      Enum.reduce(#{inspect(cells, limit: :infinity, printable_limit: :infinity)}, [], fn cell, binding ->
        {_result, binding} = Code.eval_string(cell, binding, file: "guide")
        binding
      end)
      """

      run!(context, script, models)
    end
  end

  defp models(context) do
    urls = LlamaServer.start!(Path.join(context.dir, "models"), embed: true)
    [{"CHAT_URL", urls.chat <> "/v1"}, {"EMBEDDINGS_URL", urls.embed <> "/v1"}]
  end

  test "each guide is in the README, in the HTML documentation and tested" do
    assert Enum.sort(@guides) ==
             for(
               guide <- Path.wildcard(path("guides/*.{livemd,cheatmd}")),
               do: Path.basename(Path.rootname(guide))
             )

    for name <- @guides, document <- ["README.md", "mix/docs.exs"] do
      assert File.read!(path(document)) =~ "guides/#{file(name)}", "#{document} lacks #{name}"
    end
  end

  test "links of the guides have targets" do
    for name <- @guides,
        [_all, target] <- Regex.scan(~r/\]\(([^)#]+)\)/, text(name)),
        not (target =~ "://") do
      assert File.exists?(path("guides/#{target}")), "#{name} links to #{target}"
    end
  end

  test "the Dockerfile of a guide is the one whose steps a test runs" do
    [dockerfile] = code(text("configuration"), ~r/```dockerfile\n(.*?)```/s)
    tested = "examples/consumer/Dockerfile" |> path() |> File.read!() |> Dockerfile.steps()
    # The library is a package there, and not a checkout.
    package = for step <- tested, not (step =~ ~r/hf_hub \. |HF_HUB_PATH/), do: step
    assert Enum.map(package, &String.replace(&1, "consumer", "my_app")) == Dockerfile.steps(dockerfile)
  end

  test "settings in configuration files of the guides are valid, and have an effect", context do
    files = for name <- @guides, file <- texts(name), file =~ "import Config", do: file
    assert length(files) > 1

    script = """
    for file <- #{inspect(files, limit: :infinity, printable_limit: :infinity)} do
      settings = Config.Reader.eval!("runtime.exs", file, env: :prod)
      Application.put_all_env(settings)
      found = HfHub.Config.explain().settings
      for {key, _value} <- settings[:hf_hub] do
        %{origin: {:config, ^key}} = Enum.find(found, &(&1.name == key))
      end
    end
    """

    run!(context, script)
  end

  defp run!(context, script, more \\ []) do
    env = [
      {"HF_ENDPOINT", context.hub},
      {"HF_TOKEN", "hf_me"},
      {"HF_HUB_CACHE", context.cache},
      {"HF_HOME", Path.join(context.dir, "home")},
      {"TMPDIR", context.dir},
      {"MY_APP_HUB_TOKEN", "hf_me"}
    ]

    assert {output, status} = Vm.run(Vm.script(context, script), env ++ more)
    assert status == 0, output
  end

  # What the installation brings, as far as no package is there.
  defp packages("telemetry"), do: "Code.require_file(#{inspect(path("test/support/telemetry_contract.exs"))})"
  defp packages(_guide), do: ""

  # Its server is that of the test.
  defp cells("cheatsheet", [{"CHAT_URL", url} | _others]),
    do: for(cell <- elixir("cheatsheet"), do: String.replace(cell, "http://gpu.lan:8000/v1", url))

  # All cells except the installation, which `test/build_test.exs` covers.
  defp cells(guide, _models) do
    [installation | cells] = elixir(guide)
    assert installation =~ "do: {:hf_hub, path: checkout}"
    assert installation =~ "Mix.install([hf_hub"
    # Hex has another library of this name.
    elsewhere = [file: "/nonexistent/guide.livemd#cell:1"]
    assert_raise RuntimeError, ~r/{:hf_hub, path: /, fn -> Code.eval_string(installation, [], elsewhere) end
    cells
  end

  defp elixir(guide), do: code(text(guide), ~r/(?<!-->\n\n)```elixir\n(.*?)```/s)

  # Code that a Livebook shows and does not run.
  defp texts(guide),
    do: code(text(guide), ~r/<!-- livebook:{"force_markdown":true} -->\n\n```elixir\n(.*?)```/s)

  defp code(text, pattern), do: for([_all, code] <- Regex.scan(pattern, text), do: code)
  defp text(guide), do: File.read!(path("guides/#{file(guide)}"))
  defp file("cheatsheet"), do: "cheatsheet.cheatmd"
  defp file(guide), do: "#{guide}.livemd"
  defp path(name), do: Path.expand("../../#{name}", __DIR__)
end
