"""Opens the pages of the Local Hub in headless Chromium, with hostile names and texts in the repositories.

usage: python browser.py PATH_OF_HF_HUB_SERVER [PNG]

Each page must show without an error on the console, without anything that its policy blocks, and without scrolling
sideways on a phone. With a second argument, a screenshot of a repository's page is saved there.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

SERVER = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
PNG = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
WORK = pathlib.Path(tempfile.mkdtemp(prefix="browser-"))
ROOT = WORK / "root"
TOKEN = "hf_browser_token"
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}

HOSTILE = """---
license: mit
tags: ["<img src=x onerror=document.hacked=1>", "a&b"]
---
# Title <script>document.hacked = 1</script> "quoted" & more

<script>document.hacked = 1</script>
<img src=x.png onerror="document.hacked = 1">
<img src="https://evil.example/x.png">

![x](https://evil.example/y.png) ![own](pixel.png)
[x](javascript:document.hacked=1) <a href="javascript:document.hacked=1">y</a>
<svg onload="document.hacked = 1"><script>document.hacked = 1</script></svg>
<style>body { display: none }</style><p style="position: fixed; width: 9000px">styled</p>
<iframe src="https://evil.example"></iframe><object data="x"></object><base href="https://evil.example">
<form action="https://evil.example"><input name="password"></form><meta http-equiv="refresh" content="0;url=/x">

""" + "word" * 500 + "\n\n" + "".join("  " * n + "- deep\n" for n in range(200)) + """
| """ + " | ".join(f"column{n}" for n in range(40)) + " |\n|" + "-|" * 40 + "\n|" + "cell|" * 40 + """

```
""" + "code " * 200 + """
```
""" + "> " * 3000 + "quoted\n"

NAMES = [
    'quote".txt', "apostrophe'.txt", "<img src=x onerror=document.hacked=1>", "a&lt;b", "\u202egnp.exe", "emoji 😀.txt",
    "n" * 250, "w " * 100 + "x", "javascript:document.hacked=1", "?#%2e%2e", "javascript: alert.md",
]
CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
tags: [example, tiny]
---
# Tiny classifier

A small model that **classifies** short texts, for tests and demos.

![Accuracy over epochs](plot.png)

## Usage

```python
from huggingface_hub import hf_hub_download
path = hf_hub_download("acme/tiny-classifier", "model.safetensors")
```

| Split | Accuracy | F1 |
|-------|---------:|---:|
| dev   |     0.91 | 0.90 |
| test  |     0.89 | 0.88 |

See [the training notes](docs/training.md) and [other models](/models?author=acme).
"""


def hub(*arguments):
    """Runs a command of the executable and returns its output."""
    command = [SERVER, *arguments, "--root", str(ROOT)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def load(repo, files, *options):
    """Imports files as a commit."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=WORK))
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    hub("import", str(folder), repo, *options)


def send(endpoint, method, path, body):
    """Sends JSON to the API as the owner."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(endpoint + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


class Browser:
    """Chromium, controlled by the DevTools protocol over a pipe."""

    def __init__(self):
        (to_browser, write), (read, from_browser) = os.pipe(), os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]
        options += ["--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={WORK / 'profile'}"]
        name = shutil.which("chromium") or shutil.which("chromium-browser") or sys.exit("chromium is missing")
        # The protocol is on the descriptors 3 and 4.
        script = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        command = ["bash", "-c", script, "bash", name, *options, "about:blank"]
        self.process = subprocess.Popen(command, pass_fds=[to_browser, from_browser], stderr=subprocess.DEVNULL)
        os.close(to_browser), os.close(from_browser)
        self.write, self.read = os.fdopen(write, "wb", 0), os.fdopen(read, "rb")
        self.number, self.session, self.events, self.buffer = 0, None, [], b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"]:
            self.call(f"{domain}.enable")

    def message(self):
        while b"\0" not in self.buffer:
            self.buffer += os.read(self.read.fileno(), 1 << 16) or sys.exit("chromium has ended")
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        """Calls a method and returns its result; events meanwhile are collected."""
        self.number += 1
        call = {"id": self.number, "method": method, "params": params}
        if self.session:
            call["sessionId"] = self.session
        self.write.write(json.dumps(call).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.number:
                assert "error" not in message, (method, message)
                return message["result"]
            self.events.append(message)

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def open(self, url):
        """Opens a page and returns what went wrong in it."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.message())
        # The results of what the page has started are events before this result.
        self.evaluate("1")
        return [problem for event in self.events if (problem := complaint(event))]

    def close(self):
        self.process.kill()
        self.process.wait()


def complaint(event):
    """Returns what an event reports, if it is a problem."""
    params = event["params"]
    match event["method"]:
        case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
            return params["entry"]["text"], params["entry"].get("url")
        case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Audits.issueAdded":
            return json.dumps(params)[:500]
        case "Network.requestWillBeSent" if "evil" in params["request"]["url"]:
            return "requested " + params["request"]["url"]
    return None


# The layout and the structure of a page.
CHECK = """(() => {
  const problems = [], all = (query) => [...document.querySelectorAll(query)];
  if (document.hacked) problems.push("a script was executed");
  const width = document.documentElement.scrollWidth;
  if (width > window.innerWidth) problems.push("scrolls sideways: " + width);
  if (all("h1").filter((h) => !h.closest(".markdown")).length !== 1) problems.push("not one heading");
  if (all("script, style, iframe, object, embed, base, form:not(.search), [onerror], [onload], [style]").length)
    problems.push("forbidden elements");
  if (all("img:not([alt])").some((image) => !image.closest(".markdown"))) problems.push("image without text");
  if (all("input").some((input) => !input.labels.length)) problems.push("input without label");
  if (all("a").some((link) => !["http:", "https:", "mailto:", "", ":"].includes(link.protocol)))
    problems.push("link with " + all("a").map((link) => link.protocol));
  if (document.documentElement.lang !== "en" || !document.title) problems.push("no language or title");
  if (getComputedStyle(document.body).display === "none") problems.push("hidden");
  return problems;
})()"""


def fill(endpoint):
    """Creates what the pages show."""
    load("acme/hostile", {"README.md": HOSTILE, "pixel.png": chart(), "x.png": "", "x.bin": b"\0" * 100,
                          "docs/README.md": "[up](../pixel.png)", "docs/empty.txt": "",
                          **{name: "text" for name in NAMES}})
    load("acme/tiny-classifier", {
        "README.md": CARD, "plot.png": chart(), "model.safetensors": b"\x10" + b"\0" * 7 + b'{"__metadata__"}' + bytes(1_400_000),
        "config.json": json.dumps({"architectures": ["TinyForSequenceClassification"]}, indent=2),
        "tokenizer.json": json.dumps({"version": "1.0", "vocab": list(range(3000))}), "docs/training.md": "# Training\n",
    })
    load("acme/data", {"README.md": "---\nlicense: mit\n---\n![own](large.png)\n", "large.png": chart(), "train.csv": "a,b\n" * 100_000}, "--type", "dataset")
    load("acme/secret", {"README.md": "a secret text"}, "--private")
    hub("repo", "branch", "acme/tiny-classifier", "feature/long-name-of-a-branch")
    for title in ["A <b>title</b> & more", "<script>document.hacked=1</script>" + "long" * 40]:
        send(endpoint, "POST", "/api/models/acme/hostile/discussions",
             {"title": title, "description": HOSTILE[60:], "pullRequest": False})
    send(endpoint, "POST", "/api/models/acme/hostile/discussions", {"title": "A pull request", "description": "x", "pullRequest": True})


def chart():
    """Returns a small picture."""
    import struct
    import zlib
    width, height = 240, 90
    rows = b""
    for y in range(height):
        top = lambda x: 80 - 70 * (1 - 2.7 ** (-x / 60))  # noqa: E731
        rows += b"\0" + bytes(90 if y >= top(x) else 235 for x in range(width))
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))  # noqa: E731
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pages():
    """Returns the addresses of all kinds of pages."""
    quote = urllib.parse.quote
    yield from ["/", "/models", "/models?search=tiny", "/models?search=%3Cscript%3E&other=%22%3E&p=3&sort=id", "/datasets"]
    yield from ["/spaces", "/acme", "/owner", "/acme/tiny-classifier", "/acme/tiny-classifier/tree/main/docs"]
    yield from ["/acme/tiny-classifier/blob/main/config.json", "/acme/tiny-classifier/blob/main/model.safetensors"]
    yield from ["/acme/tiny-classifier/blob/main/plot.png", "/acme/tiny-classifier/blob/main/tokenizer.json"]
    yield from ["/acme/tiny-classifier/tree/feature%2Flong-name-of-a-branch", "/acme/tiny-classifier/commits/main"]
    yield from ["/datasets/acme/data", "/datasets/acme/data/blob/main/train.csv", "/datasets/acme/data/discussions"]
    yield from ["/acme/hostile", "/acme/hostile/tree/main/docs", "/acme/hostile/blob/main/x.bin"]
    yield from ["/acme/hostile/blob/main/docs/empty.txt", "/acme/hostile/discussions", "/acme/hostile/tree/refs%2Fpr%2F3"]
    yield from [f"/acme/hostile/discussions/{num}" for num in (1, 2, 3)]
    yield from [f"/acme/hostile/blob/main/{quote(name, safe='')}" for name in NAMES]


def missing():
    yield from ["/acme/none", "/acme/secret", "/acme/hostile/blob/main/none", "/acme/hostile/tree/none", "/a/b/c/d"]
    yield from ["/acme/hostile/discussions/9", "/acme/hostile/commits/none", "/nothing-here", "/%3Cscript%3E"]


def checks(browser, endpoint):
    """Opens all pages and returns the problems found."""
    problems = []

    def check(path, expected=()):
        found = [text for text in browser.open(endpoint + path) if not any(part in str(text) for part in expected)]
        found += browser.evaluate(CHECK)
        problems.extend((path, problem) for problem in found)

    browser.call("Emulation.setDeviceMetricsOverride", **PHONE)
    for path in pages():
        check(path)
    # Images of the repository are loaded, whether they are in git or in the store of large files.
    for path in ["/acme/hostile", "/datasets/acme/data"]:
        browser.open(endpoint + path)
        images = browser.evaluate("[...document.images].filter((i) => i.naturalWidth).map((i) => i.alt)")
        if images != ["own"]:
            problems.append((path, f"shows the images {images}"))
    for path in missing():
        check(path, expected=["status of 404"])
        if browser.evaluate("document.querySelector('h1').textContent") != "Page not found":
            problems.append((path, "is found"))

    scheme = "getComputedStyle(document.body).backgroundColor"
    browser.open(endpoint + "/")
    light = browser.evaluate(scheme)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    if browser.evaluate(scheme) == light:
        problems.append(("/", "has no dark colors"))
    browser.call("Emulation.setEmulatedMedia", features=[])

    # With the token that a browser sends after a login.
    password = base64.b64encode(f"any:{TOKEN}".encode()).decode()
    browser.call("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {password}"})
    check("/acme/secret")
    text = browser.evaluate("document.documentElement.outerHTML")
    if "a secret text" not in text or TOKEN in text:
        problems.append(("/acme/secret", "is not shown, or shows the token"))
    browser.call("Network.setExtraHTTPHeaders", headers={})
    return problems


def screenshot(browser, endpoint):
    browser.call("Emulation.setDeviceMetricsOverride", width=920, height=1000, deviceScaleFactor=1, mobile=False)
    browser.open(endpoint + "/acme/tiny-classifier")
    PNG.write_bytes(base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"]))


def main():
    hub("user", "add", "owner", "--org", "acme", "--token", TOKEN)
    command = [SERVER, "serve", "--root", str(ROOT), "--stop-on-stdin-close"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    endpoint = json.loads(server.stdout.readline())["endpoint"]
    fill(endpoint)
    browser = Browser()
    try:
        problems = checks(browser, endpoint)
        if PNG:
            screenshot(browser, endpoint)
    finally:
        browser.close()
        server.stdin.close()
        server.wait()
        shutil.rmtree(WORK, ignore_errors=True)
    for path, problem in problems:
        print(f"{path}: {problem}")
    print(f"{len(list(pages())) + len(list(missing()))} pages, {len(problems)} problems")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
