"""A NoCloud seed at a URL: what is asked for, and each wrong answer."""

from __future__ import annotations

import base64
import os
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from lightinit.datasources.nocloud.datasource import NoCloudDatasource
from lightinit.errors import LightinitError
from lightinit.host.identity import Dmi
from lightinit.host.system import System
from tests.lib.http_server import Server
from tests.lib.scratch import ScriptedClock

GOOD = {"/s/meta-data": "instance-id: far\n", "/s/user-data": "#!/bin/sh\n"}
HANGS = "hangs"
PAGE = "<!DOCTYPE html><title>Log in</title>"


class Site(Server):
    """Answers by path: text; a number as a status; a path as a redirect; or never."""

    def __init__(self, pages: Dict[str, Any]) -> None:
        super().__init__(self.answer)
        self.pages = pages
        self.base = self.url[: -len("/x")]

    @property
    def asked(self) -> List[str]:
        return [request.split(b" ")[1].decode("ascii") for request in self.requests]

    def answer(self, connection: Any) -> None:
        page = self.pages.get(self.asked[-1], 404)
        if page == HANGS:
            return
        status, head, body = 200, "", b""
        if isinstance(page, int):
            status = page
        elif page.startswith("/"):
            status, head = 302, "Location: %s\r\n" % page
        else:
            body = page.encode("utf-8")
        connection.sendall(
            b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s"
            % (status, head.encode("ascii"), len(body), body)
        )


@pytest.fixture
def serve() -> Iterator[Any]:
    made: List[Server] = []

    def make(pages: Dict[str, Any]) -> Site:
        made.append(Site(pages))
        return made[-1]  # type: ignore[return-value]

    yield make
    for each in made:
        each.close()


def make_source(root: Any, url: str, **options: Any) -> NoCloudDatasource:
    os.makedirs(str(root) + "/proc", exist_ok=True)
    with open(str(root) + "/proc/cmdline", "w", encoding="utf-8") as file:
        file.write("ro ds=nocloud;s=%s\n" % url)
    options = dict({"request_timeout_s": 60.0}, **options)
    return NoCloudDatasource(System(str(root), clock=ScriptedClock()), options)


def ask(source: NoCloudDatasource) -> Tuple[str, Any, str]:
    """The id, the instance, and the warnings in one text."""
    assert source.is_this_platform(Dmi()) is True and source.instance_id(Dmi()) == ""
    source.begin()
    assert source.NEEDS_NETWORK is True
    instance_id, _ = source.ask_instance_id()
    instance, warnings = source.fetch(instance_id)
    return instance_id, instance, "\n".join(warnings)


def test_all_files_are_asked_for_once(tmp_path: Any, serve: Any) -> None:
    site = serve({**GOOD, "/s/vendor-data": "#cloud-config\n", "/s/network-config": "{}"})
    instance_id, instance, warnings = ask(make_source(tmp_path, site.base + "/s/"))
    assert instance_id == "far" and base64.b64decode(instance.user_data) == b"#!/bin/sh\n"
    assert instance.vendor_data and "network-config is not supported" in warnings
    names = ("meta-data", "user-data", "vendor-data", "network-config")
    assert site.asked == ["/s/" + name for name in names]
    assert instance.subplatform == "seed-dir (%s/s/)" % site.base


@pytest.mark.parametrize(
    "tail, asked",
    [
        ("/s", "/s/meta-data"),
        ("/q?a=1&f=", "/q?a=1&f=meta-data"),
        ("/p/%s.txt", "/p/meta-data.txt"),
    ],
)
def test_how_a_url_goes_on(tmp_path: Any, serve: Any, tail: str, asked: str) -> None:
    site = serve({asked: "instance-id: x", asked.replace("meta-", "user-"): "y"})
    assert ask(make_source(tmp_path, site.base + tail))[0] == "x" and site.asked[0] == asked


def test_a_name_in_the_words_needs_no_question(tmp_path: Any, serve: Any) -> None:
    site = serve(GOOD)
    source = make_source(tmp_path, site.base + "/s/;i=near;h=web")
    assert source.instance_id(Dmi()) == "near" and not site.asked
    instance, _ = source.fetch("near")
    assert instance.hostnames == ("web",) and instance.user_data


def test_values_of_dmi_are_put_in(tmp_path: Any, serve: Any) -> None:
    site = serve({"/a%20b/x/meta-data": "instance-id: d", "/a%20b/x/user-data": ""})
    os.makedirs(str(tmp_path) + "/sys/class/dmi/id")
    with open(str(tmp_path) + "/sys/class/dmi/id/chassis_serial", "w", encoding="utf-8") as file:
        file.write("a b\n")
    url = site.base + "/__dmi.chassis-serial-number__/__dmi.system-uuid__x/"
    instance_id, _, warnings = ask(make_source(tmp_path, url))
    assert instance_id == "d" and "DMI has no system-uuid" in warnings


