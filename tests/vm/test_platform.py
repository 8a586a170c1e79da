"""Everything that the platform hands a VM, on a real one: media in a drive, a password,
certificates, disks, a pool.

On the one image where it is cheapest, the networkd one of bookworm.
"""

from __future__ import annotations

import json
import subprocess

from tests.vm.facts import check_ready, provisioned
from tests.vm.qemu import HANGING_MEDIUM, empty_drive, optical_drive
from tests.vm.scene import BOOT_TIMEOUT_S, CHEAP, FIRST, Checks, Scene

# Every printable character of ASCII, and others.
PASSWORD = "".join(map(chr, range(33, 127))) + " pässwörd:日本"
CUSTOM_DATA = "#!/bin/sh\necho the custom data has run >/root/ran\n"
DOWN = {
    "name": "imds-down",
    "description": "Nobody listens at IMDS.",
    "listen_after_s": {"imds": "forever"},
    "expect": {"ready": 1, "outcome": "degraded", "reports": ["Ready"]},
}


@CHEAP
def test_from_media_alone_with_a_password(scene: Scene) -> None:
    azure, admin = scene.azure, scene.person("admin")
    azure.serve_dhcp()
    azure.stand_for(FIRST, "ignored", admin, scenario=scene.file("down.json", json.dumps(DOWN)))
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
    )
    disk = scene.changed(
        {
            "/etc/lightinit/conf.d/20-test.conf": (
                "[azure]\nmedia_only_s = 5\n[module.custom_data]\n"
                "execute = custom_data\n[lightinit]\nlog_level = debug\n"
            )
        }
    )
    machine = scene.machine(disk, FIRST, devices=optical_drive(media)).start()
    guest = scene.guest(machine, FIRST, admin)
    machine.wait_until(
        lambda: guest.ssh("true", timeout_s=60.0, password=PASSWORD).status == 0,
        BOOT_TIMEOUT_S,
        "the password opens no session",
    )

    def ask(command: str, given: str = "") -> str:
        said = guest.ssh(
            "sudo -S -p '' sh -c %s" % quote(command), PASSWORD + "\n" + given, password=PASSWORD
        )
        assert said.status == 0, said
        return said.text

    with Checks() as checks:
        checks.same(
            guest.ssh("sudo -n true", password=PASSWORD).status, 1, "sudo without a password"
        )
        status = guest.ssh("lightinit status --wait --long", password=PASSWORD)
        checks.that(
            status.status == 2 and "using the provisioning media only" in status.text,
            "done, with a warning",
            status,
        )
        check_ready(checks, azure)
        checks.that(machine.tray_is_open(), "the media were ejected")
        checks.same(ask("hostname").strip(), "web-1", "the host name")
        checks.same(
            ask("cat /root/ran").strip(), "the custom data has run", "what the custom data has done"
        )
        checks.same(
            ask("cat /var/lib/lightinit/instance/custom-data") + "\n",
            CUSTOM_DATA,
            "the custom data as kept",
        )
        checks.same(
            ask("lightinit query raw.media.how").strip(),
            "mounted as udf",
            "how the media were read",
        )
        copy = ask("cat /var/lib/lightinit/instance/ovf-env.xml")
        checks.that(
            "admin" in copy and "UserPassword" in copy and PASSWORD[:20] not in copy,
            "the copy is redacted",
            copy,
        )
        checks.same(ask("findmnt -rn -t udf,iso9660 || true"), "", "mounted media")
        # The words to look for are read, since sudo writes what it runs into the journal.
        secret = PASSWORD[-12:]
        held = ask(
            "cat >/run/words; grep -rlF -f /run/words /var /run/lightinit /etc /home /root || true",
            secret + "\n",
        )
        checks.same(held.strip(), "", "files with the password in plain")
        checks.that(
            secret not in ask("journalctl -b --no-pager -o cat"), "the journal without the password"
        )
        pool = ask("head -c 20 /var/lib/hyperv/.kvp_pool_1")
        checks.that("PROVISIONING_REPORT" in pool, "the telemetry is there", pool)


@CHEAP
def test_certificates(scene: Scene) -> None:
    azure, admin = scene.azure, scene.person("admin")
    folder = scene.folder
    # The admin's key is that of a certificate, which the media name by its thumbprint alone.
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
            str(folder / "cert.key"),
            "-out",
            str(folder / "cert.pem"),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    thumbprint = (
        subprocess.run(
            ["openssl", "x509", "-in", str(folder / "cert.pem"), "-noout", "-fingerprint", "-sha1"],
            check=True,
            stdout=subprocess.PIPE,
        )
        .stdout.decode()
        .split("=")[1]
        .strip()
        .replace(":", "")
    )
    (folder / "bundle.pem").write_text(
        (folder / "cert.pem").read_text() + (folder / "cert.key").read_text()
    )
    admin.key.chmod(0o600)
    admin.key.write_text((folder / "cert.key").read_text())
    admin.key.with_suffix(".pub").unlink()
    azure.serve_dhcp()
    azure.stand_for(
        FIRST,
        "web-1",
        admin,
        has_keys=False,
        arguments=["--certificates", str(folder / "bundle.pem")],
    )
    media = scene.media("--user-name", "admin", "--host-name", "web-1", "--fingerprint", thumbprint)
    disk = scene.changed({"/etc/lightinit/conf.d/20-test.conf": "[azure]\ncertificates = all\n"})
    machine = scene.machine(disk, FIRST, devices=optical_drive(media)).start()
    guest = scene.guest(machine, FIRST, admin)
    where = "/var/lib/lightinit/instance/certificates"
    pair = "%s/%s" % (where, thumbprint)
    public = (
        "openssl pkey -in %s.prv -pubout | sha256sum; openssl x509 -in %s.crt -noout -pubkey |"
        " sha256sum" % (pair, pair)
    )
    with Checks() as checks:
        facts = provisioned(
            checks,
            azure,
            machine,
            guest,
            FIRST,
            "web-1",
            admin,
            {"files": "stat -c '%n %a %U' " + where + "/*", "pair": public},
        )
        check_ready(checks, azure)
        checks.same(
            facts["files"].text.splitlines(),
            [pair + ".crt 644 root", pair + ".prv 600 root"],
            "its files",
        )
        checks.same(
            len(set(facts["pair"].text.splitlines())), 1, "how many public keys the pair has"
        )
        checks.that(machine.tray_is_open(), "the media were ejected")


@CHEAP
def test_media_that_hang(scene: Scene) -> None:
    azure, admin = scene.azure, scene.person("admin")
    azure.serve_dhcp()
    azure.stand_for(FIRST, "web-1", admin)
    machine = scene.machine(scene.changed({}), FIRST, devices=empty_drive()).start()
    machine.insert(HANGING_MEDIUM)
    with Checks() as checks:
        # With a warning if the kernel showed the drive in time for it to be asked; on a busy host
        # it may come too late.
        provisioned(
            checks,
            azure,
            machine,
            scene.guest(machine, FIRST, admin),
            FIRST,
            "web-1",
            admin,
            statuses=(0, 2),
        )
        check_ready(checks, azure)


def quote(text: str) -> str:
    """A word for a shell."""
    return "'%s'" % text.replace("'", "'\\''")
