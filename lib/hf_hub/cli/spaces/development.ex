defmodule HfHub.CLI.Spaces.Development do
  # Work inside of a running Space: dev mode, SSH, hot reloading.
  @moduledoc false

  alias HfHub.{Api, Commit, Spaces}
  alias HfHub.CLI.{Browse, Call, Command, Output, Ssh}

  @id [space_id: [doc: "Id of the Space"]]
  @least_gradio {6, 1}

  @doc "Returns the commands."
  @spec commands() :: [Command.t()]
  def commands do
    [
      command("dev-mode", &dev_mode/1,
        summary: "Enables the dev mode of a Space",
        args: @id,
        flags: [stop: [type: :boolean, negatable: true, doc: "Disables it"]]
      ),
      command("ssh", &ssh/1,
        summary: "Connects to the container of a Space in dev mode",
        details: "Your public key must be registered at https://huggingface.co/settings/keys.",
        args: @id,
        flags: Ssh.flags() ++ [auto: [type: :boolean, doc: "Enables the dev mode without a question"]]
      ),
      command("hot-reload", &hot_reload/1,
        summary: "Replaces a file of a Gradio Space without a restart",
        details: "The change is a commit. Gradio 6.1 or newer is required; the Hub calls this experimental.",
        args:
          @id ++
            [filename: [required: false, doc: "Path in the repository. Defaults to that of the local file"]],
        flags: [
          local_file: [type: :path, short: "f", required: true, doc: "File with the new content"],
          skip_checks: [type: :boolean, negatable: true, doc: "Does not check the SDK of the Space"]
        ],
        examples: ["me/my-space -f app.py"]
      )
    ]
  end

  defp command(word, run, fields), do: Browse.command("spaces", [word], run, fields)

  defp dev_mode(%{args: %{space_id: id}} = call) do
    {verb, result} =
      if call.flags[:stop],
        do: {"disabled", Spaces.disable_dev_mode(id, Call.options(call))},
        else: {"enabled", Spaces.enable_dev_mode(id, Call.options(call))}

    with {:ok, runtime} <- result,
         do: {:done, "Dev mode #{verb}", space_id: id, stage: runtime.raw["stage"]}
  end

  defp ssh(%{args: %{space_id: id}} = call) do
    with {:ok, info} <- Api.space_info(id, Call.options(call)),
         {:ok, info} <- in_dev_mode(info, call),
         do: Ssh.connect(call, info.subdomain, "ssh.hf.space", nil)
  end

  defp in_dev_mode(%{runtime: %{dev_mode: true}} = info, _call), do: {:ok, info}

  defp in_dev_mode(_info, %{args: %{space_id: id}} = call) do
    opts = Call.options(call)

    with :ok <- Output.confirm(call, "The dev mode of the Space '#{id}' is disabled. Enable it now?", :auto),
         {:ok, _runtime} <- Spaces.enable_dev_mode(id, opts),
         {:ok, _runtime} <- Spaces.wait_until_running(id, opts),
         do: Api.space_info(id, opts)
  end

  defp hot_reload(%{args: %{space_id: id, filename: name}, flags: %{local_file: file} = flags} = call) do
    with {:ok, parent} <- if(flags[:skip_checks], do: {:ok, []}, else: checked(call)),
         opts = [repo_type: :space, hot_reload: true] ++ parent ++ Call.options(call),
         {:ok, commit} <- Commit.upload_file({:path, file}, name || file, id, opts),
         do: {:done, "Hot reload triggered", space_id: id, filename: name || file, commit: commit.oid}
  end

  # The commit must follow the one that was checked.
  defp checked(call) do
    with {:ok, info} <- Api.space_info(call.args.space_id, Call.options(call)) do
      version = (info.card_data || %{})["sdk_version"]

      cond do
        info.sdk != "gradio" ->
          {:error, "hot reloading is for Gradio Spaces only; this one has the SDK #{info.sdk}"}

        not recent?(version) ->
          {:error, "hot reloading requires Gradio 6.1 or newer; the card has sdk_version #{inspect(version)}"}

        true ->
          {:ok, [parent_commit: info.sha]}
      end
    end
  end

  defp recent?(version) do
    case Regex.run(~r/^(\d+)\.(\d+)/, to_string(version)) do
      [_all, major, minor] -> {String.to_integer(major), String.to_integer(minor)} >= @least_gradio
      nil -> false
    end
  end
end
