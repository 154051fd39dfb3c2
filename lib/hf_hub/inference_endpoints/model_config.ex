defmodule HfHub.InferenceEndpoints.ModelConfig do
  @moduledoc """
  The model of an endpoint, and the container that serves it.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    repository: {"repository", :string, "id of the model"},
    framework: {"framework", :string, "framework, such as `\"pytorch\"`"},
    task: {"task", :string, "task"},
    revision: {"revision", :string, "revision that is deployed"},
    image:
      {"image", :any,
       "container image: a map of one engine to its settings, without the password of its registry",
       by: :without_password},
    command: {"command", [:string], "command that replaces the entry point of the image"},
    args: {"args", [:string], "arguments of the command"},
    env: {"env", :map, "environment variables"},
    secrets:
      {"secrets", :map, "secret variables, where the service sends them; not part of the JSON", json: false}

  HfHub.Schema.from_response("""
      iex> HfHub.InferenceEndpoints.ModelConfig.from_response(%{
      ...>   "repository" => "google-bert/bert-base-uncased"
      ...> }).repository
      "google-bert/bert-base-uncased"
  """)

  defp without_password(%{} = image),
    do: Map.new(image, fn {engine, settings} -> {engine, hidden(settings)} end)

  defp without_password(other), do: other

  defp hidden(%{"credentials" => %{} = credentials} = settings),
    do: %{settings | "credentials" => Map.delete(credentials, "password")}

  defp hidden(settings), do: settings

  defimpl Inspect do
    def inspect(model, _opts), do: Brief.line(model, [model.repository, model.framework, model.task])
  end
end
