"""The Python client as a peer of `dialects_test.exs`: does the same operations as our client.

Reads a line of JSON for each dialect and writes one: what each operation returned, or the error it raised.
"""

import json
import pathlib
import sys
import warnings

import huggingface_hub as hf

warnings.simplefilter("ignore")


def digest(content):
    """What identifies a content."""
    import hashlib

    return hashlib.sha256(content).hexdigest()


def file(path):
    return digest(pathlib.Path(path).read_bytes())


def info(found):
    return [found.id, found.sha, found.private, sorted(sibling.rfilename for sibling in found.siblings)]


def entries(found):
    return sorted([entry.path, entry.size, entry.blob_id] for entry in found if isinstance(entry, hf.hf_api.RepoFile))


def refs(found):
    return [sorted([ref.name, ref.target_commit] for ref in group) for group in (found.branches, found.tags)]


def operations(task):
    """All operations by name; writes are in an order of their own."""
    api = hf.HfApi(endpoint=task["endpoint"], token=task["token"])
    repo, own, cache = task["read"], task["write"], task["cache"]
    cached = lambda name, **more: api.hf_hub_download(repo, name, cache_dir=cache, **more)  # noqa: E731
    content = bytes.fromhex(task["content"])

    def part():
        fs = hf.HfFileSystem(endpoint=task["endpoint"], token=task["token"], skip_instance_cache=True)
        with fs.open(f"{repo}/model.safetensors", "rb") as stream:
            stream.seek(10)
            return digest(stream.read(10))

    def stream():
        fs = hf.HfFileSystem(endpoint=task["endpoint"], token=task["token"], skip_instance_cache=True)
        with fs.open(f"{repo}/model.safetensors", "rb", block_size=0) as stream:
            return digest(stream.read())

    def snapshot():
        folder = pathlib.Path(api.snapshot_download(repo, allow_patterns=["data/*", "*.json"], cache_dir=cache + "-whole"))
        found = [path for path in folder.rglob("*") if path.suffix in {".json", ".txt"} and path.name != "ü.txt"]
        return sorted([path.relative_to(folder).as_posix(), file(path)] for path in found)

    def described():
        found = api.hf_hub_download(repo, "model.safetensors", cache_dir=cache + "-dry", dry_run=True)
        return [found.file_size, found.will_download]

    def branch():
        api.create_branch(own, branch="dev")
        names = [ref.name for ref in api.list_repo_refs(own).branches]
        api.delete_branch(own, branch="dev")
        return [sorted(names), [ref.name for ref in api.list_repo_refs(own).branches]]

    def tag():
        api.create_tag(own, tag="v1")
        names = [ref.name for ref in api.list_repo_refs(own).tags]
        api.delete_tag(own, tag="v1")
        return [names, api.list_repo_refs(own).tags]

    def repository():
        created = api.create_repo(own + "-new", private=True)
        found = [created.repo_id.endswith("-new"), api.repo_exists(own + "-new")]
        api.delete_repo(own + "-new")
        return found + [api.repo_exists(own + "-new")]

    def done(result):
        return result is not None or True

    return {
        "whoami": lambda: api.whoami()["name"],
        "model_info": lambda: info(api.model_info(repo)),
        "dataset_info": lambda: info(api.dataset_info(repo)),
        "list_models": lambda: [model.id for model in api.list_models(search=repo.split("/")[1])],
        "tree": lambda: entries(api.list_repo_tree(repo, recursive=True)),
        "paths_info": lambda: entries(api.get_paths_info(repo, ["config.json", "model.safetensors", "none"])),
        "refs": lambda: refs(api.list_repo_refs(repo)),
        "commits": lambda: [[commit.commit_id, commit.title] for commit in api.list_repo_commits(repo)],
        "repo_exists": lambda: [api.repo_exists(repo), api.repo_exists(repo + "-none")],
        "revision_exists": lambda: [api.revision_exists(repo, "v1.0"), api.revision_exists(repo, "none")],
        "file_exists": lambda: [api.file_exists(repo, name) for name in ["config.json", "model.safetensors", "none"]],
        "download_small": lambda: file(cached("config.json")),
        "download_large": lambda: file(cached("model.safetensors")),
        "download_tag": lambda: file(cached("data/1.txt", revision="v1.0")),
        "download_name": lambda: file(cached("ü.txt")),
        "read_range": part,
        "read_stream": stream,
        "snapshot": snapshot,
        "file_info": described,
        "safetensors": lambda: api.get_safetensors_metadata(repo).parameter_count,
        "upload_small": lambda: done(api.upload_file(repo_id=own, path_or_fileobj=b"new", path_in_repo="new.txt")),
        "upload_large": lambda: done(api.upload_file(repo_id=own, path_or_fileobj=content, path_in_repo="new.bin")),
        "upload_folder": lambda: done(
            api.upload_folder(repo_id=own, folder_path=task["folder"], delete_patterns="old/*")
        ),
        "delete_file": lambda: done(api.delete_file("gone.txt", own)),
        "branch": branch,
        "tag": tag,
        "repository": repository,
    }


def run(operation):
    try:
        return {"ok": operation()}
    except Exception as error:  # noqa: BLE001  every failure is an outcome
        return {"error": f"{type(error).__name__}: {error}"[:300]}


# Keeps the client's output separate from the results.
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    results = {name: run(operation) for name, operation in operations(json.loads(line)).items()}
    print(json.dumps(results, ensure_ascii=True), file=answers, flush=True)
