defmodule HfHub.Guides.FromPython do
  # The names of the Python client with their twins here, from the docs: functions have the metadata `:python`, and the
  # docs of structs name their class in the first paragraph.
  @moduledoc false

  @doc "Returns this part of the guide."
  @spec text() :: String.t()
  def text do
    functions = functions()
    {constants, functions} = Enum.split_with(functions, fn {name, _twin} -> name =~ "constants." end)
    {methods, functions} = Enum.split_with(functions, fn {name, _twin} -> name =~ "." end)

    IO.iodata_to_binary([
      "Functions that return a list have a twin that returns a lazy stream; both are named.\n\n",
      section("Functions, and methods of `HfApi`", functions),
      section("Methods of other classes", methods),
      section("Classes", structs()),
      section("Constants", constants)
    ])
    |> String.replace_suffix("\n\n", "\n")
  end

  defp section(title, twins) do
    rows =
      for {name, twins} <- twins |> Enum.group_by(&elem(&1, 0), &elem(&1, 1)) |> Enum.sort_by(&sort_key/1),
          do: "| `#{name}` | #{twins |> Enum.sort() |> Enum.map_join(", ", &"`#{&1}`")} |\n"

    ["### #{title}\n\n| Python | Elixir |\n|---|---|\n", rows, "\n"]
  end

  defp sort_key({name, _twins}), do: {String.downcase(name), name}

  # Commands of `hf` are in the guide of the command line.
  defp functions do
    for {module, docs} <- modules(),
        {{:function, name, arity}, _, _, _, %{python: python} = metadata} <- elem(docs, 6),
        not is_map_key(metadata, :deprecated) and not (python =~ " "),
        do: {python, "#{inspect(module)}.#{name}/#{arity}"}
  end

  defp structs do
    for {module, docs} <- modules(),
        %{"en" => text} <- [elem(docs, 4)],
        [_all, names] <- [Regex.run(~r/\A(?:(?!\n\n).)*\bPython: (.*?)\.(?:\s|\z)/s, text)],
        [_all, name] <- Regex.scan(~r/`([A-Z]\w+)`/, names),
        do: {name, inspect(module)}
  end

  defp modules do
    Application.load(:hf_hub)
    for module <- Application.spec(:hf_hub, :modules), docs = docs(module), do: {module, docs}
  end

  defp docs(module) do
    with {:error, _reason} <- Code.fetch_docs(module), do: nil
  end
end
