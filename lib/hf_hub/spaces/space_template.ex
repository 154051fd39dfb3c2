defmodule HfHub.Spaces.SpaceTemplate do
  @moduledoc """
  A template of Spaces. Python: `SpaceTemplate`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    name: {"name", :string, "name of the template"},
    repo_id: {"repoId", :string, "id of the Space that is copied"},
    sdk: {"sdk", :string, "SDK of the template, such as `\"gradio\"`"},
    preferred_private: {"preferredPrivate", :boolean, "whether a Space made of it is private by default"}

  HfHub.Schema.from_response("""
      iex> HfHub.Spaces.SpaceTemplate.from_response(%{"name" => "chatbot", "sdk" => "gradio"}).sdk
      "gradio"
  """)

  defimpl Inspect do
    def inspect(template, _opts), do: Brief.line(template, [template.name, template.repo_id])
  end
end
