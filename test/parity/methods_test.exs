defmodule HfHub.Parity.MethodsTest do
  # The roadmap has a row for every public method of Python's HfApi, and those that are done have a function here.
  use ExUnit.Case, async: true

  alias HfHub.Python

  @moduletag :python

  @roadmap Path.expand("../../ROADMAP.md", __DIR__)
  @guide Path.expand("../../guides/from_python.livemd", __DIR__)
  @row ~r/^\| `(\w+)` \| (.+) \| (done|partial|planned|not wanted: .{20,}) \|$/m

  defp rows do
    [_before, section] = @roadmap |> File.read!() |> String.split("\n## Methods of `HfApi`\n")
    [section | _after] = String.split(section, "\n## ")
    for [_all, method, elixir, status] <- Regex.scan(@row, section), do: {method, elixir, status}
  end

  # "function/arity" by the Python method that its docs name; streams and functions that raise are left out.
  defp functions do
    for module <- Application.spec(:hf_hub, :modules),
        {:docs_v1, _, _, _, _, _, docs} <- [Code.fetch_docs(module)],
        {{:function, name, arity}, _, _, _, %{python: python}} <- docs,
        do: {python, "`#{inspect(module)}.#{name}/#{arity}`"}
  end

  test "the roadmap lists the public methods of HfApi" do
    list = "[n for n in dir(HfApi) if not n.startswith('_') and callable(getattr(HfApi, n))]"
    script = "print(huggingface_hub.__version__, *#{list})"
    [version | methods] = script |> run() |> String.split()

    assert version =~ ~r/^2\.4\./, "the roadmap lists the methods of 2.4"
    assert for({method, _elixir, _status} <- rows(), do: method) == methods
  end

  test "the guide from Python names what huggingface_hub exports" do
    # The parameters and results of inference are maps and a few structs here.
    modules = "[(m, n) for m, names in huggingface_hub._SUBMOD_ATTRS.items() for n in names]"

    script =
      "print(*[n for m, n in #{modules} if not n.startswith('_') and 'types' not in m and 'cli' not in m])"

    names = script |> run() |> String.split()
    assert length(names) > 200

    guide = File.read!(@guide)
    constant = &(guide =~ "`constants.#{&1}`")
    assert Enum.reject(names, &(guide =~ "`#{&1}`" or constant.(&1))) == []
  end

  defp run(script) do
    folder = Path.join(System.tmp_dir!(), "hf_hub_methods_#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(folder) end)
    Python.run!(script, "http://127.0.0.1:9", Path.join(folder, "cache"))
  end

  test "a method that is done has a function whose docs name it, and no other has one" do
    functions = Enum.group_by(functions(), &elem(&1, 0), &elem(&1, 1))
    assert map_size(functions) > 50

    for {method, elixir, status} <- rows() do
      named = List.wrap(functions[method])

      if status in ["done", "partial"],
        do:
          assert(
            Enum.any?(named, &String.contains?(elixir, &1)),
            "#{method}: #{elixir} is not among #{inspect(named)}"
          ),
        else: assert(named == [], "#{method} is #{status}, but #{Enum.join(named, ", ")} is there")
    end
  end
end
