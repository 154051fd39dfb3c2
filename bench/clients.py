"""The clients that are compared: which of them are here, and the command that makes one call."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from child import Failed

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
# In the order of the tables.
NAMES = ["curl", "aria2", "python", "hf-hub", "bare", "before", "ours"]
CONNECTIONS = 16


class Clients:
    """`versions` has the clients that can be measured, `skipped` the others with the reason."""

    def __init__(self, children, options, wanted):
        self.children, self.options = children, options
        self.versions, self.skipped = {}, {}
        python = options.python or str(ROOT / "_build" / "python" / "bin" / "python")
        self.commands = {
            "curl": ["curl", "-q"],
            "aria2": ["aria2c", "--no-conf"],
            "python": [python, str(BENCH / "peer.py")],
            "hf-hub": [str(target() / "hf_hub_rs")],
            "bare": [str(target() / "hf_hub_rs"), "bare"],
            "before": self.elixir(pathlib.Path(options.before)) if options.before else None,
            "ours": self.elixir(ROOT),
        }
        for name in NAMES:
            if name in wanted and self.commands[name]:
                self.find(name)

    def find(self, name):
        """Asking for the version also loads the client's code into the cache of the system."""
        try:
            if name in ("hf-hub", "bare"):
                self.build_rust_peer()
            if name in ("curl", "aria2"):
                shown = self.children.run([*self.commands[name], "--version"]).output.splitlines()[0]
                self.versions[name] = " ".join(re.findall(r"^curl \S+|aria2|[\d.]+$", shown))
            else:
                self.versions[name] = self.children.run([*self.commands[name], "version"]).output
        except Failed as failure:
            if name in ("ours", "before") or (name == "python" and self.options.python):
                raise
            self.skipped[name] = failure.reason()

    def call(self, name, task, endpoint, folder, repo, last):
        """The command of one call; `last` is a commit, or the token of an upload."""
        if name == "aria2":
            split = [f"-x{CONNECTIONS}", f"-s{CONNECTIONS}", "--file-allocation=none", "--quiet"]
            url = f"{endpoint}/{repo}/resolve/main/model.bin"
            return [*self.commands[name], *split, "-d", folder, "-o", "model.bin", url]
        return [*self.commands[name], task, endpoint, folder, repo, last]

    def script(self, client, path):
        """The command of an Elixir script with the library of this client, instead of the module of all calls."""
        return [*self.commands[client][:-2], path]

    def elixir(self, checkout):
        build = checkout / "_build" / os.environ.get("MIX_ENV", "dev") / "lib" / "hf_hub"
        if checkout == ROOT and not (build / "ebin").is_dir():
            subprocess.run(["mix", "compile"], cwd=ROOT, check=True, stdout=sys.stderr)
        for library in (build / "priv" / "native").glob("hf_hub_nif.*"):
            if is_debug(library):
                sys.exit(f"{library} is a debug build: compile in another MIX_ENV, with HF_HUB_NIF_PROFILE=release")
        library = ["-pa", str(build / "ebin"), "-pa", str(build / "consolidated")]
        compiled = self.children.folder / f"ours_{len(list(self.children.folder.glob('ours_*')))}"
        self.children.run(["elixirc", *library, "-o", compiled, BENCH / "ours.ex"])
        return ["elixir", *library, "-pa", str(compiled), "-e", "HfHub.Bench.Ours.main()"]

    def build_rust_peer(self):
        if not shutil.which("cargo"):
            raise Failed("cargo is not installed")
        print("building bench/hf_hub_rs; the first time takes minutes", file=sys.stderr, flush=True)
        manifest = BENCH / "hf_hub_rs" / "Cargo.toml"
        command = ["cargo", "build", "--release", "--locked", "--manifest-path", str(manifest)]
        # The settings of the user: a proxy may be needed to fetch crates.
        self.children.run([*command, "--target-dir", str(target().parent)], os.environ)


def is_debug(path):
    """Whether an ELF file has debug information: release builds are stripped."""
    return b"\0.debug_info\0" in path.read_bytes()


def target():
    """Where cargo puts release builds."""
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
