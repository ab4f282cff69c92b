"""IPv4 packets as bytes: where they go, which of them a policy is for, and one with a flipped bit. Pure.

What is not IPv4, or too short to be, has no address and no protocol.
"""

from __future__ import annotations

from typing import Final

from meshkit_chaos.faults import Packets

_TCP: Final = 6
_UDP: Final = 17
_DNS_PORT: Final = (53).to_bytes(2, "big")
_SHORTEST: Final = 20
_FRAGMENT_OFFSET: Final = 0x1FFF


def destination(packet: bytes) -> bytes:
    """The address it goes to; empty where there is none."""
    return packet[16:20] if len(packet) >= _SHORTEST and packet[0] >> 4 == 4 else b""


def goes_to_many(address: bytes) -> bool:
    """Multicast, or everybody on a segment of ours."""
    return 224 <= address[0] <= 239 or address[3] == 255


def applies(only: Packets, packet: bytes) -> bool:
    """Whether a policy for ``only`` these is for this packet. Of a fragmented datagram, DNS is told by its first piece."""
    if only == "all":
        return True
    if not destination(packet):
        return False
    protocol = packet[9]
    match only:
        case "tcp":
            return protocol == _TCP
        case "udp":
            return protocol == _UDP
        case "dns":
            return protocol in {_TCP, _UDP} and _has_port(packet, _DNS_PORT)


def _has_port(packet: bytes, port: bytes) -> bool:
    if int.from_bytes(packet[6:8], "big") & _FRAGMENT_OFFSET:
        return False
    start = (packet[0] & 15) * 4
    return port in (packet[start : start + 2], packet[start + 2 : start + 4])


def with_flipped_bit(packet: bytes, number: int) -> bytes:
    """The packet with one bit changed. Its checksums stay as they were, so the receiver can tell, as on a real link."""
    flipped = bytearray(packet)
    flipped[number // 8] ^= 1 << number % 8
    return bytes(flipped)
