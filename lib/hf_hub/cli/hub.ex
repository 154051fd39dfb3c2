defmodule HfHub.CLI.Hub do
  # The Local Hub: a server, and its users and organizations.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command, Output}
  alias HfHub.LocalHub
  alias HfHub.LocalHub.Executable

  @root [root: [type: :path, default: "hub", doc: "Folder with all data of the Hub"]]

  @impl true
  def noun, do: [name: "hub", summary: "Runs a Hugging Face Hub on this machine, and manages its users"]

  @impl true
  def commands do
    [
      command("serve", &serve/1,
        summary: "Serves until it is interrupted",
        details: "Prints the address, and the variables that clients need.",
        flags:
          @root ++
            [
              port: [type: :integer, default: 8080, doc: "Port to listen on; 0 chooses a free one"],
              host: [type: :string, default: "127.0.0.1", doc: "Address to listen on"],
              tls_self_signed: [type: :boolean, doc: "Serves HTTPS with a certificate created for this Hub"],
              tls_cert: [type: :path, doc: "PEM file of a certificate to serve HTTPS with"],
              tls_key: [type: :path, doc: "PEM file of the certificate's private key"]
            ],
        examples: ["--root /var/lib/hub", "--root hub --port 0"]
      ),
      managed("user", "Manages users and tokens", ["add me --token-name laptop", "tokens me"]),
      managed("org", "Manages organizations and their members", ["add acme", "join acme me --role write"])
    ]
  end

  defp command(word, run, fields), do: struct!(Command, [words: [word], run: run, hub: false] ++ fields)

  defp managed(word, summary, examples) do
    command(word, &manage/1,
      summary: summary,
      details: "The server may run meanwhile. `--root` comes before the arguments; #{word} help lists them.",
      args: [arguments: [type: {:list, :string}, doc: "Arguments of `hf_hub_server #{word}`"]],
      flags: @root,
      rest: true,
      examples: examples
    )
  end

  defp serve(call) do
    opts = Call.options(call, [:root, :port, :host, :tls_self_signed, :tls_cert, :tls_key])

    with {:ok, hub} <- LocalHub.start_link(opts) do
      variables = LocalHub.environment(hub)

      shown =
        {:own, variables,
         &[LocalHub.endpoint(hub) | for({name, value} <- &1, do: "  export #{name}=#{value}")]}

      Output.show(shown, call.output)
      # The server is a process of its own, which ends with this one.
      Process.sleep(:infinity)
    end
  end

  defp manage(call) do
    [word] = call.command.words

    with {:ok, server} <- Executable.find(nil) do
      args = [word | call.args.arguments] ++ ["--root", call.flags.root]

      case System.cmd(server, args, stderr_to_stdout: true) do
        {text, 0} -> {:raw, String.trim_trailing(text)}
        {text, status} -> {:exit, min(status, 2), {:note, String.trim_trailing(text)}}
      end
    end
  end
end
