"""What the benchmarks of file formats share: their options, one process for all rounds of a client, and the results."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from clients import ROOT, is_debug

BENCH = ROOT / "bench"
UNITS = {"MiB": 2**20, "GiB": 2**30}


def parser(doc, rounds):
    """Returns the parser of the options of both."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="interpreter with the packages; one that has them is looked for")
    parser.add_argument("--ebin", help="compiled modules of this library (_build/prod/lib/hf_hub/ebin, built if missing)")
    parser.add_argument("--size", type=size, default="1GiB", help="size of the file, such as 64MiB")
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser


def size(text):
    return int(text[:-3]) * UNITS[text[-3:]]


def python(given, packages):
    """Returns an interpreter that has the packages: the given one, or that of the tests."""
    cached = sorted(pathlib.Path("~/.cache/hf_hub_demo").expanduser().glob("*/bin/python"))
    tests = pathlib.Path(os.environ.get("HF_HUB_TEST_PYTHON") or ROOT / "_build/python/bin/python")
    for path in [given] if given else [tests, *cached, sys.executable]:
        imports = [str(path), "-c", f"import {', '.join(packages)}"]
        if pathlib.Path(path).is_file() and subprocess.run(imports, stderr=subprocess.DEVNULL).returncode == 0:
            return str(path)
    sys.exit(f"no Python has {' and '.join(packages)}: name one that has with --python, or their folder with PYTHONPATH")


def elixir(given, script, *arguments):
    """Returns the command of a script that uses a release build of this library."""
    ebin = pathlib.Path(given or ROOT / "_build/prod/lib/hf_hub/ebin")
    if not given and not ebin.is_dir():
        subprocess.run(["mix", "compile"], cwd=ROOT, check=True, stdout=sys.stderr, env={**os.environ, "MIX_ENV": "prod"})
    for library in ebin.parent.glob("priv/native/*.so"):
        if is_debug(library):
            sys.exit(f"{library} is a debug build: compile with MIX_ENV=prod, without HF_HUB_NIF_PATH")
    return ["elixir", "-pa", ebin, "-pa", ebin.parent / "consolidated", BENCH / script, *arguments]


def run(command, more=None):
    """Returns the numbers that a process prints, line by line, and the peak of its memory."""
    with tempfile.TemporaryFile("w+") as output:
        command = [str(part) for part in command]
        process = subprocess.Popen(command, stdout=output, env={**os.environ, **(more or {})})
        _pid, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            sys.exit(f"{command[0]} failed")
        output.seek(0)
        return [float(line) for line in output], usage.ru_maxrss * 1024


def served(hub, flags=()):
    """Starts a Local Hub on a root; returns its process and endpoint."""
    program, root = hub
    command = [program, "serve", "--root", str(root), "--stop-on-stdin-close", *flags]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())["endpoint"]


def imported(hub, folder, repo, kind="model"):
    """Imports a folder as a repository of a Local Hub."""
    program, root = hub
    command = [program, "import", folder, repo, "--type", kind, "--root", root]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def result(what, ours, peer, unit, limit=None):
    """Prints ours / peer, and whether the ratio is within the limit."""
    ratio = ours / peer
    verdict = "" if limit is None else f"  at most {limit}: {'met' if ratio <= limit else 'MISSED'}"
    print(f"{what:44} {ours:14,.1f} / {peer:14,.1f} {unit:7} = {ratio:6.3f}{verdict}")
