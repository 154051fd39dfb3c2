"""Runs Python code for `python.ex`, each time in a process of its own.

The processes are forked from this one, which has loaded the packages that `huggingface_hub` needs: loading them takes
longer than most tests. It has not loaded `huggingface_hub` itself, whose constants come from the environment.

Usage: python_server.py SOCKET. Ends when its standard input does.
"""

import gc
import importlib
import json
import os
import select
import socket
import sys
import types


def needed():
    """Names of the modules that the client loads besides its own, found out in a process that ends then."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        import huggingface_hub.cli.hf  # noqa: F401

        exec("from huggingface_hub import *", {})
        with open(into, "w") as pipe:
            print(*sys.modules, file=pipe)
        os._exit(0)
    os.close(into)
    with open(out) as pipe:
        names = pipe.read().split()
    os.waitpid(pid, 0)
    return [name for name in names if name.split(".")[0] not in ("huggingface_hub", "__main__")]


def received(connection, size):
    """Exactly that many bytes."""
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def run(task):
    """Runs the code of a task as the interpreter does, and returns the exit status."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = [task["file"] or "-c"] + task["args"]
    try:
        exec(compile(task["code"], task["file"] or "<string>", "exec"), main.__dict__)
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1


def serve(connection):
    """Runs one task. The connection is its standard input and output; at the end come NUL and the exit status."""
    size = int.from_bytes(received(connection, 4), "big")
    task = json.loads(received(connection, size))
    os.environ.clear()
    os.environ.update(task["env"])
    os.chdir(task["cd"])
    errors = os.open(task["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if task["stderr"] else 1
    for source, target in [(connection.fileno(), 0), (connection.fileno(), 1), (errors, 2)]:
        os.dup2(source, target)
    # The shared one has read from the standard input of the server.
    sys.stdin = open(0, closefd=False)
    status = run(task)
    import atexit
    import threading

    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.write(1, bytes([0, status & 255]))
    os._exit(0)


def main():
    for name in needed():
        try:
            importlib.import_module(name)
        except ImportError:
            pass
    gc.freeze()
    running = 0
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(64)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([0, listener], [], [])
            if 0 in ready:
                os.unlink(sys.argv[1])
                return
            connection, _ = listener.accept()
            if os.fork() == 0:
                try:
                    listener.close()
                    serve(connection)
                finally:
                    os._exit(1)
            connection.close()
            running += 1
            while running and os.waitpid(-1, os.WNOHANG)[0]:
                running -= 1


main()
