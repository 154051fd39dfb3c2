defmodule HfHub.Inference.Mapping do
  # What the Hub knows about models: their providers and tasks, and the models it recommends. Kept for some minutes.
  @moduledoc false

  require Logger

  alias HfHub.{Api, Config, Error, Memory, Options, Request}
  alias HfHub.Api.InferenceProvider

  # Milliseconds: providers change their offers.
  @fresh 300_000

  @doc "Returns the providers of a model, in the order of the user's settings."
  @spec list!(String.t(), keyword()) :: [InferenceProvider.t(), ...]
  def list!(model, opts) do
    remembered(:providers, [model], opts, fn ->
      info = Api.model_info!(model, [expand: ["inferenceProviderMapping"]] ++ hub(opts))

      with none when none in [nil, []] <- info.inference_provider_mapping,
           do:
             raise(
               Error.new(:not_found, "no provider serves #{model}; see its page on the Hub", repo_id: model)
             )
    end)
  end

  @doc "Returns the entry of a provider for a model, and for a task that it must offer."
  @spec find!(String.t(), String.t(), String.t(), keyword()) :: InferenceProvider.t()
  def find!(model, provider, task, opts) do
    all = list!(model, opts)

    case Enum.find(all, &(&1.provider == provider)) do
      nil ->
        names = all |> Enum.map(& &1.provider) |> Enum.uniq() |> Enum.join(", ")
        raise Error.new(:not_found, "#{provider} does not serve #{model}; these do: #{names}", repo_id: model)

      %{task: ^task} = found ->
        warn(found, model)
        found

      %{task: other} ->
        raise Error.new(:bad_request, "#{provider} serves #{model} for #{other}, not for #{task}",
                repo_id: model
              )
    end
  end

  defp warn(%{status: :staging} = found, model),
    do: Logger.warning("#{found.provider} serves #{model} for tests only, so far")

  defp warn(%{status: :error} = found, model),
    do: Logger.warning("#{found.provider} failed the Hub's last check of #{model}; the call may fail")

  defp warn(_live, _model), do: :ok

  @doc "Returns the model that the Hub recommends for a task."
  @spec recommended!(String.t(), keyword()) :: String.t()
  def recommended!(task, opts) do
    tasks = remembered(:tasks, [], opts, fn -> Error.unwrap!(Request.run(tasks_request(opts), &models/1)) end)

    with nil <- tasks[task],
         do: raise(Error.new(:bad_request, "the Hub recommends no model for #{task}; pass :model"))
  end

  defp tasks_request(opts), do: Request.new(:get, "/api/tasks", [], hub(opts))

  defp models(json) do
    for {task, %{"widgetModels" => [model | _others]}} when is_binary(model) <- HfHub.Decode.object(json),
        into: %{},
        do: {task, model}
  end

  @doc "Raises unless hf-inference serves the model for the task."
  @spec check_task!(String.t(), String.t(), keyword()) :: :ok
  def check_task!(model, task, opts) do
    {tag, tags} =
      remembered(:pipeline, [model], opts, fn ->
        info = Api.model_info!(model, hub(opts))
        {info.pipeline_tag, info.tags || []}
      end)

    unless serves?(tag, tags, task) do
      is = if tag, do: "it is a model for #{tag}", else: "its task is unknown"
      raise Error.new(:bad_request, "#{model} does not support #{task}: #{is}", repo_id: model)
    end

    :ok
  end

  # Embedding models have both tasks.
  @embeddings ~w(feature-extraction sentence-similarity)

  defp serves?(tag, _tags, task)
       when task in ["text-generation", "conversational"] and tag == "text-generation",
       do: true

  defp serves?("text2text-generation", _tags, task), do: task == "text-generation"
  defp serves?("image-text-to-text", _tags, task), do: task == "conversational"

  defp serves?(tag, tags, task) when tag in @embeddings and task in @embeddings,
    do: tag == task or task in tags

  defp serves?(tag, _tags, task), do: tag == task

  defp remembered(kind, parts, opts, fun) do
    key = Memory.key(kind, [opts[:endpoint] || Config.endpoint() | parts])
    now = System.monotonic_time(:millisecond)

    case Memory.get(key) do
      {until, value} when until > now ->
        value

      _old ->
        value = fun.()
        Memory.put(key, {now + @fresh, value})
        value
    end
  end

  # A provider's key is no token of the Hub.
  defp hub(opts) do
    opts = Keyword.take(opts, Keyword.keys(Options.common()))

    case opts[:token] do
      "hf_" <> _rest -> opts
      text when is_binary(text) -> Keyword.delete(opts, :token)
      _other -> opts
    end
  end
end
