defmodule HfHub.NamesTest do
  # Files with unusual names: they only affect calls that download them.
  use HfHub.Case, async: true

  alias HfHub.{Download, Error, Safetensors}

  @odd ["a\nb.txt", "a\tb.txt", "a\u0085b.txt", "a\u007Fb.txt", "Q: what.txt", "sub/A:b.txt", "\\lead.txt"]

  test "a snapshot validates only the names of files to download", context do
    for name <- @odd do
      {id, _commit} = repo(context, %{"config.json" => "{}", name => "odd"})

      for more <- [[], [local_dir: Path.join(context.dir, "local#{System.unique_integer([:positive])}")]] do
        opts = opts(context, [repo_id: id] ++ more)
        assert {:ok, folder} = Download.snapshot_download([allow_patterns: "*.json"] ++ opts)
        assert File.read!(Path.join(folder, "config.json")) == "{}"

        assert {:error, %Error{kind: :invalid_name} = error} = Download.snapshot_download(opts)
        assert error.path == name

        assert [_all, pattern] =
                 Regex.run(~r/to download the others, pass ignore_patterns: (\[.*\])/, error.message)

        {patterns, _binding} = Code.eval_string(pattern)
        assert {:ok, ^folder} = Download.snapshot_download([ignore_patterns: patterns] ++ opts)
      end
    end
  end

  test "streams and lookups accept names that cannot be written", context do
    content = <<2::little-64>> <> "{}"
    {id, _commit} = repo(context, for(name <- @odd, into: %{}, do: {name, content}))

    for name <- @odd do
      ask = [repo_id: id, filename: name, endpoint: context.endpoint]
      assert {:ok, stream} = Download.download_stream(ask)
      assert Enum.join(stream) == content
      assert {:ok, %{tensors: %{}}} = Safetensors.file_metadata(id, name, endpoint: context.endpoint)

      assert {:error, %Error{kind: :invalid_name}} =
               Download.hf_hub_download(opts(context, repo_id: id, filename: name))
    end
  end

  test "a download never writes to a .git folder", context do
    local = folder(context, %{".git/config" => "mine"})

    for name <- [".git/config", ".GIT/config", "git~1/config", ".git./config", "sub/.git/hooks/post-checkout"] do
      opts = opts(context, repo_id: "org/any", filename: name, local_dir: local)
      assert {:error, %Error{kind: :invalid_name, message: message}} = Download.hf_hub_download(opts)
      assert message =~ ".git"
    end

    assert File.read!(Path.join(local, ".git/config")) == "mine"
  end

  test "names of the maximum length are downloaded to a plain folder", context do
    names = for bytes <- [246, 247, 250, 255], do: "d/" <> String.duplicate("n", bytes)
    {id, commit} = repo(context, for(name <- names, into: %{}, do: {name, name}))
    local = Path.join(context.dir, "local")
    assert {:ok, ^local} = Download.snapshot_download(opts(context, repo_id: id, local_dir: local))

    for name <- names do
      assert File.read!(Path.join(local, name)) == name
      opts = opts(context, repo_id: id, filename: name, local_dir: local, revision: commit)
      # The metadata of the first download is found, so no request is made.
      before = length(requests(id))
      assert before >= 1
      assert {:ok, _path} = Download.hf_hub_download(opts)
      assert length(requests(id)) == before
    end
  end

  test "the error of a long name contains the limit", context do
    long = String.duplicate("n", 256)

    assert {:error, %Error{kind: :invalid_name, message: message}} =
             Download.hf_hub_download(opts(context, repo_id: "org/any", filename: long))

    assert message =~ "longer than 255 bytes"
  end
end
