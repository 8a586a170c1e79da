"""Calls the real ``openssl``, which does all of the emulator's cryptography. Knows no protocol.

Secrets go through pipes, or through files in a private directory that is gone when the call
returns; never through arguments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import Mapping, Optional, Sequence

from lightinit.emulator.errors import EmulatorError

TIMEOUT_S = 60.0


def run_openssl(
    words: Sequence[str], data: bytes = b"", files: Optional[Mapping[str, bytes]] = None
) -> bytes:
    """Run one command of openssl.

    Args:
        words: the command and its options; they name ``files`` by their plain names.
        data: what it reads on standard input.
        files: files that it finds in its working directory, readable for this account alone.

    Returns:
        what it wrote on standard output.

    Raises:
        EmulatorError: there is no openssl, or it failed.
    """
    program = shutil.which("openssl")
    if program is None:
        raise EmulatorError(
            "certificates need the program openssl, which is not installed here: install openssl"
        )
    with tempfile.TemporaryDirectory(prefix="lightinit-emulator-") as folder:
        for name, content in (files or {}).items():
            with open(
                os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
                "wb",
            ) as file:
                file.write(content)
        try:
            ended = subprocess.run(
                [program, *words],
                input=data,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmulatorError(
                "openssl %s did not run to its end: %s" % (words[0], error)
            ) from error
    if ended.returncode:
        said = [
            line for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()
        ]
        raise EmulatorError(
            "openssl %s failed: %s" % (words[0], said[-1].strip() if said else "it says nothing")
        )
    return ended.stdout
