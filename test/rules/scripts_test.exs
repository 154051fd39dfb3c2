defmodule HfHub.Rules.ScriptsTest do
  # The compiler does not look at scripts, so that a function which was renamed is missing only when a script runs.
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)

  test "scripts call functions of this library that exist" do
    scripts = Path.wildcard(Path.join(@root, "{bin,bench,examples}/**/*.{ex,exs}"))
    assert length(scripts) > 20

    missing =
      for script <- scripts, call <- missing(File.read!(script)), do: {Path.relative_to(script, @root), call}

    assert missing == []
  end

  test "a call of a function that does not exist is found, also with an alias and in a pipe" do
    assert missing("HfHub.version()") == []
    assert missing("alias HfHub.{Api, Cache.Integrity}\nApi.nothing(1)") == ["HfHub.Api.nothing/1"]
    assert missing("alias HfHub.Cache, as: C\n1 |> C.nothing(2)") == ["HfHub.Cache.nothing/1"]
    assert missing("\"gpt2\" |> HfHub.Api.model_info(token: false)") == []
    assert missing("&HfHub.Nothing.here/1") == ["HfHub.Nothing.here/1"]
  end

  # Pipes pass one argument more than is written, and captures write their arity.
  defp missing(source) do
    ast = Code.string_to_quoted!(source)
    aliases = ast |> collect(&alias_of/1) |> List.flatten() |> Map.new()

    for {module, name, arities} <- collect(ast, &call(&1, aliases)),
        String.starts_with?(inspect(module), "HfHub"),
        Code.ensure_loaded(module),
        not Enum.any?(arities, &function_exported?(module, name, &1)),
        do: "#{inspect(module)}.#{name}/#{hd(arities)}"
  end

  defp collect(ast, fun) do
    {_ast, found} = Macro.prewalk(ast, [], fn node, found -> {node, List.wrap(fun.(node)) ++ found} end)
    Enum.reverse(found)
  end

  defp alias_of({:alias, _, [{:__aliases__, _, names}]}), do: {List.last(names), names}
  defp alias_of({:alias, _, [{:__aliases__, _, names}, [as: {:__aliases__, _, [short]}]]}), do: {short, names}

  defp alias_of({:alias, _, [{{:., _, [{:__aliases__, _, names}, :{}]}, _, parts}]}),
    do: [for({:__aliases__, _, part} <- parts, do: {List.last(part), names ++ part})]

  defp alias_of(_node), do: []

  defp call({:/, _, [{{:., _, [{:__aliases__, _, names}, name]}, meta, []}, arity]}, aliases) do
    if meta[:no_parens], do: {module(names, aliases), name, [arity]}
  end

  defp call({{:., _, [{:__aliases__, _, names}, name]}, meta, arguments}, aliases) do
    unless meta[:no_parens] || name == :{} do
      {module(names, aliases), name, [length(arguments), length(arguments) + 1]}
    end
  end

  defp call(_node, _aliases), do: nil

  defp module([first | rest], aliases), do: Module.concat(Map.get(aliases, first, [first]) ++ rest)
end
