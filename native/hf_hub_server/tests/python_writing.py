"""The checks of `python_client.py` that write: the Python client creates, uploads, commits and deletes.

Imported by that script, which starts the server; not run on its own. Nothing here uses Xet: the Local Hub
supports Git LFS only.
"""

import io
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import subprocess
import sys
import warnings

import huggingface_hub as hf
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, errors

from python_client import (
    ENDPOINT, GUEST, OWNER, ROOT, WORK, anonymous, api, check, control, fetch, folder, guest, hub, logged, raises,
    status,
)

# A warning about how the client passes files to its HTTP library.
warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)

CARD = "---\nlicense: mit\n---\n# Hi\n"
PART = 400_000
BIG = random.Random(2).randbytes(3 * PART + 7)
MEDIUM = random.Random(3).randbytes(500_000)


def repo(name, **options):
    """Creates a model of the owner's organization."""
    return api.create_repo(f"acme/{name}", **options).repo_id


def files(repo_id, **options):
    return set(api.list_repo_files(repo_id, **options))


def titles(repo_id, **options):
    return [commit.title for commit in api.list_repo_commits(repo_id, **options)]


def requests():
    """Returns the requests since the last call, without reads."""
    seen = [r for r in control("requests") if r["method"] not in ("GET", "HEAD")]
    control("requests", "DELETE")
    return seen


def says_nothing_to_commit():
    assert logged == ["No files have been modified since last commit. Skipping to prevent empty commit."], logged
    logged.clear()


