Code.require_file("mix/native_compiler.exs", __DIR__)

defmodule HfHub.MixProject do
  use Mix.Project

  @version "0.4.1"

  def project do
    [
      app: :hf_hub,
      version: @version,
      elixir: "~> 1.14",
      description:
        "A Hugging Face Hub client: verified downloads, the shared cache, a Local Hub; Rust inside.",
      compilers: [:hf_hub_native] ++ Mix.compilers(),
      elixirc_paths: elixirc_paths(Mix.env()),
      start_permanent: Mix.env() == :prod,
      # None: integrations are detected at run time.
      deps: [],
      package: package(),
      docs: &docs/0,
      # The address of the sources, once they are published; ex_doc links to it.
      source_url: nil,
      test_coverage: [summary: [threshold: 0]]
    ]
  end

  def application, do: [extra_applications: [:logger, :crypto, :eex | test_applications(Mix.env())]]

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_env), do: ["lib"]

  defp test_applications(:test), do: [:inets, :ssl]
  defp test_applications(_env), do: []

  # What `mix docs` and `bin/docs` make of the documentation.
  defp docs, do: "mix/docs.exs" |> Path.expand(__DIR__) |> Code.eval_file() |> elem(0)

  defp package do
    [
      licenses: ["Apache-2.0"],
      links: %{
        "Hugging Face Hub" => "https://huggingface.co/docs/hub",
        "huggingface_hub for Python" => "https://huggingface.co/docs/huggingface_hub"
      },
      # Made by bin/release; without it, the library is compiled.
      files:
        ~w(lib mix mix.exs .formatter.exs README.md CHANGELOG.md ARCHITECTURE.md CONTRIBUTING.md ROADMAP.md LICENSE guides examples Cargo.toml Cargo.lock) ++
          ~w(native/hf_hub_engine native/hf_hub_nif native/hf_hub_server) ++
          Enum.filter(["native/precompiled.sha256"], &File.exists?(Path.expand(&1, __DIR__)))
    ]
  end
end
