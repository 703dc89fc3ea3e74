"""A command whose children end with it, and with us, whatever ends us."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

WATCHED = 'exec 3<&0 </dev/null; (cat <&3; kill -KILL 0) >/dev/null 2>&1 & exec 3<&-; exec "$@"'


def run(command: Sequence[object], environment: Mapping[str, str]) -> str:
    """The command's stdout; fails where it fails, with what it said.

    It runs in a group of processes of its own, and a watcher in that group reads a pipe that only
    this process can write to: when this one goes, by SIGKILL too, all of the group go.
    """
    read, write = os.pipe()
    words = ["sh", "-c", WATCHED, "sh", *map(str, command)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, env=environment, stdin=read, stdout=pipe, stderr=pipe, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(read)
        try:
            out, err = process.communicate()
        finally:
            os.close(write)
    assert process.returncode == 0, out[-2000:] + err[-4000:]
    return out
