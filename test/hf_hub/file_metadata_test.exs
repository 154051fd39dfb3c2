defmodule HfHub.FileMetadataTest do
  use HfHub.Case, async: true

  alias HfHub.{Download, Error}

  defp metadata(context, more),
    do: Download.file_metadata([endpoint: context.endpoint, retry_delay: 10] ++ more)

  test "is the commit, the etag and the size of the content, and its URL if it is elsewhere", context do
    large = large(20_000)
    {id, commit} = repo(context, %{"config.json" => "{}\n", "sub/model.bin" => large})
    sha = Base.encode16(:crypto.hash(:sha256, large), case: :lower)

    assert {:ok, file} = metadata(context, repo_id: id, filename: "model.bin", subfolder: "sub")
    assert %{commit_hash: ^commit, etag: ^sha, size: 20_000, location: "http" <> _} = file
    refute file.location =~ context.endpoint

    blob = Base.encode16(:crypto.hash(:sha, "blob 3\0{}\n"), case: :lower)
    assert {:ok, file} = metadata(context, repo_id: id, filename: "config.json", revision: commit)
    assert %{commit_hash: ^commit, etag: ^blob, size: 3, location: nil, xet_hash: nil} = file
    assert {:ok, ^file} = metadata(context, repo_id: "#{context.endpoint}/#{id}/blob/main/config.json")
    assert Enum.all?(requests(id), &(&1["method"] == "HEAD" and &1["bytes_sent"] == 0))
  end

  test "of what is missing is an error", context do
    {id, _commit} = repo(context, %{"config.json" => "{}"})
    assert {:error, %Error{kind: :entry_not_found}} = metadata(context, repo_id: id, filename: "none")

    assert {:error, %Error{kind: :revision_not_found}} =
             metadata(context, repo_id: id, filename: "a", revision: "none")

    assert {:error, %Error{kind: :repo_not_found}} = metadata(context, repo_id: "org/none", filename: "a")
    assert {:error, %Error{kind: :invalid_name}} = metadata(context, repo_id: id, filename: "../a")
    assert_raise ArgumentError, ~r/:filename is required/, fn -> metadata(context, repo_id: id) end
  end
end
