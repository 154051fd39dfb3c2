# The implementations of `Kino.Render`, which Livebook shows the value of a cell by.
for module <- [HfHub.Inference.Media | HfHub.Kino.View.modules()] do
  HfHub.Schema.Impl.define(
    Kino.Render,
    module,
    quote do
      def to_livebook(struct), do: HfHub.Kino.Render.to_livebook(struct)
    end,
    __ENV__.file
  )
end

defmodule HfHub.Kino.Render do
  # Shows a file, or the tables of a result, in a cell.
  @moduledoc false

  alias HfHub.Inference.Media
  alias HfHub.Kino.{Cell, View}

  @doc "Returns the output of a struct for Livebook."
  @spec to_livebook(struct()) :: term()
  def to_livebook(%Media{} = media), do: Cell.output(Media.to_kino(media))

  def to_livebook(struct) do
    Cell.output(Cell.grid(for {title, rows} <- View.tables(struct), do: Cell.table(title, rows)))
  end
end
