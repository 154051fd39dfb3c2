defmodule HfHub.CLI.Models do
  # Models on the Hub.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.Browse

  @filters [
    pipeline_tag: [type: :string, doc: "Task, such as `text-generation`"],
    gated: [
      type: :boolean,
      negatable: true,
      doc: "Only models that require access, or with `--no-gated` no such model"
    ],
    apps: [type: {:list, :string}, doc: "Local app that can run the model, such as `ollama`"],
    num_parameters: [type: :string, doc: "Range of parameter counts, such as `min:6B,max:128B`"],
    inference_provider: [type: {:list, :string}, doc: "Inference provider that serves the model"],
    warm: [type: :boolean, doc: "Only models that an inference provider serves now"]
  ]

  @impl true
  def noun, do: [name: "models", summary: "Searches models, and shows their files, facts and cards"]

  @impl true
  def commands, do: Browse.commands(:models, @filters)
end
