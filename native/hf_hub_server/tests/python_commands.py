"""The checks of `python_client.py` that run the client's command line, `hf`.

Imported by that script, which starts the server; not run on its own.
"""

import os
import pathlib
import subprocess
import sys

import huggingface_hub as hf

from python_client import OWNER, anonymous, api, check, folder

HF = pathlib.Path(sys.executable).with_name("hf")


def says(text, *arguments):
    """Runs a command that has to print this text."""
    printed = command(*arguments)
    assert text in printed, f"hf {arguments}: {printed}"


def run(arguments, **env):
    """Runs a command with these variables added to the environment."""
    env = {"HF_TOKEN": OWNER, "HF_DEBUG": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "COLUMNS": "300", **env}
    arguments = [HF, *map(str, arguments)]
    return subprocess.run(arguments, capture_output=True, text=True, env=os.environ | env, stdin=subprocess.DEVNULL)


def command(*arguments):
    """Runs a command that has to succeed and returns its output."""
    done = run(arguments)
    assert done.returncode == 0, f"hf {arguments}: {done.stdout} {done.stderr}"
    return done.stdout


@check
def the_command_line_lists_repositories():
    says("acme/tiny", "models", "ls", "--author", "acme")
    says("config.json", "models", "ls", "acme/tiny")
    says("acme/table", "datasets", "ls")
    says("acme/demo", "spaces", "ls")
    says("acme/tiny", "models", "info", "acme/tiny")


@check
def the_command_line_manages_repositories():
    command("repos", "create", "c-one")
    command("repos", "create", "c-one", "--exist-ok")
    command("upload", "owner/c-one", folder({"a.txt": "a", "d/x.txt": "x", "d/y.txt": "y"}))
    says("owner/c-one", "repos", "ls")
    says("acme/tiny", "repos", "ls", "--namespace", "acme")
    command("repos", "branch", "create", "owner/c-one", "dev")
    command("repos", "branch", "delete", "owner/c-one", "dev")
    command("repos", "tag", "create", "owner/c-one", "v1")
    says("v1", "repos", "tag", "list", "owner/c-one")
    command("repos", "tag", "delete", "owner/c-one", "v1", "-y")
    command("repos", "settings", "owner/c-one", "--private")
    command("repos", "move", "owner/c-one", "owner/c-two")
    command("repos", "duplicate", "acme/tiny", "owner/c-copy")
    command("repos", "delete-files", "owner/c-two", "a.txt")
    api.delete_file("d", "owner/c-two")
    assert set(api.list_repo_files("owner/c-two")) == {".gitattributes"}
    command("repos", "delete", "owner/c-two", "--yes")
    assert not api.repo_exists("owner/c-two")


@check
def the_command_line_manages_the_cache():
    command("download", "acme/tiny")
    says("acme/tiny", "cache", "ls")
    assert command("cache", "ls", "--revisions")
    command("cache", "verify", "acme/tiny")
    command("cache", "prune", "-y")
    command("cache", "rm", "model/acme/tiny", "-y")
    assert "acme/tiny" not in command("cache", "ls")


@check
def the_command_line_uploads_with_and_without_xet():
    files = folder({"m.bin": os.urandom(100_000)})
    arguments = ["upload", "owner/x-one", str(files)]
    command("repos", "create", "x-one")
    done = run(arguments, HF_HUB_DISABLE_XET="0")
    assert done.returncode == 0, done
    command(*arguments)


@check
def accepts_ids_in_another_case():
    assert anonymous.model_info("ACME/Tiny").id == "acme/tiny"
    assert anonymous.hf_hub_download("Acme/TINY", "config.json")
    assert anonymous.dataset_info("acme/TABLE").id == "acme/table"
    assert api.create_repo("acme/Tiny", exist_ok=True).repo_id == "acme/tiny"
    assert hf.HfFileSystem(token=False).exists("ACME/tiny/config.json")
