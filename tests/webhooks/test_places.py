"""Where a webhook may go (SSRF): names that change, other spellings of addresses, metadata."""

import socket
import threading
from ipaddress import ip_address, ip_network

import pytest

from portal.webhooks import places
from portal.webhooks.places import NotFoundError, Place, RefusedError, WrongPlaceError, is_public
from tests.webhooks.names import Names

INSIDE = [ip_network("10.20.0.0/16"), ip_network("fd12::/32")]


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111"])
def test_a_machine_of_the_internet_is_open(address: str) -> None:
    assert is_public(ip_address(address))
    assert places.parse(f"https://[{address}]/" if ":" in address else f"https://{address}/", [])


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",  # carriers' NAT, AWS's pods
        "127.0.0.1",
        "127.8.9.10",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",  # IPv4-compatible
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",  # another spelling of what has its own
        "::ffff:a9fe:a9fe",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::a9fe:a9fe",
        "100::1",
        "2001::1",  # Teredo
        "3fff::1",
        "5f00::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_inside_or_in_another_spelling_is_closed(address: str) -> None:
    assert not is_public(ip_address(address))
    url = f"https://[{address}]/x" if ":" in address else f"https://{address}/x"
    with pytest.raises(WrongPlaceError, match=r"It leads to"):
        places.parse(url, [])


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0",
        "00.0.0.0",
        "169.254.43518",
        "1.2.3.4.5",
        "256.1.1.1",
        "a.0x7f",
        "127.0.0.1.",
    ],
)
def test_an_address_is_written_as_four_decimal_numbers(host: str) -> None:
    with pytest.raises(WrongPlaceError, match="four decimal numbers"):
        places.parse(f"https://{host}/", [])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "whole address"),
        ("hooks.example.com/x", "whole address"),
        ("ftp://hooks.example.com/x", "whole address"),
        ("file:///etc/passwd", "whole address"),
        ("javascript:alert(1)", "whole address"),
        ("https://", "whole address"),
        ("https:///x", "whole address"),
        ("http://hooks.example.com/x", "Write https://"),
        ("https://user:password@hooks.example.com/", "user and password"),
        ("https://hooks.example.com\\@10.0.0.1/", "ASCII|user"),
        ("https://hooks.example.com#@10.0.0.1/", "#"),
        ("https://hooks.example.com/#x", "#"),
        ("https://hooks.example.com:0/", "port"),
        ("https://hooks.example.com:65536/", "port"),
        ("https://hooks.example.com:x/", "port"),
        ("https://hooks.example.com/a b", "ASCII"),
        ("https://hooks.example.com/\r\nX-Evil: 1", "ASCII"),
        ("https://hooks.exämple.com/", "ASCII"),
        ("https://hooks.example.com/é", "ASCII"),
        ("https://①②⑦.⓪.⓪.①/", "ASCII"),
        ("https://hooks..example.com/", "name"),
        ("https://-x.example.com/", "name"),
        ("https://[::1", "host"),
        ("https://[fe80::1%25eth0]/", "interface|host"),
        ("https://localhost/", "private"),
        ("https://LOCALHOST./", "private"),
        ("https://x.localhost/", "private"),
        (f"https://hooks.example.com/{'x' * 2000}", "2,000"),
    ],
)
def test_what_is_no_address_of_a_receiver_is_said(url: str, why: str) -> None:
    with pytest.raises(WrongPlaceError, match=why):
        places.parse(url, [])


def test_a_place_keeps_name_port_and_target() -> None:
    place = places.parse("https://Hooks.Example.com/a%20b?x=1&y=[2]", [])
    assert place == Place("https", "hooks.example.com", 443, "/a%20b?x=1&y=[2]")
    assert place.header == "hooks.example.com"
    assert place.at(ip_address("192.0.2.1")) == "https://192.0.2.1:443/a%20b?x=1&y=[2]"
    other = places.parse("https://hooks.example.com:8443", [])
    assert (other.header, other.target) == ("hooks.example.com:8443", "/")
    assert other.at(ip_address("2001:db8::1")) == "https://[2001:db8::1]:8443/"


def test_a_network_of_the_setting_is_open_over_http_too() -> None:
    assert places.parse("http://10.20.1.2:8080/in", INSIDE).port == 8080
    assert places.parse("https://[fd12::5]/in", INSIDE)
    for url in ("http://10.21.1.2/in", "https://10.21.1.2/in", "http://8.8.8.8/in"):
        with pytest.raises(WrongPlaceError):
            places.parse(url, INSIDE)
    with pytest.raises(WrongPlaceError):
        places.parse("https://[::ffff:10.20.1.2]/", INSIDE)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[::a9fe:a9fe]",
        "[::ffff:0:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
    ],
)
def test_no_setting_opens_where_machines_get_their_credentials(address: str) -> None:
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    with pytest.raises(WrongPlaceError, match="credentials"):
        places.parse(f"http://{address}/latest/meta-data/", everything)


# -- Names --------------------------------------------------------------------------------------


def at(host: str, scheme: str = "https") -> Place:
    return Place(scheme, host, 443, "/")


def test_a_name_is_judged_by_all_of_its_addresses(names: Names) -> None:
    names.say("good.example", ["8.8.8.8", "2606:4700:4700::1111"])
    assert places.look_up(at("good.example"), []) == [
        ip_address("8.8.8.8"),
        ip_address("2606:4700:4700::1111"),
    ]
    for inside in ("10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"):
        names.say("trap.example", ["8.8.8.8", inside])
        with pytest.raises(RefusedError) as refused:
            places.look_up(at("trap.example"), [])
        assert inside not in str(refused.value), "it names no address of this network"


def test_a_name_of_inside_is_open_where_the_setting_names_its_network(names: Names) -> None:
    names.say("siem.internal", ["10.20.0.7"])
    assert places.look_up(at("siem.internal", "http"), INSIDE)
    names.say("siem.internal", ["8.8.8.8"])
    assert places.look_up(at("siem.internal"), INSIDE)
    with pytest.raises(RefusedError, match="http"):
        places.look_up(at("siem.internal", "http"), INSIDE)


def test_a_name_without_address_is_told_apart(names: Names) -> None:
    names.say("nobody.example", [])
    with pytest.raises(NotFoundError):
        places.look_up(at("nobody.example"), [])
    with pytest.raises(NotFoundError):
        places.look_up(at("x" * 80 + ".example"), [])


def test_a_lookup_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: goes_on.wait(60) and [])
    monkeypatch.setattr(places, "LOOKUP_SECONDS", 0.05)
    with pytest.raises(NotFoundError):
        places.look_up(at("slow.example"), [])
    goes_on.set()
