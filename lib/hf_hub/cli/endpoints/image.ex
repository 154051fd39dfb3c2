defmodule HfHub.CLI.Endpoints.Image do
  # The container image of an endpoint: flags, and the options they make.
  @moduledoc false

  alias HfHub.CLI.Command
  alias HfHub.InferenceEndpoints.Payload

  # The engines of the flag, and their names in the API.
  @engines %{
    "custom" => "custom",
    "hf-serve" => "hfServe",
    "llamacpp" => "llamacpp",
    "sglang" => "sGLang",
    "tei" => "tei",
    "tgi" => "tgi",
    "tgi-neuron" => "tgiNeuron",
    "vllm" => "vLLM",
    "vllm-neuron" => "vLLMNeuron"
  }

  @sizes [:tensor_parallel_size, :data_parallel_size]
  @of_image [:engine, :health_route, :port, :container_registry_username, :container_registry_password]

  @doc "Returns the flags of commands that choose the image."
  @spec flags() :: Command.rules()
  def flags do
    [
      custom_image: [type: :string, doc: "URL of the container image to run, instead of one of Hugging Face"],
      engine: [
        type: :string,
        doc: "Engine that the image contains: #{@engines |> Map.keys() |> Enum.sort() |> Enum.join(", ")}"
      ],
      health_route: [type: :string, doc: "Path that responds once the container is ready, such as `/health`"],
      port: [type: :integer, doc: "Port that the container listens on"],
      tensor_parallel_size: [type: :integer, doc: "Accelerators that share one copy of the model"],
      data_parallel_size: [type: :integer, doc: "Copies of the model, one for each accelerator"],
      container_command: [type: :string, doc: "Command that replaces the entry point, as one quoted text"],
      container_args: [type: :string, doc: "Arguments of the container, as one quoted text"]
    ]
  end

  @doc "Returns the flags of a registry that requires a login."
  @spec registry_flags() :: Command.rules()
  def registry_flags do
    [
      container_registry_username: [type: :string, doc: "User of the registry of the custom image"],
      container_registry_password: [
        type: :string,
        secret: true,
        doc: "Password of the registry of the custom image"
      ]
    ]
  end

  @doc """
  Returns the options that the flags make. `:sizes` are the sizes that the current image of an endpoint gets, which a new
  endpoint does not have.
  """
  @spec options(map(), :new | :existing) :: {:ok, keyword()} | {:error, String.t()}
  def options(flags, endpoint) do
    with {:ok, image} <- image(flags, endpoint) do
      words = for name <- [:container_command, :container_args], text = flags[name], do: {name, words(text)}
      registry = for name <- Keyword.keys(registry_flags()), value = flags[name], do: {name, value}
      {:ok, image ++ words ++ registry}
    end
  end

  defp image(%{custom_image: _url} = flags, _endpoint) do
    sizes = for name <- @sizes, size = flags[name], do: {name, size}

    cond do
      flags[:container_registry_password] && !flags[:container_registry_username] ->
        {:error, "--container-registry-password requires --container-registry-username"}

      flags[:engine] && flags[:container_registry_username] ->
        {:error, "--container-registry-username and --engine are mutually exclusive"}

      sizes != [] && !flags[:engine] ->
        {:error, "--tensor-parallel-size and --data-parallel-size require --engine, such as vllm"}

      true ->
        {:ok, [custom_image: built(flags, sizes)]}
    end
  end

  defp image(flags, endpoint) do
    sizes = for name <- @sizes, size = flags[name], do: {name, size}
    needing = if endpoint == :new, do: @of_image ++ @sizes, else: @of_image

    case for(name <- needing, flags[name], do: "--#{String.replace("#{name}", "_", "-")}") do
      [] -> {:ok, sizes}
      [one | _more] -> {:error, "#{one} requires --custom-image"}
    end
  end

  defp built(flags, sizes) do
    settings =
      for {name, value} <- [url: flags.custom_image, healthRoute: flags[:health_route], port: flags[:port]],
          value != nil,
          into: %{},
          do: {to_string(name), value}

    case flags[:engine] do
      nil -> settings
      engine -> Payload.parallel(%{Map.get(@engines, engine, engine) => settings}, sizes)
    end
  end

  defp words(text) do
    OptionParser.split(text)
  rescue
    error in [RuntimeError] -> raise ArgumentError, error.message
  end
end
