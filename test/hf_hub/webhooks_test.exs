defmodule HfHub.WebhooksTest do
  use HfHub.Case, async: true

  alias HfHub.{Commit, Error, LocalHub, Receiver, Repo, Webhooks}
  alias HfHub.Webhooks.{Payload, WatchedItem, WebhookInfo}

  doctest HfHub.Webhooks, only: [verify: 2, decode_payload: 1]

  @url "http://localhost:9/hook"

  # The account is new in each test, so that its webhooks are those of the test.
  setup :writer

  defp as(token, more \\ []), do: write([token: token] ++ more)

  test "a webhook is created, changed, disabled and deleted", %{writer: writer, account: account} do
    watched = [{:user, account}, %{type: :org, name: "org"}, %{"type" => "model", "name" => "org/m"}]
    assert {:ok, webhook} = Webhooks.create(@url, as(writer, watched: watched, secret: "s3cret"))

    assert %WebhookInfo{url: @url, secret: "s3cret", disabled: false, domains: [:repo, :discussion]} = webhook
    assert %WatchedItem{type: :model, name: "org/m"} = List.last(webhook.watched)
    assert Webhooks.get!(webhook.id, as(writer)) == webhook
    assert Webhooks.list!(as(writer)) == [webhook]

    assert {:ok, changed} = Webhooks.update(webhook.id, as(writer, url: @url <> "2", domains: ["repo"]))
    assert %{url: @url <> "2", domains: [:repo], secret: "s3cret"} = changed
    assert changed.watched == webhook.watched

    assert Webhooks.update!(webhook.id, as(writer, watched: [hd(webhook.watched)])).watched == [
             hd(webhook.watched)
           ]

    assert Webhooks.update!(webhook.id, as(writer, watched: [])).watched == []

    assert Webhooks.disable!(webhook.id, as(writer)).disabled == true
    assert Webhooks.enable!(webhook.id, as(writer)).disabled == false
    assert Webhooks.delete(webhook.id, as(writer)) == :ok
    assert {:error, %Error{kind: :not_found, status: 404}} = Webhooks.delete(webhook.id, as(writer))
    assert Webhooks.delete!(webhook.id, as(writer, missing_ok: true)) == :ok
    assert_raise Error, ~r/Webhook not found/, fn -> Webhooks.get!(webhook.id, as(writer)) end
  end

  test "others neither see nor change a webhook, and a reading token does not write", context do
    %{writer: writer, reader: reader} = context
    webhook = Webhooks.create!(@url, as(writer, watched: []))
    assert {:error, %Error{kind: :not_found}} = Webhooks.get(webhook.id, write())
    assert {:error, %Error{kind: :not_found}} = Webhooks.disable(webhook.id, write())
    assert {:error, %Error{kind: :forbidden}} = Webhooks.enable(webhook.id, as(reader))
    assert {:error, %Error{kind: :forbidden}} = Webhooks.create(@url, as(reader))
    assert {:error, %Error{kind: :no_token}} = Webhooks.list(as(false))
    assert {:ok, [_webhook]} = Webhooks.list(as(reader))
  end

  test "an invalid webhook is an error with the Hub's words", %{writer: writer} do
    assert {:error, %Error{kind: :bad_request} = error} =
             Webhooks.create("http://169.254.169.254/", as(writer))

    assert error.message =~ "not an allowed address"
    assert {:error, %Error{kind: :bad_request, message: jobs}} = Webhooks.create(as(writer, job_id: "j1"))
    assert jobs =~ "runs no Jobs"
  end

  test "mistakes raise before a request" do
    for {message, fun} <- [
          {~r/pass a URL or the option :job_id/, fn -> Webhooks.create([]) end},
          {~r/exclude each other/, fn -> Webhooks.create(@url, job_id: "j") end},
          {~r/exclude each other/, fn -> Webhooks.update("w", url: @url, job_id: "j") end},
          {~r/:secrets requires :job_id/, fn -> Webhooks.create(@url, secrets: %{"A" => "B"}) end},
          {~r/:secrets/, fn -> Webhooks.create(job_id: "j", secrets: %{a: 1}) end},
          {~r/:repo.*:discussion/, fn -> Webhooks.create(@url, domains: [:discussions]) end},
          {~r/:bucket, :dataset, :model/, fn -> Webhooks.create(@url, watched: [{:paper, "x"}]) end},
          {~r/\{type, name\}/, fn -> Webhooks.create(@url, watched: ["org"]) end},
          {~r/expected option :watched to be a list/, fn -> Webhooks.create(@url, watched: %{}) end}
        ] do
      assert_raise ArgumentError, message, fun
    end

    for id <- ["", "a/b", "../x", nil, "a\n"] do
      assert {:error, %Error{kind: :invalid_name}} = Webhooks.get(id)
      assert {:error, %Error{kind: :invalid_name}} = Webhooks.delete(id, missing_ok: true)
      assert {:error, %Error{kind: :invalid_name}} = Webhooks.replay("w", id)
    end
  end

  test "the secret is neither inspected, nor encoded, nor in errors", %{writer: writer} do
    webhook = Webhooks.create!(@url, as(writer, secret: "tops3cret"))
    refute inspect(webhook) =~ "tops3cret"
    refute :secret in HfHub.Schema.Json.names(WebhookInfo.__fields__())
    opts = as(writer, secret: "tops3cret\u00e9")
    assert {:error, %Error{kind: :bad_request} = error} = Webhooks.create(@url, opts)
    refute inspect(error) =~ "tops3cret"
  end

  test "receives a commit on a real socket, verifies and decodes it", context do
    %{account: account, writer: writer} = context
    receiver = Receiver.start()
    id = "#{account}/watched"
    Repo.create!(id, as(writer))

    webhook = Webhooks.create!(receiver.url, as(writer, watched: [{:user, account}], secret: "s3cret"))

    commit =
      Commit.create!(id, [Commit.Operation.add("a.txt", {:binary, "1"})], as(writer, commit_message: "Add"))

    assert_receive {:received, request}, 20_000
    assert %{method: "POST", path: "/hook", headers: %{"content-type" => "application/json"}} = request
    assert Webhooks.verify(request.headers["x-webhook-secret"], "s3cret") == :ok

    assert {:error, %Error{kind: :forbidden}} =
             Webhooks.verify(request.headers["x-webhook-secret"], "s3cret2")

    assert {:ok, %Payload{} = payload} = Webhooks.decode_payload(request.body)
    assert {payload.scope, payload.action, payload.version} == {"repo.content", :update, 3}
    assert payload.webhook_id == webhook.id
    sha = commit.oid
    assert [%{ref: "refs/heads/main", new_sha: ^sha, old_sha: <<_sha::320>>}] = payload.updated_refs
    assert %{type: :model, name: ^id, private: false, head_sha: ^sha, web_url: web} = payload.repo
    assert web == context.endpoint <> "/" <> id
    assert payload.raw["repo"]["url"]["web"] == web
  end

  test "a receiver that fails gets the event again", %{account: account, writer: writer} do
    {:ok, count} = Agent.start_link(fn -> 0 end)

    fails_once = fn _request ->
      {if(Agent.get_and_update(count, &{&1, &1 + 1}) == 0, do: 500, else: 200), ""}
    end

    receiver = Receiver.start(fails_once)
    Webhooks.create!(receiver.url, as(writer, watched: [{:user, account}]))
    Repo.create!("#{account}/r", as(writer))
    assert_receive {:received, %{body: body}}, 20_000
    assert_receive {:received, %{body: ^body}}, 20_000
  end

  test "a receiver that hangs does not delay changes, and a delivery can be replayed", context do
    %{account: account, writer: writer} = context
    {:ok, answers} = Agent.start_link(fn -> [{404, ""}, {202, ""}] end)

    receiver =
      Receiver.start(fn _request -> Agent.get_and_update(answers, fn [next | rest] -> {next, rest} end) end)

    silent = Receiver.start(fn _request -> :silence end)
    Webhooks.create!(silent.url, as(writer, watched: [{:user, account}]))
    webhook = Webhooks.create!(receiver.url, as(writer, watched: [{:user, account}]))
    Repo.create!("#{account}/r", as(writer))
    assert_receive {:received, _request}, 20_000
    assert_receive {:received, _request}, 20_000
    log = fn -> LocalHub.command!(hub(), ["webhook", "log", webhook.id]) end
    assert eventually(fn -> log.() =~ ~s("state":"failed") end)

    [_found, delivery] = Regex.run(~r/"id":"([0-9a-f]{24})"/, log.())
    assert Webhooks.replay(webhook.id, delivery, as(writer)) == {:ok, 202}
    assert_receive {:received, %{body: again}}, 20_000
    assert again =~ webhook.id
    assert {:ok, %Payload{scope: "repo", action: :create}} = Webhooks.decode_payload(again)
    assert {:error, %Error{kind: :not_found}} = Webhooks.replay(webhook.id, "x", as(writer))
  end

  test "payloads that are none are errors, whatever they are" do
    for body <- [
          "",
          "x",
          "[]",
          "null",
          "{",
          <<0xFF>>,
          "{}",
          ~s({"event": 1, "repo": {"name": "a", "id": "b"}, "webhook": {"id": "w", "version": 3}}),
          ~s({"event": {"action": "update"}, "repo": {}, "webhook": {"version": 3}}),
          ~s({"event": {"action": "update", "scope": "repo"}, "repo": [], "webhook": {"version": 3}}),
          ~s({"event": {"scope": "repo"}, "repo": {"name": "a", "id": "b"}, "webhook": {"id": "w", "version": 2}}),
          String.duplicate("[", 100_000)
        ] do
      assert {:error, %Error{kind: :invalid_response, message: message}} = Webhooks.decode_payload(body)
      assert message =~ "invalid webhook payload"
    end
  end

  test "unknown scopes and actions are kept as strings" do
    json = %{
      "event" => %{"action" => "archive", "scope" => "repo.config.dois"},
      "repo" => %{"name" => "a/b", "id" => "r", "type" => "notebook", "new" => 1},
      "webhook" => %{"id" => "w", "version" => 3}
    }

    assert {:ok, payload} = Webhooks.decode_payload(json)
    assert {payload.scope, payload.action, payload.repo.type} == {"repo.config.dois", "archive", "notebook"}
    assert payload.raw["repo"]["new"] == 1
  end

  test "a missing, empty or wrong secret is an error" do
    for {given, kind} <- [
          {nil, :unauthorized},
          {"", :unauthorized},
          {"s", :forbidden},
          {"secretx", :forbidden}
        ] do
      assert {:error, %Error{kind: ^kind}} = Webhooks.verify(given, "secret")
    end

    assert Webhooks.verify("secret", "secret") == :ok
    assert_raise ArgumentError, fn -> Webhooks.verify("", "") end
  end

  test "an empty secret is refused, and removed by an update", %{writer: writer} do
    message = "the secret is empty; omit the option :secret for a webhook without one"
    assert_raise ArgumentError, message, fn -> Webhooks.create(@url, as(writer, secret: "")) end

    webhook = Webhooks.create!(@url, as(writer, secret: "s3cret"))
    assert Webhooks.update!(webhook.id, as(writer, secret: "")).secret in [nil, ""]

    for secret <- [nil, ""], given <- [nil, "", "guess"] do
      assert_raise ArgumentError, ~r/^the secret is nil or empty/, fn -> Webhooks.verify(given, secret) end
    end

    assert_raise ArgumentError, "expected the secret to be a string, got a list of something else", fn ->
      Webhooks.verify("guess", String.to_charlist("s3cret"))
    end
  end

  test "a missing URL is an error that names it" do
    assert_raise ArgumentError, ~r/the URL of the webhook as a string, .* got: 5/, fn ->
      Webhooks.create(5)
    end

    assert_raise ArgumentError, ~r/got: nil/, fn -> Webhooks.create(nil, watched: []) end
  end
end
