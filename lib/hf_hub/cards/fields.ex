defmodule HfHub.Cards.Fields do
  # The fields of every kind of card.
  @moduledoc false

  @doc "Defines the struct of a card whose metadata is a struct of the module `data`."
  @spec __using__(keyword()) :: Macro.t()
  defmacro __using__(data: data) do
    quote do
      use HfHub.Schema,
        data: {unquote(data), "metadata"},
        content: {:string, "text below the metadata, without surrounding whitespace", default: ""},
        text:
          {:string,
           "text below the metadata, byte for byte; `HfHub.Cards.render/1` writes a `:content` that was changed in its place",
           default: ""},
        front:
          {{:or, [:map, nil]}, "source text of the metadata, whose formatting `HfHub.Cards.render/1` keeps"},
        order: {[:string], "names of the metadata in the order of the caller", default: []}
    end
  end
end
