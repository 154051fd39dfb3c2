defmodule HfHub.Bumblebee.Seed do
  # Writes files into Bumblebee's cache, in its format: `<scope>/<MD5 of the URL>.<etag>`, both in base 32, and
  # `<MD5 of the URL>.json` with the URL and the etag, for each file and for the listing of the folder.
  @moduledoc false

  alias HfHub.Bumblebee.Files
  alias HfHub.Config.{Setting, Source}
  alias HfHub.{Error, Incomplete, Repository}
  alias HfHub.Error.Io
  alias HfHub.Native.Nif
  alias HfHub.RepoRef.Folder

  # Bumblebee has no setting for it.
  @endpoint "https://huggingface.co"

  @doc "Writes the files of a model and their listing, and returns the folder."
  @spec write(Files.t(), Path.t() | nil) :: {:ok, Path.t()} | {:error, Error.t()}
  def write(%{ref: ref} = found, into) do
    folder = Path.join([cache_dir(into), "huggingface", Repository.cache_scope(ref.repo_id)])
    files = for {name, etag} <- found.files, do: {name, etag || ~s("#{etag_of(found, name)}")}

    with :ok <- made(folder),
         :ok <- each(files, &file(folder, found, &1)),
         # Last: without a listing, Bumblebee reads none of the files.
         :ok <- listing(folder, ref, files, found),
         do: {:ok, folder}
  end

  defp cache_dir(nil),
    do: Setting.value(:bumblebee_cache_dir) || "#{:filename.basedir(:user_cache, "bumblebee")}"

  defp cache_dir(path), do: Source.expand(path)

  # The URL is not encoded: Bumblebee's is not.
  defp file(folder, %{ref: ref} = found, {name, etag}) do
    url = "#{@endpoint}/#{ref.repo_id}/resolve/#{ref.revision || "main"}/#{Folder.join(ref, name)}"
    store(folder, url, etag, &File.cp(Path.join(found.folder, name), &1))
  end

  # Only what was copied is listed, so that Bumblebee looks for nothing else.
  defp listing(folder, ref, files, found) do
    below = if ref.path, do: "/" <> ref.path, else: ""
    url = "#{@endpoint}/api/models/#{ref.repo_id}/tree/#{ref.revision || "main"}#{below}"

    entries =
      for {name, etag} <- files do
        oid = String.trim(etag, ~s("))

        %{
          type: "file",
          path: Folder.join(ref, name),
          oid: oid,
          size: File.stat!(Path.join(found.folder, name)).size
        }
      end

    json = Nif.to_json(entries)
    etag = ~s("#{Base.encode16(:crypto.hash(:sha256, json), case: :lower)}")
    store(folder, url, etag, &File.write(&1, json))
  end

  defp store(folder, url, etag, write) do
    name = url |> :erlang.md5() |> encode()

    with :ok <- place(Path.join(folder, "#{name}.#{encode(etag)}"), write) do
      place(Path.join(folder, name <> ".json"), &File.write(&1, Nif.to_json(%{etag: etag, url: url})))
    end
  end

  defp encode(text), do: Base.encode32(text, case: :lower, padding: false)

  # Beside its place first: Bumblebee does not check its files.
  defp place(path, write) do
    beside = Incomplete.beside(path)

    with :ok <- write.(beside), :ok <- File.rename(beside, path) do
      :ok
    else
      {:error, reason} ->
        File.rm(beside)
        {:error, Io.new("write", path, reason)}
    end
  end

  defp made(folder) do
    case File.mkdir_p(folder) do
      :ok -> Incomplete.clean(folder, ~r/\.incomplete\z/)
      {:error, reason} -> {:error, Io.new("write", folder, reason)}
    end
  end

  defp each(items, fun), do: Enum.find_value(items, :ok, &with(:ok <- fun.(&1), do: nil))

  # A copy in the cache, which is not a link, does not name its etag.
  defp etag_of(found, name) do
    {:ok, hash} = HfHub.Download.compute_sha256(Path.join(found.folder, name))
    hash
  end
end
