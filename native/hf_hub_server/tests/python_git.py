"""The checks of `python_client.py` that push with git and git-lfs, and read with the Python client.

Imported by that script, which starts the server; not run on its own.
"""

import os
import pathlib
import random
import subprocess

from python_client import ENDPOINT, GUEST, OWNER, WORK, api, check

ENV = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
BIG = random.Random(4).randbytes(3_000_000)


def url(repo_id, token):
    return ENDPOINT.replace("http://", f"http://user:{token}@") + "/" + repo_id


def git(*arguments, fails=False):
    """Runs git as a user without a configuration, and returns what it printed."""
    env = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
    author = {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENV, **env, **author})
    assert (done.returncode != 0) == fails, (command, done.stderr)
    return done.stdout + done.stderr


@check
def git_and_git_lfs_push_what_the_client_reads():
    for repo_type, repo_id in [("model", "acme/pushed"), ("dataset", "acme/pushed-data")]:
        api.create_repo(repo_id, repo_type=repo_type, private=True)
        prefix = "" if repo_type == "model" else "datasets/"
        clone = WORK / f"clone-of-{repo_type}"
        git("clone", url(prefix + repo_id, OWNER), clone)
        git("-C", clone, "lfs", "install", "--local")
        (clone / "sub").mkdir()
        (clone / "sub/big.bin").write_bytes(BIG)
        (clone / "a ü.txt").write_text("1")
        git("-C", clone, "add", "-A")
        git("-C", clone, "commit", "-m", "Pushed\n\nby git")
        git("-C", clone, "push")
        commits = api.list_repo_commits(repo_id, repo_type=repo_type)
        assert (commits[0].title, commits[0].message) == ("Pushed", "by git")
        assert commits[0].commit_id == git("-C", clone, "rev-parse", "HEAD").strip()
        info = api.get_paths_info(repo_id, ["sub/big.bin"], repo_type=repo_type)[0]
        assert info.size == len(BIG) and info.lfs is not None
        path = api.snapshot_download(repo_id, repo_type=repo_type, cache_dir=WORK / "of-git")
        assert (pathlib.Path(path) / "sub/big.bin").read_bytes() == BIG
        assert (pathlib.Path(path) / "a ü.txt").read_text() == "1"

        # Both ways: what the client commits, git pulls with the large file.
        api.upload_file(path_or_fileobj=BIG[::-1], path_in_repo="b.bin", repo_id=repo_id, repo_type=repo_type)
        git("-C", clone, "pull")
        assert (clone / "b.bin").read_bytes() == BIG[::-1]


@check
def git_lfs_shows_why_a_push_is_rejected():
    clone = WORK / "clone-without-rights"
    api.create_repo("acme/unpushed")
    git("clone", url("acme/unpushed", GUEST), clone)
    git("-C", clone, "lfs", "install", "--local")
    (clone / "big.bin").write_bytes(BIG)
    git("-C", clone, "add", "-A")
    git("-C", clone, "commit", "-m", "x")
    told = git("-C", clone, "push", fails=True)
    assert "you must use a write token" in told, told
    git("-C", clone, "remote", "set-url", "origin", url("acme/unpushed", OWNER))
    told = git("-C", clone, "push", "--no-verify", fails=True)
    assert "an LFS pointer pointed to a file that does not exist" in told and "big.bin" in told, told
    git("-C", clone, "push")
    assert api.get_paths_info("acme/unpushed", ["big.bin"])[0].size == len(BIG)
