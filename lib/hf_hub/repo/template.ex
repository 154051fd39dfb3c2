defmodule HfHub.Repo.Template do
  # The templates of Spaces. The Hub lists the official ones; a template determines the Space's SDK.
  @moduledoc false

  alias HfHub.{Decode, Error, Request}
  alias HfHub.Spaces.SpaceTemplate

  @doc "Returns the options with those that the template in `:space_template` determines."
  @spec apply(keyword()) :: {:ok, keyword()} | {:error, Error.t()}
  def apply(opts) do
    case opts[:space_template] do
      nil -> {:ok, opts}
      wanted -> with {:ok, templates} <- list(opts), do: templates |> find(wanted) |> decide(opts, templates)
    end
  end

  @doc "Returns the official templates."
  @spec list(keyword()) :: {:ok, [SpaceTemplate.t()]} | {:error, Error.t()}
  def list(opts) do
    Request.new(:get, "/api/spaces/templates", [], opts)
    |> Request.run(fn
      %{"templates" => templates} -> Decode.items(templates, Decode.to(SpaceTemplate))
      _other -> raise Decode.Error, message: "the list of templates is missing"
    end)
  end

  defp find(templates, wanted) do
    Enum.find(templates, &(&1.repo_id == wanted or downcase(&1.name) == downcase(wanted)))
  end

  defp downcase(text), do: String.downcase(to_string(text))

  defp decide(nil, opts, templates) do
    names = templates |> Enum.map(&inspect(&1.name)) |> Enum.sort() |> Enum.join(", ")
    message = "unknown Space template #{inspect(opts[:space_template])}; available templates: #{names}"
    {:error, Error.new(:not_found, message)}
  end

  defp decide(template, opts, _templates) do
    if opts[:space_sdk] && to_string(opts[:space_sdk]) != template.sdk do
      message = "the template #{inspect(template.name)} uses the SDK #{template.sdk}, not #{opts[:space_sdk]}"
      {:error, Error.new(:bad_request, message <> "; omit :space_sdk")}
    else
      given? = opts[:private] != nil or opts[:visibility] != nil
      visibility = if template.preferred_private && not given?, do: :private, else: opts[:visibility]
      decided = [space_template: template.repo_id, space_sdk: template.sdk, visibility: visibility]
      {:ok, Keyword.merge(opts, decided)}
    end
  end
end
