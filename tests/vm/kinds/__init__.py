"""The kinds of distributions: one file each, listed here."""

from __future__ import annotations

from typing import Dict

from tests.vm.kinds import arch, devuan, gentoo, immutable, musl, openrc, slackware, void
from tests.vm.kinds.kind import Kind

# `make vm-test` has these; all are in `make vm-test-all`. The first one's root is made while
# another worker makes that of bookworm.
QUICK = ("arch", "musl")
KINDS: Dict[str, Kind] = {
    each.name: each
    for each in (
        musl.KIND,
        openrc.KIND,
        void.KIND,
        devuan.KIND,
        gentoo.KIND,
        slackware.KIND,
        arch.KIND,
        immutable.KIND,
    )
}
