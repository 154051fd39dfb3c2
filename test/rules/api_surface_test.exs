defmodule HfHub.Rules.ApiSurfaceTest do
  # Every public function is documented, specified and shown at work, and comes with a bang twin.
  use ExUnit.Case, async: true

  @modules for module <- Application.spec(:hf_hub, :modules) || [],
               {:docs_v1, _, _, _, %{"en" => _}, _, _} <- [Code.fetch_docs(module)],
               do: module

  defp functions do
    for module <- @modules,
        {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(module),
        {{:function, name, arity}, _, _, doc, meta} <- docs,
        doc != :hidden,
        # What behaviours and exceptions bring along.
        name not in [:child_spec, :exception, :message, :init, :handle_call, :handle_info, :terminate],
        do: {module, name, arity, doc, meta}
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
    for module <- @modules, {:ok, specs} = Code.Typespec.fetch_specs(module) do
      specified = for {{name, arity}, _} <- specs, do: {name, arity}

      for {^module, name, arity, _doc, _meta} <- functions() do
        assert {name, arity} in specified, "#{inspect(module)}.#{name}/#{arity} has no @spec"
      end
    end
  end

  test "every function but bang twins has an example" do
    for {module, name, arity, %{"en" => text}, _meta} <- functions(), not bang?(name) do
      assert text =~ "## Examples", "#{inspect(module)}.#{name}/#{arity} has no example"
    end
  end

  test "every function that can fail has a bang twin" do
    for module <- @modules,
        {:ok, specs} = Code.Typespec.fetch_specs(module),
        {{name, arity}, [spec | _]} <- specs do
      public? = Enum.any?(functions(), &match?({^module, ^name, ^arity, _, _}, &1))

      # start_link is what supervisors call, and they take no exception for an answer.
      if public? and name != :start_link and returns_error?(spec) do
        # `exists?!` is no name in Elixir: the twin of a question is without its mark.
        twin = {:"#{String.trim_trailing(to_string(name), "?")}!", arity}
        assert twin in module.__info__(:functions), "#{inspect(module)}.#{name}/#{arity} has no twin"
      end
    end
  end

  defp bang?(name), do: name |> to_string() |> String.ends_with?("!")

  defp returns_error?(spec),
    do: inspect(spec, limit: :infinity) =~ "{:atom, " and inspect(spec, limit: :infinity) =~ ":error}"
end
