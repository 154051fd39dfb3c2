defmodule HfHub.Lock do
  @moduledoc ~S"""
  Pins repositories in `hf_hub.lock`, as `mix.lock` pins packages.

  The lock file contains, for each repository, the commit and the hash of every file. It is sorted and has one line per
  file, so that a change is readable in a diff. Commit it to version control: every machine then uses the same files,
  and a file that is anything else is an error.

      mix hf_hub.lock sentence-transformers/all-MiniLM-L6-v2 --include "*.json"
      mix hf_hub.get

  The same in code:

      HfHub.Lock.pin("sentence-transformers/all-MiniLM-L6-v2", allow_patterns: "*.json")
      {:ok, [model]} = HfHub.Lock.get()
      Bumblebee.load_model({:local, model.path})

  A repository is in a lock file once, with one revision. Functions take it as any reference, or by its name in the file,
  such as `"dataset/org/name"`. `pin/2` adds a repository, or pins the commit that the recorded
  revision points to now. `get/1` downloads what is missing. `check/1` compares the file with the Hub, and `verify/1`
  hashes the files in the cache. `HfHub.Release` puts the files into a release, and `HfHub.Preload` downloads them
  when an application starts.

  ## The file

      %{
        "model/sentence-transformers/all-MiniLM-L6-v2" => %{
          revision: "main",
          commit: "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
          allow_patterns: ["*.json"],
          files: %{
            "config.json" => {:git_sha1, "72b987fd805cfa2b58c4c8c952b274a11bfd5a00", 612},
            "tokenizer.json" => {:git_sha1, "cb202bfe2e3c98645018a6d12f182a434c9d3e02", 466247},
          },
        },
      }

  The text is parsed as data and never evaluated. A file that is not exactly of this form is an error. Processes on one
  machine that change the file take turns, by a lock on `hf_hub.lock.lock`, which is there for that moment only.
  """

  alias HfHub.{Error, Native, Options, RegularFile, RepoRef}
  alias HfHub.Cache.Tables
  alias HfHub.Config.Source
  alias HfHub.Lock.{Content, Entry, Pinning, Reference, Snapshot, Text}
  alias HfHub.Native.Nif

  # Enough for repositories of a hundred thousand files.
  @max_bytes 20_000_000

  @lock [lock: [type: :path, default: "hf_hub.lock", doc: "Path of the lock file."]]

  @repos [
    repos: [
      type: {:list, :any},
      doc: "Repositories of the lock file to select, by id or with their type. Defaults to all."
    ]
  ]

  @pin @lock ++
         [
           repo_type: [
             type: :repo_type,
             doc:
               "Type of the repository, unless its reference contains one. Defaults to the type of the entry with this " <>
                 "id in the lock file, else `:model`."
           ],
           revision: [
             type: :string,
             doc: "Branch, tag or commit to pin. Defaults to the revision in the lock file, else `\"main\"`."
           ],
           allow_patterns: [
             type: :patterns,
             doc:
               "Patterns of files to pin, as in `HfHub.Download.snapshot_download/1`. Defaults to those in the lock " <>
                 "file, else all files."
           ],
           ignore_patterns: [
             type: :patterns,
             doc: "Patterns of files not to pin. Defaults to those in the lock file, else none."
           ]
         ] ++ Options.common()

  @unpin Keyword.take(@pin, [:lock, :repo_type, :endpoint])
  @check @lock ++ @repos ++ Options.common()
  @verify @lock ++ @repos ++ Tables.cache_dir()

  @get @verify ++
         [
           local_files_only: Options.local_files_only(),
           max_workers: [
             type: :pos_integer,
             default: 8,
             doc: "Maximum number of files to download at a time."
           ],
           progress: Options.progress()
         ] ++ Options.transfer()

  @doc """
  Returns the entries of a lock file, sorted by type and id.

  A file that does not exist is an error of kind `:io`; one that cannot be parsed, of kind `:invalid_response`.

  ## Options

  #{Options.docs(@lock)}

  ## Examples

      iex> {:error, error} = HfHub.Lock.read(lock: "/nowhere/hf_hub.lock")
      iex> error.kind
      :io
  """
  @spec read(keyword()) :: {:ok, [Entry.t()]} | {:error, Error.t()}
  def read(opts \\ []) do
    path = Source.expand(Options.validate!(opts, @lock)[:lock])

    case RegularFile.read(path, @max_bytes + 1) do
      {:ok, text} when byte_size(text) <= @max_bytes -> Text.parse(text, path)
      {:ok, _text} -> {:error, Error.new(:io, "lock file #{inspect(path)} is too large", path: path)}
      {:error, reason} -> {:error, unreadable(path, reason)}
    end
  end

  @doc "Same as `read/1`, but returns the entries or raises `HfHub.Error`."
  @spec read!(keyword()) :: [Entry.t()]
  def read!(opts \\ []), do: Error.unwrap!(read(opts))

  @doc """
  Pins a repository: resolves its revision, and writes the commit and the hashes of its files to the lock file.

  If the repository is in the lock file already, its entry is replaced, with the recorded revision and patterns unless
  others are given. Nothing is downloaded.

  ## Options

  #{Options.docs(@pin)}

  ## Examples

      {:ok, entry} =
        HfHub.Lock.pin("openai-community/gpt2", allow_patterns: ["*.json", "*.safetensors"])

      entry.commit
      #=> "607a30d783dfa663caf39e06633721c8d4cfcd7e"
  """
  @spec pin(HfHub.repo(), keyword()) :: {:ok, Entry.t()} | {:error, Error.t()}
  def pin(repo, opts \\ []) do
    opts = Options.validate!(opts, @pin)

    with {:ok, entries} <- read_or_new(opts[:lock]),
         {:ok, ref} <- Reference.resolve(repo, entries, opts),
         opts = RepoRef.network(ref, opts),
         known = Enum.find(entries, &same?(&1, ref)),
         {:ok, entry} <- Pinning.pin(wanted(known, ref, opts), opts),
         :ok <- change(opts[:lock], &{:ok, [entry | Enum.reject(&1, fn other -> same?(other, ref) end)]}),
         do: {:ok, entry}
  end

  @doc "Same as `pin/2`, but returns the entry or raises `HfHub.Error`."
  @spec pin!(HfHub.repo(), keyword()) :: Entry.t()
  def pin!(repo, opts \\ []), do: Error.unwrap!(pin(repo, opts))

  @doc """
  Removes a repository from the lock file. Its files stay in the cache.

  ## Options

  #{Options.docs(@unpin)}

  ## Examples

      iex> {:error, error} = HfHub.Lock.unpin("openai-community/gpt2", lock: "/nowhere/hf_hub.lock")
      iex> error.kind
      :io
  """
  @spec unpin(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def unpin(repo, opts \\ []) do
    opts = Options.validate!(opts, @unpin)

    with {:ok, entries} <- read(lock: opts[:lock]),
         {:ok, ref} <- Reference.resolve(repo, entries, opts),
         do: change(opts[:lock], &without(&1, ref, opts[:lock]))
  end

  defp without(entries, ref, path) do
    case Enum.split_with(entries, &same?(&1, ref)) do
      {[], _all} -> {:error, unknown(Text.name(ref), path)}
      {_found, others} -> {:ok, others}
    end
  end

  @doc "Same as `unpin/2`, but raises `HfHub.Error`."
  @spec unpin!(HfHub.repo(), keyword()) :: :ok
  def unpin!(repo, opts \\ []), do: with({:error, error} <- unpin(repo, opts), do: raise(error))

  @doc """
  Downloads the pinned files that are not in the cache, and returns the folders of the repositories, in the order of the
  lock file.

  The Hub's listing is compared with the pinned hashes before a file is downloaded, and every file is verified. If all
  files are in the cache, no request is made. A file with another hash, at the Hub or in the cache, is an error of kind
  `:checksum_mismatch`.

  ## Options

  #{Options.docs(@get)}

  ## Examples

      {:ok, snapshots} = HfHub.Lock.get(progress: true)
      for snapshot <- snapshots, do: {snapshot.repo_id, snapshot.path}
  """
  @spec get(keyword()) :: {:ok, [Snapshot.t()]} | {:error, Error.t()}
  def get(opts \\ []) do
    opts = Options.validate!(opts, @get)
    each(opts, &Content.get(&1, opts))
  end

  @doc "Same as `get/1`, but returns the folders or raises `HfHub.Error`."
  @spec get!(keyword()) :: [Snapshot.t()]
  def get!(opts \\ []), do: Error.unwrap!(get(opts))

  @doc """
  Hashes the pinned files in the cache, and returns the folders of the repositories. No request is made.

  A missing file is an error of kind `:not_cached`, one with another hash of kind `:checksum_mismatch`.

  ## Options

  #{Options.docs(@verify)}

  ## Examples

      {:ok, snapshots} = HfHub.Lock.verify(cache_dir: "/var/lib/my_app/hub")
  """
  @spec verify(keyword()) :: {:ok, [Snapshot.t()]} | {:error, Error.t()}
  def verify(opts \\ []) do
    opts = Options.validate!(opts, @verify)
    each(opts, &Content.verify(&1, opts))
  end

  @doc "Same as `verify/1`, but returns the folders or raises `HfHub.Error`."
  @spec verify!(keyword()) :: [Snapshot.t()]
  def verify!(opts \\ []), do: Error.unwrap!(verify(opts))

  @doc """
  Compares a lock file with the Hub: the pinned commits must exist, and have the files with the pinned hashes.

  Returns the entries. Whether a branch has moved since is not checked; `pin/2` pins its new commit.

  ## Options

  #{Options.docs(@check)}

  ## Examples

      {:ok, entries} = HfHub.Lock.check()
  """
  @spec check(keyword()) :: {:ok, [Entry.t()]} | {:error, Error.t()}
  def check(opts \\ []) do
    opts = Options.validate!(opts, @check)
    each(opts, fn entry -> with :ok <- Pinning.compare(entry, entry.files, opts), do: {:ok, entry} end)
  end

  @doc "Same as `check/1`, but returns the entries or raises `HfHub.Error`."
  @spec check!(keyword()) :: [Entry.t()]
  def check!(opts \\ []), do: Error.unwrap!(check(opts))

  # Stops at the first error: what follows would be more of the same.
  defp each(opts, work) do
    with {:ok, entries} <- read(lock: opts[:lock]),
         {:ok, entries} <- selected(entries, opts) do
      Enum.reduce_while(entries, {:ok, []}, fn entry, {:ok, done} ->
        case work.(entry) do
          {:ok, result} -> {:cont, {:ok, done ++ [result]}}
          {:error, error} -> {:halt, {:error, error}}
        end
      end)
    end
  end

  defp selected(entries, opts) do
    case opts[:repos] do
      nil -> {:ok, entries}
      repos -> Enum.reduce_while(repos, {:ok, []}, &select(&1, &2, entries, opts))
    end
  end

  defp select(repo, {:ok, chosen}, entries, opts) do
    case Enum.filter(entries, &Reference.named?(&1, repo)) do
      [] -> {:halt, {:error, unknown(Options.shown(repo), opts[:lock])}}
      found -> {:cont, {:ok, Enum.uniq(chosen ++ found)}}
    end
  end

  defp same?(entry, ref), do: entry.repo_type == ref.repo_type and entry.repo_id == ref.repo_id

  defp unknown(name, path),
    do: Error.new(:not_found, "#{name} is not in #{inspect(path)}; `mix hf_hub.lock` adds a repository")

  defp wanted(known, ref, opts) do
    known =
      known || %Entry{repo_type: ref.repo_type, repo_id: ref.repo_id, revision: "main", commit: "", files: []}

    %{
      known
      | revision: ref.revision || known.revision,
        allow_patterns: opts[:allow_patterns] || known.allow_patterns,
        ignore_patterns: opts[:ignore_patterns] || known.ignore_patterns
    }
  end

  defp read_or_new(path) do
    case read(lock: path) do
      {:error, %Error{kind: :io, reason: "enoent"}} -> {:ok, []}
      result -> result
    end
  end

  # Reads, changes and writes the file while no other process does: an entry of theirs would be lost.
  defp change(path, fun) do
    path = path |> Source.expand() |> followed()

    # Native code would create the folder.
    with true <- File.dir?(Path.dirname(path)),
         {:ok, handle, beside} <- Native.hold(:hold_beside, %{path: path}) do
      try do
        with {:ok, entries} <- read_or_new(path), {:ok, entries} <- fun.(entries), do: write(entries, path)
      after
        File.rm(beside)
        Nif.cancel(handle)
      end
    else
      false -> {:error, unreadable(path, :enoent, "write")}
      {:error, error} -> {:error, error}
    end
  end

  # A link to the file of another project stays one.
  defp followed(path, links \\ 40) do
    case File.read_link(path) do
      {:ok, target} when links > 0 -> target |> Path.expand(Path.dirname(path)) |> followed(links - 1)
      _no_link -> path
    end
  end

  # Renamed into place, so that a reader never sees half a file.
  defp write(entries, path) do
    temporary = "#{path}.#{System.pid()}.#{System.unique_integer([:positive])}.tmp"

    with :ok <- File.write(temporary, Text.format(entries)),
         :ok <- File.rename(temporary, path) do
      :ok
    else
      {:error, reason} ->
        File.rm(temporary)
        {:error, unreadable(path, reason, "write")}
    end
  end

  defp unreadable(path, reason, verb \\ "read") do
    why =
      case {verb, reason} do
        {"read", :enoent} -> "there is none; `mix hf_hub.lock REPO` creates it"
        {_verb, :eftype} -> "it is not a regular file"
        {_verb, reason} -> :file.format_error(reason)
      end

    Error.new(:io, "cannot #{verb} lock file #{inspect(path)}: #{why}", path: path, reason: to_string(reason))
  end
end
