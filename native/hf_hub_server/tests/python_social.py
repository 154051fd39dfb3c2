"""The checks of `python_client.py` about people: likes, users, organizations, access requests, collections.

Imported by that script, which starts the server; not run on its own.
"""

import tempfile
import urllib.error
import urllib.request

from huggingface_hub import errors

from python_client import ENDPOINT, OWNER, WORK, anonymous, api, check, fetch, guest, hub, raises, status

FAN = "hf_fan_token"
hub("user", "add", "fan", "--fullname", "A Fan", "--token", FAN)
fan = type(api)(token=FAN)


def post(path, token):
    """Sends a POST request that the Python client has no function for; returns the status."""
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{ENDPOINT}{path}", data=b"", method="POST", headers=headers)
    with urllib.request.urlopen(request) as response:
        return response.status


@check
def likes_are_counted_and_listed():
    for path, token in [
        ("models/acme/tiny", OWNER), ("models/acme/tiny", FAN), ("datasets/acme/table", FAN), ("spaces/acme/demo", FAN),
        ("models/gpt2", FAN), ("models/acme/tiny", FAN),
    ]:
        assert post(f"/api/{path}/like", token) == 200
    assert anonymous.model_info("acme/tiny").likes == 2
    assert [(u.username, u.fullname) for u in anonymous.list_repo_likers("acme/tiny")] == [("fan", "A Fan"), ("owner", "owner")]
    assert [u.username for u in anonymous.list_repo_likers("gpt2")] == ["fan"]
    likes = fan.list_liked_repos()
    assert (likes.user, likes.total) == ("fan", 4)
    assert (likes.models, likes.datasets, likes.spaces) == (["gpt2", "acme/tiny"], ["acme/table"], ["acme/demo"])
    assert anonymous.list_liked_repos("owner").models == ["acme/tiny"]
    assert anonymous.get_user_overview("fan").num_likes == 4
    top = list(anonymous.list_models(sort="likes", limit=2))
    assert [(m.id, m.likes) for m in top] == [("acme/tiny", 2), ("gpt2", 1)]
    trending = next(iter(anonymous.list_models(sort="trending_score", limit=1)))
    assert (trending.id, trending.trending_score) == ("acme/tiny", 2)


@check
def likes_are_removed_by_those_who_gave_them():
    fan.unlike("acme/table", repo_type="dataset")
    fan.unlike("gpt2")
    fan.unlike("gpt2")
    assert fan.list_liked_repos().datasets == [] and list(anonymous.list_repo_likers("gpt2")) == []
    assert status(raises(errors.HfHubHTTPError, guest.unlike, "acme/tiny")) == 403
    assert status(raises(errors.HfHubHTTPError, anonymous.unlike, "acme/tiny")) == 401
    raises(errors.RepositoryNotFoundError, fan.unlike, "acme/hidden")
    raises(errors.RepositoryNotFoundError, fan.list_repo_likers("acme/hidden").__next__)
    assert status(raises(errors.HfHubHTTPError, anonymous.list_liked_repos, "nobody")) == 404


@check
def people_follow_each_other_and_organizations():
    for follower, followed in [("fan", "owner"), ("guest", "owner"), ("owner", "fan"), ("fan", "acme")]:
        hub("user", "follow", follower, followed)
    hub("org", "set", "acme", "--fullname", "Acme Corp", "--details", "We make it.")
    names = lambda users: [user.username for user in users]  # noqa: E731
    assert names(anonymous.list_user_followers("owner")) == ["guest", "fan"]
    assert names(anonymous.list_user_following("fan")) == ["owner"]
    assert names(anonymous.list_organization_followers("acme")) == ["fan"]
    assert [user.is_following for user in api.list_user_followers("owner")] == [False, True]
    overview = fan.get_user_overview("owner")
    assert (overview.num_followers, overview.num_following, overview.is_following) == (2, 1, True)
    assert [org.fullname for org in overview.orgs] == ["Acme Corp"]
    assert overview.num_papers == 0 and overview.createdAt.endswith("Z")
    hub("user", "unfollow", "guest", "owner")
    assert names(anonymous.list_user_followers("owner")) == ["fan"]