def git(*arguments):
    return subprocess.run(["git", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


@check
def creates_repositories_of_all_kinds():
    url = api.create_repo("acme/w-model")
    assert (url, url.repo_id, url.repo_type) == (f"{ENDPOINT}/acme/w-model", "acme/w-model", "model")
    assert api.create_repo("w-own").repo_id == "owner/w-own"
    url = api.create_repo("acme/w-data", repo_type="dataset", private=True)
    assert (url.repo_id, url.repo_type) == ("acme/w-data", "dataset")
    assert api.dataset_info("acme/w-data").private
    raises(errors.RepositoryNotFoundError, guest.dataset_info, "acme/w-data")
    url = api.create_repo("acme/w-space", repo_type="space", space_sdk="gradio", space_secrets=[{"key": "K", "value": "V"}])
    assert url.repo_type == "space" and api.space_info("acme/w-space").sdk == "gradio"
    assert files("acme/w-model") == {".gitattributes"} and titles("acme/w-model") == ["initial commit"]


@check
def creates_a_repository_only_once():
    url = api.create_repo("acme/w-model", exist_ok=True)
    assert url.repo_id == "acme/w-model"
    error = raises(errors.HfHubHTTPError, api.create_repo, "acme/w-model")
    assert status(error) == 409 and error.response.json()["url"] == f"{ENDPOINT}/acme/w-model"
    assert "You already created this model repo" in str(error)


@check
def checks_names_and_permissions():
    error = raises(errors.HfHubHTTPError, api.create_repo, "stranger/x")
    assert status(error) == 403 and 'rights to create a model under the namespace "stranger"' in str(error)
    error = raises(errors.HfHubHTTPError, guest.create_repo, "guest/x")
    assert status(error) == 403 and "write token" in str(error)
    assert guest.create_repo("acme/w-model", exist_ok=True).repo_id == "acme/w-model"
    for call in [
        lambda client: client.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="acme/w-model"),
        lambda client: client.create_branch("acme/w-model", branch="x"),
        lambda client: client.create_tag("acme/w-model", tag="x"),
        lambda client: client.update_repo_settings("acme/w-model", private=True),
        lambda client: client.super_squash_history("acme/w-model"),
        lambda client: client.delete_repo("acme/w-model"),
        lambda client: client.move_repo("acme/w-model", "guest/w-model"),
    ]:
        assert status(raises(errors.HfHubHTTPError, call, guest)) == 403
        assert status(raises(errors.HfHubHTTPError, call, anonymous)) == 401
    assert api.auth_check("acme/w-model", write=True) is None
    assert status(raises(errors.HfHubHTTPError, guest.auth_check, "acme/w-model", write=True)) == 403


@check
def uploads_a_file_from_a_path_bytes_or_an_object():
    name = repo("w-file")
    path = folder({"a.txt": "from a path"}) / "a.txt"
    info = api.upload_file(path_or_fileobj=path, path_in_repo="d/a b#?.txt", repo_id=name, commit_description="why")
    assert info.commit_url == f"{ENDPOINT}/acme/w-file/commit/{info.oid}" and info.pr_url is None
    api.upload_file(path_or_fileobj=b"bytes", path_in_repo="b.txt", repo_id=name)
    api.upload_file(path_or_fileobj=io.BytesIO(b"object"), path_in_repo="c.txt", repo_id=name)
    api.upload_file(path_or_fileobj=b"", path_in_repo="empty.bin", repo_id=name)
    assert fetch(name, "d/a b#?.txt", api) == b"from a path" and fetch(name, "b.txt", api) == b"bytes"
    assert fetch(name, "c.txt", api) == b"object" and fetch(name, "empty.bin", api) == b""
    commits = api.list_repo_commits(name)
    assert [c.title for c in commits][-2] == "Upload d/a b#?.txt with huggingface_hub"
    assert commits[-2].message == "why" and commits[-2].authors == ["owner"] and commits[-2].commit_id == info.oid


@check
def large_files_go_to_the_content_listener_without_the_token():
    name = repo("w-lfs")
    requests()
    api.upload_file(path_or_fileobj=MEDIUM, path_in_repo="m.bin", repo_id=name)
    seen = requests()
    assert [(r["origin"], r["method"], r["path"].rsplit("/", 1)[-1][:9]) for r in seen] == [
        ("hub", "POST", "main"), ("hub", "POST", "batch"), ("cdn", "PUT", seen[2]["path"].rsplit("/", 1)[-1][:9]),
        ("hub", "POST", "verify"), ("hub", "POST", "main"),
    ]
    assert not seen[2]["authorization"] and seen[2]["bytes_received"] == len(MEDIUM) and seen[4]["bytes_received"] < 1000
    assert control("connections")["cdn"]["authorization_refused"] == 0
    assert fetch(name, "m.bin", api) == MEDIUM
    # The same content is not sent again.
    api.upload_file(path_or_fileobj=MEDIUM, path_in_repo="again.bin", repo_id=name)
    assert [r["method"] for r in requests()] == ["POST", "POST", "POST"]
    assert fetch(name, "again.bin", api) == MEDIUM


@check
def sends_very_large_files_in_parts():
    name = repo("w-parts")
    requests()
    path = folder({"big.safetensors": BIG}) / "big.safetensors"
    api.upload_file(path_or_fileobj=path, path_in_repo="big.safetensors", repo_id=name)
    seen = requests()
    puts = [r for r in seen if r["method"] == "PUT"]
    assert [r["bytes_received"] for r in puts] == [PART, PART, PART, 7] and {r["origin"] for r in puts} == {"cdn"}
    complete = [r for r in seen if "complete_multipart" in r["path"]]
    assert [(r["status"], r["authorization"]) for r in complete] == [(200, False)]
    assert fetch(name, "big.safetensors", api) == BIG
    assert not list((ROOT / "lfs/uploads").iterdir()) and not list((ROOT / "lfs/incoming").iterdir())


@check
def uploads_folders_with_patterns_and_deletions():
    name = repo("w-folder")
    tree = {
        "README.md": CARD, "a.txt": "a", "sub/b.txt": "b", "sub/m.bin": MEDIUM, "logs/1.log": "1", "logs/2.log": "2",
        "big.bin": BIG, "empty.txt": "", "x.tmp": "no", ".git/config": "no", ".cache/huggingface/x": "no",
    }
    path = folder(tree)
    info = api.upload_folder(repo_id=name, folder_path=path, ignore_patterns="*.tmp", commit_message="All")
    kept = {n for n in tree if not n.startswith((".git/", ".cache/")) and n != "x.tmp"}
    assert files(name) == kept | {".gitattributes"} and titles(name) == ["All", "initial commit"]
    assert api.model_info(name).sha == info.oid and api.model_info(name).card_data.license == "mit"
    copy = pathlib.Path(api.snapshot_download(name))
    for entry in kept:
        assert (copy / entry).read_bytes() == (path / entry).read_bytes(), entry

    (path / "logs/1.log").unlink()
    (path / "logs/3.log").write_text("3")
    api.upload_folder(repo_id=name, folder_path=path / "logs", path_in_repo="logs", delete_patterns="*.log")
    assert {f for f in files(name) if f.startswith("logs")} == {"logs/2.log", "logs/3.log"}
    api.upload_folder(repo_id=name, folder_path=path, allow_patterns=["sub/*"], path_in_repo="copy")
    assert {f for f in files(name) if f.startswith("copy")} == {"copy/sub/b.txt", "copy/sub/m.bin"}
    requests()
    again = api.upload_folder(repo_id=name, folder_path=path / "logs", path_in_repo="logs")
    assert again.oid == api.model_info(name).sha and not any("/commit/" in r["path"] for r in requests())
    says_nothing_to_commit()


@check
def leaves_out_ignored_files():
    name = repo("w-ignored")
    path = folder({".gitignore": "*.log\nout/\n", "a.txt": "a", "a.log": "no", "out/x.txt": "no"})
    api.upload_folder(repo_id=name, folder_path=path)
    assert files(name) == {".gitattributes", ".gitignore", "a.txt"}
    # From then on, the rule is in the repository.
    api.upload_folder(repo_id=name, folder_path=folder({"b.txt": "b", "b.log": "no"}))
    assert "b.txt" in files(name) and "b.log" not in files(name)


@check
def commits_many_files_at_once():
    name = repo("w-many")
    tree = {f"d{i % 9}/f{i:03}.txt": str(i) for i in range(300)}
    api.upload_folder(repo_id=name, folder_path=folder(tree))
    assert len(logged) == 1 and "upload a large folder at once" in logged.pop()
    assert files(name) == set(tree) | {".gitattributes"} and len(titles(name)) == 2


@check
def a_commit_adds_deletes_and_copies():
    name, other = repo("w-commit"), repo("w-other")
    first = {"a.txt": "a", "d/b.txt": "b", "d/c.txt": "c", "e/x.txt": "x", "m.bin": MEDIUM}
    api.upload_folder(repo_id=name, folder_path=folder(first))
    api.create_commit(
        repo_id=name,
        operations=[
            CommitOperationAdd("n/new.txt", b"new"),
            CommitOperationDelete("a.txt"),
            CommitOperationDelete("d/"),
            CommitOperationCopy("e/x.txt", "copied/x.txt"),
            CommitOperationCopy("m.bin", "copied/m.dat"),
        ],
        commit_message="Many things\nat once",
    )
    assert files(name) == {
        ".gitattributes", "n/new.txt", "e/x.txt", "m.bin", "copied/x.txt", "copied/m.dat",
    }
    assert fetch(name, "copied/m.dat", api) == MEDIUM and fetch(name, "copied/x.txt", api) == b"x"
    # The Hub adds files to .gitattributes that are not large by name.
    assert b"copied/m.dat filter=lfs" in fetch(name, ".gitattributes", api)
    operation = CommitOperationCopy("e/x.txt", "from.txt", src_repo_id=name, src_repo_type="model")
    api.create_commit(repo_id=other, operations=[operation], commit_message="Across")
    assert fetch(other, "from.txt", api) == b"x"
    # Without Xet hashes, which the Local Hub does not provide, the client copies no large files to another repository.
    operation = CommitOperationCopy("m.bin", "m.bin", src_repo_id=name, src_repo_type="model")
    error = raises(ValueError, api.create_commit, repo_id=other, operations=[operation], commit_message="Across")
    assert "no xet hash" in str(error)


@check
def deletes_files_and_folders():
    name = repo("w-delete")
    api.upload_folder(repo_id=name, folder_path=folder({n: n for n in ["a.txt", "b.md", "d/x.txt", "d/y.txt"]}))
    api.delete_file("a.txt", name)
    api.delete_folder("d", name)
    assert files(name) == {".gitattributes", "b.md"}
    error = raises(errors.RemoteEntryNotFoundError, api.delete_file, "none.txt", name)
    assert "A file with this name doesn't exist" in str(error) and "trailing '/'" in str(error)
    raises(errors.RemoteEntryNotFoundError, api.delete_folder, "b.md", name)
    api.delete_files(name, ["*.md"])
    assert files(name) == {".gitattributes"}


@check
def unchanged_files_create_no_commit():
    name = repo("w-noop")
    api.upload_folder(repo_id=name, folder_path=folder({"a.txt": "a", "m.bin": MEDIUM}))
    head = api.model_info(name).sha
    for path, content in [("a.txt", b"a"), ("m.bin", MEDIUM)]:
        assert api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=name).oid == head
        says_nothing_to_commit()
    # A folder that is deleted and added again is kept.
    operations = [CommitOperationDelete("m.bin"), CommitOperationAdd("m.bin", MEDIUM)]
    api.create_commit(repo_id=name, operations=operations, commit_message="Again")
    assert "m.bin" in files(name) and titles(name)[0] == "Again"


