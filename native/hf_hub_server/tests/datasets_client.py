"""Runs the Python libraries `datasets` and `tokenizers` against the Local Hub, to check its compatibility.

usage: python datasets_client.py PATH_OF_HF_HUB_SERVER [MODEL_FOLDER]

Starts the executable on an empty root, pushes tables and tokenizers and loads them again, whole and streamed.
Prints `N passed, N failed`; the exit code is not 0 if a check failed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

SERVER = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
MODEL = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
WORK = pathlib.Path(tempfile.mkdtemp(prefix="datasets-client-"))
ROOT = WORK / "root"
TOKEN = "hf_owner_token"


def hub(*arguments):
    """Runs a command of the executable."""
    subprocess.run([SERVER, *arguments, "--root", str(ROOT)], check=True, capture_output=True)


hub("user", "add", "owner", "--org", "acme", "--token", TOKEN)
process = subprocess.Popen(
    [
        SERVER, "serve", "--root", str(ROOT), "--stop-on-stdin-close", "--page-size", "5",
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
    HF_TOKEN=TOKEN,
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    # Downloads are counted by the public Hub's content host.
    HF_UPDATE_DOWNLOAD_COUNTS="0",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
)

import datasets  # noqa: E402  the environment must be set first
import pandas  # noqa: E402
from datasets import Dataset, DatasetDict, load_dataset  # noqa: E402
from datasets.hub import delete_from_hub  # noqa: E402
from huggingface_hub import HfApi, HfFileSystem  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: E402

# Avoids a sleep of five seconds after a stream, which waits for threads that do not exist.
datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0
datasets.logging.set_verbosity_error()
api = HfApi()
checks = []


def check(function):
    """Registers a check, named by the expected behaviour. Checks depend on earlier ones."""
    checks.append(function)
    return function


def table(rows, start=0):
    """Returns a table of numbers and texts."""
    numbers = list(range(start, start + rows))
    return {"n": numbers, "text": [f"row {n * 7919 % 10007}" for n in numbers]}


def rows(dataset):
    """Returns all rows, however they are stored."""
    return [dict(row) for row in dataset]


def expected(rows, start=0):
    """Returns the rows of `table`."""
    return [{"n": n, "text": text} for n, text in zip(*table(rows, start).values())]


def files(repo):
    return sorted(path for path in api.list_repo_files(repo, repo_type="dataset") if path.endswith(".parquet"))


@check
def loads_a_pushed_table():
    Dataset.from_dict(table(500)).push_to_hub("owner/table")
    assert files("owner/table") == ["data/train-00000-of-00001.parquet"]
    assert rows(load_dataset("owner/table", split="train")) == expected(500)
    assert load_dataset("owner/table", split="train[:10%]").num_rows == 50
    info = datasets.load_dataset_builder("owner/table").info
    assert (info.splits["train"].num_examples, list(info.features)) == (500, ["n", "text"])


@check
def streams_rows():
    stream = load_dataset("owner/table", split="train", streaming=True)
    assert rows(stream.take(3)) == expected(3)
    assert rows(stream.skip(490)) == expected(500)[490:]
    assert rows(stream) == expected(500)
    assert sorted(row["n"] for row in stream.shuffle(seed=1, buffer_size=50)) == list(range(500))


@check
def pushes_and_streams_splits_and_shards():
    pushed = DatasetDict(train=Dataset.from_dict(table(60_000)), test=Dataset.from_dict(table(9, 60_000)))
    pushed.push_to_hub("acme/splits", num_shards={"train": 3, "test": 1}, commit_message="Pushed")
    sizes = [entry.size for entry in api.list_repo_tree("acme/splits", "data", repo_type="dataset")]
    assert len(sizes) == 4 and max(sizes) > 100_000, sizes
    assert datasets.get_dataset_split_names("acme/splits") == ["train", "test"]
    stream = load_dataset("acme/splits", streaming=True)
    assert stream["train"].num_shards == 3 and rows(stream["test"]) == expected(9, 60_000)
    assert rows(stream["train"]) == expected(60_000)
    loaded = load_dataset("acme/splits")
    assert loaded["train"][:] == table(60_000) and loaded.num_rows == {"train": 60_000, "test": 9}


@check
def sends_large_shards_in_parts():
    content = [os.urandom(1000).hex() for _ in range(1500)]
    Dataset.from_dict({"x": content}).push_to_hub("owner/large")
    (entry,) = api.get_paths_info("owner/large", files("owner/large"), repo_type="dataset")
    assert entry.lfs.size == entry.size > 1_000_000
    assert load_dataset("owner/large", split="train")["x"][:] == content
    assert [row["x"] for row in load_dataset("owner/large", split="train", streaming=True)] == content


@check
def a_second_push_replaces_the_first():
    Dataset.from_dict(table(7, 1000)).push_to_hub("acme/splits", split="train")
    assert files("acme/splits") == ["data/test-00000-of-00001.parquet", "data/train-00000-of-00001.parquet"]
    assert rows(load_dataset("acme/splits", split="train")) == expected(7, 1000)
    first = next(c for c in api.list_repo_commits("acme/splits", repo_type="dataset") if c.title == "Pushed")
    assert load_dataset("acme/splits", split="train", revision=first.commit_id).num_rows == 60_000


@check
def keeps_configurations_separate():
    Dataset.from_dict(table(3)).push_to_hub("owner/table", "other", split="validation")
    assert datasets.get_dataset_config_names("owner/table") == ["default", "other"]
    assert rows(load_dataset("owner/table", "other", split="validation")) == expected(3)
    assert load_dataset("owner/table", "default", split="train").num_rows == 500
    proposed = delete_from_hub("owner/table", "other")
    names = [datasets.get_dataset_config_names("owner/table", revision=r) for r in ["main", proposed.pr_revision]]
    assert names == [["default", "other"], ["default"]]


@check
def pushes_to_branches_and_pull_requests():
    api.create_branch("owner/table", branch="dev", repo_type="dataset")
    Dataset.from_dict(table(2)).push_to_hub("owner/table", revision="dev")
    assert load_dataset("owner/table", split="train", revision="dev").num_rows == 2
    made = Dataset.from_dict(table(4)).push_to_hub("owner/table", create_pr=True)
    assert load_dataset("owner/table", split="train", revision=made.pr_revision).num_rows == 4
    assert load_dataset("owner/table", split="train").num_rows == 500


@check
def pushes_streams():
    stream = load_dataset("owner/table", split="train", streaming=True).filter(lambda row: row["n"] % 2 == 0)
    stream.push_to_hub("owner/even")
    assert load_dataset("owner/even", split="train")["n"][:] == list(range(0, 500, 2))


@check
def finds_files_of_other_formats():
    folder = WORK / "folder"
    for name, text in {
        "train.csv": "a,b\n1,x\n2,y\n",
        "lines/test-0.jsonl": '{"a": 3}\n{"a": 4}\n',
        "lines/test-1.jsonl": '{"a": 5}\n',
        "ü #1.txt": "one\ntwo\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    api.create_repo("owner/files", repo_type="dataset", private=True)
    api.upload_folder(repo_id="owner/files", repo_type="dataset", folder_path=folder)
    for streaming in [False, True]:
        options = {"split": "train", "streaming": streaming}
        csv = load_dataset("owner/files", data_files="*.csv", **options)
        assert rows(csv) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
        lines = load_dataset("owner/files", data_dir="lines", data_files="**", **options)
        assert [row["a"] for row in lines] == [3, 4, 5]
        assert rows(load_dataset("owner/files", data_files="*.txt", **options)) == [{"text": "one"}, {"text": "two"}]


@check
def hides_private_tables():
    for streaming in [False, True]:
        try:
            load_dataset("owner/files", data_files="*.csv", streaming=streaming, token=False, cache_dir=WORK / "other")
        except datasets.exceptions.DatasetNotFoundError:
            continue
        raise AssertionError("a stranger has read a private table")


@check
def reads_and_writes_hub_paths():
    path = "hf://datasets/owner/table/data/train-00000-of-00001.parquet"
    assert pandas.read_parquet(path)["n"].sum() == sum(range(500))
    assert rows(load_dataset("parquet", data_files={"train": path}, split="train", streaming=True)) == expected(500)
    pandas.DataFrame({"a": [1, 2]}).to_csv("hf://datasets/owner/files/new/made.csv", index=False)
    fs = HfFileSystem()
    assert fs.glob("datasets/owner/files/**/*.csv") == [f"datasets/owner/files/{n}.csv" for n in ["new/made", "train"]]
    assert fs.read_text("datasets/owner/files/new/made.csv") == "a\n1\n2\n"
    fs.rm("datasets/owner/files/new", recursive=True)
    assert not fs.exists("datasets/owner/files/new/made.csv")


@check
def loads_a_trained_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(table(500)["text"], trainers.BpeTrainer(vocab_size=300, show_progress=False))
    api.create_repo("owner/tokenizer", private=True)
    sent = tokenizer.to_str(pretty=True)
    first = api.upload_file(path_or_fileobj=sent.encode(), path_in_repo="tokenizer.json", repo_id="owner/tokenizer")
    assert Tokenizer.from_pretrained("owner/tokenizer", token=TOKEN).to_str(pretty=True) == sent
    tokenizer.add_tokens(["wholly"])
    sent = tokenizer.to_str().encode()
    api.upload_file(path_or_fileobj=sent, path_in_repo="tokenizer.json", repo_id="owner/tokenizer")
    newer = Tokenizer.from_pretrained("owner/tokenizer", token=TOKEN)
    assert newer.encode("row 12 wholly").tokens[-1] == "wholly"
    older = Tokenizer.from_pretrained("owner/tokenizer", revision=first.oid, token=TOKEN)
    assert older.token_to_id("wholly") is None


@check
def loads_the_tokenizer_of_a_real_model():
    if MODEL is None:
        return
    api.create_repo("acme/real")
    api.upload_folder(repo_id="acme/real", folder_path=MODEL, allow_patterns=["*.json", "*.txt"])
    loaded = Tokenizer.from_pretrained("acme/real")
    assert loaded.to_str() == Tokenizer.from_file(str(MODEL / "tokenizer.json")).to_str()
    assert loaded.encode("A tokenizer").ids


def run():
    """Runs all checks and prints how many passed."""
    passed = 0
    for function in checks:
        try:
            function()
            passed += 1
        except Exception:  # noqa: BLE001  one broken check must not hide the others
            print(f"FAILED {function.__name__}:")
            traceback.print_exc(file=sys.stdout)
    return passed, len(checks) - passed


try:
    passed, failed = run()
finally:
    process.stdin.close()
    process.wait(timeout=10)
    shutil.rmtree(WORK, ignore_errors=True)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
