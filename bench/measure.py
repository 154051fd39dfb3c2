# Runs a command and prints "wall-seconds cpu-seconds peak-bytes" of it and all that it waited for.
# Usage: python3 -I -S measure.py STDOUT STDERR COMMAND...
#
# A small process of its own, because Linux counts the memory of whoever forks as memory of the child:
# started from `run`, nothing could seem smaller than `run`.
import os, sys, time

if __name__ == "__main__":
    stdout, stderr, *command = sys.argv[1:]
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"cannot start {command[0]}: {error}\n".encode())
            os._exit(127)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    unit = 1 if sys.platform == "darwin" else 1024
    print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)
    sys.exit(os.waitstatus_to_exitcode(status) and 1)