@check
def opens_and_continues_pull_requests():
    name = repo("w-pull")
    head = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=name).oid
    info = api.upload_file(path_or_fileobj=b"2", path_in_repo="a.txt", repo_id=name, create_pr=True)
    assert (info.pr_url, info.pr_num, info.pr_revision) == (f"{ENDPOINT}/acme/w-pull/discussions/1", 1, "refs/pr/1")
    second = api.upload_folder(repo_id=name, folder_path=folder({"m.bin": MEDIUM}), create_pr=True, parent_commit=head)
    assert second.pr_num == 2
    last = api.upload_file(path_or_fileobj=b"3", path_in_repo="b.txt", repo_id=name, revision="refs/pr/1")
    refs = api.list_repo_refs(name, include_pull_requests=True)
    assert {p.ref: p.target_commit for p in refs.pull_requests} == {"refs/pr/1": last.oid, "refs/pr/2": second.oid}
    assert fetch(name, "a.txt", api, revision="refs/pr/1") == b"2" and fetch(name, "a.txt", api) == b"1"
    assert fetch(name, "m.bin", api, revision="refs/pr/2") == MEDIUM and "m.bin" not in files(name)
    assert titles(name, revision="refs/pr/1")[0] == "Upload b.txt with huggingface_hub"
    assert api.model_info(name).sha == head


