defmodule HfHub.GuidesTest do
  # Runs the Livebooks cell by cell, each in a separate VM, against a Hub with their repositories.
  use HfHub.Case, async: true

  alias HfHub.{LocalHub, Vm}

  @moduletag timeout: 120_000

  setup context do
    {:ok, hub} = LocalHub.start_link(root: Path.join(context.dir, "hub"))
    source = Path.join(context.dir, "source")
    File.mkdir_p!(source)

    for {name, content} <- %{
          "config.json" => "{}",
          "vocab.txt" => "a\n",
          "model.safetensors" => large(300_000)
        },
        do: File.write!(Path.join(source, name), content)

    LocalHub.import_folder!(hub, source, "sentence-transformers/all-MiniLM-L6-v2")
    LocalHub.command!(hub, ["user", "add", "me", "--token", "hf_me"])
    {:ok, hub: LocalHub.endpoint(hub)}
  end

  for guide <- ~w(quickstart downloads_and_cache uploads) do
    test "#{guide} runs cell by cell", context do
      cells = cells(unquote(guide))
      assert length(cells) > 5

      script = """
      Logger.configure(level: :error)
      Enum.reduce(#{inspect(cells, limit: :infinity, printable_limit: :infinity)}, [], fn cell, binding ->
        {_result, binding} = Code.eval_string(cell, binding, file: "guide")
        binding
      end)
      """

      env = [
        {"HF_ENDPOINT", context.hub},
        {"HF_TOKEN", "hf_me"},
        {"HF_HUB_CACHE", context.cache},
        {"HF_HOME", Path.join(context.dir, "home")},
        {"TMPDIR", context.dir}
      ]

      assert {output, status} = Vm.run(Vm.script(context, script), env)
      assert status == 0, output
    end
  end

  # All cells except the installation, which `test/build_test.exs` covers.
  defp cells(guide) do
    text = File.read!(Path.expand("../../guides/#{guide}.livemd", __DIR__))
    [installation | cells] = for [_all, cell] <- Regex.scan(~r/```elixir\n(.*?)```/s, text), do: cell
    assert installation =~ "Mix.install"
    cells
  end
end
