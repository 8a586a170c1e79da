"""Run by test_given_keys_real.py in namespaces of its own: host keys from a cloud-config, with the
machine's ssh-keygen, sshd and dropbear.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import glob
import json
import logging
import os
import subprocess
import sys
from typing import Any, Callable, Dict, List

from lightinit.formats.cloud_config.readers.host_keys import read_host_keys
from lightinit.host.ssh import early
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import ssh_host_keys
from lightinit.settings.shipped import SHIPPED
from tests.real_tools.namespaced.accounts import call, enter, hide, must
from tests.real_tools.namespaced.keys import Lines, killed_at_each, make_short_keys

KEYS = "/run/keys"
PRIVATE, PUBLIC, CERTIFICATE = "ed25519_private", "ed25519_public", "ed25519_certificate"
RSA = "rsa_private"
# What becomes of the ed25519 key of a cloud-config, by how it is written.
GOOD = ("alone", "folded", "windows", "escaped", "indented", "with the public key", "no line end")
BAD = ("cut", "passphrase", "of another", "a public key", "putty", "garbage", "damaged inside")


def make_keys() -> None:
    """Keys of all kinds in KEYS, and the image's."""
    os.mkdir(KEYS)
    kinds = {"rsa": "-t rsa -b 2048", "pem": "-t rsa -b 2048 -m PEM", "small": "-t rsa -b 1024"}
    kinds.update(ecdsa="-t ecdsa -b 384", ed25519="-t ed25519", other="-t ed25519", ca="-t ed25519")
    for name, options in kinds.items():
        must("ssh-keygen", "-q", *options.split(), "-N", "", "-C", name, "-f", KEYS + "/" + name)
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", KEYS + "/locked")
    pem = ("-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret")
    must("ssh-keygen", "-q", *pem, "-f", KEYS + "/locked-pem")
    for name, option in (("ed25519", "-h"), ("other", "-h"), ("rsa", "-h")):
        sign(name, option)
    make_short_keys()
    must("sh", "-c", "rm -rf /etc/ssh/ssh_host_*; ssh-keygen -A; cp -a /etc/ssh /run/image")


def sign(name: str, *options: str) -> None:
    key = "%s/%s.pub" % (KEYS, name)
    must("ssh-keygen", "-q", "-s", KEYS + "/ca", "-I", "test", "-n", "web-1", *options, key)


def text(name: str) -> str:
    with open(KEYS + "/" + name) as handle:
        return handle.read()


def short(public: str) -> str:
    return public.split()[1]


def apply(keys: Dict[str, Any], begin: bool = False, **settings: Any) -> Dict[str, Any]:
    """Run the module on the image's keys. Returns what has become of them."""
    must("sh", "-c", "rm -rf /etc/ssh; cp -a /run/image /etc/ssh")
    for path, body in settings.pop("files", {}).items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as handle:
            handle.write(body)
    values = {each.key: each.default for each in SHIPPED["ssh_host_keys"].settings}
    values.update(settings)
    system = System("/")
    starts: List[str] = []
    system.on_command = lambda argv, duration_s, code: starts.append(" ".join(argv[:2]))
    if begin:
        ssh_host_keys.begin(system, values)
    values.update(ssh_host_keys.from_cloud_config(keys))
    lines = Lines()
    logger = logging.getLogger("lightinit")
    logger.addHandler(lines)
    logger.setLevel(logging.DEBUG)
    outcome = ssh_host_keys.apply(Instance("real"), system, values)
    early.abandon(system)
    logger.removeHandler(lines)
    return {
        "message": outcome.message,
        "warnings": list(outcome.warnings),
        "mistakes": [str(each) for each in read_host_keys(keys)[1]],
        "whose": whose(),
        "modes": modes(),
        "sshd": call("/usr/sbin/sshd", "-t"),
        "lines": call("sh", "-c", "cat /etc/ssh/sshd_config.d/01-* 2>/dev/null || :"),
        "left": [name for name in os.listdir("/etc/ssh") if name.startswith(".")],
        "made": sum("ssh-keygen -A" in each or "ssh-keygen -q" in each for each in starts),
        "shown": [line.split()[3] for line in lines.lines if line.startswith("SSH host key ssh-")],
        "leaks": [line for line in lines.lines if is_leak(line)],
    }