@check
def other_users_may_only_open_pull_requests():
    hub("user", "add", "stranger", "--token", "hf_stranger")
    stranger = hf.HfApi(token="hf_stranger")
    name = repo("w-stranger")
    upload = dict(path_or_fileobj=MEDIUM, path_in_repo="m.bin", repo_id=name)
    error = raises(errors.HfHubHTTPError, stranger.upload_file, **upload)
    assert status(error) == 403 and "create_pr=1" in str(error)
    info = stranger.upload_file(**upload, create_pr=True)
    stranger.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=name, revision=info.pr_revision)
    theirs = api.upload_file(path_or_fileobj=b"y", path_in_repo="y.txt", repo_id=name, create_pr=True)
    kwargs = dict(path_or_fileobj=b"z", path_in_repo="z.txt", repo_id=name, revision=theirs.pr_revision)
    assert status(raises(errors.HfHubHTTPError, stranger.upload_file, **kwargs)) == 403


@check
def rejects_a_commit_with_an_old_parent():
    name = repo("w-parent")
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=name)
    upload = dict(path_in_repo="a.txt", repo_id=name, parent_commit=first.oid)
    second = api.upload_file(path_or_fileobj=b"2", **upload)
    error = raises(errors.HfHubHTTPError, api.upload_file, path_or_fileobj=b"3", **upload)
    assert status(error) == 412 and "The branch was updated since you opened this page" in str(error)
    api.upload_file(path_or_fileobj=b"4", **{**upload, "parent_commit": second.oid[:7]})
    assert fetch(name, "a.txt", api) == b"4"
    for revision in ["none", "refs/pr/9"]:
        upload = dict(path_or_fileobj=b"x", path_in_repo="x", repo_id=name, revision=revision)
        raises(errors.RevisionNotFoundError, api.upload_file, **upload)
    raises(errors.RepositoryNotFoundError, api.upload_file, path_or_fileobj=b"x", path_in_repo="x", repo_id="acme/none")


