defmodule HfHub.Spaces.Call do
  # The requests of `HfHub.Spaces` about one Space.
  @moduledoc false

  alias HfHub.{Decode, Error, Options, Request}
  alias HfHub.Spaces.{SpaceRuntime, Values}

  @doc "Returns a request below a Space, with options that were validated."
  @spec request(atom(), String.t(), HfHub.repo(), keyword()) :: Request.t()
  def request(method, what, repo_id, opts),
    do: Request.repo(method, "/api/spaces/*repo/#{what}", repo_id, opts, only: :space, scope: :owned)

  @doc "Returns the runtime that a request without further options returns."
  @spec runtime(atom(), String.t(), HfHub.repo(), keyword(), map() | nil) ::
          {:ok, SpaceRuntime.t()} | {:error, Error.t()}
  def runtime(method, what, repo_id, opts, body \\ nil) do
    opts = Options.validate!(opts, Options.common())
    method |> request(what, repo_id, opts) |> body(body) |> changed()
  end

  @doc "Sends a request that only the owner may send, and returns the runtime."
  @spec changed(Request.t()) :: {:ok, SpaceRuntime.t()} | {:error, Error.t()}
  def changed(request), do: request |> Request.run(SpaceRuntime) |> Values.for_owner()

  @doc "Sends a request that only the owner may send, without a result."
  @spec effect(Request.t()) :: :ok | {:error, Error.t()}
  def effect(request), do: request |> Request.effect() |> Values.for_owner()

  @doc "Sets a secret or a variable, and returns the decoded response. No error shows the value."
  @spec set(String.t(), HfHub.repo(), map(), keyword(), (term() -> value)) ::
          {:ok, value} | {:error, Error.t()}
        when value: term()
  def set(what, repo_id, entry, opts, decode) do
    :post
    |> request(what, repo_id, opts)
    |> Request.json(Map.put(entry, :description, opts[:description]))
    |> Request.hide(if what == "secrets", do: [entry.value], else: [])
    |> Request.run(decode)
    |> Values.for_owner()
  end

  @doc "Deletes a secret or a variable."
  @spec delete(String.t(), HfHub.repo(), String.t(), keyword()) :: :ok | {:error, Error.t()}
  def delete(what, repo_id, key, opts) do
    key = Values.key!(key)
    opts = Options.validate!(opts, Options.common())
    :delete |> request(what, repo_id, opts) |> Request.json(%{key: key}) |> effect()
  end

  @doc "Returns the secrets or variables of a Space as a map of their names to structs."
  @spec entries(String.t(), HfHub.repo(), keyword(), module()) :: {:ok, map()} | {:error, Error.t()}
  def entries(what, repo_id, opts, module) do
    opts = Options.validate!(opts, Options.common())
    :get |> request(what, repo_id, opts) |> Request.run(&named(&1, module))
  end

  defp named(json, module) do
    for {key, entry} <- Decode.object(json), into: %{}, do: {key, entry(key, entry, module)}
  end

  @doc "Returns the struct of one entry."
  @spec entry(String.t(), term(), module()) :: struct()
  def entry(key, entry, module) when is_map(entry), do: Decode.struct(module, Map.put(entry, "key", key))
  def entry(key, value, module), do: entry(key, %{"value" => value}, module)

  defp body(request, nil), do: request
  defp body(request, body), do: Request.json(request, body)
end
