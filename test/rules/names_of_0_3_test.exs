defmodule HfHub.Rules.NamesOf03Test do
  # Every documented function of hf_hub 0.3 is here, or listed as absent with a reason.
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)

  defp lines(path) do
    for line <- @root |> Path.join(path) |> File.read!() |> String.split("\n", trim: true),
        not String.starts_with?(line, "#"),
        do: line
  end

  defp names, do: lines("test/fixtures/names_of_0_3.txt")

  defp absent do
    for line <- lines("test/fixtures/absent_names_of_0_3.txt") do
      [name, reason] = String.split(line, " | ")
      {name, reason}
    end
  end

  # Of `M.f/1..2`, every arity.
  defp exported?(name) do
    [_all, module, function, arities] = Regex.run(~r"^(.+)\.([^.]+)/([\d.]+)$", name)
    module = Module.concat([module])

    Code.ensure_loaded?(module) and
      Enum.all?(arities(arities), fn arity ->
        Enum.any?(module.__info__(:functions), &(&1 == {String.to_atom(function), arity}))
      end)
  end

  defp arities(text) do
    case for number <- String.split(text, ".."), do: String.to_integer(number) do
      [arity] -> [arity]
      [first, last] -> Enum.to_list(first..last)
    end
  end

  defp covers?(row, name) do
    case String.split(row, "*") do
      [prefix, ""] -> String.starts_with?(name, prefix)
      [^name] -> true
      _other -> false
    end
  end

  test "the functions of 0.3 are exported, or listed as absent" do
    assert length(names()) == 284
    rows = for {row, _reason} <- absent(), do: row

    missing = for name <- names(), not exported?(name), not Enum.any?(rows, &covers?(&1, name)), do: name
    assert missing == [], "export them, or list them with a reason in test/fixtures/absent_names_of_0_3.txt"
  end

  test "functions listed as absent are functions of 0.3, and are absent" do
    for {row, _reason} <- absent() do
      covered = Enum.filter(names(), &covers?(row, &1))
      assert covered != [], "#{row} is no function of 0.3"
      there = Enum.filter(covered, &exported?/1)
      assert there == [], "the row #{row} is out of date: #{Enum.join(there, ", ")} can be called"
    end
  end

  test "functions listed as planned are in a planned row of the roadmap" do
    planned = for line <- lines("ROADMAP.md"), line =~ ~r/\|\s*planned\s*\|\s*$/, do: line
    assert planned != []

    for {row, reason} <- absent() do
      case reason do
        "planned: " <> module -> assert Enum.any?(planned, &(&1 =~ "`#{module}`")), "#{row}: #{module}"
        "never: " <> why -> assert String.length(why) > 20, row
      end
    end
  end
end
