defmodule HfHub.Lock.Text do
  # The text of a lock file: an Elixir map like that of `mix.lock`, with one line per file. It is parsed as data and never
  # evaluated, because a lock file may come from an untrusted branch.
  @moduledoc false

  alias HfHub.Error
  alias HfHub.Git.Resolution
  alias HfHub.Lock.{Entry, PinnedFile}
  alias HfHub.Native.Nif

  @header """
  # The repositories of this project, by commit and hashes: written by `mix hf_hub.lock`, read by `mix hf_hub.get`.
  # Commit it to version control; do not edit it.
  """

  @types %{"model" => :model, "dataset" => :dataset, "space" => :space}
  @keys [:revision, :commit, :allow_patterns, :ignore_patterns, :files]
  # Hex digits of each kind of hash. In this module, whose atoms exist when a file is parsed: no other is created then.
  @lengths %{sha256: 64, git_sha1: 40, git_sha256: 64}
  @max_size 9_007_199_254_740_991

  @doc "Returns the name of a repository in a lock file and in messages: the one that `mix hf_hub.cache` takes."
  @spec name(%{:repo_type => atom(), :repo_id => String.t(), optional(atom()) => term()}) :: String.t()
  def name(%{repo_type: type, repo_id: id}), do: "#{type}/#{id}"

  @doc "Returns the type and the id of a repository in a name; `:error` if the name has another form."
  @spec split_name(String.t()) :: {:ok, :model | :dataset | :space, String.t()} | :error
  def split_name(name) do
    with [type, id] <- String.split(name, "/", parts: 2),
         {:ok, type} <- Map.fetch(@types, type) do
      {:ok, type, id}
    else
      _other -> :error
    end
  end

  @doc "Returns whether a value is a hash of that kind."
  @spec hash?(term(), term()) :: boolean()
  def hash?(algorithm, hash),
    do: is_binary(hash) and byte_size(hash) == @lengths[algorithm] and hash =~ ~r/\A[0-9a-f]+\z/

  @doc "Returns the text of a lock file, the same for the same entries in any order."
  @spec format([Entry.t()]) :: String.t()
  def format(entries) do
    IO.iodata_to_binary([@header, "%{\n", entries |> Enum.sort_by(&name/1) |> Enum.map(&entry/1), "}\n"])
  end

  defp entry(entry) do
    [
      "  #{quoted(name(entry))} => %{\n",
      "    revision: #{quoted(entry.revision)},\n",
      "    commit: #{quoted(entry.commit)},\n",
      patterns("allow_patterns", entry.allow_patterns),
      patterns("ignore_patterns", entry.ignore_patterns),
      "    files: %{\n",
      entry.files |> Enum.sort_by(& &1.path) |> Enum.map(&file/1),
      "    },\n  },\n"
    ]
  end

  defp patterns(_name, []), do: []
  defp patterns(name, patterns), do: "    #{name}: [#{Enum.map_join(patterns, ", ", &quoted/1)}],\n"

  defp file(file),
    do: "      #{quoted(file.path)} => {:#{file.algorithm}, #{quoted(file.hash)}, #{file.size}},\n"

  defp quoted(text), do: inspect(text, printable_limit: :infinity, binaries: :as_strings)

  @doc "Returns the entries in the text of a lock file. `path` is for messages."
  @spec parse(binary(), Path.t()) :: {:ok, [Entry.t()]} | {:error, Error.t()}
  def parse(text, path) do
    with {:ok, text} <- utf8(text),
         :ok <- not_empty(text),
         {:ok, ast} <- quoted_data(text) do
      {:ok, ast |> pairs("the file") |> Enum.map(&read_entry/1) |> Enum.sort_by(&name/1)}
    else
      {:invalid, why} -> invalid(path, why)
    end
  catch
    {:invalid, why} -> invalid(path, why)
  end

  defp utf8(text), do: if(String.valid?(text), do: {:ok, text}, else: {:invalid, "it is not UTF-8"})

  # Not taken for a file without entries: it may be what a full disk has left of one.
  defp not_empty(text) do
    if String.trim(text) == "",
      do: {:invalid, "it is empty; restore it from version control, or delete it"},
      else: :ok
  end

  # Only syntax: nothing in the text is expanded or called, and no atom is created.
  defp quoted_data(text) do
    case Code.string_to_quoted(text, existing_atoms_only: true) do
      {:ok, ast} ->
        {:ok, ast}

      {:error, {where, _message, _token}} ->
        {:invalid, "syntax error in line #{where[:line]}" <> advice(text)}
    end
  end

  defp advice(text) do
    if text =~ ~r/^(<<<<<<<|=======|>>>>>>>)/m,
      do: ", which is part of a merge conflict; keep one side, then run `mix hf_hub.lock --all`",
      else: ""
  end

  defp invalid(path, why),
    do: {:error, Error.new(:invalid_response, "invalid lock file #{inspect(path)}: #{why}", path: path)}

  defp read_entry({name, ast}) do
    case split_name(name) do
      {:ok, type, id} ->
        check(struct!(Entry, [repo_type: type, repo_id: id] ++ fields(ast, inspect(name))))

      :error ->
        throw({:invalid, "#{inspect(name)} is not a repository such as \"model/org/name\""})
    end
  end

  defp fields(ast, name) do
    read = for {key, value} <- keyword(ast, name), do: {key, field(key, value, name)}

    for key <- [:revision, :commit, :files],
        not List.keymember?(read, key, 0),
        do: throw({:invalid, "#{name} has no #{key}"})

    read
  end

  defp field(key, text, _name) when key in [:revision, :commit] and is_binary(text), do: text

  defp field(key, list, name) when key in [:allow_patterns, :ignore_patterns] and is_list(list) do
    if Enum.all?(list, &is_binary/1), do: list, else: throw({:invalid, "#{key} of #{name} are not strings"})
  end

  defp field(:files, ast, name) do
    files = ast |> pairs("files of #{name}") |> Enum.map(&read_file(&1, name))
    Enum.sort_by(files, & &1.path)
  end

  defp field(key, _value, name), do: throw({:invalid, "#{key} of #{name} has an unexpected value"})

  defp read_file({path, {:{}, _meta, [algorithm, hash, size]}}, name) do
    if hash?(algorithm, hash) and is_integer(size) and size in 0..@max_size,
      do: %PinnedFile{path: path, algorithm: algorithm, hash: hash, size: size},
      else: throw({:invalid, "#{inspect(path)} of #{name} has no valid hash and size"})
  end

  defp read_file({path, _other}, name),
    do: throw({:invalid, "#{inspect(path)} of #{name} has no valid hash and size"})

  # Names become paths on disk.
  defp check(entry) do
    unless Resolution.commit?(entry.commit),
      do: throw({:invalid, "the commit of #{inspect(name(entry))} is not 40 or 64 hex digits"})

    repo = %{repo_type: to_string(entry.repo_type), id: entry.repo_id}
    paths = [nil | Enum.map(entry.files, & &1.path)]

    for path <- paths do
      error = Nif.check_names(%{repo: repo, revision: entry.revision, path: path, filename: path})
      if error, do: throw({:invalid, error.message})
    end

    entry
  end

  defp pairs({:%{}, _meta, pairs}, what) do
    unless Enum.all?(pairs, &match?({name, _value} when is_binary(name), &1)),
      do: throw({:invalid, "#{what}: expected a map with strings as keys"})

    unique(pairs, what)
  end

  defp pairs(_other, what), do: throw({:invalid, "#{what}: expected a map"})

  defp keyword({:%{}, _meta, pairs}, what) do
    for pair <- pairs do
      case pair do
        {key, _value} when key in @keys -> pair
        _other -> throw({:invalid, "#{what} has an unknown key; a newer version may have written it"})
      end
    end

    unique(pairs, what)
  end

  defp keyword(_other, what), do: throw({:invalid, "#{what}: expected a map"})

  # Of two equal keys, Elixir would silently take the last.
  defp unique(pairs, what) do
    keys = Enum.map(pairs, &elem(&1, 0))

    case keys -- Enum.uniq(keys) do
      [] -> pairs
      [twice | _more] -> throw({:invalid, "#{what}: #{inspect(twice)} is there twice"})
    end
  end
end
