"""The parts of the benchmark: what each one does, with which clients, servers and numbers."""

import dataclasses

COLD = ("call", "process", "cpu", "rss", "sync")
MEMORY = ("call", "cpu", "rss", "growth")
LOOK = ("call", "cpu", "rss")
UP = ("call", "process", "cpu", "rss", "hub")
XET_UP = ("call", "process", "cpu", "rss", "sent")
XET_DOWN = ("call", "process", "cpu", "rss")


@dataclasses.dataclass
class Part:
    """One part. `title` may name options of the command line."""

    name: str
    title: str
    task: str
    # A repository of content.py, or a source of uploads.py.
    repo: str
    clients: tuple
    numbers: tuple = COLD
    # The servers that it is measured with, the first one being that of the targets; none for a look at the disk.
    servers: tuple = ("nginx",)
    # Which endpoint of the server: plain, slow or tls.
    kind: str = "plain"
    # Where files are downloaded to: `disk` or `memory`; `xet` for the parts of xet.py.
    place: str = "disk"
    repeats: int = 5
    upload: bool = False
    # The repository or source whose call by the same task is subtracted from the peak RSS.
    least: str = None

    def titled(self, options):
        return self.title.format(**options)


PEERS = ("python", "hf-hub", "ours")
# With what the machine itself takes.
FLOOR = ("python", "hf-hub", "bare", "ours")
XET_PEERS = ("python", "ours")
BOTH = ("nginx", "hub")
HUB = ("hub",)

PARTS = [
    Part("start", "no call, only the version printed", "version", None, PEERS,
         ("process", "cpu", "rss"), servers=(), repeats=3),
    Part("large", "one file of {size:,} bytes, on disk", "file", "large", FLOOR, servers=BOTH),
    Part("large-memory", "one file of {size:,} bytes, in memory", "file", "large", FLOOR, place="memory"),
    Part("parts", "a snapshot of {parts} files of {part_size:,} bytes, on disk", "snapshot", "parts", FLOOR,
         ("call", "cpu", "rss", "growth", "sync"), servers=BOTH, least="tiny"),
    Part("small", "a snapshot of {files:,} files of 4,096 bytes, on disk", "snapshot", "small", PEERS, servers=BOTH),
    Part("small-memory", "a snapshot of {files:,} files of 4,096 bytes, in memory", "snapshot", "small", PEERS,
         place="memory"),
    Part("slow", "one file of {size:,} bytes, 40 MiB/s by each connection, in memory", "file", "large",
         ("aria2", "ours"), kind="slow", place="memory"),
    Part("hit", "the path of a file that is cached, at its commit", "hit", "tiny", PEERS, ("call",)),
    Part("tls", "one file of {size:,} bytes, HTTP/1.1 over TLS, in memory", "file", "large", PEERS,
         kind="tls", place="memory"),
    Part("resume", "one file of {size:,} bytes of which half is there, on disk", "file", "large", ("ours",)),
    Part("local-dir", "one file of {size:,} bytes to a folder, on disk", "local_dir", "large", ("hf-hub", "ours")),
    Part("json", "a list of 10 MB of JSON, fetched and decoded", "json", None, ("python", "ours"),
         ("call", "structs", "maps"), servers=(), repeats=3),
    Part("put", "one file of {size:,} bytes, uploaded", "upload", "one", ("curl", "python", "ours"), UP, HUB,
         upload=True),
    Part("push", "{pushed:,} files of 4,096 bytes, uploaded", "push", "many", ("python", "ours"), UP, HUB,
         upload=True),
    Part("put-slow", "one file of {size:,} bytes, 40 MB/s by each connection, uploaded", "upload", "one",
         ("python", "ours"), UP, HUB, kind="slow", repeats=1, upload=True),
    Part("memory", "one file of {memory_size:,} bytes, on disk", "file", "huge", ("ours",), MEMORY,
         repeats=1, least="tiny"),
    Part("put-memory", "one file of {memory_size:,} bytes, uploaded", "upload", "hole", ("ours",), MEMORY, HUB,
         repeats=1, upload=True, least="tiny"),
    Part("crowd", "{crowd:,} files of 200 bytes, uploaded", "folder", "crowd", ("ours",), MEMORY, HUB,
         repeats=1, upload=True, least="alone"),
    Part("scan", "a cache of 10,000 files, scanned", "scan", None, ("python", "ours"), LOOK, servers=(), repeats=3),
    Part("verify", "{parts} files of {part_size:,} bytes in a cache, hashed", "verify", "parts", ("python", "ours"),
         LOOK, repeats=3),
]


def xet_parts():
    """The same calls on loopback and through a link of 50 MB/s and 20 ms, each on a Hub of xet.py."""
    for ending, kind, where in (("", "log", ""), ("-far", "shaped", ", 50 MB/s and 20 ms")):
        both = {"kind": kind, "servers": (), "repeats": 3, "place": "xet"}
        up, down = {"numbers": XET_UP, **both}, {"numbers": XET_DOWN, **both}
        yield Part(f"xet-put{ending}", "one file of {size:,} bytes, uploaded by Xet" + where, "upload", "first",
                   XET_PEERS, **up)
        yield Part(f"xet-again{ending}", "that file with 1 MB inserted and 20 × 4 KiB changed, uploaded by Xet" + where,
                   "upload", "second", XET_PEERS, **up)
        yield Part(f"xet-many{ending}", "500 files of 102,400 bytes, uploaded by Xet" + where, "push", "crowd",
                   XET_PEERS, **up)
        yield Part(f"xet-get{ending}", "one file of {size:,} bytes, downloaded by Xet" + where, "xet_file", "first",
                   XET_PEERS, **down)
        yield Part(f"xet-http{ending}", "the same file, downloaded over HTTP" + where, "file", "first", XET_PEERS,
                   **down)


PARTS += xet_parts()
BY_NAME = {part.name: part for part in PARTS}
GROUPS = {"xet": [part.name for part in PARTS if part.place == "xet"]}
