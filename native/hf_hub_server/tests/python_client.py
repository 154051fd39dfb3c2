"""Runs the Python client `huggingface_hub` against the Local Hub, to check its compatibility.

usage: python python_client.py PATH_OF_HF_HUB_SERVER [MODEL_FOLDER]

Starts the executable on an empty root, imports small repositories and, if given, a real model, and calls
the client's functions for reading; `python_writing.py` covers writing, `python_commands.py` the command line,
`python_social.py` people and what they do, `python_discussions.py` discussions and pull requests,
`python_spaces.py` Spaces, `python_git.py` pushes, `python_webhooks.py` webhooks,
`python_lfs.py` the large files of a history, `python_xet.py` clients that use Xet.
Prints `N passed, N failed`; the exit code is not 0 if a check failed.
"""

import hashlib
import json
import logging
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings

SERVER = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
MODEL = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
WORK = pathlib.Path(tempfile.mkdtemp(prefix="python-client-"))
ROOT = WORK / "root"
OWNER, GUEST = "hf_owner_token", "hf_guest_token"


def hub(*arguments):
    """Runs a command of the executable and returns its output."""
    command = [SERVER, *arguments, "--root", str(ROOT)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def folder(files):
    """Writes files into a new folder."""
    path = pathlib.Path(tempfile.mkdtemp(dir=WORK))
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(files, repo, *options):
    """Imports files as a commit and returns its id."""
    source = files if isinstance(files, pathlib.Path) else folder(files)
    return json.loads(hub("import", str(source), repo, *options))["commit"]


CARD = "---\nlicense: mit\nlanguage:\n- no\ntags:\n- tiny\npipeline_tag: text-generation\n---\n# Tiny\n"
LARGE = random.Random(1).randbytes(3_000_000)
TINY = {
    "README.md": CARD,
    "config.json": '{"a": 1}\n',
    "empty.txt": "",
    "model.safetensors": LARGE,
    "sub/deep/vocab.txt": "a\nb\n",
    "sub/naïve name #1.txt": "x",
    ".hidden": "h",
    ".cache/huggingface/skip": "no",
}

FIRST = load({**TINY, "config.json": "{}\n"}, "acme/tiny", "--message", "First\n\nMore about it <b>")
HEAD = load(TINY, "acme/tiny", "--message", "Second")
hub("repo", "tag", "acme/tiny", "v1", "--revision", FIRST)
hub("repo", "branch", "acme/tiny", "feature/x", "--revision", FIRST)
PULL = load({**TINY, "new.txt": "n"}, "acme/tiny", "--revision", "refs/pr/1")
load({"README.md": "---\nlicense: mit\n---\n", "data.csv": "1,2\n"}, "acme/table", "--type", "dataset")
load({"README.md": "---\nsdk: gradio\n---\n", "app.py": "pass\n"}, "acme/demo", "--type", "space")
load({"a.txt": "secret"}, "acme/hidden", "--private")
load({"a.txt": "gated"}, "acme/gated", "--gated", "manual")
load({"a.txt": "closed"}, "acme/closed")
hub("repo", "set", "acme/closed", "--disabled")
load({"a.txt": "moved"}, "acme/old")
hub("repo", "rename", "acme/old", "acme/new")
load({"a.txt": "canonical"}, "gpt2")
load({f"d{i % 7}/f{i:03}.txt": str(i) for i in range(60)}, "acme/many")
TENSORS = json.dumps({"w": {"dtype": "F32", "shape": [5, 2], "data_offsets": [0, 40]}}).encode()
load(
    {
        "README.md": "---\nlibrary_name: lib\nlanguage: en\ntags:\n- arxiv:1706.03762\nbase_model: gpt2\n---\n",
        "config.json": '{"architectures": ["TinyForCausalLM"], "model_type": "tiny", "vocab_size": 3}',
        "model.safetensors": len(TENSORS).to_bytes(8, "little") + TENSORS + bytes(40),
        "model.safetensors.index.json": '{"metadata": {"total_size": 40}, "weight_map": {"w": "sub/1.safetensors"}}',
        "sub/1.safetensors": len(TENSORS).to_bytes(8, "little") + TENSORS + bytes(40),
    },
    "lab/weights",
)
DATA = "---\nlanguage: en\ntask_ids: [extractive-qa]\nsize_categories: [n<1K]\n---\n"
load(
    {"README.md": DATA, "en/train.parquet": "x", "en/dev.csv": "x", "data/test-0.csv": "x"}, "lab/splits", "--type", "dataset"
)
load({"README.md": "---\nsdk: static\nmodels: [lab/weights]\n---\n"}, "lab/uses", "--type", "space")
PAPERS = [
    {
        "id": "1706.03762",
        "title": "Attention Is All You Need",
        "summary": "Of attention.",
        "authors": [{"name": "A", "hidden": False}],
        "publishedAt": "2017-06-12T17:57:34.000Z",
        "submittedOnDailyAt": "2025-10-29T00:00:00.000Z",
        "submittedOnDailyBy": {"user": "owner", "fullname": "Owner", "avatarUrl": ""},
        "upvotes": 3,
    },
    {"id": "2001.00001", "title": "Other", "summary": "Of else.", "submittedOnDailyAt": "2025-02-03T00:00:00.000Z"},
]
(WORK / "papers.json").write_text(json.dumps(PAPERS))
hub("papers", "import", str(WORK / "papers.json"))
hub("user", "add", "owner", "--org", "acme", "--token", OWNER)
hub("user", "add", "guest", "--token", GUEST, "--role", "read")
if MODEL:
    load(MODEL, "acme/real")

process = subprocess.Popen(
    [
        SERVER, "serve", "--root", str(ROOT), "--stop-on-stdin-close", "--test-control", "--page-size", "25",
        "--multipart-threshold", "1000000", "--part-size", "400000",
    ],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
)
ENDPOINT = json.loads(process.stdout.readline())["endpoint"]

os.environ.update(
    HF_ENDPOINT=ENDPOINT,
    HF_HOME=str(WORK / "home"),
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
)
os.environ.pop("HF_TOKEN", None)

import huggingface_hub as hf  # noqa: E402  the environment must be set first
from huggingface_hub import errors  # noqa: E402

warnings.simplefilter("error")
logged = []
handler = logging.Handler(logging.WARNING)
handler.emit = lambda record: logged.append(record.getMessage())
hf.logging.get_logger("huggingface_hub").handlers = [handler]
api, guest, anonymous = hf.HfApi(token=OWNER), hf.HfApi(token=GUEST), hf.HfApi(token=False)
checks = []


def check(function):
    """Registers a check, named by the expected behaviour."""
    checks.append(function)
    return function


def control(path, method="GET", body=None):
    """Sends a request to the test routes."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{ENDPOINT}/_test/{path}", data=data, method=method)
    with urllib.request.urlopen(request) as response:
        text = response.read()
    return json.loads(text) if text else None


def fetch(repo, name, client=anonymous, **options):
    """Downloads one file and returns its bytes."""
    return pathlib.Path(client.hf_hub_download(repo, name, **options)).read_bytes()


def raises(kind, function, *arguments, **options):
    """Checks the exception of a call and returns it."""
    try:
        function(*arguments, **options)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def status(error):
    return error.response.status_code


@check
def downloads_small_and_large_files():
    for name, content in TINY.items():
        if not name.startswith(".cache"):
            expected = content if isinstance(content, bytes) else content.encode()
            assert fetch("acme/tiny", name) == expected, name


@check
def blobs_are_named_by_git_oid_or_sha256():
    path = anonymous.hf_hub_download("acme/tiny", "model.safetensors")
    assert os.path.basename(os.path.realpath(path)) == hashlib.sha256(LARGE).hexdigest()
    path = anonymous.hf_hub_download("acme/tiny", "config.json")
    content = TINY["config.json"].encode()
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    assert os.path.basename(os.path.realpath(path)) == oid
    assert HEAD in path


@check
def accepts_every_form_of_revision():
    for revision in ["v1", "feature/x", FIRST, FIRST[:10]]:
        assert fetch("acme/tiny", "config.json", revision=revision) == b"{}\n", revision
    assert fetch("acme/tiny", "new.txt", revision="refs/pr/1") == b"n"
    assert fetch("acme/tiny", "config.json", revision="main") == TINY["config.json"].encode()


@check
def metadata_is_complete():
    url = hf.hf_hub_url("acme/tiny", "model.safetensors")
    meta = hf.get_hf_file_metadata(url)
    assert (meta.commit_hash, meta.size) == (HEAD, len(LARGE))
    assert meta.etag == hashlib.sha256(LARGE).hexdigest() and "/lfs/" in meta.location
    meta = hf.get_hf_file_metadata(hf.hf_hub_url("acme/tiny", "empty.txt"))
    assert (meta.commit_hash, meta.size, len(meta.etag)) == (HEAD, 0, 40)


@check
def downloads_complete_snapshots():
    path = pathlib.Path(anonymous.snapshot_download("acme/tiny"))
    found = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    assert found == {name for name in TINY if not name.startswith(".cache")} | {".gitattributes"}
    path = pathlib.Path(anonymous.snapshot_download("acme/tiny", revision="refs/pr/1"))
    assert (path / "new.txt").read_text() == "n"
    path = pathlib.Path(anonymous.snapshot_download("acme/table", repo_type="dataset"))
    assert (path / "data.csv").read_text() == "1,2\n"
    local = pathlib.Path(anonymous.snapshot_download("acme/many", local_dir=WORK / "local"))
    assert len(list(local.glob("d*/f*.txt"))) == 60


@check
def downloads_large_files_without_the_token():
    control("requests", "DELETE")
    fetch("acme/tiny", "model.safetensors", api, force_download=True)
    seen = control("requests")
    assert [(r["origin"], r["method"], r["status"], r["authorization"]) for r in seen] == [
        ("hub", "HEAD", 302, True),
        ("cdn", "GET", 200, False),
    ]
    assert [r["counter"] for r in seen] == ["1", "1"]
    assert control("connections")["cdn"]["authorization_refused"] == 0


@check
def small_files_go_through_the_resolve_cache():
    control("requests", "DELETE")
    fetch("acme/tiny", "README.md", force_download=True)
    assert [(r["method"], r["status"]) for r in control("requests")] == [("HEAD", 307), ("HEAD", 200), ("GET", 200)]


@check
def resumes_a_broken_transfer():
    rule = {"match": "*/model.safetensors", "times": 1, "fault": {"kind": "drop", "after": 2_000_000}}
    control("faults", "POST", rule)
    try:
        assert fetch("acme/tiny", "model.safetensors", force_download=True) == LARGE
        assert control("faults")[0]["fired"] == 1 and "resume" in logged[-1]
        logged.clear()
    finally:
        control("faults", "DELETE")


@check
def lists_trees():
    files = {f.path: f for f in anonymous.list_repo_tree("acme/tiny", recursive=True)}
    assert isinstance(files["sub/deep"], hf.hf_api.RepoFolder)
    model = files["model.safetensors"]
    assert (model.size, model.lfs.size, model.lfs.sha256) == (len(LARGE), len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert model.lfs.pointer_size == len(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{model.lfs.sha256}\nsize {model.size}\n"
    )
    assert files["config.json"].lfs is None and files["config.json"].size == 9
    top = {f.path for f in anonymous.list_repo_tree("acme/tiny")}
    assert "sub" in top and "sub/deep" not in top
    assert {f.path for f in anonymous.list_repo_tree("acme/tiny", "sub/deep")} == {"sub/deep/vocab.txt"}
    assert len(anonymous.list_repo_files("acme/tiny")) == 8


@check
def describes_sharded_models_in_one_response():
    found = anonymous.get_sharded_safetensors_metadata("lab/weights")
    assert found.metadata == {"total_size": 40} and found.weight_map == {"w": "sub/1.safetensors"}
    assert found.files_metadata["sub/1.safetensors"].tensors["w"].shape == [5, 2]
    raises(errors.EntryNotFoundError, anonymous.get_sharded_safetensors_metadata, "acme/tiny")
    invalid = raises(errors.HfHubHTTPError, anonymous.get_sharded_safetensors_metadata, "lab/weights", filename="config.json")
    assert status(invalid) == 400


@check
def lists_parquet_files_with_sizes():
    public, viewer = hf.constants._HF_DEFAULT_ENDPOINT, hf.constants.DATASETS_SERVER_ENDPOINT
    try:
        hf.constants._HF_DEFAULT_ENDPOINT = hf.constants.DATASETS_SERVER_ENDPOINT = anonymous.endpoint
        [found] = anonymous.list_dataset_parquet_files("lab/splits")
        assert (found.split, found.size) == ("train", 1) and found.url.endswith("/lab/splits/resolve/main/en/train.parquet")
    finally:
        hf.constants._HF_DEFAULT_ENDPOINT, hf.constants.DATASETS_SERVER_ENDPOINT = public, viewer


@check
def lists_long_trees_in_pages():
    control("requests", "DELETE")
    files = anonymous.list_repo_files("acme/many")
    assert files == sorted(files) and len(files) == 61
    assert len(control("requests")) == 3
    expanded = list(anonymous.list_repo_tree("acme/many", recursive=True, expand=True))
    assert len(expanded) == 68 and all(e.last_commit.title for e in expanded)


@check
def expanded_trees_name_the_last_commit():
    files = {f.path: f for f in anonymous.list_repo_tree("acme/tiny", recursive=True, expand=True)}
    assert (files["config.json"].last_commit.oid, files["config.json"].last_commit.title) == (HEAD, "Second")
    assert files["README.md"].last_commit.oid == FIRST and files["sub"].last_commit.oid == FIRST


@check
def paths_info_distinguishes_files_folders_and_missing_paths():
    found = anonymous.get_paths_info("acme/tiny", ["model.safetensors", "sub", "nope"], expand=True)
    assert [(type(f).__name__, f.path) for f in found] == [("RepoFile", "model.safetensors"), ("RepoFolder", "sub")]
    assert found[0].lfs.size == len(LARGE) and found[0].last_commit.oid == FIRST
    assert len(anonymous.get_paths_info("acme/table", "data.csv", repo_type="dataset")) == 1


@check
def returns_repository_info():
    info = anonymous.model_info("acme/tiny", files_metadata=True)
    assert (info.id, info.author, info.sha, info.private, info.gated) == ("acme/tiny", "acme", HEAD, False, False)
    assert info.card_data.license == "mit" and info.card_data.language == ["no"]
    assert info.pipeline_tag == "text-generation" and {"tiny", "license:mit"} <= set(info.tags)
    sizes = {s.rfilename: (s.size, s.lfs and s.lfs.sha256) for s in info.siblings}
    assert sizes["model.safetensors"] == (len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert sizes["config.json"] == (9, None) and info.created_at and info.last_modified
    assert anonymous.model_info("acme/tiny", revision="v1").sha == FIRST
    assert anonymous.model_info("acme/tiny", expand=["gated", "sha"]).sha == HEAD
    assert anonymous.dataset_info("acme/table").card_data.license == "mit"
    assert anonymous.space_info("acme/demo").sdk == "gradio"
    assert anonymous.repo_info("acme/gated").gated == "manual"
    assert anonymous.model_info("gpt2").id == "gpt2" and fetch("gpt2", "a.txt") == b"canonical"


@check
def reports_whether_things_exist():
    assert api.repo_exists("acme/tiny") and not api.repo_exists("acme/none")
    assert api.repo_exists("acme/table", repo_type="dataset") and not api.repo_exists("acme/table")
    assert api.revision_exists("acme/tiny", "feature/x") and not api.revision_exists("acme/tiny", "main~1")
    assert api.file_exists("acme/tiny", "config.json") and api.file_exists("acme/tiny", "model.safetensors")
    assert not api.file_exists("acme/tiny", "none") and not api.file_exists("acme/none", "none")
    assert not api.file_exists("acme/tiny", "config.json", revision="none")


@check
def lists_refs_and_commits():
    refs = anonymous.list_repo_refs("acme/tiny", include_pull_requests=True)
    assert {b.name: b.target_commit for b in refs.branches} == {"main": HEAD, "feature/x": FIRST}
    assert [(t.name, t.ref, t.target_commit) for t in refs.tags] == [("v1", "refs/tags/v1", FIRST)]
    assert [(p.ref, p.target_commit) for p in refs.pull_requests] == [("refs/pr/1", PULL)]
    assert anonymous.list_repo_refs("acme/tiny").pull_requests is None
    commits = anonymous.list_repo_commits("acme/tiny", formatted=True)
    assert [c.title for c in commits] == ["Second", "First", "initial commit"]
    assert commits[1].message == "More about it <b>" and "&lt;b&gt;" in commits[1].formatted_message
    assert anonymous.list_repo_commits("acme/tiny", revision="v1")[0].commit_id == FIRST


@check
def accepts_or_rejects_tokens():
    me = api.whoami()
    assert (me["name"], [o["name"] for o in me["orgs"]]) == ("owner", ["acme"])
    assert me["auth"]["accessToken"]["role"] == "write" and guest.whoami()["auth"]["accessToken"]["role"] == "read"
    assert (me["orgs"][0]["roleInOrg"], me["auth"]["accessToken"]["displayName"]) == ("write", "local")
    fine = ["--role", "fine-grained", "--scope", "acme=repo.content.read", "--gated-repos"]
    hub("user", "add", "owner", "--token", "hf_fine_token", "--token-name", "narrow", *fine)
    token = hf.HfApi(token="hf_fine_token").whoami()["auth"]["accessToken"]
    assert (token["role"], token["displayName"]) == ("fineGrained", "narrow")
    assert token["fineGrained"]["canReadGatedRepos"] and token["fineGrained"]["scoped"][0]["entity"]["name"] == "acme"
    assert hf.HfApi(token="hf_fine_token").model_info("acme/hidden").private
    bad = hf.HfApi(token="hf_wrong")
    assert status(raises(errors.HfHubHTTPError, bad.whoami)) == 401
    error = raises(errors.HfHubHTTPError, bad.model_info, "acme/tiny")
    assert status(error) == 401 and error.server_message == "Invalid credentials in Authorization header"


@check
def device_login_returns_a_refreshable_token():
    from huggingface_hub._login import _save_oauth_token
    from huggingface_hub.utils import _oauth_device as device

    info = device.request_device_code()
    assert info["user_code"] in info["verification_uri_complete"] and info["interval"] == 1
    hub("user", "approve", info["user_code"], "guest")
    response = device.poll_device_token(info)
    assert _save_oauth_token(response) == ("oauth-guest", "guest")
    renewed = device.refresh_access_token(response["refresh_token"])
    assert hf.whoami(token=renewed["access_token"])["name"] == "guest"
    assert status(raises(errors.HfHubHTTPError, hf.whoami, token=response["access_token"])) == 401
    error = raises(errors.DeviceCodeError, device.refresh_access_token, response["refresh_token"])
    assert error.error_code == "invalid_grant"
    info = device.request_device_code()
    hub("user", "deny", info["user_code"])
    assert raises(errors.DeviceCodeError, device.poll_device_token, info).error_code == "access_denied"
    hf.logout()


@check
def private_repositories_exist_only_for_members():
    assert fetch("acme/hidden", "a.txt", api) == b"secret"
    assert api.model_info("acme/hidden").private
    raises(errors.RepositoryNotFoundError, guest.model_info, "acme/hidden")
    assert status(raises(errors.HfHubHTTPError, anonymous.model_info, "acme/hidden")) == 401
    # The file is already in the default cache, where the client would find it.
    raises(errors.RepositoryNotFoundError, guest.hf_hub_download, "acme/hidden", "a.txt", cache_dir=WORK / "guest")
    names = lambda client: {m.id for m in client.list_models()}  # noqa: E731
    assert "acme/hidden" in names(api) and "acme/hidden" not in names(anonymous)


@check
def gated_repositories_require_access_to_files():
    assert status(raises(errors.GatedRepoError, anonymous.hf_hub_download, "acme/gated", "a.txt")) == 401
    assert status(raises(errors.GatedRepoError, guest.hf_hub_download, "acme/gated", "a.txt")) == 403
    assert fetch("acme/gated", "a.txt", api) == b"gated"
    # The file is already in the cache, which the Python client uses for any user.
    url = hf.hf_hub_url("acme/gated", "a.txt")
    said = lambda: raises(errors.GatedRepoError, guest.get_hf_file_metadata, url=url).server_message  # noqa: E731
    assert said().endswith("to ask for access.")
    hub("repo", "request", "acme/gated", "guest")
    assert said().endswith("is awaiting a review from the repo authors.")
    hub("repo", "reject", "acme/gated", "guest")
    assert said().endswith("has been rejected by the repo's authors.")
    hub("repo", "grant", "acme/gated", "guest")
    assert fetch("acme/gated", "a.txt", guest, force_download=True) == b"gated"


@check
def raises_the_specific_errors():
    raises(errors.RepositoryNotFoundError, api.model_info, "acme/none")
    raises(errors.RevisionNotFoundError, api.model_info, "acme/tiny", revision="none")
    raises(errors.RevisionNotFoundError, api.hf_hub_download, "acme/tiny", "config.json", revision="none")
    raises(errors.RemoteEntryNotFoundError, api.hf_hub_download, "acme/tiny", "none")
    raises(errors.RemoteEntryNotFoundError, lambda: list(api.list_repo_tree("acme/tiny", "none")))
    raises(errors.DisabledRepoError, api.model_info, "acme/closed")
    raises(errors.DisabledRepoError, api.file_exists, "acme/closed", "a.txt")
    # Over plain HTTP, the client recognizes a missing repository only by the error code.
    for name in ["acme/none", "acme/hidden"]:
        raises(errors.RepositoryNotFoundError, anonymous.repo_info, name)
        raises(errors.RepositoryNotFoundError, anonymous.snapshot_download, name, cache_dir=WORK / "no")
        assert not anonymous.file_exists(name, "a.txt") and not anonymous.revision_exists(name, "main")
        assert not anonymous.repo_exists(name)
    assert anonymous.model_info("acme/tiny", revision="HEAD").sha == HEAD
    error = raises(errors.RepositoryNotFoundError, api.model_info, "acme/none")
    assert error.request_id.startswith("Root=1-") and ";" in error.request_id


@check
def remembers_missing_files():
    raises(errors.RemoteEntryNotFoundError, api.hf_hub_download, "acme/tiny", "none.txt")
    assert hf.try_to_load_from_cache("acme/tiny", "none.txt", revision=HEAD) is hf._CACHED_NO_EXIST


@check
def finds_renamed_repositories():
    assert anonymous.model_info("acme/old").id == "acme/new"
    assert fetch("acme/old", "a.txt") == b"moved"
    assert anonymous.list_repo_files("acme/old") == [".gitattributes", "a.txt"]
    assert len(anonymous.get_paths_info("acme/old", ["a.txt"])) == 1


@check
def searches_and_pages_lists():
    models = {m.id for m in anonymous.list_models(author="acme")}
    assert {"acme/tiny", "acme/new"} <= models and not {"gpt2", "acme/hidden", "acme/old"} & models
    assert [m.id for m in anonymous.list_models(search="TIN")] == ["acme/tiny"]
    assert [m.id for m in anonymous.list_models(filter="license:mit")] == ["acme/tiny"]
    assert [d.id for d in anonymous.list_datasets()] == ["acme/table", "lab/splits"]
    assert [s.id for s in anonymous.list_spaces()] == ["acme/demo", "lab/uses"]
    assert len(list(anonymous.list_models(limit=2))) == 2
    newest = list(anonymous.list_models(sort="created_at"))
    assert newest == sorted(newest, key=lambda m: m.created_at, reverse=True)


@check
def filters_lists():
    def ids(found):
        return [repo.id for repo in found]

    assert ids(anonymous.list_datasets(language="en", task_ids="extractive-qa", size_categories="n<1K")) == ["lab/splits"]
    assert ids(anonymous.list_datasets(language="no")) == []
    assert ids(anonymous.list_datasets(dataset_name="spl")) == ["lab/splits"]
    assert ids(anonymous.list_spaces(models="lab/weights")) == ids(anonymous.list_spaces(linked=True)) == ["lab/uses"]
    assert ids(anonymous.list_spaces(datasets=["acme/table"])) == []
    assert ids(anonymous.list_models(num_parameters="min:5,max:1K")) == ["lab/weights"]
    assert ids(anonymous.list_models(num_parameters="min:1B")) == ids(anonymous.list_models(inference="warm")) == []
    assert ids(anonymous.list_models(gated=True)) == ["acme/gated"]


@check
def reads_facts_from_files():
    info = anonymous.model_info("lab/weights")
    assert (info.safetensors.total, info.safetensors.parameters) == (10, {"F32": 10})
    assert info.config == {"architectures": ["TinyForCausalLM"], "model_type": "tiny"}
    assert info.transformers_info.auto_model == "TinyForCausalLM" and info.base_models == "gpt2"
    listed = next(iter(anonymous.list_models(author="lab", fetch_config=True, cardData=True)))
    assert listed.config == info.config and listed.card_data.library_name == "lib"
    assert next(iter(anonymous.list_models(author="lab", expand=["safetensors"]))).safetensors.total == 10
    metadata = anonymous.get_safetensors_metadata("lab/weights")
    assert (metadata.parameter_count, metadata.sharded) == ({"F32": 10}, False)
    assert anonymous.space_info("lab/uses").models == ["lab/weights"]


@check
def groups_tags_by_type():
    tags = anonymous.get_model_tags()
    assert {"id": "license:mit", "label": "mit", "type": "license"} in tags["license"]
    assert {"id": "lib", "label": "lib", "type": "library"} in tags["library"]
    assert {"en", "no"} <= {tag["id"] for tag in tags["language"]}
    assert anonymous.get_dataset_tags()["language"] == [{"id": "language:en", "label": "en", "type": "language"}]


@check
def finds_papers():
    paper = anonymous.paper_info("1706.03762")
    assert (paper.title, paper.upvotes, paper.published_at.year) == ("Attention Is All You Need", 3, 2017)
    assert [model.id for model in paper.linked_models] == ["lab/weights"] and paper.num_total_datasets == 0
    assert [p.id for p in anonymous.list_papers(query="attention")] == ["1706.03762"]
    daily = list(anonymous.list_daily_papers())
    assert [p.id for p in daily] == ["1706.03762", "2001.00001"]
    assert (daily[0].submitted_by.username, daily[0].submitted_at.year, daily[0].title) == ("owner", 2025, paper.title)
    for chosen in [{"date": "2025-02-03"}, {"week": "2025-W06"}, {"month": "2025-02"}, {"p": 1, "limit": 1}]:
        assert [p.id for p in anonymous.list_daily_papers(**chosen)] == ["2001.00001"], chosen
    assert anonymous.read_paper("2001.00001") == "# Other\n\nOf else.\n"
    assert status(raises(errors.HfHubHTTPError, anonymous.paper_info, "1")) == 404


@check
def the_dataset_viewer_lists_splits():
    # The client only supports the public viewer, so this is requested directly.
    def get(route):
        with urllib.request.urlopen(f"{ENDPOINT}/{route}?dataset=lab/splits") as response:
            return json.load(response)

    splits = [(s["config"], s["split"]) for s in get("splits")["splits"]]
    # Without a card there is one subset, as for the `datasets` library.
    assert splits == [("default", "test"), ("default", "train"), ("default", "validation")], splits
    files = get("parquet")["parquet_files"]
    assert [(f["config"], f["split"], f["filename"]) for f in files] == [("default", "train", "en/train.parquet")], files
    assert fetch("lab/splits", "en/train.parquet", repo_type="dataset") == b"x"


@check
def validates_cards():
    hf.ModelCard("---\nlicense: mit\n---\n# Hi\n").validate()
    error = raises(ValueError, hf.ModelCard("---\nlicense: 3\n---\n").validate)
    assert "must be a string or an array of strings" in str(error)


@check
def the_cache_verifies():
    path = WORK / "verify"
    anonymous.snapshot_download("acme/tiny", cache_dir=path)
    result = anonymous.verify_repo_checksums("acme/tiny", cache_dir=path)
    assert result.checked_count == 8 and not (result.mismatches or result.missing_paths or result.extra_paths)


@check
def the_file_system_reads_ranges():
    fs = hf.HfFileSystem(token=False)
    with fs.open("acme/tiny/model.safetensors", "rb", block_size=1 << 16) as file:
        file.seek(1_000_000)
        assert file.read(1000) == LARGE[1_000_000:1_001_000]
    assert {e["name"] for e in fs.ls("acme/tiny/sub")} == {"acme/tiny/sub/deep", "acme/tiny/sub/naïve name #1.txt"}


@check
def downloads_a_real_model():
    if MODEL is None:
        return
    path = pathlib.Path(anonymous.snapshot_download("acme/real"))
    for source in MODEL.rglob("*"):
        if source.is_file():
            assert (path / source.relative_to(MODEL)).read_bytes() == source.read_bytes(), source
    info = anonymous.get_safetensors_metadata("acme/real")
    assert info.parameter_count


# Those checks use definitions of this module, whatever its name is.
sys.modules["python_client"] = sys.modules[__name__]
import python_commands  # noqa: E402, F401  they register their checks
import python_discussions  # noqa: E402, F401
import python_git  # noqa: E402, F401
import python_lfs  # noqa: E402, F401
import python_social  # noqa: E402, F401
import python_spaces  # noqa: E402, F401
import python_webhooks  # noqa: E402, F401
import python_writing  # noqa: E402, F401
import python_xet  # noqa: E402, F401


def run():
    """Runs all checks and prints how many passed."""
    passed = 0
    for function in checks:
        try:
            function()
            assert not logged, logged
            passed += 1
        except Exception as error:  # noqa: BLE001  one broken check must not hide the others
            line = error.__traceback__
            while line.tb_next and line.tb_next.tb_frame.f_code.co_filename == __file__:
                line = line.tb_next
            logged.clear()
            print(f"FAILED {function.__name__} (line {line.tb_lineno}): {type(error).__name__}: {error}")
    return passed, len(checks) - passed


def main():
    """Runs everything and stops the server."""
    try:
        passed, failed = run()
    finally:
        process.stdin.close()
        process.stdout.close()
        started = time.monotonic()
        code = process.wait(timeout=10)
        seconds = time.monotonic() - started
        shutil.rmtree(WORK, ignore_errors=True)
    if code != 0 or seconds > 2:
        print(f"FAILED the server did not stop with its standard input (exit code {code})")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
