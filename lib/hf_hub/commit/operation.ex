defmodule HfHub.Commit.Operation do
  @moduledoc """
  The changes that a commit is made of.

  What a file's content is has to be said, and is never guessed: text that happens to be the name of
  a file is not that file.

    * `{:path, path}` - a file of this machine
    * `{:binary, iodata}` - bytes in memory
    * `{:stream, enumerable}` - pieces of iodata, which go to a temporary file as they come

        operations = [
          Operation.add("config.json", {:binary, ~s({"layers": 2})}),
          Operation.add("model.safetensors", {:path, "out/model.safetensors"}),
          Operation.copy("model.safetensors", "old/model.safetensors"),
          Operation.delete("checkpoints/")
        ]

        HfHub.Commit.create("me/model", operations, commit_message: "Release")
  """

  @type content :: {:path, Path.t()} | {:binary, iodata()} | {:stream, Enumerable.t()}
  @type t :: __MODULE__.Add.t() | __MODULE__.Delete.t() | __MODULE__.Copy.t()

  defmodule Add do
    @moduledoc """
    A file that is added or replaced; see `HfHub.Commit.Operation.add/2`.

    After `HfHub.Commit.preupload_lfs_files/3`, `:upload_mode` says how the file goes to the Hub, and
    the content of a large one is `:uploaded`, with its `:oid` and `:size`.
    """

    @enforce_keys [:path_in_repo, :content]

    use HfHub.Schema,
      path_in_repo: {:string, "path in the repository"},
      content: {{:or, [{:type, HfHub.Commit.Operation, :content}, :uploaded]}, "content of the file"},
      upload_mode: {{:or, [:regular, :lfs, :unchanged, :ignored, nil]}, "how the file goes to the Hub"},
      oid: {{:or, [:string, nil]}, "SHA-256 of an uploaded content"},
      size: {{:or, [:integer, nil]}, "size in bytes of an uploaded content"}

    # Contents can be large, and are nobody's business in a log.
    defimpl Inspect do
      import Inspect.Algebra

      def inspect(add, opts) do
        content =
          case add.content do
            {:binary, _bytes} -> "{:binary, ...}"
            {:stream, _stream} -> "{:stream, ...}"
            other -> Kernel.inspect(other)
          end

        concat(["#HfHub.Commit.Operation.Add<", to_doc(add.path_in_repo, opts), ", ", content, ">"])
      end
    end
  end

  defmodule Delete do
    @moduledoc "A file or folder that is deleted; see `HfHub.Commit.Operation.delete/2`."

    @enforce_keys [:path_in_repo, :is_folder]

    use HfHub.Schema,
      path_in_repo: {:string, "path in the repository"},
      is_folder: {:boolean, "whether it is a folder"}
  end

  defmodule Copy do
    @moduledoc "A file that is copied on the Hub; see `HfHub.Commit.Operation.copy/3`."

    @enforce_keys [:src_path, :path_in_repo]

    use HfHub.Schema,
      src_path: {:string, "path to copy from"},
      path_in_repo: {:string, "path to copy to"},
      src_revision: {{:or, [:string, nil]}, "revision to copy from"},
      src_repo_id: {:any, "repository to copy from; `nil` for the one that is committed to"},
      src_repo_type: {{:or, [:model, :dataset, :space, nil]}, "type of that repository"}
  end

  @delete [
    is_folder: [
      type: :boolean,
      doc: "whether it is a folder. By default it is one if the path ends in `/`."
    ]
  ]

  @copy [
    src_revision: [
      type: :string,
      doc:
        "the revision to copy from. By default the one that `:src_repo_id` names, else the one that is committed to, or " <>
          "`\"main\"` of another repository."
    ],
    src_repo_id: [
      type: :any,
      doc:
        "Repository to copy from, in any form that `HfHub.Download` takes: an id, an `hf://` URI or the address of " <>
          "its page. Defaults to the one that is committed to."
    ],
    src_repo_type: [
      type: :repo_type,
      doc: "its type, where an id alone is given. By default that of the repository that is committed to."
    ]
  ]

  @doc """
  Returns the change that adds a file, or replaces it.

  ## Examples

      iex> HfHub.Commit.Operation.add("notes.txt", {:binary, "hello"}).path_in_repo
      "notes.txt"
  """
  @spec add(String.t(), content()) :: Add.t()
  def add(path_in_repo, content) do
    %Add{path_in_repo: path!(path_in_repo), content: content!(content)}
  end

  @doc """
  Returns the change that deletes a file or a folder.

  ## Options

  #{HfHub.Options.docs(@delete)}

  ## Examples

      iex> HfHub.Commit.Operation.delete("checkpoints/").is_folder
      true
  """
  @spec delete(String.t(), keyword()) :: Delete.t()
  def delete(path_in_repo, opts \\ []) do
    opts = HfHub.Options.validate!(opts, @delete)

    folder? =
      if opts[:is_folder] == nil, do: String.ends_with?(path!(path_in_repo), "/"), else: opts[:is_folder]

    %Delete{path_in_repo: path!(path_in_repo), is_folder: folder?}
  end

  @doc """
  Returns the change that copies a file, within a repository or from another one.

  The content of a large file is not moved.

  ## Options

  #{HfHub.Options.docs(@copy)}

  ## Examples

      iex> HfHub.Commit.Operation.copy("a.bin", "b.bin", src_revision: "v1").src_revision
      "v1"
  """
  @spec copy(String.t(), String.t(), keyword()) :: Copy.t()
  def copy(src_path, path_in_repo, opts \\ []) do
    opts = HfHub.Options.validate!(opts, @copy)
    struct!(Copy, [src_path: path!(src_path), path_in_repo: path!(path_in_repo)] ++ opts)
  end

  defp path!(path) when is_binary(path), do: path

  defp path!(other),
    do: raise(ArgumentError, "expected a path in the repository, got: #{HfHub.Options.shown(other)}")

  defp content!({:path, path} = content) when is_binary(path), do: content
  defp content!({:binary, bytes} = content) when is_binary(bytes) or is_list(bytes), do: content

  defp content!({:stream, stream} = content) do
    if Enumerable.impl_for(stream), do: content, else: wrong!(content)
  end

  defp content!(other), do: wrong!(other)

  defp wrong!(content) do
    hint = if is_binary(content), do: "; text may be a path or a content, so say which", else: ""

    raise ArgumentError,
          "expected a content like {:path, path}, {:binary, iodata} or {:stream, enumerable}, " <>
            "got: #{HfHub.Options.shown(content)}#{hint}"
  end
end
