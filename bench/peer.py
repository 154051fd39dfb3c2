# One call of Python's huggingface_hub; prints the microseconds it took. The twin of ours.exs.
# Usage: python peer.py large|small|warm ENDPOINT CACHE COMMIT, or python peer.py version
import platform
import sys
import time

import huggingface_hub
from huggingface_hub import hf_hub_download, snapshot_download

CALLS = 1_000


def main(task, *args):
    if task == "version":
        return f"huggingface_hub {huggingface_hub.__version__} (Python {platform.python_version()})"
    endpoint, cache, commit = args
    common = {"endpoint": endpoint, "cache_dir": cache}
    if task == "large":
        return microseconds(lambda: hf_hub_download("bench/large", "model.bin", **common))
    if task == "small":
        return microseconds(lambda: snapshot_download("bench/small", **common))

    def hit():
        return hf_hub_download("bench/small", "file_0000.bin", revision=commit, **common)

    hit()
    return microseconds(lambda: [hit() for _ in range(CALLS)]) / CALLS


def microseconds(work):
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1_000


print(main(*sys.argv[1:]))
