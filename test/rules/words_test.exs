defmodule HfHub.Rules.WordsTest do
  # The words of docs, messages, comments and test names: those of the glossary in ARCHITECTURE.md.
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)

  # Words that are not used, and what to write instead. Words with another, accepted meaning are matched with context.
  @words [
    {~r/\banew\b/i, "again, from the start, a new …"},
    {~r/\bwhom?ever\b/i, "the client, caller, process or owner"},
    {~r"(?<![\"'/=])\b(some|no|any)body\b(?![/\"'])"i, "the client, caller, process or owner"},
    {~r/(?m:^|[.:;!?] )Who\b(?! is the owner)/, "a sentence with the subject named"},
    {~r/\b(a|each|every|another) content\b(?![- ](type|length|hash|host|address|encoding|range|disposition|file))/i,
     "content, file contents, a blob"},
    {~r/\b(tell|tells|told|telling) (of|about|whether|how|what|which|why|that|apart|from)\b/i,
     "returns, shows, reports, includes, distinguishes"},
    {~r/\bsays\b/i, "returns, shows, reports, includes"},
    # Except for the name in the results of question answering.
    {~r/(?!\Aanswer\z)\b(answers?|answered|refusals?)\b(?!: )/i, "response, request, status"},
    {~r/\b(crew|governor|journey|patience)\b/i, "connections, rate limiter, single flight, retry budget"},
    {~r/(?<!single )(?<!single-)(?<!in )\bflights?\b/i, "single flight"},
    {~r/\b(robbed|believes?|believed)\b/i, "claimed by another process, verified, trusted"},
    {~r/\b(is dead|dead (attempts?|ones?|process(es)?))\b/i, "exited, orphaned"},
    {~r/\b(please|simply|easily)\b/i, "nothing"},
    {~r/\brooms without\b|\boffline rooms\b/i, "air-gapped machine or network"},
    {~r/\bout of bounds\b/i, "offline mode"},
    {~r/\bcourses?\b/i, "scenario"},
    {~r/\bPython's (client|`?huggingface_hub|PyPI|own client)/, "the Python client"},
    {~r/\bagainst Python's\b/, "compared with the Python client"},
    {~r/\b(it|that|this) is no(ne)?\b(?! (longer|more|less))/i, "not a …"},
    {~r/\b\w+n't\b|\b(it|that|there|let|what|who)'s (a|the|not|no)\b|\b(you|we|they)'(re|ll|ve)\b/i,
     "the words in full"}
  ]

  # Texts of the public Hub, which the Local Hub sends and tests quote.
  @quoted [
    "ou don't have the rights",
    "can't find the page",
    "with this name doesn't exist",
    "Please log in",
    "Please enable access to",
    "Please refresh and try again",
    "Please use https://git-lfs",
    "Please find the documentation at",
    "please upgrade your plan"
  ]

  defp files(pattern), do: Path.wildcard(Path.join(@root, pattern))

  defp violations(texts) do
    for {path, texts} <- Enum.group_by(texts, &elem(&1, 0)),
        proses = for({_path, line, text} <- texts, do: {line, prose_of(text)}),
        {regex, instead} <- found(proses),
        {line, prose} <- proses,
        [word | _] <- [Regex.run(regex, prose)],
        do: "#{Path.relative_to(path, @root)}:#{line(line)}: #{inspect(word)}, write: #{instead}"
  end

  # Code is not prose.
  defp prose_of(text), do: text |> String.replace(@quoted, "…") |> String.replace(~r/`[^`\n]*`|\{\w*\}/, "…")

  # The words that the texts of a file have: a few, which one search for each finds faster than one in each text.
  defp found(proses) do
    text = Enum.map_join(proses, "\n", &elem(&1, 1))
    for {regex, _instead} = word <- @words, text =~ regex, do: word
  end

  defp line({source, offset}), do: length(:binary.matches(binary_part(source, 0, offset), "\n")) + 1
  defp line(number), do: number

  defp assert_words(texts) do
    assert length(texts) > 10
    found = violations(texts)
    assert found == [], Enum.join(found, "\n")
  end

  # Comments, and all texts outside of `quoted`.
  defp elixir(path, quoted) do
    source = File.read!(path)
    opts = [literal_encoder: &{:ok, {:__block__, &2, [&1]}}, unescape: false, columns: false]
    {ast, comments} = Code.string_to_quoted_with_comments!(source, opts)
    comments = for comment <- comments, do: {path, comment.line, comment.text}

    comments ++
      for {line, text} <- quoted.(ast), part <- lines(line, text), do: Tuple.insert_at(part, 0, path)
  end

  defp lines(line, text) do
    for {part, index} <- text |> String.split(~r/\n|\\n/) |> Enum.with_index(), do: {line + index, part}
  end

  # Strings and heredocs, also those with interpolations.
  defp strings(ast) do
    {_ast, found} =
      Macro.prewalk(ast, [], fn
        {:__block__, meta, [text]} = node, found when is_binary(text) -> {node, [{meta[:line], text} | found]}
        {:<<>>, meta, parts}, found -> {parts, [{meta[:line], parts(parts)} | found]}
        node, found -> {node, found}
      end)

    found
  end

  defp parts(parts), do: Enum.map_join(parts, fn part -> if is_binary(part), do: part, else: "…" end)

  defp test_names(ast) do
    {_ast, found} =
      Macro.prewalk(ast, [], fn
        {name, meta, [{:__block__, _, [text]} | _]} = node, found
        when name in [:test, :describe] and is_binary(text) ->
          {node, [{meta[:line], text} | found]}

        node, found ->
          {node, found}
      end)

    found
  end

  test "words of the list are found, and accepted phrases are not" do
    for text <- [
          "Starts the transfer anew.",
          "Nobody is waiting",
          "the Hub's answer",
          "a content of the cache",
          "A content that is read.",
          "joins the flight",
          "it is no text",
          "doesn't",
          "Python's client"
        ],
        do: assert([_found] = violations([{@root, 1, text}]), text)

    for text <- [
          "a content type",
          "single flight",
          "retry budget",
          ~s(repo_id: "nobody/nothing"),
          "of `answer`"
        ],
        do: assert(violations([{@root, 1, text}]) == [], text)
  end

  test "docs, messages and comments use the words of the glossary" do
    paths = files("{examples,lib,mix}/**/*.{ex,exs}") ++ files("mix.exs")
    assert_words(Enum.flat_map(paths, &elixir(&1, fn ast -> strings(ast) end)))
  end

  test "names and comments of tests use the words of the glossary" do
    paths = files("test/**/*.{ex,exs}") -- [__ENV__.file]
    assert_words(Enum.flat_map(paths, &elixir(&1, fn ast -> test_names(ast) end)))
  end

  test "documents use the words of the glossary" do
    paths = files("{README,CONTRIBUTING,ARCHITECTURE}.md") ++ files("{guides,examples}/*.{livemd,md}")
    assert_words(for path <- paths, {line, text} <- prose(File.read!(path)), do: {path, line, text})
  end

  # Without code and the glossary, which lists the words.
  defp prose(text) do
    text = Regex.replace(~r/^```.*?^```|^## 9 Glossary.*?^## /ms, text, &String.replace(&1, ~r/[^\n]/, ""))
    lines(1, text)
  end

  test "comments and texts in Rust use the words of the glossary" do
    paths = files("native/*/{src,tests}/**/*.rs")
    assert_words(Enum.flat_map(paths, &rust/1))
  end

  @token ~r{(?<comment>//[^\n]*)|r#+".*?"#+|(?<string>"(?:\\.|[^"\\])*")|'(?:\\.|[^'\\])'|\bfn (?<name>\w+)\(\)}s

  # Comments, strings of several words, and the names of test functions.
  defp rust(path) do
    source = File.read!(path)

    for [_all | groups] <- Regex.scan(@token, source, return: :index),
        {start, length} <- groups,
        start >= 0 and length > 0,
        text = binary_part(source, start, length),
        text = if(text =~ ~r/\A\w+\z/, do: String.replace(text, "_", " "), else: text),
        text =~ " ",
        do: {path, {source, start}, text}
  end
end
