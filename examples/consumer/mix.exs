defmodule Consumer.MixProject do
  # A project that uses the library, with a suite of its own: `mix test` here is what its users run. The library is that of
  # this checkout, or of the folder that HF_HUB_PATH names.
  use Mix.Project

  def project do
    [
      app: :consumer,
      version: "1.0.0",
      elixir: "~> 1.14",
      deps: [{:hf_hub, path: System.get_env("HF_HUB_PATH", "../..")}],
      releases: [consumer: [steps: [:assemble, &HfHub.Release.bundle/1]]]
    ]
  end

  def application, do: [extra_applications: [:logger]]
end
