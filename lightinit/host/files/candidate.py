"""Writes a new version of a configuration file in another place, so that a tool can check it first.

So a faulty file never has the final name, not even for a moment.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator

from lightinit.host.clock import ProcessLock
from lightinit.host.files.text import encode_text
from lightinit.host.system import System

FOLDER = "/run/lightinit/candidates"
# A thread that asks ahead may check a file of the same name.
_LOCK = ProcessLock()


@contextmanager
def candidate(system: System, path: str, text: str, mode: int) -> Iterator[str]:
    """Write a candidate for the file ``path``, and remove it at the end of the block. Another
    thread's waits for that.

    Args:
        system: the machine.
        path: the final path. The candidate has the same base name in another folder.
        text: the whole content.
        mode: the candidate's permission bits.

    Yields:
        The candidate's path, as the VM sees it.

    Raises:
        ProvisioningError: the candidate cannot be written.
    """
    place = "%s/%s" % (FOLDER, os.path.basename(path))
    with _LOCK:
        system.make_dir(FOLDER, 0o700)
        system.write(place, encode_text(text), mode, durable=False)
        try:
            yield place
        finally:
            system.remove(place)
