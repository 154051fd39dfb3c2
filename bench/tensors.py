#!/usr/bin/env python3
"""Reads tensors: all of a safetensors file, with `HfHub.Safetensors` into binaries and with `safe_open` of Python into
arrays, and one of a large file on a Local Hub, of which the bytes that the Hub sends are counted.

Needs a Python with safetensors and numpy, a release build of this library and of the Local Hub; both are built if they are
missing. The first file is read from the page cache, by each client in a process of its own, one after the other. Prints
ours / Python's of the times and of the peaks of memory, and the bytes that were sent / those of the header
and the tensor.

Example: bench/tensors.py --size 1GiB --rounds 5 --remote 5GiB
"""

import json
import os
import pathlib
import statistics
import tempfile
import urllib.request

from formats import elixir, imported, parser, python, result, run, served, size
from local_hub import program

TENSOR = 16 * 2**20
# What one tensor of a remote file has.
WANTED = 10_000_000
REPO = "org/model"
PEER = """
import sys, time
from safetensors import safe_open
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    with safe_open(sys.argv[1], framework="np") as file:
        arrays = [file.get_tensor(name) for name in file.keys()]
    print((time.perf_counter() - start) * 1e3)
    del arrays
"""


def main():
    options = parser(__doc__, rounds=5)
    options.add_argument("--remote", type=size, default="5GiB", help="size of the file on the Hub")
    options = options.parse_args()
    interpreter = python(options.python, ["safetensors", "numpy"])
    with tempfile.TemporaryDirectory(prefix="hf_hub_bench_") as folder:
        local(options, interpreter, pathlib.Path(folder))
        remote(options, pathlib.Path(folder))


def local(options, interpreter, folder):
    path = folder / "model.safetensors"
    with path.open("wb") as file:
        file.write(header([TENSOR] * max(options.size // TENSOR, 1)))
        for _ in range(max(options.size // TENSOR, 1)):
            file.write(os.urandom(2**20) * (TENSOR // 2**20))
    peer_times, peer_peak = run([interpreter, "-c", PEER, path, options.rounds])
    our_times, our_peak = run(elixir(options.ebin, "tensors.exs", path, options.rounds))
    path.unlink()
    result("all tensors into binaries, ours / safe_open", statistics.median(our_times), statistics.median(peer_times), "ms", 1)
    result("peak RSS, ours / safe_open", our_peak / 2**20, peer_peak / 2**20, "MiB")


def remote(options, folder):
    """The file is a hole, all zeros, which are hashed, stored and sent like any others."""
    source, hub = folder / "source", (program(), folder / "root")
    source.mkdir()
    rest = max(options.remote - WANTED, 0)
    start = header([rest // 2, WANTED, rest - rest // 2])
    with (source / "model.safetensors").open("wb") as file:
        file.write(start)
        file.truncate(len(start) + options.remote)
    imported(hub, source, REPO)
    process, endpoint = served(hub, ["--test-control"])
    try:
        more = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "home")}
        run(elixir(options.ebin, "tensors.exs", "--remote", REPO, "layer.1.weight", WANTED), more)
        with urllib.request.urlopen(f"{endpoint}/_test/requests") as answer:
            sent = sum(request["bytes_sent"] for request in json.load(answer) if request["method"] == "GET")
    finally:
        process.stdin.close()
        process.wait()
    result(f"sent for a tensor of {WANTED / 1e6:.0f} MB of {options.remote / 2**30:.1f} GiB", sent, len(start) + WANTED,
           "bytes", 1.05)


def header(sizes):
    """The header of a file with U8 tensors of these sizes."""
    entries, end = {}, 0
    for number, size in enumerate(sizes):
        place = {"dtype": "U8", "shape": [size], "data_offsets": [end, end + size]}
        entries[f"layer.{number}.weight"] = place
        end += size
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


if __name__ == "__main__":
    main()
