# One call of Python's huggingface_hub; prints the microseconds it took. The twin of ours.ex.
# Usage: python peer.py file|xet_file|local_dir|snapshot|hit|scan|verify ENDPOINT CACHE REPO COMMIT,
# upload|push ENDPOINT FOLDER REPO TOKEN, or python peer.py version
import platform
import sys
import time

import huggingface_hub
from huggingface_hub import HfApi, hf_hub_download, scan_cache_dir, snapshot_download

CALLS = 1_000


def main(task, *args):
    if task == "version":
        return f"huggingface_hub {huggingface_hub.__version__} (Python {platform.python_version()})"
    endpoint, cache, repo, commit = args
    common = {"endpoint": endpoint, "cache_dir": cache}
    if task in ("upload", "push"):
        return upload(task, HfApi(endpoint, token=commit), cache, repo)
    if task in ("file", "xet_file"):
        return microseconds(lambda: hf_hub_download(repo, "model.bin", **common))
    if task == "local_dir":
        return microseconds(lambda: hf_hub_download(repo, "model.bin", endpoint=endpoint, local_dir=cache))
    if task == "snapshot":
        return microseconds(lambda: snapshot_download(repo, **common))
    if task == "scan":
        return microseconds(lambda: scan_cache_dir(cache))
    if task == "verify":
        # It asks the Hub for the hashes, which ours has kept; that is a small part of it.
        return microseconds(lambda: verify(HfApi(endpoint), repo, cache))

    def hit():
        return hf_hub_download(repo, "model.bin", revision=commit, **common)

    hit()
    return microseconds(lambda: [hit() for _ in range(CALLS)]) / CALLS


def upload(task, api, folder, repo):
    if task == "push":
        return microseconds(lambda: api.upload_folder(repo_id=repo, folder_path=folder))
    file = {"path_or_fileobj": f"{folder}/model.bin", "path_in_repo": "model.bin"}
    return microseconds(lambda: api.upload_file(repo_id=repo, **file))


def verify(api, repo, cache):
    assert not api.verify_repo_checksums(repo, cache_dir=cache).mismatches


def microseconds(work):
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1_000


print(main(*sys.argv[1:]))
