defmodule HfHub.Webhooks.Arguments do
  # The body of a request that creates or changes a webhook.
  @moduledoc false

  alias HfHub.Options
  alias HfHub.Webhooks.WatchedItem

  @types [:bucket, :dataset, :model, :org, :space, :user]

  @doc "Raises unless there is exactly one target."
  @spec check_target!(String.t() | nil, String.t() | nil) :: :ok
  def check_target!(nil, nil),
    do: raise(ArgumentError, "a webhook requires a target: pass a URL or the option :job_id")

  def check_target!(_url, _job_id), do: :ok

  @doc "Raises if the secret of a new webhook is empty, as an unset variable is: its events would be sent without one."
  @spec check_secret!(String.t() | nil) :: :ok
  def check_secret!(""),
    do: raise(ArgumentError, "the secret is empty; omit the option :secret for a webhook without one")

  def check_secret!(_secret), do: :ok

  @doc "Returns the entries that the options set. Raises `ArgumentError` for invalid ones."
  @spec body!(String.t() | nil, keyword()) :: map()
  def body!(url, opts) do
    if url && opts[:job_id], do: raise(ArgumentError, "a URL and :job_id exclude each other")
    if opts[:secrets] && !opts[:job_id], do: raise(ArgumentError, "option :secrets requires :job_id")

    Map.new(
      Options.given(
        watched: opts[:watched] && watched!(opts[:watched]),
        url: url,
        jobSourceId: opts[:job_id],
        domains: opts[:domains],
        secret: opts[:secret],
        secrets: opts[:secrets]
      )
    )
  end

  @doc "Returns watched items in the form of the Hub. Raises `ArgumentError` if one is invalid."
  @spec watched!(term()) :: [map()]
  def watched!(items) when is_list(items), do: Enum.map(items, &item!/1)

  def watched!(other),
    do: raise(ArgumentError, "expected option :watched to be a list, got: #{Options.shown(other)}")

  defp item!({type, name}), do: item!(%{type: type, name: name})
  defp item!(%WatchedItem{type: type, name: name}), do: item!(%{type: type, name: name})
  defp item!(%{"type" => type, "name" => name}), do: item!(%{type: type, name: name})

  defp item!(%{type: type, name: name}) when is_binary(name) and name != "" do
    case Enum.find(@types, &(type in [&1, Atom.to_string(&1)])) do
      nil ->
        raise ArgumentError, "invalid type #{Options.shown(type)} in :watched; known: #{inspect(@types)}"

      known ->
        %{type: known, name: name}
    end
  end

  defp item!(other) do
    raise ArgumentError, "expected items of :watched to be {type, name}, got: #{Options.shown(other)}"
  end
end
