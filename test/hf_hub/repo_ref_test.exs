defmodule HfHub.RepoRefTest do
  use ExUnit.Case, async: true

  alias HfHub.{Error, RepoRef}

  @sha String.duplicate("a1", 20)

  defp parse(ref, type \\ :model, endpoint \\ "https://huggingface.co") do
    with {:ok, ref} <- RepoRef.resolve(ref, repo_type: type, endpoint: endpoint),
         do: {ref.repo_type, ref.repo_id, ref.revision, ref.path}
  end

  test "ids have the type of the call" do
    assert parse("gpt2") == {:model, "gpt2", nil, nil}
    assert parse("org/name", :dataset) == {:dataset, "org/name", nil, nil}
    assert parse({:hf, "org/name"}) == {:model, "org/name", nil, nil}
    assert parse("httpx/model") == {:model, "httpx/model", nil, nil}
    assert parse({:hf, "org/name", revision: "v1", subdir: "unet"}) == {:model, "org/name", "v1", "unet"}
  end

  test "the whole grammar of hf:// is parsed" do
    for {uri, expected} <- [
          {"hf://org/name", {:model, "org/name", nil, nil}},
          {"hf://models/org/name", {:model, "org/name", nil, nil}},
          {"hf://datasets/org/name", {:dataset, "org/name", nil, nil}},
          {"hf://spaces/org/name/app.py", {:space, "org/name", nil, "app.py"}},
          {"hf://org/name@v1", {:model, "org/name", "v1", nil}},
          {"hf://org/name@v1/a/b.txt", {:model, "org/name", "v1", "a/b.txt"}},
          {"hf://org/name@feature%2Fx/b.txt", {:model, "org/name", "feature/x", "b.txt"}},
          {"hf://datasets/org/name@refs/pr/1/b.txt", {:dataset, "org/name", "refs/pr/1", "b.txt"}},
          {"hf://org/name@refs/convert/parquet", {:model, "org/name", "refs/convert/parquet", nil}},
          {"hf://org/name/dir/file@1.txt", {:model, "org/name", nil, "dir/file@1.txt"}},
          {"hf://org/name@refs/pr/1", {:model, "org/name", "refs/pr/1", nil}},
          {"hf://org/name@refs/convert/duckdb.v1/a", {:model, "org/name", "refs/convert/duckdb.v1", "a"}},
          {"hf://org/name@refs/pr/one", {:model, "org/name", "refs", "pr/one"}},
          {"hf://org/name@50%zz", {:model, "org/name", "50%zz", nil}},
          {"hf://org/name/", {:model, "org/name", nil, nil}}
        ] do
      assert parse(uri) == expected, uri
    end
  end

  test "page URLs are parsed" do
    for {url, expected} <- [
          {"https://huggingface.co/org/name", {:model, "org/name", nil, nil}},
          {"https://hf.co/datasets/org/name", {:dataset, "org/name", nil, nil}},
          {"https://huggingface.co/org/name/tree/main", {:model, "org/name", "main", nil}},
          {"https://huggingface.co/org/name/blob/main/a%20b/c.txt?x=1#y",
           {:model, "org/name", "main", "a b/c.txt"}},
          {"https://huggingface.co/spaces/org/name/resolve/#{@sha}/app.py",
           {:space, "org/name", @sha, "app.py"}},
          {"https://huggingface.co/org/name/blob/refs%2Fpr%2F3/x", {:model, "org/name", "refs/pr/3", "x"}},
          {"https://huggingface.co/org/name/blob/refs/pr/3/x", {:model, "org/name", "refs/pr/3", "x"}},
          {"https://huggingface.co/org/name/tree", {:model, "org/name", nil, nil}},
          {"https://HuggingFace.co/org/name/", {:model, "org/name", nil, nil}},
          {"huggingface.co/org/name/blob/main/x", {:model, "org/name", "main", "x"}},
          {"huggingface.co/datasets/org/name", {:dataset, "org/name", nil, nil}},
          {"hf.co/org/name", {:model, "org/name", nil, nil}},
          {"https://huggingface.co/gpt2/resolve/main/a/b", {:model, "gpt2", "main", "a/b"}},
          {"https://huggingface.co/datasets/squad/blob/refs%2Fpr%2F1/x",
           {:dataset, "squad", "refs/pr/1", "x"}},
          {"https://huggingface.co/gpt2/tree/refs/pr/1", {:model, "gpt2", "refs/pr/1", nil}},
          {"https://huggingface.co/org/tree/tree/main/x", {:model, "org/tree", "main", "x"}},
          {"https://me:hf_CANARY@huggingface.co/org/name", {:model, "org/name", nil, nil}}
        ] do
      assert parse(url) == expected, url
    end

    assert parse("http://localhost:8080/hub/org/name/blob/main/x", :model, "http://localhost:8080/hub/") ==
             {:model, "org/name", "main", "x"}

    assert parse("localhost:8080/hub/org/name", :model, "http://localhost:8080/hub/") ==
             {:model, "org/name", nil, nil}
  end

  test "a password in a URL is not shown" do
    for bad <- [
          "https://me:hf_CANARY@example.com/org/name",
          "https://hf_CANARY@huggingface.co/settings",
          [token: "hf_CANARY"],
          {:hf, "a/b", %{auth_token: "hf_CANARY"}}
        ] do
      assert {:error, error} = parse(bad)
      refute inspect(error) =~ "CANARY"
    end
  end

  test "errors of near misses contain advice" do
    for {given, advice} <- [
          {"datasets/org/name", ~s(pass "org/name" with repo_type: :dataset)},
          {"org/name@v1", "pass the part after the @ as :revision"},
          {" org/name", ~s(did you mean "org/name"?)},
          {"org/name/", ~s(did you mean "org/name"?)}
        ] do
      assert {:error, %Error{kind: :invalid_name, message: message}} = parse(given)
      assert message =~ advice
    end
  end

  test "any other reference is an error with the accepted forms" do
    for bad <- [
          "",
          "a/b/c",
          "../x",
          "a--b",
          "hf://name",
          "hf://dataset/org/name",
          "hf://org//x",
          "hf://org/name@",
          "https://example.com/org/name",
          "https://huggingface.co/settings/tokens/x/y",
          "https://huggingface.co/org",
          "huggingface.co",
          "huggingface.co/org/name/discussions/1",
          "https://huggingface.co.evil.example/org/name",
          "https://huggingface.co@evil.example/org/name",
          "hf://",
          "hf://kernels/org/name",
          "HF://org/name",
          %{id: "org/name"},
          {:hf, :name},
          :gpt2,
          {:local, "/tmp"},
          {:hf, "org/name", revision: 5},
          "hf://org/name@%ff/x",
          <<255>>,
          nil
        ] do
      assert {:error, %Error{kind: :invalid_name, message: message}} = parse(bad), inspect(bad)
      assert message =~ ~s("namespace/name"), inspect(bad)
    end
  end

  test "a bucket is accepted where one is asked for, in all forms" do
    for given <- [
          "org/name/a/b",
          "hf://buckets/org/name/a/b",
          "https://huggingface.co/buckets/org/name/tree/a/b",
          "huggingface.co/buckets/org/name/resolve/a/b"
        ] do
      assert {:ok, %{repo_type: :bucket, repo_id: "org/name", path: "a/b", revision: nil}} =
               RepoRef.bucket(given, [])
    end

    assert {:ok, %{repo_id: "org/name", path: nil}} = RepoRef.bucket("org/name/", [])
  end

  test "what is not the address of a bucket is an error with the accepted forms" do
    for bad <- [
          "name",
          "",
          "org/",
          "org/../x",
          "org/na me",
          "../name",
          "org/name/../x",
          "org/name//x",
          "hf://org/name",
          "hf://buckets/org",
          "hf://datasets/org/name",
          "https://example.com/buckets/org/name",
          <<255>>,
          nil,
          :name,
          5
        ] do
      assert {:error, %Error{kind: :invalid_name}} = RepoRef.bucket(bad, []), inspect(bad)
    end

    assert {:error, %Error{message: message}} = RepoRef.bucket("name", [])
    assert message =~ ~s(invalid bucket "name": the namespace is missing; accepted: "namespace/name")
  end

  test "a bucket in the place of a repository is an error that names the module for buckets" do
    assert {:error, %Error{message: message}} = RepoRef.resolve("hf://buckets/org/name", [])
    assert message =~ "HfHub.Buckets"
    assert {:error, %Error{}} = RepoRef.resolve("hf://buckets/org/name", only: :model)
  end
end
