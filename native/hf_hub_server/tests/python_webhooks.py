"""The checks of `python_client.py` about webhooks: the Local Hub delivers to a server in this process.

Imported by that script, which starts the Hub; not run on its own.
"""

import http.server
import json
import queue
import threading

from huggingface_hub import CommitOperationAdd, WebhookPayload, WebhookWatchedItem, errors
from huggingface_hub.utils import is_pydantic_available

from python_client import ENDPOINT, anonymous, api, check, guest, raises, status

received = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        received.put((self.headers, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
URL = f"http://localhost:{server.server_port}/hook"


def event():
    """Returns the next payload, which has to satisfy the client's own model."""
    headers, body = received.get(timeout=20)
    assert headers["x-webhook-secret"] == "s3cret" and headers["content-type"] == "application/json", headers
    payload = json.loads(body)
    if is_pydantic_available():
        model = WebhookPayload.model_validate_json(body)
        assert model.webhook.version == 3 and model.repo.url.api == f"{ENDPOINT}/api/models/{model.repo.name}"
        assert (model.event.scope, model.event.action) == (payload["event"]["scope"], payload["event"]["action"])
    return payload


def scopes(count):
    found = [event()["event"] for _ in range(count)]
    return [f"{event['scope']}:{event['action']}" for event in found]


@check
def a_webhook_is_managed_by_its_owner():
    watched = [WebhookWatchedItem(type="org", name="acme"), {"type": "model", "name": "acme/tiny"}]
    hook = api.create_webhook(url=URL, watched=watched, domains=["repo"], secret="s3cret")
    assert (hook.url, hook.job, hook.domains, hook.secret, hook.disabled) == (URL, None, ["repo"], "s3cret", False)
    assert hook.watched == [watched[0], WebhookWatchedItem(**watched[1])] and len(hook.id) == 24
    assert api.get_webhook(hook.id) == hook and api.list_webhooks() == [hook]
    changed = api.update_webhook(hook.id, url=URL + "/2", watched=watched[:1], domains=["discussion"])
    assert (changed.url, changed.watched, changed.secret) == (URL + "/2", watched[:1], "s3cret")
    assert api.update_webhook(hook.id).watched == []
    assert api.disable_webhook(hook.id).disabled is True and api.enable_webhook(hook.id).disabled is False
    for call, code in [
        (lambda: guest.get_webhook(hook.id), 404),
        (lambda: guest.delete_webhook(hook.id), 403),
        (lambda: anonymous.list_webhooks(), 401),
        (lambda: api.create_webhook(url="http://10.0.0.1/", watched=[]), 400),
        (lambda: api.create_webhook(url=URL, watched=[{"type": "paper", "name": "x"}]), 400),
        (lambda: api.create_webhook(job_id="j1", watched=[], secrets={"A": "B"}), 422),
    ]:
        assert status(raises(errors.HfHubHTTPError, call)) == code
    api.delete_webhook(hook.id)
    assert api.list_webhooks() == []
    assert status(raises(errors.HfHubHTTPError, api.delete_webhook, hook.id)) == 404


@check
def events_satisfy_the_clients_model():
    hook = api.create_webhook(url=URL, watched=[{"type": "model", "name": "acme/hooked"}], secret="s3cret")
    api.create_repo("acme/hooked")
    api.create_commit("acme/hooked", [CommitOperationAdd("a.txt", b"1")], commit_message="Add")
    api.create_branch("acme/hooked", branch="b")
    api.create_tag("acme/hooked", tag="v1")
    api.super_squash_history("acme/hooked")
    api.update_repo_settings("acme/hooked", gated="auto")
    assert scopes(6) == ["repo:create"] + ["repo.content:update"] * 4 + ["repo.config:update"]
    opened = api.create_discussion("acme/hooked", title="Why?", description="Because").num
    first = event()
    assert (first["comment"]["content"], first["discussion"]["num"]) == ("Because", opened)
    api.comment_discussion("acme/hooked", opened, "More")
    api.change_discussion_status("acme/hooked", opened, "closed")
    assert scopes(2) == ["discussion.comment:create", "discussion:update"]
    operation = CommitOperationAdd("b.txt", b"2")
    number = api.create_commit("acme/hooked", [operation], commit_message="Offer", create_pr=True).pr_num
    api.merge_pull_request("acme/hooked", number)
    assert scopes(4) == ["repo.content:update", "discussion:create", "repo.content:update", "discussion:update"]
    api.move_repo("acme/hooked", "acme/rehooked")
    moved = event()
    assert (moved["event"]["action"], moved["movedTo"]["name"]) == ("move", "acme/rehooked")
    api.delete_repo("acme/rehooked")
    assert scopes(1) == ["repo:delete"]
    api.delete_webhook(hook.id)
    assert received.empty()
