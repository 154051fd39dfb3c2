defmodule HfHub.CLI.Repo.Listing do
  # `repo list`: the repositories and buckets of an account, with their storage.
  @moduledoc false

  alias HfHub.CLI.{Call, Command, Flags, Output, Size}
  alias HfHub.Users

  @doc "Returns the flags."
  @spec flags() :: Command.rules()
  def flags do
    [
      namespace: [type: :string, doc: "Organization. Defaults to the token's account"],
      search: [type: :string, doc: "Text in the id"]
    ] ++ Flags.repo_type(~w(model dataset space bucket)) ++ Flags.limit(30)
  end

  @doc "Runs the command."
  @spec run(Call.t()) :: Output.shown()
  def run(call) do
    with {:ok, all} <- Users.list_repos(Call.options(call, [{:namespace, :organization}])) do
      found = Enum.filter(all, &wanted?(&1, call.flags))
      limit = call.flags.limit
      shown = if limit > 0, do: Enum.take(found, limit), else: found

      [
        {:table, Enum.map(shown, &row/1), id: "id", right: ["storage", "%_of_total"]}
        | hint(length(shown), length(found))
      ]
    end
  end

  defp wanted?(repo, flags) do
    search = String.downcase(flags[:search] || "")
    flags[:repo_type] in [nil, to_string(repo.type)] and String.contains?(String.downcase(repo.id), search)
  end

  defp row(repo) do
    [
      {"id", repo.id},
      {"type", repo.type},
      {"updated", repo.updated_at && repo.updated_at |> DateTime.to_date() |> Date.to_iso8601()},
      {"visibility", repo.visibility},
      {"storage", Size.units(repo.storage || 0)},
      {"%_of_total", :erlang.float_to_binary(repo.storage_percent / 1, decimals: 1) <> "%"}
    ]
  end

  defp hint(all, all), do: []
  defp hint(shown, all), do: [{:note, "Hint: showing #{shown} of #{all} repositories; --limit 0 lists all"}]
end
