defmodule HfHub.CLI.RepoType do
  # Ids with their type, such as `datasets/me/data`, in commands that take `--repo-type`.
  @moduledoc false

  alias HfHub.CLI.{Call, Command}

  @prefixes %{"models" => "model", "datasets" => "dataset", "spaces" => "space"}

  @doc "Moves the type in ids to the flag."
  @spec take(Command.t(), map(), map()) :: {:ok, map(), map()} | {:usage, String.t()}
  def take(command, args, flags) do
    if Keyword.has_key?(command.flags, :repo_type) do
      Enum.reduce_while([:repo_id, :from_id, :to_id], {:ok, args, flags, nil}, &step/2) |> checked(flags)
    else
      {:ok, args, flags}
    end
  end

  defp step(name, {:ok, args, flags, prefix}) do
    with [found, owner, repo] <- String.split(args[name] || "", "/", parts: 3),
         {:ok, type} <- Map.fetch(@prefixes, found) do
      if prefix in [nil, found],
        do: {:cont, {:ok, %{args | name => "#{owner}/#{repo}"}, Map.put(flags, :repo_type, type), found}},
        else: {:halt, {:usage, "conflicting types of repositories: #{prefix}/ and #{found}/"}}
    else
      _no_type -> {:cont, {:ok, args, flags, prefix}}
    end
  end

  defp checked({:ok, args, flags, nil}, _given), do: {:ok, args, flags}

  defp checked({:ok, _args, _flags, prefix}, %{repo_type: _given}),
    do: {:usage, "#{prefix}/ in the id and --repo-type are mutually exclusive"}

  defp checked({:ok, args, flags, _prefix}, _given), do: {:ok, args, flags}
  defp checked(usage, _given), do: usage

  @doc "Returns the type of a call's repository, as text."
  @spec of(Call.t()) :: String.t()
  def of(call), do: call.flags[:repo_type] || "model"
end
