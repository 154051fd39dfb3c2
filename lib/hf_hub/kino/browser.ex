defmodule HfHub.Kino.Browser do
  # The form that searches the Hub, and the table of the cache.
  @moduledoc false

  alias HfHub.{Api, Brief, Cache}
  alias HfHub.Kino.{Cell, View}

  @limit 50

  @doc "Returns the form of a search with its results."
  def search do
    types = [model: "Models", dataset: "Datasets", space: "Spaces"]

    form =
      Cell.form([query: Cell.input("Search the Hub", ""), type: Cell.select("for", types, :model)], "Search")

    frame = Cell.frame()

    Cell.listen(form, fn %{data: %{query: query, type: type}} ->
      Cell.render(frame, found(type, String.trim(query)))
    end)

    Cell.grid([form, frame])
  end

  defp found(type, query) do
    case list(type, search: query, limit: @limit) do
      {:ok, []} -> Cell.text("nothing found for #{inspect(query)}")
      {:ok, found} -> Cell.table(Brief.count(length(found), "results"), View.rows(found))
      {:error, error} -> Cell.text(Exception.message(error))
    end
  end

  defp list(:model, opts), do: Api.list_models(opts)
  defp list(:dataset, opts), do: Api.list_datasets(opts)
  defp list(:space, opts), do: Api.list_spaces(opts)

  @doc "Returns the table of the cache, with a button."
  def cache do
    button = Cell.button("Read again")
    frame = Cell.frame()
    Cell.render(frame, scanned())
    Cell.listen(button, fn _event -> Cell.render(frame, scanned()) end)
    Cell.grid([button, frame])
  end

  defp scanned do
    case Cache.scan() do
      {:ok, report} -> Cell.grid(for {title, rows} <- View.tables(report), do: Cell.table(title, rows))
      {:error, error} -> Cell.text(Exception.message(error))
    end
  end
end
