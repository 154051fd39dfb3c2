"""The uploads that `run` measures: what is uploaded, a new repository for each, and whether it arrived."""

import base64
import http.client
import itertools
import json
import os
import shlex
import shutil
import urllib.parse

# Not the owner of what is downloaded: that is an organization by then.
USER, TOKEN = "uploader", "hf_benchmark"
SMALL_SIZE = 4096
CROWD, CROWD_SIZE = 100_000, 200
# Source and call of each part; `grow` is `huge` compared with `little`, `crowd` is `crowded` compared with `alone`.
CALLS = {
    "put": ("one", "upload"),
    "narrow": ("one", "upload"),
    "push": ("many", "push"),
    "huge": ("hole", "upload"),
    "little": ("tiny", "upload"),
    "crowded": ("crowd", "folder"),
    "alone": ("alone", "folder"),
}


class Uploads:
    """Contents in folders, and repositories of the bench's Hub that take them."""

    def __init__(self, bench, program):
        self.bench, self.program, self.count = bench, program, itertools.count()
        self.root, self.folder = bench.folder / "hub", bench.folder / "uploads"
        self.run("user", "add", USER, "--token", TOKEN)
        self.sizes = {
            "one": [bench.options.size],
            "many": [SMALL_SIZE] * bench.options.pushed,
            "hole": [bench.options.memory_size],
            "tiny": [SMALL_SIZE],
            "crowd": [CROWD_SIZE] * CROWD,
            "alone": [CROWD_SIZE],
        }
        self.empty = self.folder / "empty"
        self.empty.mkdir(parents=True)
        (self.empty / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")

    def run(self, *arguments):
        return self.bench.child([self.program, *map(str, arguments), "--root", str(self.root)])[0]

    def source(self, name):
        """A folder of content, made when it is first needed."""
        folder = self.folder / name
        if folder.is_dir():
            return folder
        folder.mkdir()
        for number, size in enumerate(self.sizes[name]):
            path = folder / self.file_name(name, number)
            path.parent.mkdir(exist_ok=True)
            with open(path, "wb") as file:
                if name == "hole":
                    file.truncate(size)
                elif path.suffix == ".txt":  # Text, which goes into the commit.
                    file.write(base64.b64encode(os.urandom(size))[:size])
                else:
                    for left in range(size, 0, -(1 << 20)):
                        file.write(os.urandom(min(left, 1 << 20)))
        return folder

    def file_name(self, name, number):
        if name in ("crowd", "alone"):
            return f"{number // 1000:02}/file_{number:06}.txt"
        return f"file_{number:04}.txt" if name == "many" else "model.bin"

    def begin(self, part, who):
        """A new repository, and the command that fills it."""
        name, task = CALLS[part]
        source, repo = self.source(name), f"{USER}/{part}-{next(self.count)}"
        self.run("import", self.empty, repo)
        endpoint = self.bench.capped if part == "narrow" else self.bench.endpoint
        if who == "curl":
            link = self.link(repo, source / "model.bin", endpoint)
            file = shlex.quote(str(source / "model.bin"))
            hash_ = "openssl dgst -sha256" if shutil.which("openssl") else "sha256sum"
            script = f"{hash_} {file} >&2 & curl -q --silent --show-error --fail -T {file} '{link}'; wait"
            return repo, ["sh", "-c", script]
        return repo, [*self.bench.commands[who], task, endpoint, str(source), repo, TOKEN]

    def check(self, part, repo, who):
        """That the Hub has what was uploaded."""
        if who == "curl":
            return
        tree = self.ask("GET", f"/api/models/{repo}/tree/main?recursive=true")
        files = [entry for entry in tree if entry["type"] == "file" and entry["path"] != ".gitattributes"]
        sizes = [entry["size"] for entry in files]
        wanted = self.sizes[CALLS[part][0]]
        # A page of a listing holds a thousand.
        if sizes[:900] != wanted[:900]:
            raise SystemExit(f"{who} has not uploaded what it should: {len(sizes)} files, {sum(sizes)} bytes")

    def link(self, repo, path, endpoint):
        """Where curl may put the file; the hash that this takes is made outside the clock."""
        oid = self.bench.child(["sha256sum", str(path)])[0].split()[0]
        batch = {
            "operation": "upload",
            "transfers": ["basic"],
            "objects": [{"oid": oid, "size": path.stat().st_size}],
            "hash_algo": "sha256",
            "ref": {"name": "main"},
        }
        answer = self.ask("POST", f"/{repo}.git/info/lfs/objects/batch", batch, endpoint)
        return answer["objects"][0]["actions"]["upload"]["href"]

    def ask(self, method, path, body=None, endpoint=None):
        # Unlike urllib, this asks no proxy.
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint or self.bench.endpoint).netloc)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 300:
            raise SystemExit(f"the Local Hub refused {method} {path}: {answer.status} {text}")
        return json.loads(text)