def is_leak(line: str) -> bool:
    return any(part in line for part in text("ed25519").split("\n")[1:-2] if len(part) > 20)


def whose() -> Dict[str, str]:
    """Type -> whose key it is: one of KEYS, ``image``, or ``own``. A private key that does not fit
    its public part is ``broken``.
    """
    known = {short(text(os.path.basename(path))): path for path in glob.glob(KEYS + "/*.pub")}
    known = {blob: os.path.basename(path)[:-4] for blob, path in known.items()}
    for path in glob.glob("/run/image/ssh_host_*_key.pub"):
        with open(path) as handle:
            known[short(handle.read())] = "image"
    found = {}
    for path in sorted(glob.glob("/etc/ssh/ssh_host_*_key")):
        with open(path + ".pub") as handle:
            public = handle.read()
        derived = call("ssh-keygen", "-y", "-P", "", "-f", path)
        name = path[len("/etc/ssh/ssh_host_") : -len("_key")]
        found[name] = known.get(short(public), "own")
        if short(derived) != short(public):
            found[name] = "broken"
        if os.path.exists(path + "-cert.pub"):
            found[name] += " with certificate"
    return found


def modes() -> str:
    paths = sorted(glob.glob("/etc/ssh/ssh_host_*"))
    return ", ".join(sorted({call("stat", "-c", "%a %U:%G", path) for path in paths}))


