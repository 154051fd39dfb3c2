"""The parts about Xet: a Local Hub for each run of an upload, so that no run finds what another one has stored.

Both clients begin with an empty HF_HOME, which has what a client remembers about the storage.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.parse

from child import Failed
from clients import BENCH
from content import write_random
from local_hub import LocalHub, stop

MANY, MANY_SIZE = 500, 100 << 10
INSERTED, CHANGES, CHANGE = 1_000_000, 20, 4 << 10
USER, TOKEN = "uploader", "hf_benchmark"
REPO = f"{USER}/xet"


class XetHub(LocalHub):
    """A Local Hub that counts what it receives; `shaped` is the same one behind a slow link."""

    def serve(self, kind):
        if kind != "shaped":
            return super().serve("log")
        ports = free_ports(4)
        near, far = ports[:2], ports[2:]
        urls = [f"http://127.0.0.1:{port}" for port in near]
        flags = ["--test-control", "--public-url", urls[0], "--cdn-url", urls[1]]
        hub, _ = self.start("--port", str(far[0]), "--cdn-port", str(far[1]), *flags)
        shaper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(BENCH / "shaper.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )
        self.stack.callback(stop, shaper)
        print(json.dumps(list(zip(near, far))), file=shaper.stdin, flush=True)
        if not shaper.stdout.readline():
            sys.exit("the shaper ended at once; its message is above")
        return hub, urls[0]

    def received(self, kind):
        """Bytes of objects and of lists of chunks, as the log of the Hub has them."""
        log = self.ask("/_test/requests", kind)
        places = ("/xet/grants/", "/v1/xorbs", "/v1/shards", "/v2/shards")
        return sum(entry["bytes_received"] for entry in log if entry["path"].startswith(places))

    def ask(self, path, kind):
        # Unlike urllib, this uses no proxy.
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.endpoint(kind)).netloc)
        connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
        response = connection.getresponse()
        text = response.read().decode()
        if response.status >= 300:
            raise Failed(f"the Local Hub refused {path}: {response.status} {text}")
        return json.loads(text)


class Xet:
    """Measures one call of a client at a time."""

    def __init__(self, bench, folder):
        self.bench, self.folder, self.size = bench, folder, bench.options.size
        folder.mkdir()
        self.stored = None

    def measure(self, part, client):
        if part.task in ("upload", "push"):
            return self.upload(part, client)
        return self.download(part, client)

    def upload(self, part, client):
        with contextlib.ExitStack() as stack:
            hub, home = self.hub(stack), self.temporary(stack, "home_")
            endpoint = hub.endpoint(part.kind)
            calls = [part.repo] if part.repo != "second" else ["first", "second"]
            for source in calls[:-1]:
                self.bench.children.run(self.call(client, part, endpoint, source), extra=environment(home, True))
            before = hub.received(part.kind)
            numbers = self.bench.timed(self.call(client, part, endpoint, calls[-1]), False, environment(home, True))
            self.check(hub, part, self.source(calls[-1]))
            return {**numbers, "sent": hub.received(part.kind) - before}

    def download(self, part, client):
        """From one Hub for all runs: what is read there does not change it."""
        if self.stored is None:
            self.stored = self.hub(self.bench.stack)
            command = self.call("ours", part, self.stored.endpoint("log"), "first", task="upload")
            with contextlib.ExitStack() as stack:
                self.bench.children.run(command, extra=environment(self.temporary(stack, "home_"), True))
        with contextlib.ExitStack() as stack:
            home, target = self.temporary(stack, "home_"), self.temporary(stack, "target_")
            endpoint = self.stored.endpoint(part.kind)
            command = self.bench.clients.call(client, part.task, endpoint, target, REPO, "")
            numbers = self.bench.timed(command, False, environment(home, part.task == "xet_file"))
            self.bench.check(client, target, [self.size])
            return numbers

    def hub(self, stack):
        """A Hub with an empty repository, whose files end with the stack."""
        root = self.temporary(stack, "root_")
        hub = XetHub(self.bench.children, root, stack)
        hub.command("user", "add", USER, "--token", TOKEN)
        empty = self.folder / "empty"
        if not empty.is_dir():
            empty.mkdir()
            (empty / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
        hub.command("import", empty, REPO)
        return hub

    def call(self, client, part, endpoint, source, task=None):
        return self.bench.clients.call(client, task or part.task, endpoint, self.source(source), REPO, TOKEN)

    def source(self, name):
        """A folder of content, made when it is first needed."""
        folder = self.folder / name
        if folder.is_dir():
            return folder
        if name == "second":
            first = self.source("first") / "model.bin"
            folder.mkdir()
            write_second(first, folder / "model.bin", self.size)
            return folder
        folder.mkdir()
        names = [f"file_{number:04}.bin" for number in range(MANY)] if name == "crowd" else ["model.bin"]
        for file in names:
            write_random(folder / file, MANY_SIZE if name == "crowd" else self.size)
        return folder

    def check(self, hub, part, source):
        """That the Hub has what was uploaded."""
        tree = hub.ask(f"/api/models/{REPO}/tree/main?recursive=true", part.kind)
        sizes = {entry["path"]: entry["size"] for entry in tree if entry["path"].endswith(".bin")}
        if sizes != {path.name: path.stat().st_size for path in source.iterdir()}:
            raise Failed(f"the Hub has {len(sizes)} files, {sum(sizes.values())} bytes")
        if not all(entry.get("xetHash") for entry in tree if entry["path"] in sizes):
            raise Failed("the files are not in Xet storage")

    def temporary(self, stack, prefix):
        folder = tempfile.mkdtemp(prefix=prefix, dir=self.folder)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return type(self.folder)(folder)


def environment(home, is_on):
    return {"HF_HOME": str(home), "HF_HUB_DISABLE_XET": "0" if is_on else "1"}


def write_second(first, second, size):
    """The first version with bytes inserted in the middle, and small changes all over it."""
    shutil.copyfile(first, second)
    with open(second, "r+b") as file:
        for number in range(CHANGES):
            file.seek(size * number // CHANGES)
            file.write(os.urandom(min(CHANGE, size)))
        file.seek(size // 2)
        rest = file.read()
        file.seek(size // 2)
        file.write(os.urandom(INSERTED))
        file.write(rest)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
