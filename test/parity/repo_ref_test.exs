defmodule HfHub.Parity.RepoRefTest do
  # This library and the Python client parse references to the same repositories.
  use HfHub.Case, async: true

  alias HfHub.{Python, RepoRef}

  @moduletag :python

  @given [
    "hf://org/name",
    "hf://models/org/name",
    "hf://datasets/org/name@v1/a/b.txt",
    "hf://spaces/org/name/app.py",
    "hf://org/name@feature%2Fx/b.txt",
    "hf://datasets/org/name@refs/pr/10/train.json",
    "hf://org/name@refs/convert/parquet-v2/a",
    "hf://org/name@refs/pr/one",
    "hf://org/name/dir/file@1.txt",
    "hf://org/name/",
    "hf://name",
    "hf://name@main",
    "hf://org/name@",
    "hf://dataset/org/name",
    "hf://models",
    "hf://",
    "https://huggingface.co/org/name",
    "https://huggingface.co/org/name/",
    "https://huggingface.co/org/name/tree",
    "https://huggingface.co/org/name/tree/main",
    "https://huggingface.co/datasets/org/name/blob/main/a%20b/c.txt?download=true#L1",
    "https://huggingface.co/org/name/resolve/refs%2Fpr%2F3/x",
    "https://huggingface.co/org/name/raw/refs/pr/3/x",
    "https://huggingface.co/org/name/blame/feature%2Fx/y.py",
    "https://HUGGINGFACE.co/org/name",
    "huggingface.co/org/name/blob/main/x",
    "hf.co/spaces/org/name",
    "https://huggingface.co/org",
    "https://huggingface.co/",
    "https://huggingface.co/org/name/discussions/1",
    "https://huggingface.co/org/name/commit/abc",
    "https://example.com/org/name",
    "hf://buckets/org/name",
    "hf://buckets/org/name/",
    "hf://buckets/org/name/a/b.txt",
    "hf://buckets/org/name@main/b.txt",
    "hf://buckets/org",
    "hf://buckets",
    "hf://buckets/org//name",
    "hf://buckets/org/name//x",
    "hf://bucket/org/name",
    "https://huggingface.co/buckets/org/name",
    "https://huggingface.co/buckets/org/name/tree/a%20b/c",
    "https://huggingface.co/buckets/org/name/resolve/a/b.bin?download=true",
    "https://huggingface.co/buckets/org/name/tree",
    "https://huggingface.co/buckets/org/name/blob/main/x",
    "https://huggingface.co/buckets/org/name/settings",
    "https://huggingface.co/buckets/org"
  ]

  test "URLs are parsed alike", context do
    code = """
    from huggingface_hub.utils import parse_hf_uri
    for given in #{inspect(@given, limit: :infinity)}:
        try:
            uri = parse_hf_uri(given)
            print("\\t".join([uri.type, uri.id, uri.revision or "", uri.path_in_repo]))
        except Exception:
            print("refused")
    """

    theirs = code |> Python.run!("https://huggingface.co", context.cache) |> String.split("\n")

    for {given, theirs} <- Enum.zip(@given, theirs) do
      ours =
        case RepoRef.location(given, endpoint: "https://huggingface.co") do
          {:ok, ref} -> Enum.join([ref.repo_type, ref.repo_id, ref.revision, ref.path], "\t")
          {:error, %HfHub.Error{kind: :invalid_name}} -> "refused"
        end

      assert String.trim(ours) == String.trim(theirs), given
    end

    assert length(theirs) == length(@given)
  end

  test "URLs of files are those of the Python client", context do
    files = [
      {"org/name", "a.txt", "main"},
      {"gpt2", "a b/ü#?.txt", "refs/pr/1"},
      {"org/name", "x+y~z!$&'()*,;=:@.bin", "feature/é"}
    ]

    code = """
    for args in json.loads(sys.argv[1]):
        print(hf_hub_url(args[0], args[1], revision=args[2]))
    """

    args = [HfHub.Native.Nif.to_json(for file <- files, do: Tuple.to_list(file))]
    theirs = Python.run!(code, "https://huggingface.co", context.cache, [], args)

    ours = for {id, name, revision} <- files, do: HfHub.Hub.file_url(id, name, revision)
    assert String.split(theirs, "\n") == ours
  end
end
