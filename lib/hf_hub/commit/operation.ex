defmodule HfHub.Commit.Operation do
  @moduledoc """
  The operations of a commit: added, copied and deleted files.

  The content of an added file is a tagged tuple, so that text is never mistaken for a path:

    * `{:path, path}` - a file on this machine
    * `{:binary, iodata}` - bytes in memory
    * `{:stream, enumerable}` - an enumerable of iodata, which is written to a temporary file first

        operations = [
          Operation.add("config.json", {:binary, ~s({"layers": 2})}),
          Operation.add("model.safetensors", {:path, "out/model.safetensors"}),
          Operation.copy("model.safetensors", "old/model.safetensors"),
          Operation.delete("checkpoints/")
        ]

        HfHub.Commit.create("me/model", operations, commit_message: "Release")

  Paths are relative to the root of the repository. A leading `./` is removed; a path that begins with `/` or contains an
  empty part, `.` or `..` raises `ArgumentError`.
  """

  alias HfHub.Commit.Arguments
  alias HfHub.Error

  @type content :: {:path, Path.t()} | {:binary, iodata()} | {:stream, Enumerable.t()}
  @type t :: __MODULE__.Add.t() | __MODULE__.Delete.t() | __MODULE__.Copy.t()

  defmodule Add do
    @moduledoc """
    A file to add or replace; see `HfHub.Commit.Operation.add/2`.

    After `HfHub.Commit.preupload_lfs_files/3`, `:upload_mode` is the way the file is sent to the Hub, and
    the content of a large file is `:uploaded`, with its `:oid` and `:size`.
    """

    @enforce_keys [:path_in_repo, :content]

    use HfHub.Schema,
      path_in_repo: {:string, "path in the repository"},
      content: {{:or, [{:type, HfHub.Commit.Operation, :content}, :uploaded]}, "content of the file"},
      upload_mode: {{:or, [:regular, :lfs, :unchanged, :ignored, nil]}, "way the file is sent to the Hub"},
      oid: {{:or, [:string, nil]}, "SHA-256 of uploaded content"},
      size: {{:or, [:integer, nil]}, "size of uploaded content, in bytes"}

    defimpl Inspect do
      import Inspect.Algebra

      def inspect(add, opts) do
        content = HfHub.Commit.Arguments.sketch(add.content)
        concat(["#HfHub.Commit.Operation.Add<", to_doc(add.path_in_repo, opts), ", ", content, ">"])
      end
    end
  end

  defmodule Delete do
    @moduledoc "A file or folder to delete; see `HfHub.Commit.Operation.delete/2`."

    @enforce_keys [:path_in_repo]

    use HfHub.Schema,
      path_in_repo: {:string, "path in the repository"},
      is_folder: {:boolean, "whether it is a folder", default: false}
  end

  defmodule Copy do
    @moduledoc "A file to copy on the Hub; see `HfHub.Commit.Operation.copy/3`."

    @enforce_keys [:src_path, :dst_path]

    use HfHub.Schema,
      src_path: {:string, "path to copy from"},
      dst_path: {:string, "path to copy to"},
      src_revision: {{:or, [:string, nil]}, "revision to copy from"},
      src_repo_id: {:any, "repository to copy from; `nil` for the repository of the commit"},
      src_repo_type: {{:or, [:model, :dataset, :space, nil]}, "type of that repository"}
  end

  @add [upload_info: [type: :any, no_effect: "the file is hashed when it is committed"]]

  @delete [
    is_folder: [
      type: :boolean,
      doc: "Whether the path is that of a folder. Defaults to whether it ends in `/`."
    ]
  ]

  @copy [
    src_revision: [
      type: :string,
      doc:
        "Revision to copy from. Defaults to the revision in `:src_repo_id`, else to the revision of the commit, or " <>
          "`\"main\"` of another repository."
    ],
    src_repo_id: [
      type: :any,
      doc:
        "Repository to copy from, in any form that `HfHub.Download` accepts: an id, an `hf://` URI or a page URL. " <>
          "Defaults to the repository of the commit."
    ],
    src_repo_type: [
      type: :repo_type,
      doc:
        "Type of `:src_repo_id`, unless it contains one. Defaults to the type of the repository of the commit."
    ]
  ]

  @doc """
  Returns the operation that adds or replaces a file.

  ## Options

  #{HfHub.Options.docs(@add)}

  ## Examples

      iex> HfHub.Commit.Operation.add("notes.txt", {:binary, "hello"}).path_in_repo
      "notes.txt"
  """
  @doc python: "CommitOperationAdd"
  @spec add(String.t(), content(), keyword()) :: Add.t()
  def add(path_in_repo, content, opts \\ []) do
    [] = HfHub.Options.validate!(opts, @add)
    %Add{path_in_repo: Arguments.path!(path_in_repo), content: Arguments.content!(content)}
  end

  @doc """
  Returns whether the content of an added file is that of a file on this machine.

  ## Examples

      iex> HfHub.Commit.Operation.file_path?(
      ...>   HfHub.Commit.Operation.add("a.bin", {:path, "out/a.bin"})
      ...> )
      true
      iex> HfHub.Commit.Operation.file_path?(HfHub.Commit.Operation.add("a.txt", {:binary, "hello"}))
      false
  """
  @spec file_path?(Add.t()) :: boolean()
  def file_path?(%Add{content: content}), do: match?({:path, _path}, content)

  @doc """
  Returns the content of an added file as one binary.

  A file is read, and a stream is run to its end. The error is of kind `:io` if the file cannot be read, and of kind
  `:not_found` if `HfHub.Commit.preupload_lfs_files/3` has uploaded the content, which the operation then no longer has.

  ## Examples

      iex> HfHub.Commit.Operation.get_content(
      ...>   HfHub.Commit.Operation.add("a.txt", {:binary, ["hel", "lo"]})
      ...> )
      {:ok, "hello"}
  """
  @doc python: "CommitOperationAdd.as_file"
  @spec get_content(Add.t()) :: {:ok, binary()} | {:error, Error.t()}
  def get_content(%Add{} = add), do: Arguments.read(add.content, add.path_in_repo)

  @doc "Same as `get_content/1`, but returns the content or raises `HfHub.Error`."
  @spec get_content!(Add.t()) :: binary()
  def get_content!(add), do: Error.unwrap!(get_content(add))

  @doc """
  Returns the content of an added file in base64.

  Errors: those of `get_content/1`.

  ## Examples

      iex> HfHub.Commit.Operation.base64_content(
      ...>   HfHub.Commit.Operation.add("a.txt", {:binary, "hello"})
      ...> )
      {:ok, "aGVsbG8="}
  """
  @doc python: "CommitOperationAdd.b64content"
  @spec base64_content(Add.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def base64_content(add), do: with({:ok, content} <- get_content(add), do: {:ok, Base.encode64(content)})

  @doc "Same as `base64_content/1`, but returns the text or raises `HfHub.Error`."
  @spec base64_content!(Add.t()) :: String.t()
  def base64_content!(add), do: Error.unwrap!(base64_content(add))

  @doc """
  Returns the operation that deletes a file or a folder.

  ## Options

  #{HfHub.Options.docs(@delete)}

  ## Examples

      iex> HfHub.Commit.Operation.delete("checkpoints/").is_folder
      true
  """
  @doc python: "CommitOperationDelete"
  @spec delete(String.t(), keyword()) :: Delete.t()
  def delete(path_in_repo, opts \\ []) do
    opts = HfHub.Options.validate!(opts, @delete)

    path = Arguments.path!(path_in_repo)
    folder? = if opts[:is_folder] == nil, do: String.ends_with?(path, "/"), else: opts[:is_folder]
    %Delete{path_in_repo: path, is_folder: folder?}
  end

  @doc """
  Returns the operation that copies a file, within a repository or from another one.

  A large file is copied on the Hub, without a download.

  ## Options

  #{HfHub.Options.docs(@copy)}

  ## Examples

      iex> HfHub.Commit.Operation.copy("a.bin", "b.bin", src_revision: "v1").src_revision
      "v1"
  """
  @doc python: "CommitOperationCopy"
  @spec copy(String.t(), String.t(), keyword()) :: Copy.t()
  def copy(src_path, dst_path, opts \\ []) do
    opts = HfHub.Options.validate!(opts, @copy)
    struct!(Copy, [src_path: Arguments.path!(src_path), dst_path: Arguments.path!(dst_path)] ++ opts)
  end
end
