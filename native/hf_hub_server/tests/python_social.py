"""The checks of `python_client.py` about people: likes, users, organizations, access requests, collections.

Imported by that script, which starts the server; not run on its own.
"""

import urllib.request

from huggingface_hub import errors

from python_client import ENDPOINT, OWNER, anonymous, api, check, guest, hub, raises, status

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
