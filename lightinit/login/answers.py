"""Keeps the answers of programs that are asked about the machine, so that none is asked twice.

An answer counts while the files on which it depends stay unchanged.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Callable, Dict, Iterable, List, Tuple, TypeVar
from weakref import WeakKeyDictionary

from lightinit.errors import LightinitError
from lightinit.host.clock import ProcessLock, begin
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.login")
Kept = TypeVar("Kept")
# A change within the same tick of the kernel's clock may leave no trace in a file's status.
SETTLED_NS = 20 * 1000 * 1000  # two ticks of the slowest clock


class OutrunError(Exception):
    """A question is not asked ahead: whoever needs its answer asks it."""


class KeptAnswer:
    """An answer of a program, or the promise of one that was asked in another thread.

    Attributes:
        is_there: set when the asking has ended.
        answers: the answer; empty until then, and after an error.
    """

    def __init__(self) -> None:
        self.is_there = threading.Event()
        self.answers: List[object] = []


_ANSWERS: "WeakKeyDictionary[System, Dict[object, KeptAnswer]]" = WeakKeyDictionary()
_LOCK = ProcessLock()
# A thread that has promised an answer is not there after a fork.
os.register_at_fork(after_in_child=_ANSWERS.clear)
# In a thread of :func:`ask_beside`: ``outrun`` is set as soon as it must begin nothing more.
_AHEAD = threading.local()
_OUTRUN: "WeakKeyDictionary[System, threading.Event]" = WeakKeyDictionary()


def ask_once(system: System, key: Tuple[object, ...], ask_now: Callable[[], Kept]) -> Kept:
    """The answer of a program, which is asked only once. If another thread asks it just now, this
    waits for that answer. A thread of :func:`ask_beside` that was outrun asks nothing more.

    Args:
        system: the machine.
        key: the question, and the state of all on which the answer depends, see
            :func:`states_of`.
        ask_now: asks the program.

    Raises:
        OutrunError: in a thread of :func:`ask_beside`.
    """
    while True:
        with _LOCK:
            kept = _ANSWERS.setdefault(system, {})
            known = kept.get(key)
            if known is None:
                _check_ahead()
                ours = kept[key] = KeptAnswer()
        if known is None:
            break
        known.is_there.wait()
        for answer in known.answers:
            return answer  # type: ignore[return-value]
    try:
        ours.answers.append(ask_now())
    except BaseException:
        kept.pop(key)
        raise
    finally:
        ours.is_there.set()
    return ours.answers[0]  # type: ignore[return-value]


def ask_beside(system: System, work: Callable[[], object]) -> None:
    """Begin to ask in a thread. Whoever has the same question later waits for its answer. If no
    further thread can be had, nothing is asked ahead.

    Args:
        system: the machine that is asked about.
        work: asks. Its errors are dropped: the same question will show them.
    """
    outrun = _OUTRUN[system] = threading.Event()

    def ask_quietly() -> None:
        _AHEAD.outrun = outrun
        try:
            work()
        except OutrunError:
            LOG.debug("nothing more is asked ahead")
        except (LightinitError, OSError) as error:
            LOG.debug("asked ahead: %s", error)

    begin(threading.Thread(target=ask_quietly, daemon=True, name="lightinit-ahead"))


def stop_asking_beside(system: System) -> None:
    """Let the thread of :func:`ask_beside` begin no further question. Who asks the same from now on
    is as fast, and changes what the answers depend on: the thread would ask about a state that is
    gone.
    """
    with _LOCK:
        outrun = _OUTRUN.get(system)
        if outrun is not None:
            outrun.set()


def _check_ahead() -> None:
    outrun = getattr(_AHEAD, "outrun", None)
    if outrun is not None and outrun.is_set():
        raise OutrunError


def states_of(system: System, paths: Iterable[str]) -> Tuple[object, ...]:
    """A value that changes if one of the files changes, or comes or goes."""
    state: List[object] = []
    for path in paths:
        try:
            status = system.file_status(path)
        except OSError:
            state.append((path, None))
            continue
        state.append((path, status.st_ino, status.st_size, status.st_ctime_ns))
    return tuple(state)


def is_settled(state: Tuple[object, ...], now_ns: int) -> bool:
    """Whether any further change would show: nothing has changed just now.

    Args:
        state: as :func:`states_of` returned it.
        now_ns: the time at which the files were read, since 1970.
    """
    times = [each[3] for each in state if isinstance(each, tuple) and len(each) > 3]
    return all(now_ns - changed_ns > SETTLED_NS for changed_ns in times)
