"""One run of the benchmark: makes content, starts servers, lets the clients take turns."""

import os
import pathlib
import platform
import shutil
import signal
import sys
import tempfile
import time

import content
import report
import targets
from child import Children, Failed
from clients import NAMES, Clients
from json_list import JsonList
from local_hub import LocalHub
from nginx import Nginx
from parts import PARTS
from uploads import Uploads
from xet import Xet

SHARED = pathlib.Path("/dev/shm")
# From so many bytes on, memory is taken before a run.
LARGE = 256 << 20
PIECE = bytes(1 << 20)
AMOUNTS = ("size", "part_size", "parts", "files", "pushed", "memory_size", "crowd")


class Bench:
    def __init__(self, options, folder, stack):
        self.options, self.folder, self.stack = options, folder, stack
        self.children = Children(folder)
        self.skipped, self.servers, self.caches = {}, {}, {}
        self.places = {"disk": folder}
        self.content = content.Content(folder / "content", options)

    def run(self):
        load = os.getloadavg()[0]
        self.cases = [case for case in self.chosen() if self.is_possible(*case)]
        wanted = {client for part, server in self.cases for client in self.clients_of(part, server)}
        self.clients = Clients(self.children, self.options, wanted)
        self.start_servers()
        self.fill_caches()
        runs = [
            {"part": part.name, "server": server, "client": client, **numbers}
            for part, server in self.cases
            for turn in range(self.options.repeats or part.repeats)
            for client in self.order(part, server, turn)
            if (numbers := self.attempt(part, server, client))
        ]
        return {
            "versions": self.clients.versions,
            "skipped": self.clients.skipped | self.skipped,
            "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()} {platform.machine()}",
            "load": load,
            "folder": str(self.folder.parent),
            "file_system": file_system(self.folder),
            "options": {name: getattr(self.options, name) for name in AMOUNTS} | {"repeats": self.options.repeats},
            "runs": runs,
            "summary": (found := report.summary(runs)),
            "targets": [one for one in targets.check(found) if one["met"] is not None or not self.options.only],
        }

    def chosen(self):
        """[(part, server or None)], the start of the clients first."""
        only = self.options.only
        for part in PARTS:
            if only is None or part.name == "start" or part.name in only:
                for server in part.servers or [None]:
                    if server is None or self.options.server in (None, server) or (part.upload and not only):
                        yield part, server

    def is_possible(self, part, server):
        reason = None
        if server == "nginx" and not shutil.which("nginx"):
            reason = "nginx is not installed"
        elif server == "nginx" and part.kind == "tls" and not shutil.which("openssl"):
            reason = "openssl is not installed"
        elif part.place == "memory" and not self.has_memory():
            reason = f"{SHARED} does not exist or has not enough space"
        elif part.place != "memory" and not self.has_space(part):
            reason = f"not enough space in {self.folder.parent}; set TMPDIR"
        if reason:
            self.skipped[report.case_name(part.name, server)] = reason
        return reason is None

    def has_memory(self):
        if "memory" not in self.places:
            if not SHARED.is_dir() or shutil.disk_usage(SHARED).free < 2 * self.options.size + (256 << 20):
                return False
            self.places["memory"] = pathlib.Path(tempfile.mkdtemp(prefix="hf_hub_bench_", dir=SHARED))
            self.stack.callback(remove, self.places["memory"])
        return True

    def has_space(self, part):
        """The content, the store of the Local Hub, what is downloaded, and a reserve."""
        amount = self.options.memory_size if part.repo in ("huge", "hole") else 0
        return shutil.disk_usage(self.folder).free > amount + 5 * self.options.size + (1 << 30)

    def clients_of(self, part, server):
        names = [name for name in part.clients if name in (self.options.clients or NAMES)]
        # Its comparison on nginx is enough: it takes most of the time.
        if server == "hub" and "nginx" in part.servers:
            names = [name for name in names if name != "python"]
        return ["before", *names] if self.options.before and "ours" in names else names

    def order(self, part, server, turn):
        """Clients take turns in beginning."""
        names = [name for name in NAMES if name in self.clients_of(part, server) and name in self.clients.versions]
        turn %= max(len(names), 1)
        return names[turn:] + names[:turn]

    def start_servers(self):
        used = {server for _, server in self.cases}
        down = [(part, server) for part, server in self.cases if not part.upload and part.repo and server]
        for repo in dict.fromkeys(name for part, _ in down for name in (part.repo, part.least) if name):
            say(f"making the content of {repo}")
            self.content.make(repo)
        if "nginx" in used:
            nginx = Nginx(self.folder / "nginx", self.content.folder, self.content.made)
            nginx.start()
            self.stack.callback(nginx.stop)
            self.servers["nginx"] = nginx
        if "hub" in used:
            hub = self.servers["hub"] = LocalHub(self.children, self.folder / "hub", self.stack)
            for repo in {name for part, server in down if server == "hub" for name in (part.repo, part.least) if name}:
                say(f"importing {repo}")
                hub.add(repo, self.content.folder / repo)
        if any(part.place == "xet" for part, _ in self.cases):
            self.xet = Xet(self, self.folder / "xet")
        if any(part.task == "json" for part, _ in self.cases):
            self.list = JsonList(self.clients, self.folder)
        if any(part.upload for part, _ in self.cases):
            self.uploads = Uploads(self.servers["hub"], self.content, self.folder / "uploads", self.options)

    def fill_caches(self):
        """The caches that are only read, the same for all clients."""
        names = {part.name for part, _ in self.cases}
        if "scan" in names:
            self.caches["scan"] = self.folder / "scan"
            content.write_cache(self.caches["scan"])
        if "verify" in names:
            self.caches["verify"] = self.folder / "verify"
            place = (self.servers["nginx"].endpoint(), self.caches["verify"], "bench/parts", "")
            self.children.run(self.clients.call("ours", "snapshot", *place))

    def attempt(self, part, server, client):
        """The numbers of one run, or nothing where it fails: the others are still worth comparing."""
        try:
            numbers = self.measure(part, server, client)
        except Failed as failure:
            say(f"{part.name} {client} failed: {failure}")
            self.skipped[f"a run of {part.name} by {client}"] = failure.reason()
            return None
        shown = f"{numbers['call'] * 1e6:.1f} µs" if part.task == "hit" else f"{numbers['call']:.3f} s"
        say(f"{report.case_name(part.name, server)} {client}: {shown}")
        return numbers

    def measure(self, part, server, client):
        if part.task == "json":
            return self.list.measure(client)
        if part.place == "xet":
            return self.xet.measure(part, client)
        one = self.upload if part.upload else self.download
        if part.least:
            least = one(part, server, client, part.least)
            numbers = one(part, server, client, part.repo)
            return {**numbers, "growth": numbers["rss"] - least["rss"]}
        return one(part, server, client, part.repo)

    def download(self, part, server, client, repo):
        """One call into an empty folder, or on a cache that is only read."""
        place = self.places[part.place]
        folder = self.caches.get(part.name) or pathlib.Path(tempfile.mkdtemp(prefix="target_", dir=place))
        command = [*self.clients.commands[client], "version"]
        if part.task != "version":
            endpoint = self.servers[server].endpoint(part.kind) if server else ""
            commit = self.servers[server].commits.get(repo, "") if server else ""
            if part.name == "resume":
                # Slowly, since progress is reported some times a second.
                slow = self.servers[server].endpoint("slow")
                self.children.run(self.clients.call(client, "half", slow, folder, f"bench/{repo}", commit))
            command = self.clients.call(client, part.task, endpoint, folder, f"bench/{repo}", commit)
        extra = {"SSL_CERT_FILE": str(self.servers[server].certificate)} if part.kind == "tls" else {}
        take_memory(2 * sum(self.content.sizes.get(repo, [])))
        numbers = self.timed(command, client == "aria2" or part.task == "version", extra)
        if part.repo and part.name not in self.caches:
            self.check(client, folder, self.content.sizes[repo])
        # Small files on disk stay until the end: ext4 is slow to reuse what was just deleted, and the next would pay.
        if part.name not in self.caches and not (repo == "small" and part.place == "disk"):
            shutil.rmtree(folder)
        return numbers

    def upload(self, part, server, client, source):
        """One call into a new repository."""
        hub = self.servers[server]
        repo, command = self.uploads.begin(self.clients, part, client, source)
        before = hub.cpu(part.kind)
        numbers = self.timed(command, client == "curl")
        if before is not None:
            numbers["hub"] = hub.cpu(part.kind) - before
        self.uploads.check(source, repo, client)
        return numbers

    def timed(self, command, whole, extra=()):
        """`whole` clients do not print the time of their call: it is that of the process."""
        os.sync()  # What others have left to write is not this one's time.
        result = self.children.run(command, extra=extra)
        start = time.monotonic()
        os.sync()
        sync = time.monotonic() - start
        call = result.wall if whole else float(result.output.split()[-1]) / 1e6
        return {"call": call, "process": result.wall, "cpu": result.cpu, "rss": result.rss, "sync": sync}

    def check(self, client, folder, wanted):
        """That everything has arrived; `stat` follows the links of a cache."""
        paths = [*folder.glob("*.bin"), *folder.glob("models--*/snapshots/*/*.bin")]
        sizes = [path.stat().st_size for path in paths]
        if sizes != wanted:
            raise Failed(f"{client} has not downloaded what it should: {len(sizes)} files, {sum(sizes)} bytes")


def take_memory(amount):
    """Writes and removes so many bytes of memory: hosts take free memory back from their virtual machines, and what a
    client writes would pay for getting it again, by chance."""
    if SHARED.is_dir() and LARGE < amount < shutil.disk_usage(SHARED).free // 2:
        with tempfile.TemporaryFile(dir=SHARED, buffering=0) as file:
            for _ in range(amount // len(PIECE)):
                file.write(PIECE)


def remove(folder):
    # A second Ctrl-C must not leave gigabytes behind.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    shutil.rmtree(folder, ignore_errors=True)


def file_system(folder):
    """The type of the file system, where the system has /proc."""
    try:
        mounts = [line.split()[1:3] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "file system unknown"
    return max((point, kind) for point, kind in mounts if folder.is_relative_to(point))[1]


def say(text):
    print(text, file=sys.stderr, flush=True)
