defmodule HfHub.Parity.FnmatchTest do
  # Patterns match as in the Python client.
  use HfHub.Case, async: true

  alias HfHub.{Commit, Python}

  @moduletag :python

  @characters ~w(a b c - [ ] ! * ? / ^ . ü)

  defp text(longest), do: Enum.map_join(0..:rand.uniform(longest), fn _ -> Enum.random(@characters) end)

  test "random patterns match as in the Python client", context do
    # In a set, Python's `fnmatch` takes an exclamation mark after a range such as `b-a` for a negation.
    cases = for _ <- 1..1000, pattern = text(8), not (pattern =~ ~r/\[.*-.*!/), do: [pattern, text(5)]

    code = """
    from huggingface_hub.utils import filter_repo_objects
    with open(sys.argv[1]) as file:
        cases = json.load(file)
    for pattern, path in cases:
        print(len(list(filter_repo_objects([path], allow_patterns=[pattern]))))
    """

    file = Path.join(context.dir, "cases.json")
    File.write!(file, HfHub.Native.Nif.to_json(cases))
    theirs = code |> Python.run!(context.endpoint, context.cache, [], [file]) |> String.split("\n")

    assert [] ==
             for(
               {[pattern, path], theirs} <- Enum.zip(cases, theirs),
               Commit.matches_pattern?(path, pattern) != (theirs == "1"),
               do: {pattern, path, theirs}
             )
  end
end
