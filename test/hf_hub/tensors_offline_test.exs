defmodule HfHub.TensorsOfflineTest do
  # Offline mode is a setting of the whole VM.
  use HfHub.Case, async: false

  alias HfHub.{Download, Error, GGUF, Safetensors}

  test "cached files are read in offline mode, and others are errors", context do
    own_env(["HF_HUB_OFFLINE"])
    path = Path.join(context.dir, "model.safetensors")
    Safetensors.write!(path, %{"w" => {"U8", [3], <<1, 2, 3>>}})

    {id, commit} =
      repo(context, %{"model.safetensors" => File.read!(path), "other.safetensors" => File.read!(path)})

    Download.hf_hub_download!(opts(context, repo_id: id, filename: "model.safetensors"))
    before = requests(id)
    Application.put_env(:hf_hub, :offline, true)
    opts = [endpoint: context.endpoint, cache_dir: context.cache]

    for repo <- [id, {:hf, id, revision: commit}] do
      assert Safetensors.tensor!(Safetensors.open!(repo, opts), "w") == <<1, 2, 3>>
    end

    for {kind, call} <- [
          {:not_cached, fn -> Safetensors.open(id, [filename: "other.safetensors"] ++ opts) end},
          {:not_cached, fn -> Safetensors.open("org/none", opts) end},
          {:not_cached, fn -> GGUF.read(id, [filename: "x.gguf"] ++ opts) end}
        ] do
      assert {:error, %Error{kind: ^kind}} = call.()
    end

    Application.delete_env(:hf_hub, :offline)
    assert requests(id) == before
  end
end
