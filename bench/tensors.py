#!/usr/bin/env python3
"""Reads the tensors of a safetensors file: `HfHub.Safetensors` into binaries, and `safe_open` of Python into arrays.

Needs a Python with safetensors and numpy. Both read a file from the page cache, one after the other, in processes of their own.

Example: bench/tensors.py --python ~/venv/bin/python --ebin _build/test/lib/hf_hub/ebin --size 1GiB --rounds 5
"""

import json
import os
import pathlib
import statistics
import tempfile

from formats import parser, run

BENCH = pathlib.Path(__file__).resolve().parent
TENSOR = 16 * 2**20
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
    options = parser(__doc__, "safetensors and numpy", rounds=5).parse_args()
    with tempfile.TemporaryDirectory(prefix="hf_hub_bench_") as folder:
        path = pathlib.Path(folder) / "model.safetensors"
        write(path, options.size)
        peer = [options.python, "-c", PEER, path, options.rounds]
        ours = ["elixir", "-pa", options.ebin, BENCH / "tensors.exs", path, options.rounds]
        runs = {"python": run(peer), "ours": run(ours)}
    for name, (times, peak) in runs.items():
        print(f"{name:8} {statistics.median(times):8.1f} ms (min {min(times):.1f})  peak RSS {peak / 2**20:.0f} MiB")
    print(f"ratio    {statistics.median(runs['ours'][0]) / statistics.median(runs['python'][0]):8.2f}")


def write(path, total):
    """Writes U8 tensors of 16 MiB, piece by piece."""
    count = max(total // TENSOR, 1)
    entries = {
        f"layer.{n}.weight": {"dtype": "U8", "shape": [TENSOR], "data_offsets": [n * TENSOR, (n + 1) * TENSOR]}
        for n in range(count)
    }
    header = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(count):
            file.write(os.urandom(2**20) * (TENSOR // 2**20))


if __name__ == "__main__":
    main()
