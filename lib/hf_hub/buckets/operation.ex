defmodule HfHub.Buckets.Operation do
  @moduledoc """
  The operations of `HfHub.Buckets.batch/3`: added, copied and deleted files.

  The content of an added file is a tagged tuple, so that text is never mistaken for a path:

    * `{:path, path}` - a file on this machine
    * `{:binary, iodata}` - bytes in memory
    * `{:stream, enumerable}` - an enumerable of iodata, which is written to a temporary file first
    * `{:xet, hash}` - content that was uploaded to the bucket before, by its Xet hash

        operations = [
          Operation.add("logs/run.jsonl", {:path, "out/run.jsonl"}),
          Operation.add("notes.txt", {:binary, "hello"}),
          Operation.copy("models/model.safetensors", entry.xet_hash, "me/other-bucket"),
          Operation.delete("old/model.safetensors")
        ]

        HfHub.Buckets.batch("me/data", operations)

  Paths are relative to the root of the bucket. A leading `./` is removed; a path that begins with `/` or contains an empty
  part, `.` or `..` raises `ArgumentError`.
  """

  alias HfHub.Buckets.ContentType
  alias HfHub.Commit.Arguments
  alias HfHub.{Options, RepoRef}

  @type t :: __MODULE__.Add.t() | __MODULE__.Copy.t() | __MODULE__.Delete.t()

  @typedoc "Content of an added file."
  @type content :: HfHub.Commit.Operation.content() | {:xet, String.t()}

  defmodule Add do
    @moduledoc "A file to add or replace; see `HfHub.Buckets.Operation.add/3`."

    @enforce_keys [:path, :content]

    use HfHub.Schema,
      path: {:string, "path in the bucket"},
      content: {{:type, HfHub.Buckets.Operation, :content}, "content of the file"},
      mtime:
        {{:or, [:datetime, nil]}, "time at which the file was changed; `nil` for that of a file to upload"},
      content_type: {{:or, [:string, nil]}, "media type"},
      size: {{:or, [:integer, nil]}, "size of uploaded content, in bytes"}

    defimpl Inspect do
      import Inspect.Algebra

      def inspect(add, opts) do
        content = HfHub.Commit.Arguments.sketch(add.content)
        concat(["#HfHub.Buckets.Operation.Add<", to_doc(add.path, opts), ", ", content, ">"])
      end
    end
  end

  defmodule Copy do
    @moduledoc "A file to copy on the Hub; see `HfHub.Buckets.Operation.copy/4`."

    @enforce_keys [:path, :xet_hash, :source, :mtime]

    use HfHub.Schema,
      path: {:string, "path in the bucket to copy to"},
      xet_hash: {:string, "Xet hash of the content"},
      source: {:any, "repository or bucket to copy from"},
      source_type: {{:or, [:model, :dataset, :space, :bucket]}, "type of the source"},
      mtime: {:datetime, "time of the copy"}
  end

  defmodule Delete do
    @moduledoc "A file to delete; see `HfHub.Buckets.Operation.delete/1`."

    @enforce_keys [:path]
    use HfHub.Schema, path: {:string, "path in the bucket"}
  end

  @add [
    mtime: [
      type: {:struct, DateTime},
      doc: "Time at which the file was changed. Defaults to that of the file on this machine, else to now."
    ],
    content_type: [
      type: :string,
      doc:
        "Media type. Defaults to that of the extension of the file on this machine, else of the path, if it is known."
    ]
  ]

  @copy [
    source_type: [
      type: {:in, [:model, :dataset, :space, :bucket]},
      default: :bucket,
      doc: "Type of the source: `:model`, `:dataset`, `:space` or `:bucket`."
    ]
  ]

  @doc """
  Returns the operation that adds or replaces a file.

  ## Options

  #{Options.docs(@add)}

  ## Examples

      iex> HfHub.Buckets.Operation.add("notes.txt", {:binary, "hello"}).content_type
      "text/plain"
  """
  @spec add(String.t(), content(), keyword()) :: Add.t()
  def add(path, content, opts \\ []) do
    opts = Options.validate!(opts, @add)
    {path, content} = {file!(path), content!(content)}

    %Add{
      path: path,
      content: content,
      mtime: opts[:mtime] || if(not match?({:path, _file}, content), do: DateTime.utc_now()),
      content_type: opts[:content_type] || content_type(content) || ContentType.of(path)
    }
  end

  @doc """
  Returns the operation that copies a file of a repository or of another bucket on the Hub, by the Xet hash of its content.

  `HfHub.Buckets.list_tree/2` and `HfHub.Api.list_repo_tree/2` return the Xet hashes of files. The contents are neither
  downloaded nor uploaded.

  ## Options

  #{Options.docs(@copy)}

  ## Examples

      iex> hash = String.duplicate("0a", 32)
      iex> copy = HfHub.Buckets.Operation.copy("a.bin", hash, "me/model", source_type: :model)
      iex> copy.path
      "a.bin"
  """
  @spec copy(String.t(), String.t(), String.t(), keyword()) :: Copy.t()
  def copy(path, xet_hash, source, opts \\ []) do
    opts = Options.validate!(opts, @copy)

    %Copy{
      path: file!(path),
      xet_hash: hash!(xet_hash),
      source: source!(source, opts[:source_type]),
      source_type: opts[:source_type],
      mtime: DateTime.utc_now()
    }
  end

  @doc """
  Returns the operation that deletes a file.

  ## Examples

      iex> HfHub.Buckets.Operation.delete("old/notes.txt").path
      "old/notes.txt"
  """
  @spec delete(String.t()) :: Delete.t()
  def delete(path), do: %Delete{path: file!(path)}

  defp file!(path) do
    path = Arguments.path!(path)

    if String.ends_with?(path, "/"),
      do:
        raise(
          ArgumentError,
          "expected the path of a file in the bucket, got the folder #{Options.shown(path)}"
        ),
      else: path
  end

  defp content!({:xet, hash}), do: {:xet, hash!(hash)}
  defp content!(other), do: Arguments.content!(other)

  defp content_type({:path, file}), do: ContentType.of(file)
  defp content_type(_other), do: nil

  defp hash!(hash) do
    if is_binary(hash) and hash =~ ~r/\A[0-9a-f]{64}\z/,
      do: hash,
      else: raise(ArgumentError, "expected a Xet hash as 64 hex digits, got: #{Options.shown(hash)}")
  end

  defp source!(source, :bucket), do: source |> RepoRef.bucket([]) |> named!()
  defp source!(source, type), do: source |> RepoRef.whole(only: type) |> named!()

  defp named!({:ok, %RepoRef{path: nil} = ref}), do: ref.repo_id

  defp named!({:ok, ref}),
    do:
      raise(
        ArgumentError,
        "expected the source #{inspect(ref.repo_id)} without a path, got #{inspect(ref.path)}"
      )

  defp named!({:error, error}), do: raise(ArgumentError, error.message)
end