@check
def creates_and_deletes_branches_and_tags():
    name = repo("w-refs")
    first = api.model_info(name).sha
    second = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=name).oid
    api.create_branch(name, branch="dev/x")
    api.create_branch(name, branch="old", revision=first)
    api.create_branch(name, branch="old", exist_ok=True)
    assert status(raises(errors.HfHubHTTPError, api.create_branch, name, branch="old")) == 409
    raises(errors.RevisionNotFoundError, api.create_branch, name, branch="y", revision="none")
    error = raises(errors.BadRequestError, api.create_branch, name, branch="refs/pr/1")
    assert "Invalid reference for a branch: refs/pr/1" in str(error)
    api.create_tag(name, tag="v1", revision=first)
    api.create_tag(name, tag="v2", tag_message="Second")
    api.create_tag(name, tag="v2", exist_ok=True)
    assert status(raises(errors.HfHubHTTPError, api.create_tag, name, tag="v2")) == 409
    raises(errors.RevisionNotFoundError, api.create_tag, name, tag="v3", revision="none")
    refs = api.list_repo_refs(name)
    assert {b.name: b.target_commit for b in refs.branches} == {"main": second, "dev/x": second, "old": first}
    assert {t.name: t.target_commit for t in refs.tags} == {"v1": first, "v2": second}

    api.upload_file(path_or_fileobj=b"2", path_in_repo="a.txt", repo_id=name, revision="dev/x")
    assert fetch(name, "a.txt", api, revision="dev/x") == b"2" and fetch(name, "a.txt", api) == b"1"
    error = raises(errors.BadRequestError, api.upload_file, path_or_fileobj=b"", path_in_repo="a", repo_id=name, revision="v1")
    assert "Invalid reference" in str(error)
    api.delete_branch(name, branch="dev/x")
    api.delete_tag(name, tag="v1")
    assert status(raises(errors.HfHubHTTPError, api.delete_branch, name, branch="main")) == 403
    raises(errors.RevisionNotFoundError, api.delete_branch, name, branch="dev/x")
    raises(errors.RevisionNotFoundError, api.delete_tag, name, tag="v1")
    refs = api.list_repo_refs(name)
    assert [b.name for b in refs.branches] == ["main", "old"] and [t.name for t in refs.tags] == ["v2"]


@check
def squashes_histories():
    name = repo("w-squash")
    for n in range(3):
        api.upload_file(path_or_fileobj=str(n).encode(), path_in_repo="a.txt", repo_id=name)
    api.create_branch(name, branch="before")
    api.super_squash_history(name, commit_message="All in one")
    assert titles(name) == ["All in one"] and fetch(name, "a.txt", api) == b"2"
    assert len(titles(name, revision="before")) == 4
    raises(errors.RevisionNotFoundError, api.super_squash_history, name, branch="none")


@check
def changes_settings():
    name = repo("w-settings")
    api.update_repo_settings(name, gated="manual", private=True)
    info = api.model_info(name)
    assert info.gated == "manual" and info.private
    api.update_repo_settings(name, gated=False, visibility="public")
    info = anonymous.model_info(name)
    assert info.gated is False and not info.private


@check
def renamed_repositories_keep_their_content():
    name = repo("w-before")
    api.upload_file(path_or_fileobj=MEDIUM, path_in_repo="m.bin", repo_id=name)
    api.move_repo(name, "owner/w-after")
    assert api.model_info(name).id == "owner/w-after" and fetch(name, "m.bin", api) == MEDIUM
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=name)
    assert "x.txt" in files("owner/w-after")
    assert status(raises(errors.HfHubHTTPError, api.move_repo, "owner/w-after", "acme/w-model")) == 409
    assert status(raises(errors.HfHubHTTPError, api.move_repo, "owner/w-after", "stranger/x")) == 403
    # The old name can be used again.
    repo("w-before")
    assert files(name) == {".gitattributes"} and "m.bin" in files("owner/w-after")


