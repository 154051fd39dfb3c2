"""Pushes datasets of all types to a Hub and prints what the Python library `datasets` reads from them.

usage: python datasets_judge.py FOLDER

The account may write to the namespace `org`. Prints a JSON object: for each name, a dataset, what to load of it, and its
rows with tagged values.
"""

import datetime
import decimal
import gzip
import json
import pathlib
import random
import sys

import datasets
import numpy
import pyarrow
import pyarrow.parquet
from datasets import Array2D, ClassLabel, Dataset, Features, List, Value, load_dataset
from huggingface_hub import HfApi

FOLDER = pathlib.Path(sys.argv[1])
datasets.disable_progress_bars()
results = {}


def tagged(value):
    """A value with its type, as JSON."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", repr(value)]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, decimal.Decimal):
        return ["decimal", str(value)]
    if isinstance(value, datetime.datetime):
        value = value.floor("us").to_pydatetime() if hasattr(value, "floor") else value
        if value.tzinfo:
            return ["moment", value.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds")]
        return ["naive", value.isoformat(timespec="microseconds")]
    if isinstance(value, datetime.date):
        return ["date", value.isoformat()]
    if isinstance(value, datetime.time):
        return ["time", value.isoformat(timespec="microseconds")]
    if isinstance(value, list):
        return ["list", [tagged(item) for item in value]]
    if isinstance(value, dict):
        return ["map", [[key, tagged(item)] for key, item in sorted(value.items())]]
    raise TypeError(type(value))


def expect(name, repo, rows, **what):
    results[name] = {"repo": repo, "what": what, "rows": [tagged(row) for row in rows]}


def pushed():
    """What `push_to_hub` writes, in two shards and two configurations."""
    moment = datetime.datetime(2024, 2, 29, 12, 30, 59, 123456)
    columns = {
        **{f"{kind}{bits}": ([2 ** (bits - (kind == "int")) - 1, 0, None, -(2 ** (bits - 1)) * (kind == "int")],
                             Value(f"{kind}{bits}")) for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
        "float16": ([numpy.float16(1.5), numpy.float16(-0.25), None, numpy.float16(65504.0)], Value("float16")),
        "float32": ([1.5, float("inf"), None, 3.4028234663852886e38], Value("float32")),
        "float64": ([0.1, float("nan"), None, float("-inf")], Value("float64")),
        "bool": ([True, False, None, True], Value("bool")),
        "string": (["", "ünïcode ✓", None, "x" * 300], Value("string")),
        "large_string": (["a", "b", None, "c"], Value("large_string")),
        "binary": ([b"\xff\x00", b"", None, b"x" * 200], Value("binary")),
        "null": ([None] * 4, Value("null")),
        "date32": ([moment.date(), datetime.date(1969, 12, 31), None, datetime.date(1, 1, 1)], Value("date32")),
        "time32": ([moment.time().replace(microsecond=0), datetime.time(), None, datetime.time(23, 59, 59)],
                   Value("time32[s]")),
        "time64": ([moment.time(), datetime.time(), None, datetime.time(23, 59, 59, 999999)], Value("time64[us]")),
        **{f"timestamp_{unit}": ([moment.replace(microsecond=0), datetime.datetime(1969, 12, 31, 23, 59, 59), None,
                                  moment.replace(microsecond=0)], Value(f"timestamp[{unit}]"))
           for unit in ("s", "ms", "us", "ns")},
        "timestamp_utc": ([moment, moment, None, moment], Value("timestamp[us, tz=UTC]")),
        "timestamp_zone": ([moment, moment, None, moment], Value("timestamp[ms, tz=Europe/Paris]")),
        "decimal": ([decimal.Decimal("1.50"), decimal.Decimal("-0.05"), None, decimal.Decimal("99999999.99")],
                    Value("decimal128(10, 2)")),
        "decimal256": ([decimal.Decimal(10) ** 50, decimal.Decimal(-1), None, decimal.Decimal(0)],
                       Value("decimal256(60, 0)")),
        "label": ([0, 1, None, 1], ClassLabel(names=["neg", "pos"])),
        "list": ([[1, None, 3], [], None, [4]], List(Value("int64"))),
        "lists": ([[["a"], [], None], [], None, [[None, "b"]]], List(List(Value("string")))),
        "fixed": ([[1.0, 2.0], [3.0, 4.0], None, [5.0, 6.0]], List(Value("float32"), length=2)),
        "struct": ([{"a": 1, "b": {"c": ["x"]}}, {"a": None, "b": None}, None, {"a": 2, "b": {"c": None}}],
                   {"a": Value("int32"), "b": {"c": List(Value("string"))}}),
        "structs": ([[{"k": "x", "v": 1}, None], [], None, [{"k": None, "v": 2}]],
                    List({"k": Value("string"), "v": Value("int64")})),
        "image": ([{"bytes": b"\x89PNG", "path": "a.png"}, {"bytes": None, "path": "b.png"}, None,
                   {"bytes": b"", "path": None}], {"bytes": Value("binary"), "path": Value("string")}),
    }
    features = Features({name: feature for name, (_values, feature) in columns.items()})
    schema = features.arrow_schema
    arrays = {name: pyarrow.array(values, schema.field(name).type) for name, (values, _feature) in columns.items()}
    data = Dataset(pyarrow.table(arrays), info=datasets.DatasetInfo(features=features))
    data.push_to_hub("org/judged-types", split="train", num_shards=2)
    data.select([0]).push_to_hub("org/judged-types", "other", split="validation")
    for streaming in (False, True):
        expect(f"types {streaming}", "org/judged-types", load_dataset("org/judged-types", split="train", streaming=streaming),
               split="train")
    expect("config", "org/judged-types", load_dataset("org/judged-types", "other", split="validation"), config="other")
    matrix = Dataset.from_dict({"m": [[[1, 2], [3, 4]]] * 3}, features=Features({"m": Array2D((2, 2), "int32")}))
    matrix.push_to_hub("org/judged-matrix")
    expect("matrix", "org/judged-matrix", load_dataset("org/judged-matrix", split="train"), split="train")


def encoded():
    """What pyarrow writes with each compression and encoding, in several row groups."""
    count = 3000
    table = pyarrow.table({
        "id": range(count),
        "text": [None if n % 7 == 0 else f"text {n % 50}" * (n % 5) for n in range(count)],
        "list": [None if n % 11 == 0 else list(range(n % 4)) for n in range(count)],
        "float": [n / 8 for n in range(count)],
        "flag": [n % 3 == 0 for n in range(count)],
        "map": pyarrow.array([None if n % 5 == 0 else [(f"k{n % 2}", n)] for n in range(count)],
                             pyarrow.map_(pyarrow.string(), pyarrow.int32())),
    })
    api = HfApi()
    api.create_repo("org/judged-encodings", repo_type="dataset")
    ways = {
        **{codec: {"compression": codec} for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4")},
        "pages2": {"data_page_version": "2.0", "compression": "zstd", "data_page_size": 2000},
        "small": {"data_page_size": 100, "use_dictionary": False, "compression": "snappy"},
        "delta": {"use_dictionary": False, "column_encoding": {"id": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY"}},
        "delta2": {"use_dictionary": False, "data_page_version": "2.0", "compression": "gzip",
                   "column_encoding": {"id": "DELTA_BINARY_PACKED", "text": "DELTA_LENGTH_BYTE_ARRAY"}},
        "split": {"use_dictionary": False, "column_encoding": {"float": "BYTE_STREAM_SPLIT"}},
        "old": {"version": "1.0", "use_deprecated_int96_timestamps": True, "store_schema": False},
    }
    for name, way in ways.items():
        path = FOLDER / "encodings" / name / "train.parquet"
        path.parent.mkdir(parents=True)
        pyarrow.parquet.write_table(table, path, row_group_size=1100, **way)
    api.upload_folder(repo_id="org/judged-encodings", repo_type="dataset", folder_path=FOLDER / "encodings")
    rows = table.to_pylist()
    for row in rows:
        row["map"] = row["map"] and dict(row["map"])
    for name in ways:
        expect(f"encoding {name}", "org/judged-encodings", rows[::97], config=name, every=97)


CSV = {
    "mixed": 'i,f,s,b,n,d,m,q\n1,1.5,x,True,,2020-01-01,1,"a ""q"", b"\n2,,NA,False,,2020-01-02,x,\n3,inf,"",,,,2.5,"two\nlines"\n',
    "numbers": "i,u,neg,sp,z,e,nan\n1,18446744073709551615,-5, 7,007,1e3,nan\n2,1,+6,8 ,8,2E-2,-inf\n",
    "short": "a,b\n1,2\n3\n",
    "names": "a,a,\n1,2,3\n\n4,5,6\n",
    "bools": "t,u\nTRUE,yes\nfalse,no\nTrue,\n",
    "mark": "\ufeffa,b\r\n1, x \r\n2,\"y\"\r\n",
    "later": "a,b\n" + "".join(f"{n},{n}\n" for n in range(10_000)) + "1,2.0\n",
}
JSON = {
    "mixed": '{"a":1,"b":"x","c":[1,2],"d":{"k":1}}\n{"a":2.5,"c":[],"d":{"l":"z"}}\n{"a":null,"e":true}\n',
    "times": '{"d":"2020-01-01","t":["2021-02-03T11:00:00Z"],"x":"2020-01-01"}\n{"d":"2020-01-01 10:30","t":null,"x":"no"}\n',
    "scalars": '{"a":1,"b":[1,"x"],"c":18446744073709551615,"d":null}\n{"a":"x","b":[{"k":1}],"c":1,"d":null}\n',
    "structs": '{"a":{"x":1,"y":[{"z":1}]}}\n{"a":{"x":null,"y":[]}}\n{"a":null}\n',
    "empty": '{"a":[]}\n{"a":[]}\n',
    "numbers": '{"a":NaN,"b":1,"c":[Infinity,1],"d":{"e":-Infinity}}\n{"a":2,"b":NaN,"c":[],"d":{"e":NaN}}\n',
    "numbers_mixed": '{"a":NaN,"b":NaN,"c":1}\n{"a":2.5,"b":3,"c":"x"}\n',
    "numbers_only": '{"a":NaN,"b":{}}\n',
}


def texts():
    """What the readers of text make of files."""
    api = HfApi()
    api.create_repo("org/judged-texts", repo_type="dataset")
    files = {f"csv_{name}/train.csv": text for name, text in CSV.items()}
    files |= {f"json_{name}/train.jsonl": text for name, text in JSON.items()}
    files["tsv/train.tsv"] = "a\tb\n1\tx,y\n"
    files["array/train.json"] = '[{"a":1,"b":"2020-01-01","c":NaN},\n {"a":2,"c":1}]'
    files["object/train.json"] = '{\n"a": NaN,\n"b": [1, -Infinity]\n}\n'
    for name, text in files.items():
        path = FOLDER / "texts" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, newline="")
    packed = FOLDER / "texts" / "packed" / "train.jsonl.gz"
    packed.parent.mkdir()
    # In two members, as appended files have.
    packed.write_bytes(gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"a":2}\n'))
    api.upload_folder(repo_id="org/judged-texts", repo_type="dataset", folder_path=FOLDER / "texts")
    for name in [*files, "packed/train.jsonl.gz"]:
        kind = "csv" if name.endswith("sv") else "json"
        more = {"sep": "\t"} if name.startswith("tsv") else {}
        rows = load_dataset(kind, data_files=str(FOLDER / "texts" / name), split="train", **more)
        expect(name, "org/judged-texts", rows if len(rows) < 100 else rows.select(range(len(rows) - 3, len(rows))),
               config=name.split("/")[0], last=3 if len(rows) >= 100 else None)


def wide():
    """A file of which one column is most."""
    table = pyarrow.table({"id": range(30_000), "blob": [random.randbytes(100) for _ in range(30_000)]})
    path = FOLDER / "wide" / "train.parquet"
    path.parent.mkdir()
    pyarrow.parquet.write_table(table, path, row_group_size=10_000)
    api = HfApi()
    api.create_repo("org/judged-wide", repo_type="dataset")
    api.upload_folder(repo_id="org/judged-wide", repo_type="dataset", folder_path=path.parent)
    needed = [chunk.total_compressed_size for group in range(3)
              for chunk in [pyarrow.parquet.ParquetFile(path).metadata.row_group(group).column(0)]]
    results["wide"] = {"repo": "org/judged-wide", "needed": needed, "size": path.stat().st_size}


CARD = """---
configs:
- config_name: en
  default: true
  sep: ";"
  data_files:
  - split: train
    path: one/*.csv
  - split: held_out
    path: ["two.csv", "three/**", "t*.csv"]
- config_name: fr
  data_dir: fr
---
# A dataset
"""


def card():
    """The configurations in the card of a folder."""
    folder = FOLDER / "card"
    files = {"README.md": CARD, "one/a.csv": "n;m\n1;x,y\n", "one/b.csv": "n;m\n2;z\n", "one/.c.csv": "n;m\n3;z\n",
             "two.csv": "n;m\n4;w\n", "three/a/b.csv": "n;m\n5;x\n", "fr/train.csv": "n\n6\n", "fr/test.csv": "n\n7\n"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for config, split in (("en", "train"), ("en", "held_out"), ("fr", "train"), ("fr", "test")):
        rows = load_dataset(str(folder), config, split=split)
        expect(f"card {config} {split}", str(folder), rows, config=config, split=split)
    expect("card", str(folder), load_dataset(str(folder), split="train"), split="train")


pushed()
encoded()
texts()
card()
wide()
print(json.dumps(results))
