defmodule HfHub.CLI.Cp do
  # Copies single files: `cp`, which is also a command of `repo` and of `buckets`.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.{Buckets, Commit, Download, RepoRef}
  alias HfHub.CLI.{Call, Command, Output, Stdin, Target}

  @summary "Copies a file between this machine, repositories and buckets"

  @impl true
  def noun, do: [name: "cp", summary: @summary]

  @impl true
  def commands, do: [command([], "cp", nil)]

  @doc "Returns the command, with its words, those of `hf`, and the only kind of places on the Hub it accepts."
  @spec command([String.t()], String.t(), :repo | :bucket | nil) :: Command.t()
  def command(words, hf, only) do
    %Command{
      words: words,
      hf: hf,
      run: &run(&1, only),
      summary: @summary,
      details:
        "One of the two places is an `hf://` address. Between two of them, whole folders are copied as well, on the Hub. " <>
          "Nothing is copied from a bucket to a repository.",
      args: [
        src: [complete: :file, doc: "File, `hf://` address, or `-` for stdin"],
        dst: [
          required: false,
          complete: :file,
          doc:
            "File or folder, `hf://` address, or `-` for stdout. Defaults to the file's name in this folder"
        ]
      ],
      examples: examples(only)
    }
  end

  defp examples(:bucket),
    do: ["hf://buckets/me/data/config.json .", "- hf://buckets/me/data/notes.txt"]

  defp examples(:repo), do: ["hf://me/my-model/config.json .", "hf://me/my-model/ hf://me/copy/"]

  defp examples(nil) do
    [
      "hf://me/my-model/config.json .",
      "hf://datasets/me/data/train.csv - | head",
      "model.safetensors hf://me/my-model/",
      "hf://datasets/me/data/train/ hf://buckets/me/data/train/"
    ]
  end

  defp run(%{args: %{src: src, dst: dst}} = call, only) do
    with :ok <- accepted(if(address?(dst), do: dst, else: src), only),
         do: copy(place(src), place(dst), call)
  end

  defp address?(text), do: is_binary(text) and text =~ ~r"\A(hf|https?)://"

  defp place(nil), do: nil
  defp place("-"), do: :stdio
  defp place(text), do: if(address?(text), do: {:hub, text}, else: {:path, text})

  defp accepted(_text, nil), do: :ok

  defp accepted(text, only) do
    with true <- address?(text), {:ok, ref} <- RepoRef.location(text, []) do
      case {only, ref.repo_type} do
        {:repo, :bucket} -> {:error, "#{text} is a bucket; use cp or buckets cp"}
        {:bucket, type} when type != :bucket -> {:error, "#{text} is a #{type}; use cp or repo cp"}
        _accepted -> :ok
      end
    else
      false -> :ok
      failed -> failed
    end
  end

  defp copy({:hub, src}, {:hub, dst}, call) do
    with :ok <- Buckets.copy(src, dst, Call.options(call) ++ Call.progress(call, src)),
         do: {:done, "Copied", src: src, dst: dst}
  end

  defp copy({:hub, src}, dst, call) do
    with {:ok, ref} <- RepoRef.location(src, []),
         :ok <- file(ref, src),
         do: download(ref, dst, call)
  end

  defp copy(src, {:hub, dst}, call) when src != nil do
    with {:ok, ref} <- RepoRef.location(dst, []),
         {:ok, content, path} <- source(src, ref.path, String.ends_with?(dst, "/")),
         :ok <- upload(content, %{ref | path: path}, call) do
      src = with {:path, path} <- src, do: path, else: (:stdio -> "stdin")
      {:done, "Uploaded", src: src, dst: uri(%{ref | path: path})}
    end
  end

  defp copy(_src, nil, _call), do: {:usage, "missing argument DST: pass an hf:// address"}

  defp copy(_src, _dst, _call),
    do: {:usage, "SRC or DST must be an hf:// address; for local files there is cp"}

  defp file(%{path: path}, src) do
    if path in [nil, ""] or String.ends_with?(src, "/"),
      do: {:usage, "#{src} is not the address of a file; download and sync copy folders"},
      else: :ok
  end

  defp download(%{repo_type: :bucket} = ref, :stdio, call) do
    with {:ok, stream} <- Buckets.Downloads.stream(ref, Call.options(call)), do: {:bytes, stream}
  end

  defp download(ref, :stdio, call) do
    with {:ok, stream} <- Download.download_stream(of(ref) ++ Call.options(call)), do: {:bytes, stream}
  end

  defp download(ref, dst, call) do
    name = Path.basename(ref.path)
    path = local(dst, name)
    opts = Call.options(call) ++ Call.progress(call, name)

    with :ok <- replaceable(path),
         {:ok, _path} <- download_to(ref, path, opts),
         do: {:done, "Downloaded", src: call.args.src, dst: path}
  end

  defp local(nil, name), do: name

  defp local({:path, path}, name) do
    if File.dir?(path) or String.ends_with?(path, "/"), do: Path.join(path, name), else: path
  end

  # The file is renamed to its place. That of a device, such as `/dev/null`, is no place for it.
  defp replaceable(path) do
    case File.stat(path) do
      {:ok, %{type: type}} when type != :regular ->
        {:usage, "#{path} is not a regular file; for a pipe or a device, pass - and redirect stdout"}

      _file_or_none ->
        :ok
    end
  end

  defp download_to(%{repo_type: :bucket} = ref, path, opts),
    do: Buckets.download(ref.repo_id, [{ref.path, path}], [raise_on_missing_files: true] ++ opts)

  defp download_to(ref, path, opts), do: Download.to_path(path, of(ref) ++ opts)

  defp of(ref) do
    target = %Target{id: ref.repo_id, type: ref.repo_type, revision: ref.revision}
    [repo_id: ref.repo_id, filename: ref.path] ++ Target.options(target)
  end

  defp source(:stdio, path, folder?) when path in [nil, ""] or folder?,
    do: {:usage, "DST must end with the name of the file when SRC is stdin"}

  defp source(:stdio, path, _folder?),
    do: with({:ok, bytes} <- Stdin.bytes(), do: {:ok, {:stream, bytes}, path})

  defp source({:path, file}, path, folder?) do
    name = Path.basename(file)

    cond do
      File.dir?(file) -> {:usage, "#{file} is a folder; upload and sync copy folders"}
      not File.regular?(file) -> {:usage, "no such file: #{file}"}
      path in [nil, ""] -> {:ok, {:path, file}, name}
      folder? -> {:ok, {:path, file}, Path.join(path, name)}
      true -> {:ok, {:path, file}, path}
    end
  end

  defp upload({:stream, _stdin} = content, ref, call),
    do: Output.as_bytes(fn -> send_content(content, ref, call) end)

  defp upload(content, ref, call), do: send_content(content, ref, call)

  defp send_content(content, %{repo_type: :bucket} = ref, call) do
    opts = Call.options(call) ++ Call.progress(call, ref.path)
    with {:ok, _files} <- Buckets.upload(ref.repo_id, [{content, ref.path}], opts), do: :ok
  end

  defp send_content(content, ref, call) do
    target = %Target{id: ref.repo_id, type: ref.repo_type, revision: ref.revision}
    opts = Target.options(target) ++ Call.options(call) ++ Call.progress(call, ref.path)
    with {:ok, _commit} <- Commit.upload_file(content, ref.path, ref.repo_id, opts), do: :ok
  end

  defp uri(ref), do: "hf://#{ref.repo_type}s/#{ref.repo_id}#{revision(ref.revision)}/#{ref.path}"

  defp revision(nil), do: ""
  defp revision("refs/" <> _name = revision), do: "@" <> revision
  # A slash would begin the path.
  defp revision(revision), do: "@" <> String.replace(revision, "/", "%2F")
end
