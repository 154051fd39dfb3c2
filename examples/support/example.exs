defmodule Example do
  # The Hub that the examples run against: the one that HF_ENDPOINT names, or else a Local Hub in a temporary folder, with
  # a few small repositories and an account named "me".
  @moduledoc false

  alias HfHub.LocalHub

  def model, do: "sentence-transformers/all-MiniLM-L6-v2"
  def dataset, do: "nyu-mll/glue"

  @doc "Prints the endpoint, after starting a Local Hub if no other Hub is set."
  def start do
    if System.get_env("HF_ENDPOINT", "") == "", do: start_local_hub()
    IO.puts("Hub: #{HfHub.Config.endpoint()}")
  end

  @doc "Returns a new temporary folder, which is removed at the end."
  def folder do
    folder =
      Path.join(System.tmp_dir!(), "hf_hub_example_#{System.pid()}_#{System.unique_integer([:positive])}")

    File.mkdir_p!(folder)
    System.at_exit(fn _status -> File.rm_rf!(folder) end)
    folder
  end

  @doc "Writes a map of file names to contents to a folder."
  def write(folder, files) do
    for {name, content} <- files do
      path = Path.join(folder, name)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, content)
    end

    folder
  end

  @doc "Creates a private repository of the token's account, without the files of an earlier run; returns its id."
  def new_repo(name, opts \\ []) do
    HfHub.Repo.delete!(name, [missing_ok: true] ++ Keyword.take(opts, [:repo_type]))
    HfHub.Repo.create!(name, [private: true] ++ opts).repo_id
  end

  defp start_local_hub do
    folder = folder()
    {:ok, hub} = LocalHub.start_link(root: Path.join(folder, "hub"))
    # Runs before the removal of the folder, which was registered earlier.
    System.at_exit(fn _status -> LocalHub.stop(hub) end)
    token = LocalHub.command!(hub, ["user", "add", "me"])

    for {{repo, type}, files} <- repositories() do
      source = write(Path.join([folder, "source", repo]), files)
      LocalHub.import_folder!(hub, source, repo, repo_type: type)
    end

    # Nothing of the user's own cache and tokens is read or changed.
    System.put_env(%{
      "HF_ENDPOINT" => LocalHub.endpoint(hub),
      "HF_TOKEN" => token,
      "HF_HOME" => Path.join(folder, "home"),
      "HF_HUB_CACHE" => Path.join(folder, "cache"),
      "HF_TOKEN_PATH" => Path.join(folder, "home/token")
    })
  end

  defp repositories do
    %{
      {model(), :model} => %{
        "README.md" => card("license: apache-2.0\npipeline_tag: sentence-similarity\ntags: [bert, onnx]"),
        "config.json" => ~s({"model_type": "bert", "hidden_size": 384, "vocab_size": 30522}\n),
        "vocab.txt" => Enum.map_join(1..2000, "\n", &"token#{&1}"),
        "1_Pooling/config.json" => ~s({"pooling_mode_mean_tokens": true}\n),
        "model.safetensors" => weights(6000)
      },
      {"openai-community/gpt2", :model} => %{
        "README.md" => card("license: mit\npipeline_tag: text-generation\ntags: [exbert]"),
        "config.json" => ~s({"model_type": "gpt2"}\n)
      },
      {dataset(), :dataset} => %{
        "README.md" => card(configs()),
        "cola/train-00000-of-00001.parquet" => "cola",
        "mrpc/train-00000-of-00001.parquet" => "mrpc",
        "mrpc/validation-00000-of-00001.parquet" => "mrpc"
      }
    }
  end

  defp card(metadata), do: "---\n#{metadata}\n---\n# A small copy for the examples\n"

  defp configs do
    files = fn config, split -> "  - {split: #{split}, path: #{config}/#{split}-*}\n" end

    "license: other\nlanguage: [en]\nconfigs:\n" <>
      "- config_name: cola\n  data_files:\n#{files.("cola", "train")}" <>
      "- config_name: mrpc\n  data_files:\n#{files.("mrpc", "train")}#{files.("mrpc", "validation")}"
  end

  # One tensor of random numbers, in the format of safetensors: the size of the header, the header, the numbers.
  defp weights(rows) do
    bytes = rows * 384 * 4
    header = ~s({"embeddings.weight":{"dtype":"F32","shape":[#{rows},384],"data_offsets":[0,#{bytes}]}})
    <<byte_size(header)::little-64, header::binary, :crypto.strong_rand_bytes(bytes)::binary>>
  end
end
