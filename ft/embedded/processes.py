"""Start, find, await and stop a detached server process. Nothing here knows which server it is.

A process is recognised by its owner and its command line, not by a stored pid: a pid outlives its process
and is given to another, and a starter that is killed leaves no note.
"""

import os
import pwd
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import psutil

from ft.errors import ServerError

LOG_BYTES_MAX = 16 << 20
_POLL_S = 0.05


def spawn(
    command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None, user: int | None = None
) -> psutil.Process:
    """Start ``command`` in a session of its own, its output appended to ``log`` (mode 0600).

    ``user`` is the uid (and its group) to run as; None keeps this process's. Raises ServerError if it cannot start.
    """
    _rotate(log)
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
        try:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                **as_user(user),
            )
        except OSError as exc:
            raise ServerError(f"{command[0]} cannot be started: {exc}.") from exc
    child.returncode = 0  # The server outlives this object: Popen shall neither await nor warn about it.
    return psutil.Process(child.pid)


class Identity(TypedDict, total=False):
    """The arguments of subprocess that say as whom a program runs; empty: as we do."""

    user: int
    group: int
    extra_groups: list[int]


def as_user(uid: int | None) -> Identity:
    """Drop root's rights to those of ``uid``; None keeps our own."""
    if uid is None:
        return {}
    return {"user": uid, "group": pwd.getpwuid(uid).pw_gid, "extra_groups": []}


def find(words: Sequence[str], owner: int) -> psutil.Process | None:
    """The live process of user ``owner`` whose command line holds all ``words``, or None."""
    for process in psutil.process_iter():
        try:
            if process.uids().real == owner and is_alive(process) and set(words) <= set(process.cmdline()):
                return process
        except psutil.Error:
            continue
    return None


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that ended and was not yet collected by its parent does not."""
    _collect(process.pid)
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_answer(
    answers: Callable[[], bool], process: psutil.Process, *, name: str, log: Path, patience_s: float
) -> None:
    """Return once ``answers()``. Raises ServerError, with the log's end, if the process dies or takes too long."""
    deadline = time.monotonic() + patience_s
    while not answers():
        if not is_alive(process):
            raise ServerError(f"{name} ended while it was starting.\n{log_end(log)}")
        if time.monotonic() > deadline:
            raise ServerError(
                f"{name} runs (pid {process.pid}) but did not answer in {patience_s:g} s.\n{log_end(log)}"
            )
        time.sleep(_POLL_S)


def end(process: psutil.Process, *, how: signal.Signals, patience_s: float) -> bool:
    """Ask the process to end, wait, then kill it with its children. True if it ended by itself."""
    children = _children(process)
    _send(process, how)
    if _gone([process], patience_s):
        return True
    for each in (process, *children):
        _send(each, signal.SIGKILL)
    if not _gone([process, *children], 30):
        raise ServerError(f"process {process.pid} does not end, not even by SIGKILL: it hangs in the kernel (disk?).")
    return False


def log_end(log: Path, lines: int = 15) -> str:
    """Where the log is, and its last lines, for an error message."""
    try:
        with log.open(errors="replace") as source:
            last = "".join(f"  | {line.rstrip()}\n" for line in deque(source, lines))
    except OSError as exc:
        return f"Its log {log} cannot be read: {exc}."
    return f"Its log {log} ends:\n{last or '  (empty)'}".rstrip()


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _send(process: psutil.Process, how: signal.Signals) -> None:
    try:
        process.send_signal(how)
    except psutil.NoSuchProcess:
        return


def _gone(processes: Sequence[psutil.Process], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while any(is_alive(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _collect(pid: int) -> None:
    # A server started by this very process stays a zombie until it is asked for.
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
