#!/usr/bin/env python3
"""Reads the rows of a Parquet file from a Local Hub: `HfHub.Datasets` and `datasets` of Python, both streamed, as maps.

Needs a Python with datasets. Each runs in a process of its own, one after the other, on the same Local Hub.

Example: bench/datasets.py --python ~/venv/bin/python --ebin _build/test/lib/hf_hub/ebin --size 256MiB --rounds 3
"""

import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from formats import parser, run

BENCH = pathlib.Path(__file__).resolve().parent
REPO = "org/rows"
# Integers, floats, labels, and texts of about 200 bytes: what many datasets of texts have.
WRITER = """
import random, sys
import pyarrow, pyarrow.parquet
path, size = sys.argv[1], int(sys.argv[2])
words = [random.randbytes(4).hex() for _ in range(20_000)]
file = open(path, "wb")
writer, rows = None, 0
while file.tell() < size:
    count = 20_000
    table = pyarrow.table({
        "id": range(rows, rows + count),
        "score": [random.random() for _ in range(count)],
        "label": [random.randrange(5) for _ in range(count)],
        "title": [random.choice(words) for _ in range(count)],
        "text": [" ".join(random.choices(words, k=22)) for _ in range(count)],
        "tags": [random.choices(words, k=3) for _ in range(count)],
    })
    writer = writer or pyarrow.parquet.ParquetWriter(file, table.schema)
    writer.write_table(table)
    rows += count
writer.close()
file.close()
print(rows)
"""
PEER = """
import sys, time
from datasets import load_dataset
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    rows = sum(1 for _row in load_dataset(sys.argv[1], split="train", streaming=True))
    print((time.perf_counter() - start) * 1e3)
"""


def main():
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="hf_hub_bench_") as folder:
        root, source = pathlib.Path(folder) / "root", pathlib.Path(folder) / "source"
        source.mkdir()
        write = [options.python, "-c", WRITER, source / "train.parquet", str(options.size)]
        rows = int(subprocess.run([str(part) for part in write], check=True, capture_output=True, text=True).stdout)
        place = ["--type", "dataset", "--root", root]
        command = [options.server, "import", source, REPO, *place]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        hub = subprocess.Popen(
            [str(options.server), "serve", "--root", str(root), "--stop-on-stdin-close"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        environment = {
            "HF_ENDPOINT": json.loads(hub.stdout.readline())["endpoint"], "HF_HOME": str(root / "home"),
            "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        }
        os.environ.update(environment)
        ours = ["elixir", "-pa", options.ebin, BENCH / "datasets.exs", REPO, options.rounds]
        runs = {"python": run([options.python, "-c", PEER, REPO, options.rounds]), "ours": run(ours)}
        hub.stdin.close()
        hub.wait()
    medians = {name: statistics.median(times) for name, (times, _peak) in runs.items()}
    for name, (_times, peak) in runs.items():
        speed = rows / medians[name] * 1e3
        print(f"{name:8} {medians[name]:9.1f} ms  {speed:10.0f} rows/s  peak RSS {peak / 2**20:.0f} MiB")
    print(f"ratio    {medians['ours'] / medians['python']:9.2f} of the time, {rows} rows")


def parse_options():
    options = parser(__doc__, "datasets", rounds=3)
    options.add_argument("--server", default="target/release/hf_hub_server", help="executable of the Local Hub")
    return options.parse_args()


if __name__ == "__main__":
    main()