@check
def duplicates_repositories():
    name = repo("w-original")
    api.upload_folder(repo_id=name, folder_path=folder({"a.txt": "a", "m.bin": MEDIUM}))
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=name, create_pr=True)
    url = api.duplicate_repo(name, "w-duplicate", private=True)
    assert url.repo_id == "owner/w-duplicate" and not url.files_copy_pending
    assert files("owner/w-duplicate") == files(name) and titles("owner/w-duplicate") == titles(name)
    assert api.list_repo_refs("owner/w-duplicate", include_pull_requests=True).pull_requests == []
    assert fetch("owner/w-duplicate", "m.bin", api) == MEDIUM and api.model_info("owner/w-duplicate").private
    api.upload_file(path_or_fileobj=b"b", path_in_repo="a.txt", repo_id="owner/w-duplicate")
    assert fetch(name, "a.txt", api, force_download=True) == b"a"
    assert status(raises(errors.HfHubHTTPError, api.duplicate_repo, name, "w-duplicate")) == 409
    assert api.duplicate_repo(name, "w-duplicate", exist_ok=True).repo_id == "owner/w-duplicate"


@check
def deletes_repositories():
    name = repo("w-gone", repo_type="dataset")
    api.delete_repo(name, repo_type="dataset")
    assert not api.repo_exists(name, repo_type="dataset")
    raises(errors.RepositoryNotFoundError, api.delete_repo, name, repo_type="dataset")
    api.delete_repo(name, repo_type="dataset", missing_ok=True)
    repo("w-gone", repo_type="dataset")
    assert titles(name, repo_type="dataset") == ["initial commit"]


@check
def large_files_can_be_sent_before_the_commit():
    name = repo("w-pre")
    operations = []
    for n in range(3):
        operation = CommitOperationAdd(f"p{n}.bin", MEDIUM + bytes([n]))
        api.preupload_lfs_files(name, [operation])
        operations.append(operation)
    requests()
    api.create_commit(repo_id=name, operations=operations, commit_message="Later")
    assert [r["path"].split("/")[-2] for r in requests()] == ["commit"]
    assert fetch(name, "p2.bin", api) == MEDIUM + b"\2"


@check
def rejects_invalid_readmes():
    name = repo("w-card")
    upload = dict(path_in_repo="README.md", repo_id=name)
    error = raises(ValueError, api.upload_file, path_or_fileobj=b"---\na: [\n---\n", **upload)
    assert "Invalid metadata in README.md" in str(error)
    error = raises(ValueError, api.upload_file, path_or_fileobj=b"\n---\nmodel-index: foo\n---\n", **upload)
    assert '"model-index" must be an array' in str(error)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        api.upload_file(path_or_fileobj=b"# No metadata", **upload)
    assert "empty or missing yaml metadata" in str(caught[0].message)
    card = hf.ModelCard(CARD)
    card.validate()
    card.push_to_hub(name, token=OWNER)
    assert hf.ModelCard.load(name, token=OWNER).data.license == "mit"
    assert raises(errors.BadRequestError, _commit_lines, name, _file("README.md", "---\ntags: x\n---\n"))


def _file(path, text):
    return {"key": "file", "value": {"path": path, "content": text, "encoding": "utf-8"}}


def _commit_lines(name, *lines):
    lines = [{"key": "header", "value": {"summary": "raw"}}, *lines]
    headers = {"authorization": f"Bearer {OWNER}", "content-type": "application/x-ndjson"}
    url = f"{ENDPOINT}/api/models/{name}/commit/main"
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    hf.utils.hf_raise_for_status(hf.utils.get_session().post(url, headers=headers, content=body))


def _upload_in_parts(name, path):
    client = hf.HfApi(token=OWNER, endpoint=ENDPOINT)
    client.upload_file(path_or_fileobj=BIG[::-1], path_in_repo=path, repo_id=name)


