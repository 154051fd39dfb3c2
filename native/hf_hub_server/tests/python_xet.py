"""The checks of `python_client.py` with clients that use Xet, as an installation does without any setting.

Imported by that script, which starts the server; not run on its own.
"""

import hashlib
import os
import pathlib
import random
import re
import subprocess
import sys

from python_client import GUEST, OWNER, WORK, anonymous, api, check, control, fetch, folder
from python_commands import run
from python_git import git, url

# Warnings are errors, and what the client logs is printed.
PREPARE = """
import hashlib, logging, pathlib, sys
from huggingface_hub import HfApi, logging as hub_logging
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("LOGGED %(message)s"))
hub_logging.get_logger("huggingface_hub").handlers = [handler]
api = HfApi()

def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
"""


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def write(name, content):
    path = WORK / "xet" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def client(home, code, token=OWNER):
    """Runs code in a process that uses Xet, with this folder for all caches; returns the printed words."""
    env = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_XET"}
    env |= {"HF_HOME": str(WORK / home), "HF_TOKEN": token}
    command = [sys.executable, "-W", "error", "-c", PREPARE + code]
    done = subprocess.run(command, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and "LOGGED" not in done.stdout, (done.stdout, done.stderr)
    return done.stdout.split()


def sent(function, *arguments):
    """Calls a function; returns the bytes of the xorbs that were sent meanwhile, and the requested paths."""
    control("requests", "DELETE")
    function(*arguments)
    paths = [request["path"] for request in control("requests")]
    grants = [re.fullmatch(r"/xet/grants/\w+/(\d+)", path) for path in paths]
    return sum(int(grant[1]) for grant in grants if grant), paths


def upload(home, path, repo):
    return client(home, f"api.upload_file(path_or_fileobj={str(path)!r}, path_in_repo='m.bin', repo_id={repo!r})")


def download(home, repo, token=OWNER):
    [found] = client(home, f"print(sha256(api.hf_hub_download({repo!r}, 'm.bin')))", token)
    return found


@check
def a_second_version_sends_what_has_changed():
    repo = api.create_repo("acme/xet-versions").repo_id
    first = noise(1, 50_000_000)
    second = first[:20_000_000] + b"inserted" + first[20_000_000:]
    size, paths = sent(upload, "xet-a", write("m.bin", first), repo)
    assert 50_000_000 < size < 50_500_000, size
    assert any(path.startswith("/v2/shards") for path in paths) and not any("lfs" in path for path in paths), paths
    assert download("xet-b", repo) == sha256(first)
    # Two clients: one knows what it has sent, one asks for the chunks.
    size, _ = sent(upload, "xet-a", write("m.bin", second), repo)
    assert 0 < size < 500_000, size
    assert download("xet-b", repo) == sha256(second)
    third = second[:30_000_000] + b"again" + second[30_000_000:]
    size, paths = sent(upload, "xet-c", write("m.bin", third), repo)
    assert 0 < size < 500_000, size
    assert any(path.startswith("/v1/chunks/") for path in paths), paths
    assert download("xet-b", repo) == sha256(third)
    # The same content somewhere else sends nothing.
    other = api.create_repo("acme/xet-other").repo_id
    size, _ = sent(upload, "xet-c", write("m.bin", first), other)
    assert size == 0, size


@check
def files_in_xet_storage_are_read_without_xet():
    repo = api.create_repo("acme/xet-bridge", private=True).repo_id
    content = noise(2, 12_000_000) + bytes(3_000_000)
    upload("xet-a", write("m.bin", content), repo)
    _, paths = sent(lambda: fetch(repo, "m.bin", api, cache_dir=WORK / "xet-plain"))
    assert paths and not any(path.startswith(("/v1/", "/v2/", "/xet/")) for path in paths), paths
    assert fetch(repo, "m.bin", api, cache_dir=WORK / "xet-plain") == content
    [info] = api.get_paths_info(repo, ["m.bin"])
    assert info.xet_hash and info.lfs.sha256 == sha256(content), info
    clone = WORK / "xet-clone"
    git("clone", url(repo, OWNER), clone)
    git("-C", clone, "lfs", "install", "--local")
    git("-C", clone, "lfs", "pull")
    assert (clone / "m.bin").read_bytes() == content
    # Pushed back, it is known already.
    (clone / "copy.bin").write_bytes(content)
    (clone / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    git("-C", clone, "add", "-A")
    git("-C", clone, "commit", "-m", "copy")
    git("-C", clone, "push")
    assert download("xet-b", repo) == sha256(content)
    assert [file.xet_hash for file in api.get_paths_info(repo, ["copy.bin"])] == [info.xet_hash]


@check
def files_uploaded_without_xet_are_read_with_it():
    repo = api.create_repo("acme/xet-lfs").repo_id
    content = noise(3, 3_000_000)
    api.upload_file(path_or_fileobj=content, path_in_repo="m.bin", repo_id=repo)
    assert download("xet-b", repo) == sha256(content)
    # The same content with Xet: the file stays what it is.
    other = api.create_repo("acme/xet-lfs-again").repo_id
    upload("xet-a", write("m.bin", content), other)
    assert api.get_paths_info(other, ["m.bin"])[0].xet_hash is None
    assert download("xet-c", other) == sha256(content)


@check
def folders_and_snapshots_with_xet():
    repo = api.create_repo("acme/xet-folder", repo_type="dataset").repo_id
    files = {f"sub/{number}.bin": noise(10 + number, 100_000) for number in range(40)}
    files |= {"a.txt": b"a", "empty.bin": b"", "same.bin": files["sub/1.bin"]}
    path = folder(files)
    client("xet-a", f"api.upload_folder(repo_id={repo!r}, folder_path={str(path)!r}, repo_type='dataset')")
    [snapshot] = client("xet-b", f"print(api.snapshot_download({repo!r}, repo_type='dataset'))")
    for name, content in files.items():
        assert (pathlib.Path(snapshot) / name).read_bytes() == content, name
    local = WORK / "xet-local"
    client("xet-c", f"api.snapshot_download({repo!r}, repo_type='dataset', local_dir={str(local)!r})", GUEST)
    assert (local / "sub/7.bin").read_bytes() == files["sub/7.bin"]
    # Its files are known everywhere.
    other = api.create_repo("acme/xet-folder-again").repo_id
    size, _ = sent(client, "xet-a", f"api.upload_folder(repo_id={other!r}, folder_path={str(path)!r})")
    assert size == 0 and len(api.list_repo_files(other)) == len(files) + 1


@check
def pull_requests_with_xet():
    repo = api.create_repo("acme/xet-pr").repo_id
    path = write("pr.bin", noise(4, 2_000_000))
    code = f"""
info = api.upload_file(path_or_fileobj={str(path)!r}, path_in_repo="m.bin", repo_id={repo!r}, create_pr=True)
print(info.pr_revision)
print(sha256(api.hf_hub_download({repo!r}, "m.bin", revision=info.pr_revision)))
"""
    assert client("xet-d", code) == ["refs/pr/1", sha256(path.read_bytes())]
    api.merge_pull_request(repo, 1)
    assert download("xet-b", repo) == sha256(path.read_bytes())


@check
def the_command_line_with_xet():
    repo = api.create_repo("acme/xet-command").repo_id
    content = noise(5, 5_000_000)
    options = {"HF_HUB_DISABLE_XET": "0", "HF_HOME": str(WORK / "xet-e"), "HF_DEBUG": "0"}
    done = run(["upload", repo, write("m.bin", content), "m.bin"], **options)
    assert done.returncode == 0 and "arning" not in done.stderr, done
    assert api.get_paths_info(repo, ["m.bin"])[0].xet_hash
    done = run(["download", repo, "m.bin"], **options | {"HF_HOME": str(WORK / "xet-f")})
    assert done.returncode == 0 and "arning" not in done.stderr, done
    # Deleted for good, it cannot be read any more; its chunks are still known.
    api.permanently_delete_lfs_files(repo, api.list_lfs_files(repo), rewrite_history=False)
    done = run(["download", repo, "m.bin"], **options | {"HF_HOME": str(WORK / "xet-g")})
    assert done.returncode != 0
    again = api.create_repo("acme/xet-command-again").repo_id
    size, _ = sent(upload, "xet-g", write("m.bin", content), again)
    assert size == 0 and download("xet-g", again) == sha256(content)


@check
def a_client_recovers_from_faults_of_xet_storage():
    repo = api.create_repo("acme/xet-faults").repo_id
    path = write("m.bin", noise(6, 3_000_000))
    for match, fault in [
        ("/v1/xorb-grants/", {"kind": "status", "code": 404}),
        ("/v2/shards", {"kind": "status", "code": 404}),
        ("/v2/reconstructions/", {"kind": "status", "code": 404}),
        ("/xet/xorbs/", {"kind": "expired"}),
        ("/xet/xorbs/", {"kind": "drop", "after": 100_000}),
    ]:
        control("faults", "POST", {"match": match, "times": 1, "fault": fault})
    upload("xet-h", path, repo)
    assert download("xet-i", repo) == sha256(path.read_bytes())
    assert all(rule["fired"] == 1 for rule in control("faults")), control("faults")
    control("faults", "DELETE")
    assert anonymous.file_exists(repo, "m.bin")
