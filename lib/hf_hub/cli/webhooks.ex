defmodule HfHub.CLI.Webhooks do
  # Webhooks of the account.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.CLI.{Call, Command, Flags, Output, Values}
  alias HfHub.Webhooks

  @id [webhook_id: [doc: "Id of the webhook"]]
  @types ~w(bucket dataset model org space user)

  @impl true
  def noun, do: [name: "webhooks", summary: "Manages webhooks"]

  @impl true
  def commands do
    [
      command("list", &list/1, summary: "Lists your webhooks", aliases: ["ls"]),
      command("info", &info/1, summary: "Shows a webhook", args: @id),
      command("create", &create/1,
        summary: "Creates a webhook",
        flags: content(true),
        examples: ["--url https://example.com/hook --watch model:me/my-model"]
      ),
      command("update", &update/1, summary: "Changes a webhook", args: @id, flags: content(false)),
      command("enable", &enable/1, summary: "Enables a webhook", args: @id),
      command("disable", &disable/1, summary: "Disables a webhook", args: @id),
      command("delete", &delete/1, summary: "Deletes a webhook", args: @id, flags: Flags.yes()),
      command("replay", &replay/1,
        summary: "Sends a delivery again",
        hf: nil,
        args:
          @id ++ [log_id: [doc: "Id of the delivery, as the Hub's page of the webhook's activity shows it"]]
      )
    ]
  end

  defp command(word, run, fields),
    do: struct!(Command, [words: [word], run: run, hf: "webhooks #{word}"] ++ fields)

  defp content(watch_required) do
    [
      watch: [
        type: {:list, :string},
        required: watch_required,
        doc: "Item to watch, as `TYPE:NAME`; the types are #{Enum.join(@types, ", ")}"
      ],
      url: [type: :string, doc: "URL that the events are sent to"],
      job_id: [type: :string, doc: "Id of a job that the events trigger, instead of `--url`"],
      domain: [type: {:list, {:in, ~w(repo discussion)}}, doc: "Kind of events. Defaults to all"],
      secret: [type: :string, secret: true, doc: "Secret that is sent with each event"]
    ] ++ Keyword.take(Values.flags(), [:secrets, :secrets_file])
  end

  defp list(call) do
    with {:ok, found} <- Webhooks.list(Call.options(call)), do: {:table, Enum.map(found, &row/1), id: "id"}
  end

  defp row(webhook) do
    [
      {"id", webhook.id},
      {"url", webhook.url || "(job)"},
      {"disabled", webhook.disabled},
      {"domains", Enum.map(webhook.domains, &to_string/1)},
      {"watched", for(item <- webhook.watched, do: "#{item.type}:#{item.name}")}
    ]
  end

  # Without the secret, which `hf` prints.
  defp info(call) do
    with {:ok, webhook} <- Webhooks.get(call.args.webhook_id, Call.options(call)) do
      shown = webhook |> Map.from_struct() |> Map.drop([:secret, :job])
      {:record, shown, id: "id"}
    end
  end

  defp create(%{flags: flags} = call) do
    with {:ok, opts} <- contents(call) do
      result =
        case flags do
          %{url: _url, job_id: _job} -> {:usage, "--url and --job-id are mutually exclusive"}
          %{url: url} -> Webhooks.create(url, opts)
          %{job_id: _job} -> Webhooks.create(opts)
          _neither -> {:usage, "pass --url or --job-id"}
        end

      done(result, "Webhook created")
    end
  end

  defp update(%{flags: %{url: _url, job_id: _job}}), do: {:usage, "--url and --job-id are mutually exclusive"}

  defp update(call) do
    with {:ok, opts} <- contents(call) do
      url = if call.flags[:url], do: [url: call.flags.url], else: []
      call.args.webhook_id |> Webhooks.update(url ++ opts) |> done("Webhook updated")
    end
  end

  defp contents(%{flags: flags} = call) do
    watched = for text <- flags[:watch] || [], do: watched(String.split(text, ":", parts: 2))
    secrets = Values.variables(flags[:secrets], flags[:secrets_file])

    cond do
      wrong = Enum.find(watched, &is_binary/1) ->
        {:usage, "expected TYPE:NAME with a type of #{Enum.join(@types, ", ")}, got: #{wrong}"}

      secrets != %{} and flags[:job_id] == nil ->
        {:usage, "--secrets requires --job-id"}

      true ->
        {:ok,
         given(watched: watched, secrets: secrets) ++
           Call.options(call, [:job_id, :secret, {:domain, :domains}])}
    end
  end

  defp given(opts), do: for({name, value} when value not in [[], %{}] <- opts, do: {name, value})

  defp watched([type, name]) when type in @types, do: %{type: type, name: name}
  defp watched(parts), do: Enum.join(parts, ":")

  defp enable(call),
    do: call.args.webhook_id |> Webhooks.enable(Call.options(call)) |> done("Webhook enabled")

  defp disable(call),
    do: call.args.webhook_id |> Webhooks.disable(Call.options(call)) |> done("Webhook disabled")

  defp delete(%{args: %{webhook_id: id}} = call) do
    with :ok <- Output.confirm(call, "Are you sure you want to delete webhook '#{id}'?"),
         :ok <- Webhooks.delete(id, Call.options(call)),
         do: {:done, "Webhook deleted", id: id}
  end

  defp replay(%{args: %{webhook_id: id, log_id: log_id}} = call) do
    with {:ok, status} <- Webhooks.replay(id, log_id, Call.options(call)),
         do: {:done, "Sent again", id: id, status: status}
  end

  defp done({:ok, webhook}, message), do: {:done, message, id: webhook.id}
  defp done(failed, _message), do: failed
end
