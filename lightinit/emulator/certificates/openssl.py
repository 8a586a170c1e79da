"""Runs the real ``openssl``, which does all cryptography for the emulator. Knows no protocol.

Secrets go through pipes, or through files in a private directory that is removed after the call.
They are never arguments.
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
    """Run one openssl command.

    Args:
        words: the command and its options; ``files`` are named without a path.
        data: its standard input.
        files: files in its working directory, by name; only the caller can read them.

    Returns:
        its standard output.

    Raises:
        EmulatorError: openssl is not installed, or it failed.
    """
    program = shutil.which("openssl")
    if program is None:
        raise EmulatorError(
            "certificates need the program openssl, which is not installed: install openssl"
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
            raise EmulatorError("openssl %s did not finish: %s" % (words[0], error)) from error
    if ended.returncode:
        said = [
            line for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()
        ]
        raise EmulatorError(
            "openssl %s failed: %s" % (words[0], said[-1].strip() if said else "it printed nothing")
        )
    return ended.stdout
