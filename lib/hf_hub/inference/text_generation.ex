defmodule HfHub.Inference.TextGeneration do
  # The task text-generation: a text, its details, or a stream of its parts.
  @moduledoc false

  require Logger

  alias HfHub.{Decode, Error, Options}
  alias HfHub.Inference.{Call, Client, Events, Generation, GenerationChunk, Tables}

  @task "text-generation"

  # How servers without text-generation-inference report parameters that they do not have.
  @unused ~r/`model_kwargs` are not used by the model: \[(.*?)\]/

  @doc "Generates a text."
  @spec generate(Client.t(), String.t(), keyword()) ::
          {:ok, String.t() | Generation.t()} | {:error, Error.t()}
  def generate(client, prompt, opts) do
    {params, opts} = split(prompt, opts)
    decode = &decode(&1, params[:details])

    case Call.run(client, @task, {prompt, params}, opts, decode) do
      {:error, %Error{kind: :bad_request} = error} -> without_unused(error, client, prompt, params, opts)
      result -> result
    end
  end

  @doc "Returns a lazy stream of the parts of a text, which raises `HfHub.Error`."
  @spec stream(Client.t(), String.t(), keyword()) :: Enumerable.t()
  def stream(client, prompt, opts) do
    {params, opts} = split(prompt, opts)
    decode = if params[:details], do: Decode.to(GenerationChunk), else: &piece/1

    Events.stream(client, @task, {prompt, [stream: true] ++ params}, opts, decode, &last?/1)
  end

  defp split(prompt, opts) do
    unless is_binary(prompt) and String.valid?(prompt),
      do: raise(ArgumentError, "expected the prompt to be a string, got: #{Options.shown(prompt)}")

    opts = Options.validate!(opts, Tables.generation() ++ Tables.call())

    if opts[:decoder_input_details] && !opts[:details],
      do: raise(ArgumentError, "option :decoder_input_details requires details: true")

    {params, opts} = Keyword.split(opts, Keyword.keys(Tables.generation()))
    {Keyword.put(params, :stop, params[:stop] && List.wrap(params[:stop])), opts}
  end

  # Of text-generation-inference, or of OpenAI. Other servers have neither entry.
  defp last?(%{"generated_text" => text}), do: text != nil
  defp last?(%{"choices" => [%{"finish_reason" => reason} | _others]}), do: reason != nil
  defp last?(_other), do: true

  # text-generation-inference, or OpenAI's form.
  defp piece(%{"choices" => [%{"text" => text} | _others]}) when is_binary(text), do: text
  defp piece(json), do: json |> Decode.get("token") |> Decode.get("text") |> Decode.text()

  defp decode([json | _others], details), do: decode(json, details)

  defp decode(json, details) do
    generation = Decode.struct(Generation, json)
    if details, do: generation, else: generation.generated_text
  end

  defp without_unused(error, client, prompt, params, opts) do
    with [_all, names] <- Regex.run(@unused, Exception.message(error)),
         names = for([name] <- Regex.scan(~r/[^', ]+/, names), do: name),
         {[_ | _], rest} <-
           Enum.split_with(params, fn {name, value} -> value != nil and to_string(name) in names end) do
      Logger.warning(
        "the model does not know these parameters, which are left out: #{Enum.join(names, ", ")}"
      )

      Call.run(client, @task, {prompt, rest}, opts, &decode(&1, rest[:details]))
    else
      _other_error -> {:error, error}
    end
  end
end
