"""Limits the work for opening one certificate bundle. The platform is trusted, but the sizes and
counts in a bundle decide how long a boot takes.

The budget is for the whole bundle, so that many parts, each within its limit, are also refused.
"""

from __future__ import annotations

from lightinit.errors import MalformedError
from lightinit.formats.certificates import der

# The iterations of a hash, for all passwords and parts together: about 3 s. Azure's bundles have
# about 2,000 for each part; OpenSSL and Java write 2,048 to 10,000.
MAX_ITERATIONS = 3000000
MAX_ITERATIONS_OF_A_PART = 1000000
MAX_SALT_BYTES = 1024  # 8 to 20 are usual
MAX_BAGS = 1000
# The time to check a private key grows at least with the third power of its size: 0.05 s for RSA
# of 2048 bits, 6 s for 8192 bits. The unit is a key of 2048 bits.
KEY_BYTES, MAX_KEY_WORK = 1220, 200


class Budget:
    """The remaining work for one bundle."""

    def __init__(self) -> None:
        self._iterations = MAX_ITERATIONS
        self._bags = MAX_BAGS
        self._key_work = float(MAX_KEY_WORK)

    def read_iterations(self, element: der.DerValue, part: str) -> int:
        """Read a number of iterations.

        Args:
            element: the INTEGER.
            part: its name for the error.

        Raises:
            MalformedError: it is not an INTEGER, is 0, or is too large for any part.
        """
        iterations = element.integer(part)
        if not 1 <= iterations <= MAX_ITERATIONS_OF_A_PART:
            raise _too_much(part, iterations=iterations, limit=MAX_ITERATIONS_OF_A_PART)
        return iterations

    def spend_iterations(self, iterations: int, part: str) -> None:
        """Subtract iterations of a hash from the budget.

        Raises:
            MalformedError: the budget has fewer iterations left.
        """
        if iterations > self._iterations:
            raise _too_much(part, iterations=iterations, left=self._iterations)
        self._iterations -= iterations

    def read_salt(self, element: der.DerValue, part: str) -> bytes:
        """Read a salt, which the key derivation repeats and hashes.

        Raises:
            MalformedError: it is not an OCTET STRING, or is too long.
        """
        salt = element.octets(part)
        if len(salt) > MAX_SALT_BYTES:
            raise _too_much(part, salt_bytes=len(salt), limit=MAX_SALT_BYTES)
        return salt

    def spend_bag(self, part: str) -> None:
        """Subtract one bag from the budget.

        Raises:
            MalformedError: there are too many.
        """
        self._bags -= 1
        if self._bags < 0:
            raise _too_much(part, bags_limit=MAX_BAGS)

    def spend_key(self, size_bytes: int) -> None:
        """Subtract the check of a private key from the budget.

        Args:
            size_bytes: the size of its DER.

        Raises:
            MalformedError: the keys together are too many or too large.
        """
        work = (size_bytes / KEY_BYTES) ** 3
        if work > self._key_work:
            raise _too_much("private keys", key_bytes=size_bytes)
        self._key_work -= work


def _too_much(part: str, **details: int) -> MalformedError:
    return MalformedError("certificate bundle asks for too much work", part=part, **details)
