defmodule HfHub.Cards.EvalResultEntry do
  @moduledoc """
  A score in the format of `.eval_results/*.yaml`, which the Hub shows on a model's page and on the
  benchmark's leaderboard. Python: `EvalResultEntry`. Cards have the older `HfHub.Cards.EvalResult`.

    * `:dataset_id`, `:task_id`, `:dataset_revision` - the benchmark
    * `:value`
    * `:verify_token` - proves that the score can be checked
    * `:date` - as text, ISO 8601
    * `:source_url`, `:source_name`, `:source_user`, `:source_org`
    * `:notes`
  """

  alias HfHub.{Brief, Decode}

  @fields [
    dataset_id: ["dataset", "id"],
    task_id: ["dataset", "task_id"],
    value: "value",
    dataset_revision: ["dataset", "revision"],
    verify_token: "verifyToken",
    date: "date",
    source_url: ["source", "url"],
    source_name: ["source", "name"],
    source_user: ["source", "user"],
    source_org: ["source", "org"],
    notes: "notes"
  ]

  @type t :: %__MODULE__{
          dataset_id: String.t() | nil,
          task_id: String.t() | nil,
          value: term(),
          dataset_revision: String.t() | nil,
          verify_token: String.t() | nil,
          date: String.t() | nil,
          source_url: String.t() | nil,
          source_name: String.t() | nil,
          source_user: String.t() | nil,
          source_org: String.t() | nil,
          notes: String.t() | nil
        }

  defstruct Keyword.keys(@fields)

  # Files that the Hub could not read are listed with what is wrong with them.
  @doc false
  def list(items) when is_list(items),
    do: for(item <- items, not match?(%{"error" => _}, item), do: from_json(item))

  def list(_none), do: nil

  defp from_json(%{"data" => data}), do: from_json(data)
  defp from_json(json), do: Decode.struct(json, __MODULE__, @fields)

  # The verification token says something about whoever ran the evaluation.
  defimpl Inspect do
    def inspect(entry, _opts), do: Brief.line(entry, [entry.dataset_id, entry.task_id, entry.value])
  end
end
