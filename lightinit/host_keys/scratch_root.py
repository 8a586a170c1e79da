"""The SSH host keys of a cloud-config in a scratch root, where no command is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, List

from lightinit.formats.ssh import host_keys as formats
from lightinit.host.ssh import host_keys
from lightinit.host.ssh.host_keys import FOLDER
from lightinit.host.ssh.servers import find_server
from lightinit.host.system import System
from lightinit.host_keys.serving import serve
from lightinit.host_keys.taken import name_of, names_of, own_comment, write_certificate
from lightinit.model import Outcome

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.readers.host_keys import GivenHostKeys


def place(system: System, given: GivenHostKeys, user: str) -> Outcome:
    """Put the given keys into a scratch root, where no command can check them, and no key can be
    made. Only keys whose public part is known are put there.

    Args:
        system: the scratch root. It has sshd.
        given: what the cloud-config says.
        user: the account that sshd would be asked about.

    Raises:
        ProvisioningError: a file cannot be written.
    """
    system.skip("the checks of SSH host keys by ssh-keygen and sshd")
    done: List[str] = []
    warnings: List[str] = []
    for key in given.keys:
        if not key.private:
            continue
        blob = formats.read_private(key.private).blob
        public = key.public.encode("utf-8", "replace") + b"\n"
        if not key.public and blob:
            public = formats.public_line(blob, own_comment())
        if not public.strip():
            warnings.append(
                "ssh_keys.%s_private: its public key cannot be derived in a scratch root, so it is"
                " left out; give it as %s_public" % (key.type, key.type)
            )
            continue
        name = name_of(key.type)
        path = "%s/%s" % (FOLDER, name)
        for end in ("-cert.pub", ".pub"):
            system.remove(path + end)
        system.write(path, key.private.encode("utf-8", "replace"), 0o600, follow_last=False)
        system.write(path + ".pub", public, follow_last=False)
        write_certificate(system, key, path, public, warnings)
        done.append(name)
    if not done:
        text = "SSH host keys left as they are: commands are not run in a scratch root"
        return Outcome(text, tuple(warnings), skipped=True)
    if given.delete is not False:
        wanted = done + names_of(given.types or ())
        for name in host_keys.list_host_keys(system, formats.is_host_key_file):
            if formats.private_name(name) not in wanted:
                system.remove("%s/%s" % (FOLDER, name))
    warnings += serve(system, find_server(system), user, given, [])
    return Outcome("%d SSH host keys of the cloud-config put in place" % len(done), tuple(warnings))
