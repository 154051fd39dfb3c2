defmodule HfHub.CLI.Upload.Every do
  # `upload --every`: commits the changes of a folder until the command is interrupted.
  @moduledoc false

  alias HfHub.CLI.{Call, Output, Target}
  alias HfHub.{CommitScheduler, Fnmatch}

  @doc "Commits a source, `{:file, path, name}` or `{:folder, path, folder in the repository, patterns}`, for ever."
  @spec run(Call.t(), Target.t(), tuple()) :: Output.shown()
  def run(call, target, source) do
    {folder, in_repo, allowed} = place(source)
    for warning <- warnings(call, source), do: Output.show(warning, call.output)

    opts =
      [
        repo_id: target.id,
        folder: folder,
        path_in_repo: in_repo,
        allow_patterns: allowed,
        every: round(call.flags.every * 60_000),
        on_commit: &Output.show(shown(&1), call.output)
      ] ++ Target.options(target) ++ Call.options(call, [:private | excluded(source)])

    {:ok, scheduler} = CommitScheduler.start_link(opts)
    # An error of the first commit is one of the command; later ones may pass.
    with {:ok, _commit} <- CommitScheduler.trigger(scheduler) do
      Output.note("Committing changes every #{minutes(call.flags.every)} to #{target.id}; Ctrl-C ends it")
      Process.sleep(:infinity)
    end
  end

  defp minutes(number) when number == 1, do: "minute"
  defp minutes(number) when trunc(number) == number, do: "#{trunc(number)} minutes"
  defp minutes(number), do: "#{number} minutes"

  # Of a file, its folder is watched for this name.
  defp place({:file, path, name}),
    do: {Path.dirname(path), folder(name), [Fnmatch.literal(Path.basename(path))]}

  defp place({:folder, path, folder, patterns}), do: {path, folder, patterns}

  defp folder(name), do: with("." <- Path.dirname(name), do: "")

  defp excluded({:file, _path, _name}), do: []
  defp excluded(_folder), do: [{:exclude, :ignore_patterns}]

  defp shown({:ok, nil}), do: :ok
  defp shown({:ok, commit}), do: {:done, "Uploaded", url: commit.commit_url}
  # The command or the log reports it.
  defp shown({:error, _error}), do: :ok

  defp warnings(call, source) do
    for name <- [:commit_message, :commit_description | ignored(source)], call.flags[name] do
      {:warning, "--#{String.replace("#{name}", "_", "-")} has no effect with --every"}
    end ++ renamed(source)
  end

  defp ignored({:file, _path, _name}), do: [:include, :exclude, :delete]
  defp ignored(_folder), do: [:delete]

  defp renamed({:file, path, name}) do
    if Path.basename(name) in [Path.basename(path), "."],
      do: [],
      else: [
        {:warning, "with --every a file keeps its name: #{Path.basename(path)}, not #{Path.basename(name)}"}
      ]
  end

  defp renamed(_folder), do: []
end
