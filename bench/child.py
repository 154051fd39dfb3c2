"""Runs one command to its end and measures it."""

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys

MEASURE = pathlib.Path(__file__).resolve().parent / "measure.py"
# Seconds after which a run is given up.
LIMIT = 600
# Settings of the user that would change what is measured.
FOREIGN = re.compile(
    r"HF_|HUGGING|TRANSFORMERS_|SSL_CERT|REQUESTS_CA|CURL_CA|HEX_CACERTS|(.*_)?PROXY$",
    re.IGNORECASE,
)


class Failed(SystemExit):
    """A command that failed; ends the benchmark with its message unless it is caught."""

    def reason(self):
        return str(self).splitlines()[-1].strip()


@dataclasses.dataclass
class Result:
    output: str
    wall: float
    cpu: float
    rss: int


class Children:
    """Starts commands with the same environment; their output goes to files in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
        self.env |= {
            "HF_HOME": str(folder / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }

    def run(self, command, env=None, extra=()):
        """`env` replaces the environment, and lifts the time limit: it is for building."""
        environment = env or {**self.env, **dict(extra)}
        stdout, stderr = self.folder / "stdout", self.folder / "stderr"
        arguments = [sys.executable, "-I", "-S", str(MEASURE), str(stdout), str(stderr), *map(str, command)]
        # A group of its own, so that an interrupt ends it as a whole.
        process = subprocess.Popen(
            arguments, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        shown = " ".join(map(str, command[:3]))
        try:
            numbers, _ = process.communicate(timeout=None if env else LIMIT)
        except BaseException as error:
            # An interrupt waits a moment for the command, which may have ended then.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Failed(f"{shown} … took more than {LIMIT} seconds") from None
            raise
        if process.returncode != 0:
            raise Failed(f"{shown} … failed:\n{stderr.read_text(errors='replace').strip()}")
        wall, cpu, rss = map(float, numbers.split())
        return Result(stdout.read_text().strip(), wall, cpu, int(rss))
