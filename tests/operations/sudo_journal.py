"""Runs ON a host until its standard input ends: prints `begins` and `ends` for each command that sudo runs from now on,
as soon as the journal has it. Standard library only."""

import re
import select
import subprocess
import sys

SIGN = re.compile(r"sudo\[(\d+)\]: .*(COMMAND=.*|session closed for user root)")
FOLLOW = ["journalctl", "-q", "-f", "-n", "0", "-o", "short", "_COMM=sudo"]
# journald keeps what an operator does in a file of its own, which has to be there before it can be followed
OURS = ["runuser", "-u", "operator", "--", "sudo", "-n", "true"]


def lines_of(journal):
    """Whole lines as they come; None when standard input has ended, [] after a quarter of a second without any."""
    rest = b""
    while True:
        readable = select.select([sys.stdin, journal.stdout], [], [], 0.25)[0]
        if sys.stdin in readable:
            yield None
            return
        *lines, rest = (rest + (journal.stdout.read(65536) if readable else b"")).split(b"\n")
        yield [line.decode("utf-8", "replace") for line in lines]


def main():
    subprocess.run(OURS, check=True)
    running = set()  # process ids of commands that are not our own
    with subprocess.Popen(FOLLOW, stdout=subprocess.PIPE, bufsize=0) as journal:
        follows = False
        for lines in lines_of(journal):
            if lines is None:
                break
            if lines and not follows:
                follows = True
                print("ready", flush=True)
            if not follows:  # until our own comes back it is not known from where journalctl reads
                subprocess.run(OURS, check=True)
            for process, what in (found.groups() for found in map(SIGN.search, lines) if found):
                if what.startswith("COMMAND=") and not what.endswith("/true"):
                    running.add(process)
                    print("begins", flush=True)
                elif process in running and not what.startswith("COMMAND="):
                    running.remove(process)
                    print("ends", flush=True)
        journal.kill()


if __name__ == "__main__":
    main()
