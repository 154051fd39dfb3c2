"""The checks of `python_client.py` about Spaces: runtime, hardware, secrets, variables, volumes, logs, search.

Imported by that script, which starts the server; not run on its own.
"""

import itertools
import json
import warnings

from huggingface_hub import SpaceStage, Volume, errors

from python_client import ROOT, anonymous, api, check, guest, hub, raises

SPACE = "acme/p-space"
SECRET = "hunter2-of-python"


def stage(*steps):
    hub("space", "stage", SPACE, *steps)


def warned(function, *arguments, **options):
    """Returns the result of a call, which has to warn."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments, **options)
    assert any("48 hours" in str(one.message) for one in caught), caught
    return result


@check
def creates_a_space_with_its_settings():
    api.create_repo("acme/p-data", repo_type="dataset")
    api.create_repo(
        SPACE, repo_type="space", space_sdk="gradio", space_hardware="t4-small", space_sleep_time=300,
        space_secrets=[{"key": "K", "value": SECRET, "description": "d"}],
        space_variables=[{"key": "A", "value": "B"}],
        space_volumes=[Volume(type="dataset", source="acme/p-data", mount_path="/data", read_only=True)],
    )
    runtime = anonymous.get_space_runtime(SPACE)
    assert runtime.stage == SpaceStage.NO_APP_FILE
    assert (runtime.hardware, runtime.requested_hardware, runtime.sleep_time) == (None, "t4-small", 300)
    assert [(one.source, one.mount_path, one.read_only) for one in runtime.volumes] == [("acme/p-data", "/data", True)]
    assert anonymous.get_space_variables(SPACE)["A"].value == "B"
    secrets = api.get_space_secrets(SPACE)
    assert secrets["K"].description == "d" and secrets["K"].updated_at
    assert api.space_info(SPACE).runtime.requested_hardware == "t4-small"
    assert api.list_spaces(author="acme", expand=["runtime"]).__next__().runtime.stage


@check
def pauses_and_restarts_and_waits():
    api.upload_file(path_or_fileobj=b"1", path_in_repo="app.py", repo_id=SPACE, repo_type="space")
    assert api.get_space_runtime(SPACE).stage == SpaceStage.STOPPED
    assert api.pause_space(SPACE).stage == SpaceStage.PAUSED
    assert api.restart_space(SPACE, factory_reboot=True).stage == SpaceStage.STOPPED
    stage("BUILDING:0.2", "RUNNING")
    assert api.get_space_runtime(SPACE).stage == SpaceStage.BUILDING
    assert api.wait_for_space(SPACE, poll_interval=0.1).stage == SpaceStage.RUNNING
    assert api.get_space_runtime(SPACE).hardware == "t4-small"
    stage("APP_STARTING")
    raises(TimeoutError, api.wait_for_space, SPACE, timeout=0.2, poll_interval=0.1)
    stage("RUNNING")


@check
def requests_hardware_and_sleep_times():
    runtime = api.request_space_hardware(SPACE, "l4x1", sleep_time=600)
    assert (runtime.requested_hardware, runtime.sleep_time) == ("l4x1", 600)
    assert api.set_space_sleep_time(SPACE, -1).sleep_time == -1
    assert warned(api.request_space_hardware, SPACE, "cpu-basic", sleep_time=60).sleep_time == 48 * 3600
    warned(api.set_space_sleep_time, SPACE, 60)
    error = raises(errors.BadRequestError, api.request_space_hardware, SPACE, "h900")
    assert "cpu-basic" in str(error) and "rtx-pro-6000x8" in str(error)
    names = [one.name for one in anonymous.list_spaces_hardware()]
    assert names[0] == "cpu-basic" and "t4-small" in names
    assert api.enable_space_dev_mode(SPACE).dev_mode is True
    assert api.disable_space_dev_mode(SPACE).dev_mode is False


@check
def keeps_secrets_and_variables():
    api.add_space_secret(SPACE, "L", SECRET, description="l")
    api.add_space_secret(SPACE, "L", SECRET + "!")
    assert api.get_space_secrets(SPACE).keys() == {"K", "L"}
    api.delete_space_secret(SPACE, "K")
    api.delete_space_secret(SPACE, "missing")
    assert api.get_space_secrets(SPACE).keys() == {"L"}
    assert api.add_space_variable(SPACE, "C", "1", description="c").keys() == {"A", "C"}
    assert api.add_space_variable(SPACE, "C", "2")["C"].value == "2"
    assert api.delete_space_variable(SPACE, "A").keys() == {"C"}
    assert api.delete_space_variable(SPACE, "missing").keys() == {"C"}
    for file in [one for one in ROOT.rglob("*") if one.is_file()]:
        assert SECRET.encode() not in file.read_bytes(), file
    assert json.loads(hub("space", "env", SPACE)) == {"C": "2", "L": SECRET + "!"}


@check
def mounts_volumes():
    api.set_space_volumes(SPACE, [Volume(type="bucket", source="acme/bucket", mount_path="/b")])
    assert api.get_space_runtime(SPACE).volumes[0].type == "bucket"
    api.delete_space_volumes(SPACE)
    assert api.get_space_runtime(SPACE).volumes is None
    raises(errors.BadRequestError, api.delete_space_volumes, SPACE)


@check
def duplicates_a_space_without_its_secrets():
    url = api.duplicate_repo(SPACE, "acme/p-copy", repo_type="space", space_hardware="t4-medium", private=True)
    assert url.repo_id == "acme/p-copy"
    assert api.get_space_runtime("acme/p-copy").requested_hardware == "t4-medium"
    assert api.get_space_secrets("acme/p-copy") == {} and api.get_space_variables("acme/p-copy").keys() == {"C"}


@check
def refuses_what_others_or_static_spaces_ask_for():
    for call in [guest.pause_space, guest.restart_space, guest.get_space_secrets, guest.delete_space_volumes]:
        assert raises(errors.HfHubHTTPError, call, SPACE).response.status_code == 403
    api.create_repo("acme/p-site", repo_type="space", space_sdk="static")
    raises(errors.BadRequestError, api.pause_space, "acme/p-site")
    raises(errors.BadRequestError, api.restart_space, "acme/p-site")
    raises(errors.RepositoryNotFoundError, api.get_space_runtime, "acme/p-none")


@check
def reads_and_follows_logs():
    hub("space", "log", SPACE, "one")
    hub("space", "log", SPACE, "two")
    hub("space", "log", SPACE, "built", "--build")
    lines = api.fetch_space_logs(SPACE, follow=True)
    assert list(itertools.islice(lines, 2)) == ["one\n", "two\n"]
    assert next(iter(api.fetch_space_logs(SPACE, build=True, follow=True))) == "built\n"
    # A line of the future ends the lines so far at once; without it, five silent seconds do.
    log = next(ROOT.glob("spaces/*/run.log"))
    with log.open("a") as file:
        file.write(json.dumps({"timestamp": "2099-01-01T00:00:00.000Z", "data": "later\n"}) + "\n")
    assert list(api.fetch_space_logs(SPACE)) == ["one\n", "two\n"]


@check
def hot_reloads_a_commit():
    stage("RUNNING")
    commit = api.upload_file(
        path_or_fileobj=b"2", path_in_repo="app.py", repo_id=SPACE, repo_type="space", _hot_reload=True
    )
    info = api.space_info(SPACE)
    assert info.sha == commit.oid and info.runtime.hot_reloading.status == "created"


@check
def finds_spaces_and_templates():
    card = "---\ntitle: Parrot talker\nsdk: gradio\ntags: [template]\n---\n"
    api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=SPACE, repo_type="space")
    (found,) = anonymous.search_spaces("talking parrot")
    assert (found.id, found.title, found.sdk, found.runtime.stage) == (SPACE, "Parrot talker", "gradio", "RUNNING")
    assert list(anonymous.search_spaces("parrot", sdk="docker")) == []
    (template,) = anonymous.list_space_templates()
    assert (template.repo_id, template.sdk) == (SPACE, "gradio")
    api.create_repo("acme/p-made", repo_type="space", space_template="parrot talker")
    assert api.space_info("acme/p-made").card_data.title == "Parrot talker"
    quota = api.get_zero_gpu_quota()
    assert quota.base == quota.remaining
    raises(errors.HfHubHTTPError, anonymous.get_zero_gpu_quota)
