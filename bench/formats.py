"""What the benchmarks of file formats share: their options, and one process for all rounds of a client."""

import argparse
import os
import subprocess
import sys
import tempfile

UNITS = {"MiB": 2**20, "GiB": 2**30}


def parser(doc, what, rounds):
    """Returns the parser of the options of both; Python needs `what`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help=f"Python with {what}")
    parser.add_argument("--ebin", default="_build/prod/lib/hf_hub/ebin", help="compiled modules of this library")
    parser.add_argument("--size", type=size, default="1GiB", help="size of the file, such as 64MiB")
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser


def size(text):
    return int(text[:-3]) * UNITS[text[-3:]]


def run(command):
    """Returns the milliseconds of each round, and the peak of the process's memory."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output)
        _pid, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            sys.exit(f"{command[0]} failed")
        output.seek(0)
        return [float(line) for line in output], usage.ru_maxrss * 1024
