"""The Local Hub as a server of the benchmark: the second one for downloads, the only one for uploads."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse

from clients import ROOT, is_debug, target

# Bytes a second that a capped Hub sends and takes by each connection.
CAP = 40_000_000


class LocalHub:
    """Hubs on one root; each ends with the benchmark, however that ends."""

    def __init__(self, children, root, stack):
        self.children, self.root, self.stack = children, root, stack
        self.program, self.processes, self.commits = program(), {}, {}

    def add(self, repo, source):
        """Imports a folder as bench/repo; all its .bin files are LFS files."""
        attributes = source / ".gitattributes"
        attributes.write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
        self.commits[repo] = json.loads(self.command("import", source, f"bench/{repo}"))["commit"]
        attributes.unlink()

    def command(self, *arguments):
        return self.children.run([self.program, *arguments, "--root", self.root]).output

    def endpoint(self, kind="plain"):
        """Starts the Hub of this kind on free ports when it is first asked for."""
        if kind not in self.processes:
            self.processes[kind] = self.serve(kind)
        return self.processes[kind][1]

    def serve(self, kind):
        hub, endpoint = self.start("--port", "0", *([] if kind == "plain" else ["--test-control"]))
        if kind == "slow":
            cap(endpoint)
        return hub, endpoint

    def start(self, *flags):
        """The process of a Hub and its endpoint."""
        arguments = [self.program, "serve", "--root", str(self.root), "--stop-on-stdin-close", *flags]
        hub = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.stack.callback(stop, hub)
        line = hub.stdout.readline()
        if not line:
            sys.exit("the Local Hub ended at once; its message is above")
        return hub, json.loads(line)["endpoint"]

    def cpu(self, kind="plain"):
        """Processor seconds of the Hub and its children so far; None where the system has no /proc."""
        try:
            stat = pathlib.Path(f"/proc/{self.processes[kind][0].pid}/stat").read_text()
        except OSError:
            return None
        times = stat.rpartition(")")[2].split()[11:15]
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def program():
    built = target() / "hf_hub_server"
    path = os.environ.get("HF_HUB_SERVER_PATH") or str(built)
    if path == str(built) and not built.is_file():
        command = ["cargo", "build", "--release", "-p", "hf_hub_server"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    if is_debug(pathlib.Path(path)):
        sys.exit(f"{path} is a debug build: set HF_HUB_SERVER_PATH to a release build, or unset it")
    return path


def cap(endpoint):
    """Limits what the Hub sends and takes by any one connection."""
    for kind in ("throttle", "throttle_request"):
        rule = {"match": "*", "origin": "cdn", "fault": {"kind": kind, "bytes_per_second": CAP}}
        # Unlike urllib, this uses no proxy.
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint).netloc)
        connection.request("POST", "/_test/faults", json.dumps(rule), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status >= 300:
            sys.exit(f"the Local Hub cannot cap its connections: {response.status} {response.read().decode()}")


def stop(hub):
    hub.stdin.close()
    try:
        hub.wait(5)
    except subprocess.TimeoutExpired:
        hub.kill()
        hub.wait()