@check
def organizations_have_members_and_counts():
    hub("org", "join", "acme", "fan", "--role", "read")
    acme = fan.get_organization_overview("acme")
    assert (acme.name, acme.fullname, acme.details, acme.is_following) == ("acme", "Acme Corp", "We make it.", True)
    public = anonymous.get_organization_overview("acme")
    assert acme.num_models > public.num_models == len(list(anonymous.list_models(author="acme")))
    assert (public.num_users, public.num_followers, public.is_verified) == (2, 1, False)
    members = list(fan.list_organization_members("acme"))
    assert [(m.username, m.role) for m in members] == [("owner", "write"), ("fan", "read")]
    assert not hasattr(next(anonymous.list_organization_members("acme")), "role")
    hub("org", "leave", "acme", "fan")
    assert [m.username for m in fan.list_organization_members("acme")] == ["owner"]
    for call, name in [
        (api.get_organization_overview, "nobody"), (api.get_organization_overview, "fan"), (api.get_user_overview, "acme"),
    ]:
        assert status(raises(errors.HfHubHTTPError, call, name)) == 404
    for call in api.list_organization_members, api.list_organization_followers, api.list_user_followers:
        assert status(raises(errors.HfHubHTTPError, call("nobody").__next__)) == 404


def reads(client):
    """Whether a client can download a file of the gated repository."""
    try:
        return fetch("acme/gated", "a.txt", client, cache_dir=tempfile.mkdtemp(dir=WORK)) == b"gated"
    except errors.GatedRepoError:
        return False


def ask(token, repo="acme/gated"):
    """Requests access as the form on the repository's page does; returns the status."""
    try:
        return post(f"/{repo}/ask-access", token)
    except urllib.error.HTTPError as error:
        return error.code


@check
def access_requests_go_through_all_states():
    names = lambda requests: [(r.username, r.status) for r in requests]  # noqa: E731
    lists = [api.list_pending_access_requests, api.list_accepted_access_requests, api.list_rejected_access_requests]
    assert not reads(fan)
    ask(FAN)
    request = next(api.list_pending_access_requests("acme/gated"))
    assert (request.username, request.fullname, request.email) == ("fan", "A Fan", "fan@localhost")
    assert request.fields == {} and request.timestamp.tzinfo is not None
    for decide, state in [
        (api.accept_access_request, "accepted"), (api.cancel_access_request, "pending"), (api.accept_access_request, "accepted"),
    ]:
        decide("acme/gated", "fan")
        found = [entry for find in lists for entry in names(find("acme/gated")) if entry[0] == "fan"]
        assert found == [("fan", state)]
        assert reads(fan) == (state == "accepted")
        assert status(raises(errors.HfHubHTTPError, decide, "acme/gated", "fan")) == 404
    api.reject_access_request("acme/gated", request_id=request.request_id, rejection_reason="Not now")
    assert names(api.list_rejected_access_requests("acme/gated")) == [("fan", "rejected")]
    assert not reads(fan) and ask(FAN) == 403
    api.cancel_access_request("acme/gated", "fan")
    assert names(api.list_pending_access_requests("acme/gated")) == [("fan", "pending")]


@check
def access_is_granted_and_refused_by_owners_only():
    assert api.grant_access("acme/gated", "fan") is not None
    assert reads(fan)
    error = raises(errors.HfHubHTTPError, api.grant_access, "acme/gated", "fan")
    assert status(error) == 400 and "already has access" in str(error)
    granted = next(r for r in api.list_accepted_access_requests("acme/gated") if r.username == "fan")
    assert (granted.username, granted.email) == ("fan", None)
    for call, arguments, code in [
        (api.grant_access, ("acme/tiny", "fan"), 400),
        (api.accept_access_request, ("acme/tiny", "fan"), 400),
        (api.list_pending_access_requests("acme/tiny").__next__, (), 400),
        (api.grant_access, ("acme/gated", "nobody"), 404),
        (api.accept_access_request, ("acme/gated", "nobody"), 404),
        (api.accept_access_request, ("acme/gated", "guest"), 404),
        (fan.grant_access, ("acme/gated", "guest"), 403),
        (fan.cancel_access_request, ("acme/gated", "fan"), 403),
        (guest.list_accepted_access_requests("acme/gated").__next__, (), 403),
        (anonymous.list_accepted_access_requests("acme/gated").__next__, (), 401),
    ]:
        assert status(raises(errors.HfHubHTTPError, call, *arguments)) == code, (call, arguments)
    api.cancel_access_request("acme/gated", "fan")
    assert not reads(fan)


