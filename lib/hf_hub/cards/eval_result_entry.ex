defmodule HfHub.Cards.EvalResultEntry do
  @moduledoc """
  An evaluation result in the format of `.eval_results/*.yaml`, which the Hub shows on a model's page and on the
  benchmark's leaderboard. Python: `EvalResultEntry`. Cards contain the older `HfHub.Cards.EvalResult`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    dataset_id: {["dataset", "id"], :string, "id of the benchmark's dataset"},
    task_id: {["dataset", "task_id"], :string, "task of the benchmark"},
    value: {"value", :any, "score"},
    dataset_revision: {["dataset", "revision"], :string, "revision of the benchmark's dataset"},
    verify_token: {"verifyToken", :string, "proof that the score can be checked"},
    date: {"date", :string, "date of the evaluation, in ISO 8601"},
    source_url: {["source", "url"], :string, "URL of the score's source"},
    source_name: {["source", "name"], :string, "name of the score's source"},
    source_user: {["source", "user"], :string, "user that reported the score"},
    source_org: {["source", "org"], :string, "organization that reported the score"},
    notes: {"notes", :string, "remarks on the evaluation"}

  # Without the verification token, which identifies the evaluation run.
  defimpl Inspect do
    def inspect(entry, _opts), do: Brief.line(entry, [entry.dataset_id, entry.task_id, entry.value])
  end
end
