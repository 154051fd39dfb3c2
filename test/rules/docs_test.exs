Code.require_file("../../mix/guides.exs", __DIR__)

defmodule HfHub.Rules.DocsTest do
  # Checks statements of the documents against the code.
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)

  defp read(name), do: File.read!(Path.join(@root, name))

  test "the versions agree" do
    version = HfHub.version()
    assert read("Cargo.toml") =~ ~s(version = "#{version}")
    assert read("CHANGELOG.md") =~ "## #{version}"
  end

  test "every row of the roadmap that is done names functions that exist" do
    rows = for line <- String.split(read("ROADMAP.md"), "\n"), line =~ ~r/\|\s*done\s*\|\s*$/, do: line
    assert length(rows) > 10

    for row <- rows do
      names = Regex.scan(~r/`(HfHub(?:\.[A-Z]\w*)*)\.([a-z_]+[!?]?)\/(\d+)`/, row)
      assert names != [], "no function is named in: #{row}"

      for [_all, module, name, arity] <- names do
        module = Module.concat([module])
        assert Code.ensure_loaded?(module), "#{inspect(module)} does not exist: #{row}"
        exports? = {name, String.to_integer(arity)} in exports(module)
        assert exports?, "#{inspect(module)}.#{name}/#{arity} does not exist: #{row}"
      end
    end
  end

  test "every function with a Python name is in the roadmap" do
    roadmap = read("ROADMAP.md")

    for module <- Application.spec(:hf_hub, :modules),
        {:docs_v1, _, _, _, _, _, docs} <- [Code.fetch_docs(module)],
        {{:function, name, arity}, _, _, _, %{python: _}} <- docs do
      assert roadmap =~ "#{inspect(module)}.#{name}/#{arity}",
             "#{inspect(module)}.#{name}/#{arity} is not in ROADMAP.md"
    end
  end

  test "the parts of guides that are written from the code are current" do
    for {path, text, expected} <- HfHub.Guides.all() do
      assert text == expected, "write #{Path.relative_to(path, @root)} again; mix/guides.exs has the command"
    end
  end

  # What fits into the box of an example in the HTML documentation, in a window of 1280 pixels; `test/docs_pages.py` looks
  # at the pages. The boxes of the cheat sheet are half as wide.
  @columns 96
  @half 45

  test "examples are not wider than their box" do
    modules =
      for module <- Application.spec(:hf_hub, :modules),
          {:docs_v1, _, _, _, doc, _, docs} <- [Code.fetch_docs(module)],
          {id, %{"en" => text}} <- [{nil, doc} | for({id, _, _, doc, _} <- docs, do: {id, doc})],
          do: {"#{inspect(module)} #{inspect(id)}", text, @columns}

    names = for path <- Path.wildcard(Path.join(@root, "guides/*.*md")), do: Path.relative_to(path, @root)

    files =
      for name <- ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md" | names],
          do: {name, read(name), if(name =~ "cheatsheet", do: @half, else: @columns)}

    assert length(names) > 10

    wide =
      for {name, text, columns} <- modules ++ files,
          line <- examples(text),
          String.length(line) > columns,
          do: "#{name}: #{line}"

    assert wide == [], Enum.join(wide, "\n")
  end

  # The lines of fenced and of indented code.
  defp examples(text) do
    fenced = for [_all, code] <- Regex.scan(~r/^ *```.*?\n(.*?)^ *```/ms, text), do: code

    indented =
      for block <- String.split(text, ~r/\n\s*\n/),
          lines = String.split(block, "\n", trim: true),
          lines != [],
          Enum.all?(lines, &(&1 =~ ~r/\A {4}/)) and not (hd(lines) =~ ~r/\A *([*-]|\d+\.) /),
          line <- lines,
          do: String.slice(line, 4..-1//1)

    Enum.flat_map(fenced, &String.split(&1, "\n")) ++ indented
  end

  test "every module is in a group of the sidebar" do
    {config, _binding} = Code.eval_file(Path.join(@root, "mix/docs.exs"))
    patterns = for {_title, pattern} <- config[:groups_for_modules], do: pattern
    assert length(patterns) > 5

    for module <- Application.spec(:hf_hub, :modules),
        {:docs_v1, _, _, _, %{"en" => _}, _, _} <- [Code.fetch_docs(module)],
        "HfHub." <> _ = name <- [inspect(module)] do
      assert Enum.any?(patterns, &(name =~ &1)), "mix/docs.exs has no group for #{name}"
    end
  end

  test "links in the documents have targets" do
    for name <- ~w(README.md ROADMAP.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md),
        [_all, target] <- Regex.scan(~r/\]\(([^)#]+)(?:#[^)]*)?\)/, read(name)),
        not (target =~ ~r/^https?:/) do
      assert File.exists?(Path.join(@root, target)), "#{name} links to #{target}"
    end
  end

  test "options and modules named in the README exist" do
    for [_all, module] <- Regex.scan(~r/`(HfHub(?:\.[A-Z]\w*)+)`/, read("README.md")) do
      assert Code.ensure_loaded?(Module.concat([module])), module
    end
  end

  defp exports(module), do: for({name, arity} <- module.__info__(:functions), do: {to_string(name), arity})

  test "ARCHITECTURE.md and CONTRIBUTING.md have no long line outside of tables" do
    for name <- ~w(ARCHITECTURE.md CONTRIBUTING.md),
        line <- @root |> Path.join(name) |> File.read!() |> String.split("\n"),
        not String.starts_with?(line, "|") do
      assert String.length(line) <= 120, "#{name}: #{line}"
    end
  end
end
