"""The uploads: what is uploaded, a new repository for each, and whether it has arrived."""

import base64
import http.client
import itertools
import json
import os
import shlex
import shutil
import urllib.parse

from content import SMALL_SIZE, write_hole, write_random

# Not the owner of what is downloaded: that is an organization by then.
USER, TOKEN = "uploader", "hf_benchmark"
CROWD_SIZE = 200


class Uploads:
    """Sources in folders, and repositories of the Local Hub that take them."""

    def __init__(self, hub, content, folder, options):
        self.hub, self.content, self.folder, self.count = hub, content, folder, itertools.count()
        hub.command("user", "add", USER, "--token", TOKEN)
        self.sizes = {
            "one": [options.size],
            "many": [SMALL_SIZE] * options.pushed,
            "hole": [options.memory_size],
            "tiny": [SMALL_SIZE],
            "crowd": [CROWD_SIZE] * options.crowd,
            "alone": [CROWD_SIZE],
        }
        self.oids = {}
        self.empty = folder / "empty"
        self.empty.mkdir(parents=True)
        (self.empty / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")

    def source(self, name):
        """A folder of content, made when it is first needed."""
        folder = self.folder / name
        if folder.is_dir():
            return folder
        folder.mkdir()
        if name == "one":  # What is downloaded in other parts; it takes no second gigabyte.
            (path, _, self.oids[name]), = self.content.make("large")
            os.link(self.content.folder / "large" / path, folder / path)
            return folder
        for number, size in enumerate(self.sizes[name]):
            path = folder / self.file_name(name, number)
            path.parent.mkdir(exist_ok=True)
            if path.suffix == ".txt":  # Text, which goes into the commit.
                path.write_bytes(base64.b64encode(os.urandom(size))[:size])
            else:
                self.oids[name] = write_hole(path, size) if name == "hole" else write_random(path, size)
        return folder

    def file_name(self, name, number):
        if name in ("crowd", "alone"):
            return f"{number // 1000:02}/file_{number:06}.txt"
        return f"file_{number:04}.txt" if name == "many" else "model.bin"

    def begin(self, clients, part, client, name):
        """A new repository, and the command that fills it."""
        source, repo = self.source(name), f"{USER}/{part.name}-{next(self.count)}"
        self.hub.command("import", self.empty, repo)
        endpoint = self.hub.endpoint(part.kind)
        if client == "curl":
            link = self.link(repo, name, endpoint)
            file = shlex.quote(str(source / "model.bin"))
            hash_ = "openssl dgst -sha256" if shutil.which("openssl") else "sha256sum"
            script = f"{hash_} {file} >&2 & curl -q --silent --show-error --fail -T {file} '{link}'; wait"
            return repo, ["sh", "-c", script]
        return repo, clients.call(client, part.task, endpoint, source, repo, TOKEN)

    def check(self, name, repo, client):
        """That the Hub has what was uploaded."""
        if client == "curl":
            return
        tree = self.ask("GET", f"/api/models/{repo}/tree/main?recursive=true", self.hub.endpoint())
        files = [entry for entry in tree if entry["type"] == "file" and entry["path"] != ".gitattributes"]
        sizes = [entry["size"] for entry in files]
        wanted = self.sizes[name]
        # A page of a listing holds a thousand.
        if sizes[:900] != wanted[:900]:
            raise SystemExit(f"{client} has not uploaded what it should: {len(sizes)} files, {sum(sizes)} bytes")

    def link(self, repo, name, endpoint):
        """Where curl may put the file; its hash was made before."""
        batch = {
            "operation": "upload",
            "transfers": ["basic"],
            "objects": [{"oid": self.oids[name], "size": self.sizes[name][0]}],
            "hash_algo": "sha256",
            "ref": {"name": "main"},
        }
        found = self.ask("POST", f"/{repo}.git/info/lfs/objects/batch", endpoint, batch)
        return found["objects"][0]["actions"]["upload"]["href"]

    def ask(self, method, path, endpoint, body=None):
        # Unlike urllib, this uses no proxy.
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint).netloc)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        text = response.read().decode()
        if response.status >= 300:
            raise SystemExit(f"the Local Hub refused {method} {path}: {response.status} {text}")
        return json.loads(text)