@check
def collections_have_items_of_all_types():
    made = api.create_collection("My Tiny Things!", namespace="acme", description="About them", private=True)
    assert made.slug.startswith("acme/my-tiny-things-") and (made.private, made.items) == (True, [])
    assert made.owner["name"] == "acme" and made.url == f"{ENDPOINT}/collections/{made.slug}"
    other = api.create_collection("Other", namespace="acme")
    for item, kind in [
        ("acme/tiny", "model"), ("acme/table", "dataset"), ("acme/demo", "space"), ("1706.03762", "paper"), (other.slug, "collection"),
    ]:
        made = api.add_collection_item(made.slug, item, kind, note=f"A {kind}")
        assert (made.items[-1].item_id, made.items[-1].item_type, made.items[-1].note) == (item, kind, f"A {kind}")
    assert [item.position for item in made.items] == [0, 1, 2, 3, 4]
    assert status(raises(errors.HfHubHTTPError, api.add_collection_item, made.slug, "gpt2", "dataset")) == 404
    assert status(raises(errors.HfHubHTTPError, api.add_collection_item, made.slug, "acme/tiny", "model")) == 409
    again = api.add_collection_item(made.slug, "acme/tiny", "model", exists_ok=True)
    assert len(again.items) == 5
    api.update_collection_item(made.slug, made.items[3].item_object_id, note="Read it", position=0)
    api.delete_collection_item(made.slug, made.items[0].item_object_id)
    raises(errors.HfHubHTTPError, api.delete_collection_item, made.slug, made.items[0].item_object_id)
    api.delete_collection_item(made.slug, made.items[0].item_object_id, missing_ok=True)
    items = [(item.item_type, item.note) for item in api.get_collection(made.slug).items]
    assert items == [("paper", "Read it"), ("dataset", "A dataset"), ("space", "A space"), ("collection", "A collection")]


@check
def collections_are_changed_found_and_hidden():
    made = api.create_collection("My Tiny Things!", namespace="acme", exists_ok=True)
    assert status(raises(errors.HfHubHTTPError, api.create_collection, "My Tiny Things!", namespace="acme")) == 409
    assert status(raises(errors.HfHubHTTPError, anonymous.get_collection, made.slug)) == 404
    assert [c.title for c in anonymous.list_collections(owner="acme")] == ["Other"]
    new = api.update_collection_metadata(made.slug, title="Things", theme="green", private=False, position=1)
    assert new.slug == made.slug.replace("my-tiny-things", "things") and (new.theme, new.private) == ("green", False)
    assert anonymous.get_collection(made.slug).slug == new.slug
    assert [c.slug for c in anonymous.list_collections(item="datasets/acme/table", limit=3)] == [new.slug]
    hub("collection", "upvote", new.slug, "fan")
    top = next(fan.list_collections(owner=["acme", "owner"], sort="upvotes", limit=1))
    assert (top.slug, top.upvotes, len(top.items)) == (new.slug, 1, 4)
    for call, arguments in [
        (fan.update_collection_metadata, (new.slug,)), (fan.delete_collection, (new.slug,)), (guest.delete_collection, (new.slug,)),
    ]:
        assert status(raises(errors.HfHubHTTPError, call, *arguments)) == 403
    error = raises(errors.HfHubHTTPError, api.update_collection_metadata, new.slug, theme="red")
    assert status(error) == 400 and "orange, blue, green" in str(error)
    api.update_collection_resource_group(new.slug, "66670e5163145ca562cb1988")
    api.update_collection_resource_group(new.slug, None)
    api.delete_collection(new.slug)
    api.delete_collection(new.slug, missing_ok=True)
    assert status(raises(errors.HfHubHTTPError, api.get_collection, new.slug)) == 404
