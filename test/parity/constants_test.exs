defmodule HfHub.Parity.ConstantsTest do
  # The constants, and what the Hub asks about a file, are those of the Python client.
  use HfHub.Case, async: true

  alias HfHub.{Constants, LFS, Python}
  alias HfHub.LFS.UploadInfo

  @moduletag :python

  @special ["REPO_TYPES", "REPO_TYPES_URL_PREFIXES"]

  defp constants do
    {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(Constants)

    for {{:function, name, _arity}, _, _, _, %{python: "constants." <> python}} <- docs, do: {python, name}
  end

  test "constants have the values of the Python client", context do
    assert length(constants()) == 23
    plain = for {python, name} <- constants(), python not in @special, do: {python, name}
    types = Constants.repo_types()

    code = """
    from huggingface_hub import constants
    for name in sys.argv[2:]:
        print(getattr(constants, name))
    for type in sys.argv[1].split():
        assert type in constants.REPO_TYPES
        print(constants.REPO_TYPES_URL_PREFIXES.get(type, "") + ".")
    """

    args = [Enum.join(types, " ") | Enum.map(plain, &elem(&1, 0))]
    theirs = Python.run!(code, context.endpoint, context.cache, [], args) |> String.split("\n")
    ours = for {_python, name} <- plain, do: to_string(apply(Constants, name, []))
    assert ours ++ for(type <- types, do: Constants.repo_type_url_prefix(type) <> ".") == theirs
  end

  test "the information about a file is that of the Python client", context do
    paths =
      for size <- [0, 5, 512, 513, 100_000] do
        path = Path.join(context.dir, "f#{size}")
        File.write!(path, :crypto.strong_rand_bytes(size))
        path
      end

    code = """
    from huggingface_hub.lfs import LFS_HEADERS, UploadInfo
    print(*(": ".join(header) for header in LFS_HEADERS.items()))
    for path in sys.argv[1:]:
        info = UploadInfo.from_path(path)
        print(info.sha256.hex(), info.size, info.sample.hex())
    """

    [headers | theirs] = Python.run!(code, context.endpoint, context.cache, [], paths) |> String.split("\n")
    assert headers == Enum.map_join(LFS.lfs_headers(), " ", fn {name, value} -> "#{name}: #{value}" end)

    for {path, theirs} <- Enum.zip(paths, theirs) do
      info = UploadInfo.from_path(path)
      assert theirs == "#{LFS.oid(info)} #{info.size} #{Base.encode16(info.sample, case: :lower)}"
    end
  end
end
