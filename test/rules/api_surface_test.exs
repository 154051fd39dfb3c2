defmodule HfHub.Rules.ApiSurfaceTest do
  # Every public function has docs, a spec, an example, and a variant with `!`.
  use ExUnit.Case, async: true

  @modules for module <- Application.spec(:hf_hub, :modules) || [],
               {:docs_v1, _, _, _, %{"en" => _}, _, _} <- [Code.fetch_docs(module)],
               do: module

  defp functions do
    for module <- @modules,
        {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(module),
        {{:function, name, arity}, _, signature, doc, meta} <- docs,
        doc != :hidden,
        # Callbacks of behaviours and exceptions.
        name not in [:child_spec, :exception, :message, :init, :handle_call, :handle_info, :terminate],
        do: {module, name, arity, doc, Map.put(meta, :signature, Enum.join(signature))}
  end

  test "there is something to check" do
    assert HfHub.Download in @modules
    assert length(functions()) > 20
  end

  test "every function has a doc that begins with a sentence" do
    for {module, name, arity, doc, _meta} <- functions() do
      assert %{"en" => text} = doc, "#{inspect(module)}.#{name}/#{arity} has no doc"
      first = text |> String.split("\n\n") |> hd()
      assert first =~ ~r/^[A-Z].*\.\s*$/s, "#{inspect(module)}.#{name}/#{arity}: #{first}"
    end
  end

  test "every function has a spec" do
    functions = Enum.group_by(functions(), &elem(&1, 0))

    for module <- @modules, {:ok, specs} = Code.Typespec.fetch_specs(module) do
      specified = for {{name, arity}, _} <- specs, do: {name, arity}

      for {^module, name, arity, _doc, _meta} <- Map.get(functions, module, []) do
        assert {name, arity} in specified, "#{inspect(module)}.#{name}/#{arity} has no @spec"
      end
    end
  end

  test "every function but bang twins has an example" do
    for {module, name, arity, %{"en" => text}, _meta} <- functions(), not bang?(name) do
      assert text =~ "## Examples", "#{inspect(module)}.#{name}/#{arity} has no example"
    end
  end

  test "every function that takes options has them documented, by its table or by reference" do
    for {module, name, arity, %{"en" => text}, %{signature: signature}} <- functions(),
        not bang?(name),
        takes_options?(signature) do
      listed? = text =~ ~r/^\s*\* `:\w+/m or text =~ ~r/Options?[^:\n]*: `:/
      referred? = text =~ ~r"\b[Oo]ptions?\b[^.]*`[\w.]+[?]?/\d`"

      assert listed? or referred?,
             "#{inspect(module)}.#{name}/#{arity} does not say which options it takes"
    end
  end

  test "options are described by sentences, with other options as code and numbers with a unit" do
    options =
      for {module, name, arity, %{"en" => text}, _meta} <- functions(),
          [_all, option, type, doc] <- Regex.scan(~r/^ *\* `(:\w+\??)` \((.+?)\) - (.*)$/m, text),
          do: {"#{inspect(module)}.#{name}/#{arity} #{option}", type, doc}

    assert length(options) > 1000
    unit = ~r/second|minute|hour|byte|number|m(ax|in)imum|token|pixel|percent|port|position|length|size/i

    for {at, type, doc} <- Enum.uniq_by(options, &elem(&1, 2)) do
      assert doc =~ ~r/^(`|[A-Z]).*[.)]$/, "#{at} is no sentence: #{doc}"

      refute String.replace(doc, ~r/`[^`]*`/, "") =~ ~r/(?<!\w):[a-z_]{2,}/,
             "#{at} names an option as text: #{doc}"

      if type =~ "integer", do: assert(doc =~ unit, "#{at} has no unit: #{doc}")
    end
  end

  test "every paginated list has a stream function" do
    # Refs are not paginated.
    for module <- [HfHub.Api, HfHub.Git], {name, arity} <- module.__info__(:functions), not bang?(name) do
      with "list_" <> what when what != "refs" <- to_string(name) do
        assert {:"stream_#{what}", arity} in module.__info__(:functions),
               "#{inspect(module)}.#{name} has no stream"
      end
    end
  end

  test "every function that can fail has a bang twin" do
    public = MapSet.new(functions(), fn {module, name, arity, _doc, _meta} -> {module, name, arity} end)

    for module <- @modules,
        {:ok, specs} = Code.Typespec.fetch_specs(module),
        {{name, arity}, [spec | _]} <- specs do
      public? = {module, name, arity} in public

      # Supervisors call start_link, and expect a tuple.
      if public? and name != :start_link and returns_error?(spec) do
        twins = for mark <- ["!", "?"], do: {:"#{name}#{mark}", arity}
        found? = Enum.any?(twins, &(&1 in module.__info__(:functions)))
        assert found?, "#{inspect(module)}.#{name}/#{arity} has no twin that raises"
      end
    end
  end

  test "every function ending in ? returns a boolean" do
    for module <- @modules,
        {:ok, specs} = Code.Typespec.fetch_specs(module),
        {{name, arity}, [spec | _]} <- specs,
        String.ends_with?(to_string(name), "?") do
      refute returns_error?(spec), "#{inspect(module)}.#{name}/#{arity} returns a tuple, which is always true"
    end
  end

  # Functions in struct modules that are for this library only, with the reason.
  @internal [
    # The module is the table of all settings, which the configuration reads.
    {HfHub.Config.Setting, [:docs, :find, :ignored, :names, :value]},
    # All modules create errors, and unwrap results in their `!` functions.
    {HfHub.Error, [:exception, :from_native, :message, :new, :unwrap!]}
  ]

  defp structs, do: Enum.filter(@modules, &function_exported?(Code.ensure_loaded!(&1), :__struct__, 0))

  test "structs have no functions for internal use" do
    found =
      for module <- structs(),
          {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(module),
          names = for({{:function, name, _}, _, _, :hidden, _} <- docs, not generated?(name), do: name),
          names != [],
          do: {module, names |> Enum.sort() |> Enum.dedup()}

    assert Enum.sort(found) == @internal, "move them to an internal module"
  end

  # `__struct__`, and the functions that `HfHub.Schema` defines.
  defp generated?(name),
    do: name in [:fetch, :get_and_update, :pop] or String.starts_with?(to_string(name), "__")

  test "every field of a struct is documented, by its table where it has one" do
    assert length(structs()) > 40

    for module <- structs() do
      {:docs_v1, _, _, _, %{"en" => text}, _, _} = Code.fetch_docs(module)
      fields = Map.keys(module.__struct__()) -- [:__struct__, :__exception__]

      for field <- fields do
        assert text =~ "`#{inspect(field)}`", "#{inspect(module)} does not say what #{inspect(field)} is"
      end

      if function_exported?(module, :__fields__, 0),
        do: assert(Enum.sort(fields) == module.__fields__() |> Enum.map(&elem(&1, 0)) |> Enum.sort())
    end
  end

  test "fields are described by noun phrases" do
    for module <- structs(),
        function_exported?(module, :__fields__, 0),
        {name, _, _, doc, _} <- module.__fields__() do
      at = "#{inspect(module)}.#{name}: #{doc}"
      refute doc =~ ~r/\.$/, at
      refute doc =~ ~r/^(the|a|an|what it|where it|when it|how many) /i and not (doc =~ ~r/^a sentence/), at
      refute doc =~ ~r/\b(whatever|whoever|anew|nobody|somebody)\b/, at
    end
  end

  test "structs are made from tables" do
    # An exception, and the two of the configuration.
    without = for module <- structs(), not function_exported?(module, :__fields__, 0), do: module
    assert Enum.sort(without) == [HfHub.Config.Report, HfHub.Config.Setting, HfHub.Error]
  end

  # By the convention that the last argument is named opts.
  defp takes_options?(signature), do: signature =~ ~r/opts \\\\ \[\]\)$/

  defp bang?(name), do: name |> to_string() |> String.ends_with?("!")

  defp returns_error?(spec),
    do: inspect(spec, limit: :infinity) =~ "{:atom, " and inspect(spec, limit: :infinity) =~ ":error}"
end
