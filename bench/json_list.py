"""A list of 10 MB as JSON: `HfHub.Api.list_models` over loopback, structs included, against `json.loads` of the text."""

import http.server
import json
import pathlib
import random
import statistics
import sys
import threading

BENCH = pathlib.Path(__file__).resolve().parent
SIZE = 10_000_000
ROUNDS = 10
PEER = (
    "import json, sys, time\n"
    "text = open(sys.argv[1], 'rb').read()\n"
    "for _ in range(int(sys.argv[2])):\n"
    "    start = time.perf_counter_ns()\n"
    "    json.loads(text)\n"
    "    print((time.perf_counter_ns() - start) / 1e6)\n"
)


class JsonList:
    """The list, on a server of this process and in a file."""

    def __init__(self, clients, folder):
        self.clients, self.text = clients, models(SIZE)
        self.endpoint = serve(self.text)
        self.full, self.empty = folder / "list.json", folder / "empty.json"
        self.full.write_bytes(self.text)
        self.empty.write_text("[]")

    def measure(self, client):
        """Seconds of a round, and the growth of a process by one round, as multiples of the text."""
        times = self.run(client, "structs", True, ROUNDS).output.split()
        numbers = {"call": statistics.median(map(float, times)) / 1e3, "structs": self.growth(client, "structs")}
        return numbers if client == "python" else numbers | {"maps": self.growth(client, "maps")}

    def growth(self, client, task):
        full, empty = (self.run(client, task, whole, 1).rss for whole in (True, False))
        return (full - empty) / len(self.text)

    def run(self, client, task, whole, rounds):
        if client == "python":
            command = [sys.executable, "-I", "-c", PEER, self.full if whole else self.empty, rounds]
        else:
            endpoint = self.endpoint if whole else f"{self.endpoint}/empty"
            command = [*self.clients.script(client, BENCH / "json.exs"), task, endpoint, rounds]
        return self.clients.children.run(command)


def moment(rng):
    day = f"{rng.randrange(2022, 2026)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    return f"{day}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}.000Z"


def files(rng):
    """Names that many models have, names that some have, and one that no other has."""
    parts = rng.randrange(2, 12)
    shards = [f"model-{number + 1:05}-of-{parts:05}.safetensors" for number in range(parts)]
    return [".gitattributes", "README.md", "config.json", "tokenizer.json", f"runs/{rng.getrandbits(64):x}.log"] + shards


def models(size):
    """A list as the Hub sends it with full=true: names, numbers, dates, tags, files."""
    rng, items, length = random.Random(1), [], 0
    while length < size:
        name = f"org-{rng.randrange(5000)}/model-{rng.randrange(10**9)}"
        item = {
            "_id": f"{rng.getrandbits(96):024x}", "id": name, "modelId": name, "author": name.split("/")[0],
            "sha": f"{rng.getrandbits(160):040x}", "lastModified": moment(rng), "createdAt": moment(rng),
            "private": False, "gated": False, "disabled": False,
            "downloads": rng.randrange(10**6), "likes": rng.randrange(1000), "trendingScore": rng.random(),
            "library_name": "transformers", "pipeline_tag": "text-generation",
            "tags": ["transformers", "safetensors", "text-generation", "en", "license:mit", "région:us"],
            "siblings": [{"rfilename": file} for file in files(rng)],
        }
        items.append(item)
        length += len(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode())
    return json.dumps(items, separators=(",", ":"), ensure_ascii=False).encode()


def serve(text):
    """Sends `text` for every request, or an empty list below /empty."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = b"[]" if self.path.startswith("/empty") else text
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
