defmodule HfHub.LlamaServer do
  # A real server with OpenAI's API: that of llama.cpp, with a tiny model of random weights for chats, and with the model of
  # the demo for embeddings; see `llama_server.py`. `bin/setup.sh` installs it.
  @moduledoc false

  alias HfHub.Decode

  @script Path.expand("llama_server.py", __DIR__)
  @versions "llama-2026.10.11549-0.19.0"

  @doc """
  Starts the servers, which end with the calling process. Returns the URL of the chat model, and with `embed: true` that of
  the embedding model.
  """
  @spec start!(Path.t(), keyword()) :: %{chat: String.t(), embed: String.t() | nil}
  def start!(folder, opts \\ []) do
    File.mkdir_p!(folder)
    models = if opts[:embed], do: [model()], else: []
    options = [:binary, {:line, 10_000}, args: [@script, folder | models]]
    port = Port.open({:spawn_executable, python()}, options)

    receive do
      {^port, {:data, {:eol, line}}} ->
        {:ok, urls} = HfHub.Native.run(:parse_json, line)
        %{chat: Decode.get(urls, "chat"), embed: Decode.get(urls, "embed")}
    after
      60_000 -> raise "llama.cpp's server did not start"
    end
  end

  @doc "Returns the number of replies that a server works on."
  @spec busy(String.t()) :: non_neg_integer()
  def busy(url) do
    client = HfHub.Inference.new(base_url: url, token: false)
    Enum.count(HfHub.Inference.request!(client, method: :get, path: "/slots"), & &1["is_processing"])
  end

  @doc "Returns the Python that has the server."
  @spec python() :: Path.t()
  def python do
    found = System.get_env("HF_HUB_TEST_LLAMA") || HfHub.Installed.path("#{@versions}/bin/python")
    if File.exists?(found), do: found, else: raise("#{found} is missing; bin/test installs it")
  end

  defp model, do: System.get_env("HF_HUB_TEST_MODEL") || HfHub.Installed.path("all-MiniLM-L6-v2")
end
