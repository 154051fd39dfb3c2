#!/usr/bin/env python3
"""Reads the rows of a Parquet file from a Local Hub: `HfHub.Datasets` and `datasets` of Python, both streamed, as maps.

Needs a Python with datasets, such as that of the tests (bin/setup.sh), a release build of this library and of the Local
Hub; both are built if they are missing. Each client runs in a process of its own, one after the other. Prints
ours / Python's of the times and of the peaks of memory.

Example: bench/datasets.py --size 256MiB --rounds 3
"""

import pathlib
import statistics
import tempfile

from formats import elixir, imported, parser, python, result, run, served
from local_hub import program

REPO = "org/rows"
# Integers, floats, labels, and texts of about 200 bytes: what many datasets of texts have.
WRITER = """
import random, sys
import pyarrow, pyarrow.parquet
path, size = sys.argv[1], int(sys.argv[2])
words = [random.randbytes(4).hex() for _ in range(20_000)]
count = 20_000
# A few tables, again and again: row groups are read one after the other, and making texts takes longer than reading them.
tables = [pyarrow.table({
    "id": range(count),
    "score": [random.random() for _ in range(count)],
    "label": [random.randrange(5) for _ in range(count)],
    "title": [random.choice(words) for _ in range(count)],
    "text": [" ".join(random.choices(words, k=22)) for _ in range(count)],
    "tags": [random.choices(words, k=3) for _ in range(count)],
}) for _ in range(8)]
file = open(path, "wb")
writer, rows = pyarrow.parquet.ParquetWriter(file, tables[0].schema), 0
while file.tell() < size:
    ids = pyarrow.array(range(rows, rows + count))
    writer.write_table(tables[rows // count % len(tables)].set_column(0, "id", ids))
    rows += count
writer.close()
file.close()
print(rows)
"""
PEER = """
import itertools, sys, time
from datasets import load_dataset
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    rows = load_dataset(sys.argv[1], split="train", streaming=True)
    assert sum(1 for _row in itertools.islice(rows, int(sys.argv[3]))) == int(sys.argv[3])
    print((time.perf_counter() - start) * 1e3)
"""


def main():
    options = parser(__doc__, rounds=1)
    options.add_argument("--rows", type=int, default=1_000_000, help="number of rows to read, from the first (1000000)")
    options = options.parse_args()
    interpreter = python(options.python, ["datasets", "pyarrow"])
    with tempfile.TemporaryDirectory(prefix="hf_hub_bench_") as folder:
        source, hub = pathlib.Path(folder) / "source", (program(), pathlib.Path(folder) / "root")
        source.mkdir()
        ([rows], _peak) = run([interpreter, "-c", WRITER, source / "train.parquet", options.size])
        wanted = min(options.rows, int(rows))
        imported(hub, source, REPO, "dataset")
        (source / "train.parquet").unlink()
        process, endpoint = served(hub)
        more = {
            "HF_ENDPOINT": endpoint, "HF_HOME": str(pathlib.Path(folder) / "home"),
            "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        }
        peer_times, peer_peak = run([interpreter, "-c", PEER, REPO, options.rounds, wanted], more)
        our_times, our_peak = run(elixir(options.ebin, "datasets.exs", REPO, options.rounds, wanted), more)
        process.stdin.close()
        process.wait()
    mine, theirs = statistics.median(our_times), statistics.median(peer_times)
    print(f"the first {wanted:,} of {rows:,.0f} rows, streamed from a file of {options.size / 2**20:,.0f} MiB")
    result("time, ours / datasets", mine, theirs, "ms", 1)
    result("rows per second, ours / datasets", wanted / mine * 1e3, wanted / theirs * 1e3, "rows/s")
    result("peak RSS, ours / datasets", our_peak / 2**20, peer_peak / 2**20, "MiB")


if __name__ == "__main__":
    main()
