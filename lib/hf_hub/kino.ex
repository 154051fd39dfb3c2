defmodule HfHub.Kino do
  @moduledoc """
  Forms and tables for Livebook, where Kino is a dependency of the notebook:

      Mix.install([{:hf_hub, "~> 0.4"}, {:kino, "~> 0.14"}])

      HfHub.Kino.search()

  Without these functions, too, a cell shows results as tables: repositories, buckets, their files and Spaces that a search
  finds, one by one; scans, checks and removals of the cache; plans of a download of a file and of a synchronization; and
  headers of safetensors and GGUF files, as the functions with `!` return them. Progress with
  `progress: true` is a bar, which ends with the transfer when the cell is stopped.

  Lists, such as those of files or of what a search finds, are lists of Elixir, and Livebook shows them as such. `table/1`
  makes a table of the fields that matter, and `Kino.DataTable.new/1` one of all fields.

  All functions of this module raise `ArgumentError` if Kino is not loaded.
  """

  alias HfHub.{Brief, Options}
  alias HfHub.Kino.{Browser, Cell, Downloader, View}

  @download [
              repo_id: [type: :string, doc: "Repository that the form begins with."],
              allow_patterns: [
                type: :string,
                doc: "Patterns of files that the form begins with, separated by commas."
              ],
              cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."]
            ] ++ Options.repo_type() ++ Options.revision() ++ Options.transfer()

  @doc """
  Returns a table of a list of results, such as files, models or cached repositories.

  ## Examples

      "openai-community/gpt2" |> HfHub.Api.list_repo_tree!() |> HfHub.Kino.table()
  """
  @spec table([struct()]) :: struct()
  def table(results) do
    Cell.check!()

    unless is_list(results) and Enum.all?(results, &View.result?/1) do
      raise ArgumentError,
            "expected a list of results of this library, such as files or models, got: #{Options.shown(results)}"
    end

    Cell.table(Brief.count(length(results), "results"), View.rows(results))
  end

  @doc """
  Returns a form that searches the Hub for models, datasets and Spaces, and shows what it finds as a table.

  ## Examples

      HfHub.Kino.search()
  """
  @spec search() :: struct()
  def search do
    Cell.check!()
    Browser.search()
  end

  @doc """
  Returns the cached repositories as a table, with a button that reads the cache again.

  ## Examples

      HfHub.Kino.cache()
  """
  @spec cache() :: struct()
  def cache do
    Cell.check!()
    Browser.cache()
  end

  @doc """
  Returns a form that downloads a repository: it shows the files and their sizes first, downloads them once that is
  confirmed, with a bar, and can be stopped. The files received are kept, and the next download continues.

  ## Options

  #{Options.docs(@download)}

  ## Examples

      HfHub.Kino.download(repo_id: "openai-community/gpt2", allow_patterns: "*.json")
  """
  @spec download(keyword()) :: struct()
  def download(opts \\ []) do
    opts = Options.validate!(opts, @download)
    Cell.check!()
    Downloader.form(opts)
  end
end
