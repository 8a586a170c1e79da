"""Runs one operation of the reader, and answers."""

from __future__ import annotations

import errno
import os
import signal

from lightinit.host.media.reading.answers import Nothing, answer, answer_nothing, flag
from lightinit.host.media.reading.drives import eject, is_optical

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence

NO_MEDIUM = (errno.ENOMEDIUM, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOENT)


def main(argv: Sequence[str]) -> None:
    """Run one operation, and answer."""
    operation, path, limit_bytes, limit_s, may_mount = argv[:5]
    signal.alarm(max(1, int(float(limit_s)) + 2))  # end even if the parent is gone
    if operation == "labels":
        answer_labels(argv[5:])
        return
    optical = False
    try:
        if operation == "eject":
            eject(path)
            answer(("ejected",))
            return
        optical = is_optical(path)
        if operation == "files":
            answer_files(path, argv[5:], int(limit_bytes), may_mount == "1")
            return
        from lightinit.host.media.reading.document import look

        data, how = look(path, argv[5:], int(limit_bytes), may_mount == "1")
        answer(("found", str(len(data)), flag(optical), how), data)
    except Nothing as nothing:
        answer_nothing(optical, nothing)
    except OSError as error:
        failure = Nothing(
            error.strerror or str(error),
            again=error.errno in NO_MEDIUM,
            harmless=error.errno == errno.ENOMEDIUM,
        )
        answer_nothing(optical, failure)


def answer_files(path: str, names: Sequence[str], limit_bytes: int, may_mount: bool) -> None:
    """Answer with the files of a volume."""
    from lightinit.host.media.reading.files import read_files
    from lightinit.host.media.reading.trees import Refused

    results, how = read_files(path, names, limit_bytes, may_mount)
    for number, result in sorted(results.items()):
        if isinstance(result, bytes):
            answer(("file", str(number), str(len(result))), result)
        elif isinstance(result, Refused):
            answer(("refused", str(number), result.kind, str(result)))
        else:
            answer(("dangling", str(number), str(result)))
    answer(("end", how))


def answer_labels(paths: Sequence[str]) -> None:
    """Answer with the labels on each device. Each is read in a thread of its own, so that one that
    hangs does not keep the answers of the others.
    """
    import _thread

    from lightinit.host.media.reading.labels import read_labels

    left = list(range(len(paths)))
    over, lock = _thread.allocate_lock(), _thread.allocate_lock()
    over.acquire()

    def run(number: int) -> None:
        lines: List[Sequence[str]] = []
        try:
            lines = [("label", str(number)) + each for each in read_labels(paths[number])]
        except (OSError, ValueError):
            pass  # it has no medium, for example
        finally:
            with lock:
                answer_lines(lines + [("done", str(number))])
                left.remove(number)
                if not left:
                    over.release()

    if not paths:
        return
    for number in range(len(paths)):
        _thread.start_new_thread(run, (number,))
    over.acquire()


def answer_lines(lines: Sequence[Sequence[str]]) -> None:
    """Write several lines at once."""
    text = "".join("\t".join(map(_plain, fields)) + "\n" for fields in lines)
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data) :]


def _plain(field: str) -> str:
    return field.replace("\t", " ").replace("\n", " ")
