"""Who is banned from the server: addresses, networks and names, asked for at each connection. Pure."""

import ipaddress
from collections import Counter

from chatserv.domain.hosts import address_of
from chatserv.errors import BadMessage

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network:
    """The network that ``text`` names; an address is a network of one. IPv4 inside IPv6 counts as IPv4.

    Raises:
        BadMessage: It is neither, or it is everybody.
    """
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise BadMessage("ban: not an address or network") from None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            network = ipaddress.ip_network((mapped, network.prefixlen - 96))
    if network.prefixlen == 0:
        raise BadMessage("ban: of everybody")
    return network


LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
WIDEST = {4: 8, 6: 16}  # bits of the widest network that may be banned, by version; a wider one is nearly everybody


def is_nearly_everybody(network: Network) -> bool:
    """Whether a ban of the network would be one of nearly everybody."""
    return network.prefixlen < WIDEST[network.version]


def locks_out(network: Network, host: str) -> bool:
    """Whether a ban of the network would keep away whoever gives it, from ``host``, or the server's own machine."""
    only = AddressBans()
    only.add(network)
    return only.holds(host) or any(network.version == own.version and network.overlaps(own) for own in LOOPBACK)


def network_text(network: Network) -> str:
    """The one spelling of a network; of an address where it is only one."""
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


class AddressBans:
    """Networks, looked up in as many steps as there are different lengths of prefixes."""

    def __init__(self) -> None:
        self._networks: set[Network] = set()
        self._lengths: Counter[tuple[int, int]] = Counter()

    def add(self, network: Network) -> None:
        """Bans a network; harmless where it is so already."""
        if network not in self._networks:
            self._networks.add(network)
            self._lengths[network.version, network.prefixlen] += 1

    def remove(self, network: Network) -> None:
        """Lifts a ban; harmless where there is none."""
        if network in self._networks:
            self._networks.remove(network)
            self._lengths[network.version, network.prefixlen] -= 1

    def holds(self, host: str) -> bool:
        """Whether the address is banned; what is no address is not."""
        address = address_of(host)
        if address is None:
            return False
        lengths = (length for (version, length), count in self._lengths.items() if count and version == address.version)
        return any(ipaddress.ip_network((address, length), strict=False) in self._networks for length in lengths)