@check
def two_processes_upload_the_same_content():
    name = repo("w-race")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_upload_in_parts, args=(name, f"{n}.bin")) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert files(name) == {".gitattributes", "0.bin", "1.bin", "2.bin", "3.bin"} and len(titles(name)) == 5
    assert fetch(name, "3.bin", api) == BIG[::-1]
    assert not list((ROOT / "lfs/uploads").iterdir())


@check
def repeats_broken_uploads():
    name = repo("w-faults")
    try:
        for n, fault in enumerate([
            {"kind": "status", "code": 503},
            {"kind": "drop_request", "after": 1000},
            {"kind": "lose_answer"},
        ]):
            for match in ["/upload/", "/part/", "complete_multipart", "/objects/batch", "/objects/verify", "/preupload/"]:
                control("faults", "POST", {"match": match, "times": 1, "fault": fault})
            content = {"m.bin": MEDIUM + bytes([n]), "b.bin": BIG + bytes([n])}
            api.upload_folder(repo_id=name, folder_path=folder(content))
            fired = {rule["match"]: rule["fired"] for rule in control("faults")}
            assert set(fired.values()) == {1}, fired
            control("faults", "DELETE")
            logged.clear()
            for path, expected in content.items():
                assert fetch(name, path, api) == expected, (path, fault)
        control("faults", "POST", {"match": "/upload/", "times": 1, "fault": {"kind": "expired"}})
        error = raises(RuntimeError, api.upload_file, path_or_fileobj=MEDIUM + b"e", path_in_repo="e.bin", repo_id=name)
        assert status(error.__cause__) == 403
        control("faults", "POST", {"match": "/part/", "skip": 1, "times": 1, "fault": {"kind": "etag", "value": '"odd"'}})
        error = raises(RuntimeError, api.upload_file, path_or_fileobj=BIG + b"e", path_in_repo="e.bin", repo_id=name)
        assert status(error.__cause__) == 400
    finally:
        control("faults", "DELETE")
        logged.clear()
    assert files(name) == {".gitattributes", "m.bin", "b.bin"}


@check
def the_command_line_uploads():
    path = folder({"a.txt": "a", "m.bin": MEDIUM})
    command = [pathlib.Path(sys.executable).with_name("hf"), "upload", "acme/w-cli", str(path), "--token", OWNER]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert files("acme/w-cli") == {".gitattributes", "a.txt", "m.bin"}


@check
def git_clones_over_http():
    clone = WORK / "http-clone"
    git("-c", "filter.lfs.required=false", "-c", "filter.lfs.smudge=", "clone", "-q", f"{ENDPOINT}/acme/w-folder", clone)
    assert git("-C", clone, "rev-parse", "HEAD").strip() == api.model_info("acme/w-folder").sha
    assert (clone / "sub/b.txt").read_text() == "b" and "version https://git-lfs" in (clone / "sub/m.bin").read_text()
    if shutil.which("git-lfs"):
        git("-C", clone, "lfs", "install", "--local")
        git("-C", clone, "lfs", "pull")
        assert (clone / "sub/m.bin").read_bytes() == MEDIUM and (clone / "big.bin").read_bytes() == BIG


@check
def every_repository_passes_git_fsck():
    checked = 0
    for git_dir in ROOT.glob("repos/*/*/*.git"):
        if git_dir.is_dir():
            report = subprocess.run(["git", "-C", git_dir, "fsck", "--strict"], capture_output=True, text=True)
            assert report.returncode == 0 and "error" not in report.stderr, (git_dir, report.stderr)
            checked += 1
    assert checked > 20
    clone = WORK / "clone"
    git("-c", "filter.lfs.required=false", "clone", "-q", ROOT / "repos/models/acme/w-folder.git", clone)
    assert (clone / "sub/b.txt").read_text() == "b" and "version https://git-lfs" in (clone / "sub/m.bin").read_text()
    assert git("-C", clone, "status", "--porcelain") == ""
    assert GUEST not in git("-C", clone, "log", "--format=%an %ae %B")
