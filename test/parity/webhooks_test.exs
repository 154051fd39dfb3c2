defmodule HfHub.Parity.WebhooksTest do
  use HfHub.TwoHubs

  alias HfHub.Webhooks

  test "calls about webhooks send the same requests and return the same", %{ours: ours} = context do
    theirs =
      theirs(context, """
      watched = [{"type": "user", "name": "me"}, {"type": "model", "name": "acme/r"}]
      hook = api.create_webhook(url="http://localhost:9/a", watched=watched, secret="s3cret")
      print(hook.url, hook.domains, hook.secret, hook.disabled, [(w.type, w.name) for w in hook.watched])
      other = api.create_webhook(url="http://localhost:9/b", watched=[], domains=["repo"])
      api.update_webhook(hook.id, url="http://localhost:9/c", watched=watched[:1], domains=["discussion"], secret="x")
      print(api.disable_webhook(hook.id).disabled, api.enable_webhook(hook.id).disabled)
      print([w.url for w in api.list_webhooks()], api.get_webhook(other.id).domains)
      api.delete_webhook(other.id)
      """)

    watched = [user: "me", model: "acme/r"]
    hook = Webhooks.create!("http://localhost:9/a", [watched: watched, secret: "s3cret"] ++ ours)
    other = Webhooks.create!("http://localhost:9/b", [watched: [], domains: [:repo]] ++ ours)

    change = [url: "http://localhost:9/c", watched: [user: "me"], domains: [:discussion], secret: "x"]
    changed = Webhooks.update!(hook.id, change ++ ours)
    assert Webhooks.disable!(hook.id, ours).disabled
    refute Webhooks.enable!(hook.id, ours).disabled
    assert Enum.map(Webhooks.list!(ours), & &1.url) == [changed.url, other.url]
    assert Webhooks.get!(other.id, ours).domains == [:repo]
    Webhooks.delete!(other.id, ours)

    assert String.split(theirs, "\n") == [
             "#{hook.url} ['repo', 'discussion'] s3cret False [('user', 'me'), ('model', 'acme/r')]",
             "True False",
             "['#{changed.url}', '#{other.url}'] ['repo']"
           ]

    assert_same(context)
  end
end
