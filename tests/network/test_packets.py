"""Packets and addresses as bytes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import packet

from meshkit_chaos.network.addresses import MOST, addresses, hosts_file, packed
from meshkit_chaos.network.packets import applies, destination, goes_to_many, with_flipped_bit


@given(st.binary(max_size=80), st.sampled_from(["all", "udp", "tcp", "dns"]))
def test_no_bytes_confuse_the_reader(data: bytes, only: str) -> None:
    """Whatever comes out of a device is a packet of some kind, or of none."""
    assert len(destination(data)) in {0, 4}
    assert isinstance(applies(only, data), bool)  # type: ignore[arg-type]  # one of the four that there are


def test_a_destination_is_read() -> None:
    """The address that a packet goes to, and none for what is not IPv4."""
    assert destination(packet(to="10.1.2.9")) == packed("10.1.2.9")
    assert destination(b"\x60" + packet()[1:]) == b""
    assert destination(packet()[:19]) == b""


@pytest.mark.parametrize(
    ("address", "many"), [("10.1.2.3", False), ("10.1.2.255", True), ("224.0.0.5", True), ("239.1.1.1", True)]
)
def test_who_is_meant_by_many(address: str, many: bool) -> None:
    """Multicast and the segment's broadcast go to everybody else."""
    assert goes_to_many(packed(address)) is many


def test_a_later_fragment_is_no_dns() -> None:
    """The ports stand in the first fragment only: bytes of a later one are never taken for them."""
    first, later = packet(ports=(53, 4000), fragment=0x2000), packet(ports=(53, 4000), fragment=0x2001)
    assert applies("dns", first)
    assert not applies("dns", later)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_bit_flipped_twice_is_as_before(data: bytes, draw: st.DataObject) -> None:
    """Flipping a bit is its own inverse."""
    bit = draw.draw(st.integers(0, len(data) * 8 - 1))
    assert with_flipped_bit(with_flipped_bit(data, bit), bit) == data != with_flipped_bit(data, bit)


@given(st.text(min_size=1, max_size=30))
def test_a_lab_has_a_private_segment(marker: str) -> None:
    """Addresses are private, different and of one segment, and the same for the same marker."""
    names = [f"m-{number}" for number in range(MOST)]
    found = addresses(marker, names)
    assert found == addresses(marker, names)
    assert len(set(found.values())) == MOST
    assert len({ipaddress.ip_network(f"{address}/24", strict=False) for address in found.values()}) == 1
    assert all(ipaddress.ip_address(address).is_private for address in found.values())
    assert not any(goes_to_many(packed(address)) for address in found.values())


def test_too_many_members_are_refused() -> None:
    """A segment holds so many and no more."""
    with pytest.raises(ValueError, match="251 members are more than the 250"):
        addresses("m", [str(number) for number in range(251)])


def test_every_member_knows_all_by_name() -> None:
    """Names are in the file that resolvers read first."""
    assert hosts_file({"a": "10.0.0.1", "b": "10.0.0.2"}) == "127.0.0.1 localhost\n10.0.0.1 a\n10.0.0.2 b\n"