def test_a_seed_here_may_lead_to_one_there(tmp_path: Any, serve: Any) -> None:
    site = serve(GOOD)
    folder = str(tmp_path) + "/var/lib/cloud/seed/nocloud"
    hidden = site.base.replace("//", "//me:hidden@")
    os.makedirs(folder)
    for name, text in (
        ("meta-data", "seedfrom: %s/s/\nlocal-hostname: here\n" % hidden),
        ("user-data", "old"),
    ):
        with open("%s/%s" % (folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    source = NoCloudDatasource(System(str(tmp_path), clock=ScriptedClock()), {})
    instance_id, instance, _ = ask(source)
    assert (instance_id, instance.hostnames) == ("far", ("here",))
    assert "hidden" not in repr(instance.raw), "others read it"
    assert base64.b64decode(instance.user_data) == b"#!/bin/sh\n"


def test_a_seed_here_that_leads_nowhere_is_used_if_it_may_give_a_login(
    tmp_path: Any, serve: Any
) -> None:
    folder, key = str(tmp_path) + "/var/lib/cloud/seed/nocloud", "public-keys: [ssh-rsa A]\n"
    site = serve({"/s/meta-data": 500, "/e/meta-data": "instance-id: far\n", "/e/user-data": 401})
    os.makedirs(folder)
    for number, (more, user_data, is_used) in enumerate(
        (
            (key, "", True),
            ("", "#!/bin/sh\n", True),
            ("", "#cloud-config\nusers: []\n", True),
            ("", "#cloud-config\n# none\n---\n{}\n", False),
        )
    ):
        for place in (
            site.base + "/s/",
            site.base + "/e/",
            site.base + "/none/",
            "/none",
            "ftp://x/",
        ):
            for name, text in (
                ("meta-data", "instance-id: i%d\nseedfrom: %s\n%s" % (number, place, more)),
                ("user-data", user_data),
            ):
                with open("%s/%s" % (folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            source = NoCloudDatasource(System(str(tmp_path), clock=ScriptedClock()), {})
            if not is_used:
                with pytest.raises(LightinitError, match="seed|download"):
                    source.fetch("x")
                continue
            assert source.instance_id(Dmi()) == "i%d" % number
            instance, warnings = source.fetch("i%d" % number)
            assert base64.b64decode(instance.user_data).decode() == user_data
            assert len(instance.public_keys) == bool(more)
            assert "is used without what its seedfrom leads to" in "".join(warnings)


@pytest.mark.parametrize(
    "pages, reason",
    [
        ({}, "no seed is at the url"),
        ({"/s/meta-data": 401}, "download failed"),
        ({"/s/meta-data": 500}, "download failed"),
        ({"/s/meta-data": PAGE}, "seed file is a web page"),
        ({**GOOD, "/s/user-data": PAGE}, "seed file is a web page"),
        ({"/s/meta-data": "/s/meta-data"}, "download was redirected too often"),
        ({"/s/meta-data": "x" * 300000}, "seed file is too large"),
    ],
)
def test_wrong_answers(tmp_path: Any, serve: Any, pages: Dict[str, Any], reason: str) -> None:
    site = serve(pages)
    source = make_source(tmp_path, "%s/s/" % site.base.replace("//", "//me:hidden@"))
    with pytest.raises(LightinitError) as caught:
        source.ask_instance_id()
    assert caught.value.reason == reason and "hidden" not in str(caught.value)


def test_answers_that_are_good_enough(tmp_path: Any, serve: Any) -> None:
    moved = {"/s/meta-data": "/t/m", "/t/m": "instance-id: moved\n", "/s/vendor-data": 403}
    instance_id, instance, warnings = ask(make_source(tmp_path, serve(moved).base + "/s/"))
    assert (instance_id, instance.user_data) == ("moved", "")
    assert "has no user-data (HTTP status 404)" in warnings
    assert "vendor-data was not downloaded" in warnings
    empty = {**GOOD, "/s/user-data": 204}
    instance_id, instance, warnings = ask(make_source(tmp_path, serve(empty).base + "/s/"))
    assert (instance_id, instance.user_data) == ("far", "")
    assert "has no user-data (HTTP status 204)" in warnings


def test_what_is_seldom_needed_holds_up_no_boot_for_long(tmp_path: Any, serve: Any) -> None:
    site = serve({**GOOD, "/s/vendor-data": 500, "/s/network-config": 503})
    source = make_source(tmp_path, site.base + "/s/")
    instance_id, _, warnings = ask(source)
    assert instance_id == "far" and warnings.count("was not downloaded: download failed") == 2
    assert sum(source.system.clock.sleeps) <= 60.0  # type: ignore[attr-defined]


def test_nobody_there_is_waited_for_until_the_deadline(tmp_path: Any, serve: Any) -> None:
    site = serve({})
    site.close()
    source = make_source(tmp_path, site.base + "/s/", fetch_timeout_s=60.0)
    with pytest.raises(LightinitError) as caught:
        source.ask_instance_id()
    assert int(caught.value.details["attempts"]) > 3
    assert 50 < sum(source.system.clock.sleeps) <= 60  # type: ignore[attr-defined]


def test_a_server_that_accepts_and_never_answers_is_given_up(tmp_path: Any, serve: Any) -> None:
    site = serve({**GOOD, "/s/user-data": HANGS})
    for limit_s in (0.4, 4.0, 20.0):  # more if even meta-data is late, where the machine is busy
        limits = {"request_timeout_s": limit_s, "fetch_timeout_s": 1.0}
        source = make_source(tmp_path, site.base + "/s/", **limits)
        with pytest.raises(LightinitError) as caught:
            ask(source)
        if "user-data" in str(caught.value):
            break
    assert "user-data" in str(caught.value)