def written() -> Dict[str, Any]:
    """One key, written in each way."""
    key = text("ed25519")
    ways: Dict[str, Dict[str, str]] = {
        "alone": {PRIVATE: key},
        "folded": {PRIVATE: " ".join(key.split("\n"))},
        "windows": {PRIVATE: key.replace("\n", "\r\n")},
        "escaped": {PRIVATE: key.replace("\n", "\\n")},
        "indented": {PRIVATE: key.replace("\n", "  \n  ")},
        "with the public key": {PRIVATE: key, PUBLIC: text("ed25519.pub").strip() + " mine\n"},
        "no line end": {PRIVATE: key.strip()},
        "cut": {PRIVATE: "\n".join(key.split("\n")[:3]) + "\n-----END OPENSSH PRIVATE KEY-----\n"},
        "passphrase": {PRIVATE: text("locked")},
        "of another": {PRIVATE: key, PUBLIC: text("other.pub")},
        "a public key": {PRIVATE: text("ed25519.pub")},
        "putty": {PRIVATE: "PuTTY-User-Key-File-3: ssh-ed25519\n"},
        "garbage": {PRIVATE: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
        "damaged inside": {PRIVATE: damage(key)},
    }
    return {name: apply({"ssh_keys": way}) for name, way in ways.items()}


def damage(key: str) -> str:
    lines = key.split("\n")
    lines[3] = lines[3][:10] + "AAAA" + lines[3][14:]
    return "\n".join(lines)


def without_script() -> Dict[str, Any]:
    os.unlink("/etc/init.d/sshd")
    return apply({"ssh_genkeytypes": ["ed25519"]})


def types() -> Dict[str, Any]:
    """Which types are there in the end."""
    every = {"rsa_private": text("rsa"), "ecdsa_private": text("ecdsa"), PRIVATE: text("ed25519")}
    hostkey = {"/etc/ssh/sshd_config": "UsePAM no\nHostKey /etc/ssh/ssh_host_rsa_key\n"}
    long_keys = {"/etc/ssh/sshd_config": "UsePAM no\nRequiredRSASize 2048\n"}
    return {
        "all given": apply({"ssh_keys": every}),
        "all given, begun": apply({"ssh_keys": every}, begin=True),
        "PEM": apply({"ssh_keys": {RSA: text("pem")}}),
        "PEM and its passphrase": apply({"ssh_keys": {RSA: text("locked-pem")}}),
        "PEM and another's": apply({"ssh_keys": {RSA: text("pem"), "rsa_public": text("rsa.pub")}}),
        "too short for this sshd": apply({"ssh_keys": {RSA: text("small")}}, files=long_keys),
        "under a wrong type": apply({"ssh_keys": {RSA: text("ed25519")}}),
        "DSA": apply({"ssh_keys": {"dsa_private": text("rsa")}}),
        "nothing": apply({"ssh_keys": {}}),
        "one made": apply({"ssh_genkeytypes": ["ed25519"]}),
        "one made, begun": apply({"ssh_genkeytypes": ["ed25519"]}, begin=True),
        "two made, begun": apply({"ssh_genkeytypes": ["rsa", "ecdsa"]}, begin=True),
        "a broken one, begun": apply(
            {"ssh_keys": {PRIVATE: text("ed25519"), RSA: damage(text("pem"))}}, begin=True
        ),
        "no type is left": apply({"ssh_genkeytypes": ["dsa"]}),
        "not deleted": apply({"ssh_deletekeys": False, "ssh_keys": {PRIVATE: text("ed25519")}}),
        "not deleted, one made": apply({"ssh_deletekeys": False, "ssh_genkeytypes": ["rsa"]}),
        "a script makes missing ones": apply(
            {"ssh_genkeytypes": ["ed25519"]},
            files={"/etc/init.d/sshd": "#!/sbin/openrc-run\nssh-keygen -A\n"},
        ),
        "without that script": without_script(),
        "sshd wants another": apply({"ssh_genkeytypes": ["ed25519"]}, files=hostkey),
        "sshd wants another, given": apply({"ssh_keys": {PRIVATE: text("ed25519")}}, files=hostkey),
        "not shown": apply({"ssh": {"emit_keys_to_console": False}}),
        "some not shown": apply({"ssh_fp_console_blacklist": ["ssh-rsa"]}),
        "kept by the settings": apply({"ssh_deletekeys": True}, keep_existing=True),
    }


def certificates() -> Dict[str, Any]:
    """What sshd is to show of them."""
    sign("other", "-h")
    good = {PRIVATE: text("ed25519"), CERTIFICATE: text("ed25519-cert.pub")}
    cases = {
        "good": (good, ""),
        "good, without drop-ins": (good, "UsePAM no\nMatch User bob\nInclude sshd_config.d/*\n"),
        "of another": ({**good, CERTIFICATE: text("other-cert.pub")}, ""),
        "PEM's": ({RSA: text("rsa"), "rsa_certificate": text("rsa-cert.pub")}, ""),
    }
    sign("ed25519")
    cases["of a user"] = ({**good, CERTIFICATE: text("ed25519-cert.pub")}, "")
    sign("ed25519", "-h", "-V", "20200101:20210101")
    cases["expired"] = ({**good, CERTIFICATE: text("ed25519-cert.pub")}, "")
    faulty = "Include /etc/ssh/sshd_config.d/*.conf\nThis is no keyword\n"
    cases["a faulty configuration"] = (good, faulty)
    seen = {}
    for name, (keys, config) in cases.items():
        files = {"/etc/ssh/sshd_config": config or "Include /etc/ssh/sshd_config.d/*.conf\n"}
        seen[name] = apply({"ssh_keys": keys}, files=files)
        seen[name]["serves"] = call("sh", "-c", "/usr/sbin/sshd -T | grep -i ^hostcertificate")
    # The image's own key, which stays, and a certificate for it.
    image = "/run/image/ssh_host_ed25519_key"
    must("ssh-keygen", "-q", "-s", KEYS + "/ca", "-I", "x", "-h", "-n", "web-1", image + ".pub")
    with open(image + "-cert.pub") as handle:
        keys = {CERTIFICATE: handle.read()}
    os.unlink(image + "-cert.pub")
    for delete in (False, True):
        name = "without its key, %s" % ("made anew" if delete else "kept")
        seen[name] = apply({"ssh_keys": keys, "ssh_deletekeys": delete})
    return seen


def dropbear() -> Dict[str, Any]:
    """A host whose server is dropbear."""
    hide("sshd")
    call("sh", "-c", "rm -rf /etc/ssh /etc/dropbear; rm -f /etc/init.d/dropbear")
    with open("/etc/default/dropbear", "w") as handle:
        handle.write("DROPBEAR_EXTRA_ARGS=\n")
    must("sh", "-c", "mkdir -p /etc/systemd/system")
    with open("/etc/systemd/system/dropbear.service", "w") as handle:
        handle.write("[Service]\nExecStart=/usr/sbin/dropbear -EF $DROPBEAR_EXTRA_ARGS\n")
    every = {"rsa_private": text("rsa"), "ecdsa_private": text("ecdsa"), PRIVATE: text("ed25519")}
    cases: Dict[str, Dict[str, Any]] = {
        "given": {"ssh_keys": every},
        "one given": {"ssh_keys": {PRIVATE: text("ed25519")}},
        "one made": {"ssh_genkeytypes": ["ed25519"]},
        "of another": {"ssh_keys": {RSA: text("pem"), "rsa_public": text("rsa.pub")}},
    }
    seen = {name: apply_dropbear(keys) for name, keys in cases.items()}
    hide("dropbearconvert")
    seen["without dropbearconvert"] = apply_dropbear(cases["one given"])
    return seen


def apply_dropbear(keys: Dict[str, Any]) -> Dict[str, Any]:
    call("sh", "-c", "rm -rf /etc/dropbear; mkdir /etc/dropbear")
    must("dropbearkey", "-t", "rsa", "-s", "1024", "-f", "/etc/dropbear/dropbear_rsa_host_key")
    system, settings = System("/"), {"keep_existing": False}
    ssh_host_keys.begin(system, settings)
    settings.update(ssh_host_keys.from_cloud_config(keys))
    outcome = ssh_host_keys.apply(Instance("real"), system, settings)
    early.abandon(system)
    known = {short(text(os.path.basename(path))): path for path in glob.glob(KEYS + "/*.pub")}
    found = {}
    for name in sorted(os.listdir("/etc/dropbear")):
        said = call("dropbearkey", "-y", "-f", "/etc/dropbear/" + name).split("\n")
        public = next(line for line in said if line.startswith(("ssh-", "ecdsa-")))
        whose = os.path.basename(known.get(short(public), "own.pub"))[:-4]
        found[name.split("_")[1]] = whose
    return {
        "message": outcome.message,
        "warnings": list(outcome.warnings),
        "whose": found,
        "modes": sorted({call("stat", "-c", "%a", p) for p in glob.glob("/etc/dropbear/*")}),
        "left": [name for name in os.listdir("/etc") if ".lightinit" in name],
    }


WORK = """
import glob
from lightinit.host.ssh import early
from lightinit.host.system import System
from lightinit.model import Instance
system, settings = System("/"), {"keep_existing": False}
text = lambda name: open("/run/keys/" + name).read()
keys = {"ed25519_private": text("ed25519"), "ed25519_certificate": text("ed25519-cert.pub")}
keys.update(rsa_private=text("rsa")[:-80])
settings.update(ssh_host_keys.from_cloud_config({"ssh_keys": keys}))
ssh_host_keys.apply(Instance("real"), system, settings)
early.abandon(system)
"""


def crash() -> Dict[str, Any]:
    """Killed before every fifth change in turn: sshd starts on whatever is left, no private key is
    open to others, and the next run makes all good.
    """
    return killed_at_each(WORK, whose, step=5)


def scratch_root() -> Dict[str, Any]:
    """A root in which no command is run."""
    values = {"ed25519_private": text("ed25519"), "rsa_private": text("pem")}
    values[CERTIFICATE] = text("ed25519-cert.pub")
    must("sh", "-c", "rm -rf /run/root; mkdir -p /run/root/etc; cp -a /run/image /run/root/etc/ssh")
    with open("/run/root/etc/ssh/sshd_config", "w") as handle:
        handle.write("Include /etc/ssh/sshd_config.d/*.conf\n")
    settings = {"keep_existing": False}
    settings.update(ssh_host_keys.from_cloud_config({"ssh_keys": values}))
    outcome = ssh_host_keys.apply(Instance("real"), System("/run/root"), settings)
    must("sh", "-c", "rm -rf /etc/ssh; mv /run/root/etc/ssh /etc/ssh")
    return {
        "message": outcome.message,
        "warnings": list(outcome.warnings),
        "whose": whose(),
        "modes": modes(),
        "serves": call("sh", "-c", "/usr/sbin/sshd -T | grep -i ^hostcertificate"),
    }


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [
    written,
    types,
    certificates,
    dropbear,
    crash,
    scratch_root,
]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    os.umask(0o022)
    assert subprocess.run(["test", "-d", "/run/sshd"]).returncode == 0
    make_keys()
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
