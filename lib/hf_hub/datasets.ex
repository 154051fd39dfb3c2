defmodule HfHub.Datasets do
  @moduledoc """
  Reads the rows of datasets: their Parquet, CSV and JSON files, as maps or as a data frame of Explorer.

      opts = [split: "train", columns: ["question"], as: :rows]
      {:ok, rows} = HfHub.Datasets.load("rajpurkar/squad", opts)
      Enum.take(rows, 1)
      #=> [%{"question" => "To whom did the Virgin Mary allegedly appear in 1858 in Lourdes France?"}]

  The files of a split are found as `HfHub.DatasetFiles` describes: by the dataset's card, else by their names. Formats
  are Parquet; CSV and TSV; JSON, with an object in each line (`.jsonl`, `.ndjson`, `.json`) or an array of objects
  (`.json`). Files of text may be compressed with gzip (`.gz`).

  ## Downloaded or streamed

  By default, the files of the split and the card are downloaded to the cache, and read from there; in offline mode, or
  with `local_files_only: true`, they have to be in it.

  With `stream: true`, nothing is stored: rows are read from the Hub as they are taken. Of a Parquet file, these are its
  footer, and of each group of rows the wanted columns; of other files the bytes up to the last row that is taken. A stream
  that is halted closes its files and connections.

  In both cases, rows are read in batches as they are taken, so memory does not grow with the dataset.

  ## Types

  Values and types are those that the Python library `datasets` gives:

  | type of a column | value |
  |---|---|
  | integers of 8 to 64 bits, class labels | integer |
  | floats of 16 to 64 bits | float, `:nan`, `:infinity` or `:neg_infinity`; see below for JSON |
  | boolean, string, binary | boolean, string, binary |
  | date, time | `Date`, `Time` |
  | timestamp with a time zone | `DateTime` in UTC |
  | timestamp without one | `NaiveDateTime` |
  | decimal | `Decimal` where it is loaded, else a string of its digits |
  | list; struct; map | list; map of strings; map |
  | image, audio | map of `"bytes"` and `"path"` |
  | no value | `nil` |

  Times of nanoseconds are cut to microseconds, and durations are integers in the unit of the file. CSV files have no
  types: a column is of integers, floats, booleans or strings by its first 10,000 rows, as pandas finds them, and empty
  values, `NA`, `null` and the like are `nil`. A card may set the `sep` of a configuration; other options of the readers of
  `datasets` that change what a row is are not supported, and an error of kind `:bad_request`. The types of JSON are those
  of its first 10 MB: strings that are all dates or times are `NaiveDateTime`, and values of several types, and objects whose
  entries differ from row to row, are returned as they are. `NaN` and `Infinity` are floats, but `nil` in a file with such
  values of several types, and in one with an array of objects.

  The `features` in a card are not applied to CSV and JSON files, whose values are those of the file: where `datasets`
  converts the texts of a `class_label` to integers, or integers to strings or floats, and adds the columns that a file does
  not have, these rows have the texts, the integers, and no such column. Parquet files have the types of the features.
  """

  alias HfHub.{Error, Options}
  alias HfHub.Datasets.{AsExplorer, Rows, Source}

  @load [
          split: [
            type: :string,
            doc: "Split to read, such as `\"train\"`. Required if the configuration has several."
          ],
          config: [
            type: :string,
            doc:
              "Configuration of the dataset. Defaults to its default configuration; required if its card lists several " <>
                "without a default one."
          ],
          columns: [
            type: {:list, :string},
            doc: "Columns to read; of Parquet files, nothing else is read. Defaults to all."
          ],
          limit: [type: :pos_integer, doc: "Maximum number of rows. Defaults to all."],
          as: [
            type: {:in, [:auto, :rows, :explorer]},
            default: :auto,
            doc:
              "`:rows` for a lazy stream of maps, `:explorer` for an `Explorer.DataFrame`, or `:auto` for a data frame where " <>
                "Explorer is loaded, else rows."
          ],
          stream: [
            type: :boolean,
            default: false,
            doc:
              "Whether to read from the Hub instead of downloading the files, unless only cached files are used. Of data " <>
                "frames, there is one for each batch of rows then, in a lazy stream."
          ],
          converted: [
            type: :boolean,
            default: false,
            doc:
              "Whether to read the Parquet files to which the public Hub has converted the dataset, from the branch " <>
                "`refs/convert/parquet`."
          ],
          cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."],
          local_files_only: Options.local_files_only(),
          progress: Options.progress()
        ] ++ Options.revision() ++ Keyword.drop(Options.transfer(), [:max_connections])

  @doc """
  Loads a split of a dataset.

  The dataset is a repository, or `{:local, path}`: a folder with the files of a dataset and its card, `README.md`, or one
  file. A folder in the reference, such as the `:subdir` of a tuple, is read as a dataset of its own, without the card.

  Returns a lazy stream of maps, or a data frame; see the option `:as`. The first file is opened before that, so that a
  missing column is an error; with `stream: true`, files are opened when rows are taken. What is wrong with a file later
  raises `HfHub.Error`, also where a data frame is wanted.

  Errors name what there is: a split or a configuration that does not exist is of kind `:entry_not_found`, a column
  `:not_found`; files of another or of several formats are `:bad_request`, and invalid files `:invalid_response`. Files that
  are not cached, where only cached ones are used, are `:not_cached`. A file on this machine that is written to while its
  rows are read is an error of kind `:io`.

  Memory is bounded by row: one of more than 256 MB of text or 1 GiB of values, of millions of values in lists, or of more
  values than the header of a CSV file has is an error.

  ## Options

  #{Options.docs(@load)}

  ## Examples

      iex> folder = Path.join(System.tmp_dir!(), "hf_hub_doc_\#{System.unique_integer([:positive])}")
      iex> File.mkdir_p!(folder)
      iex> File.write!(Path.join(folder, "train.csv"), "word,count\\nthe,3\\nNA,1\\n")
      iex> {:ok, rows} = HfHub.Datasets.load({:local, folder}, split: "train", as: :rows)
      iex> Enum.to_list(rows)
      [%{"word" => "the", "count" => 3}, %{"word" => nil, "count" => 1}]
  """
  @spec load(HfHub.repo() | {:local, Path.t()}, keyword()) ::
          {:ok, Enumerable.t() | struct()} | {:error, Error.t()}
  def load(dataset, opts \\ []) do
    opts = Options.validate!(opts, @load, dataset)
    frame? = AsExplorer.wanted?(opts[:as])

    with {:ok, files} <- Source.files(dataset, opts),
         {:ok, spec} <- Source.spec(files, opts) do
      cond do
        frame? and opts[:stream] -> {:ok, AsExplorer.frames(Rows.batches(spec))}
        opts[:stream] -> {:ok, Rows.stream(spec)}
        true -> with {:ok, _fields} <- Rows.fields(spec), do: {:ok, all(spec, frame?)}
      end
    end
  end

  defp all(spec, true), do: AsExplorer.frame(Rows.batches(spec))
  defp all(spec, false), do: Rows.stream(spec)

  @doc "Same as `load/2`, but returns the rows or the data frame, or raises `HfHub.Error`."
  @spec load!(HfHub.repo() | {:local, Path.t()}, keyword()) :: Enumerable.t() | struct()
  def load!(dataset, opts \\ []), do: Error.unwrap!(load(dataset, opts))
end
