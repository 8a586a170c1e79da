"""What the platform hands a VM without IMDS, on a real one: media in a drive, with a password,
custom data, and the thumbprint of a certificate, which the WireServer has.

On the one image where it is cheapest, the networkd one of bookworm.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.vm.azure import Person
from tests.vm.facts import Facts, check_ready, provisioned, warnings
from tests.vm.qemu import optical_drive
from tests.vm.scene import BOOT_TIMEOUT_S, CHEAP, FIRST, RARE, Checks, Scene

# Every printable character of ASCII, and others.
PASSWORD = "".join(map(chr, range(33, 127))) + " pässwörd:日本"
SECRET = PASSWORD[-12:]
# It ends only when systemd has started all that comes after lightinit.
CUSTOM_DATA = """#!/bin/sh
left=240
until systemctl -q is-active multi-user.target; do
    left=$((left - 1))
    [ $left -gt 0 ] || exit 1
    sleep 1
done
lightinit status >/root/during
echo the custom data has run >/root/ran
"""
SETTINGS = """[azure]
media_only_s = 5
certificates = all
[lightinit]
log_level = debug
"""
DOWN = {
    "name": "imds-down",
    "description": "Nobody listens at IMDS.",
    "listen_after_s": {"imds": "forever"},
    "expect": {"ready": 1, "outcome": "degraded", "reports": ["Ready"]},
}
INSTANCE = "/var/lib/lightinit/instance"
QUESTIONS = {
    # Scripts run after Ready, in the background.
    "ran": "lightinit status --wait >/dev/null 2>&1; cat /root/ran",
    "during": "cat /root/during",
    "kept": "cat %s/custom-data" % INSTANCE,
    "how": "lightinit query raw.media.how",
    "copy": "cat %s/ovf-env.xml" % INSTANCE,
    "mounted": "findmnt -rn -t udf,iso9660 || true",
    # The words to look for are read, so that they are no argument of a program.
    "held": (
        "cat >/run/words <<'END'\n%s\nEND\n"
        "grep -rlF -f /run/words /var /run/lightinit /etc /home /root || true" % SECRET
    ),
    "log": "journalctl -b --no-pager -o cat | grep -cF -f /run/words || true",
    "pool": "head -c 20 /var/lib/hyperv/.kvp_pool_1",
    "files": "stat -c '%%n %%a %%U' %s/certificates/*" % INSTANCE,
}


def make_certificate(folder: Path, admin: Person) -> str:
    """Let the admin's key be that of a certificate. Returns its thumbprint; bundle.pem has it for
    the WireServer.
    """
    key, certificate = folder / "cert.key", folder / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=admin",
            "-days",
            "30",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    (folder / "bundle.pem").write_text(certificate.read_text() + key.read_text())
    admin.key.chmod(0o600)
    admin.key.write_text(key.read_text())
    admin.key.with_suffix(".pub").unlink()
    said = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-fingerprint", "-sha1"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    return said.split("=")[1].strip().replace(":", "")


@RARE
@CHEAP
def test_from_media_alone_with_a_password_and_a_certificate(scene: Scene) -> None:
    azure, admin, folder = scene.azure, scene.person("admin"), scene.folder
    thumbprint = make_certificate(folder, admin)
    azure.serve_dhcp()
    azure.stand_for(
        FIRST,
        "ignored",
        admin,
        scenario=scene.file("down.json", json.dumps(DOWN)),
        has_keys=False,
        arguments=["--certificates", str(folder / "bundle.pem")],
    )
    media = scene.media(
        "--user-name",
        "admin",
        "--host-name",
        "web-1",
        "--password-file",
        scene.file("password-of-media", PASSWORD),
        "--custom-data",
        scene.file("custom", CUSTOM_DATA),
        "--disable-password-authentication",
        "no",
        "--fingerprint",
        thumbprint,
    )
    disk = scene.changed({"/etc/lightinit/conf.d/20-test.conf": SETTINGS})
    machine = scene.machine(disk, FIRST, devices=optical_drive(media)).start()
    guest = scene.guest(machine, FIRST, admin)
    machine.wait_until(
        lambda: guest.ssh("true", timeout_s=60.0, password=PASSWORD).status == 0,
        BOOT_TIMEOUT_S,
        "the password opens no session",
    )
    pair = "%s/certificates/%s" % (INSTANCE, thumbprint)
    public = (
        "openssl pkey -in %s.prv -pubout | sha256sum; openssl x509 -in %s.crt -noout -pubkey |"
        " sha256sum" % (pair, pair)
    )
    with Checks() as checks:
        checks.same(
            guest.ssh("sudo -n true", password=PASSWORD).status, 1, "sudo without a password"
        )
        admin.password = PASSWORD  # sudo takes it
        # The key that logs in is that of the certificate.
        facts = provisioned(
            checks,
            azure,
            machine,
            guest,
            FIRST,
            "web-1",
            admin,
            dict(QUESTIONS, pair=public),
            statuses=(2,),
        )
        check_ready(checks, azure)
        said = warnings(facts["result"].text)
        checks.that(
            len(said) == 1 and "using the provisioning media only" in said[0],
            "done, with this warning alone",
            said,
        )
        checks.that(machine.tray_is_open(), "the media were ejected")
        checks.same(
            facts["files"].text.splitlines(),
            [pair + ".crt 644 root", pair + ".prv 600 root"],
            "the certificate's files",
        )
        checks.same(
            len(set(facts["pair"].text.splitlines())), 1, "how many public keys the pair has"
        )
        check_what_media_gave(checks, facts)


def check_what_media_gave(checks: Checks, facts: Facts) -> None:
    """Custom data ran, the media are put away, and the password is nowhere in plain."""
    checks.same(facts["ran"].text, "the custom data has run", "what the custom data has done")
    checks.same(facts["during"].text, "status: running", "the state that the custom data saw")
    checks.same(facts["kept"].text + "\n", CUSTOM_DATA, "the custom data as kept")
    checks.same(facts["how"].text, "mounted as udf", "how the media were read")
    copy = facts["copy"].text
    checks.that(
        "admin" in copy
        and "UserPassword" in copy
        and PASSWORD[:20] not in copy
        and SECRET not in copy,
        "the copy is redacted",
        copy,
    )
    checks.same(facts["mounted"].text, "", "mounted media")
    checks.same(facts["held"].text, "", "files with the password in plain")
    checks.same(facts["log"].text, "0", "how many lines of the journal have the password in plain")
    checks.that(
        "PROVISIONING_REPORT" in facts["pool"].text, "the telemetry is there", facts["pool"]
    )
