"""The places of those who have not logged in: the law, and what attackers can do to it."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.anteroom import Anteroom, block_of, network_of

MOST, PER_NETWORK = 20, 8


def room(chance: Callable[[], float] = lambda: 1.0) -> "Anteroom[int]":
    """An empty one; by default nobody is dropped early."""
    return Anteroom(MOST, PER_NETWORK, chance)


class AnteroomTests(SynchronousTestCase):
    """What `Anteroom` promises."""

    def fill(self, anteroom: "Anteroom[int]", hosts: list[str]) -> None:
        """Puts one in from each, who get numbers from 0 on."""
        for number, host in enumerate(hosts):
            self.assertTrue(anteroom.lets_in(host))
            self.assertIsNone(anteroom.add(number, host))

    def test_most_yields(self) -> None:
        """In a full one the network that has most loses its newest, to whoever has less."""
        anteroom = room()
        self.fill(anteroom, ["192.0.2.1"] * 7 + ["198.51.100.1"] * 8 + ["203.0.113.1"] * 5)
        self.assertTrue(anteroom.lets_in("100.64.0.1"))
        self.assertEqual(14, anteroom.add(20, "100.64.0.1"))
        self.assertEqual((MOST, 7), (len(anteroom), anteroom.near("198.51.100.1")))

    def test_who_has_most_is_turned_away(self) -> None:
        """The newest of the network that has most, or as much as any, may be the newcomer."""
        anteroom = room()
        self.fill(anteroom, ["192.0.2.1"] * 7 + ["198.51.100.1"] * 7 + ["203.0.113.1"] * 6)
        self.assertEqual([False, True], [anteroom.lets_in(host) for host in ("203.0.113.1", "100.64.0.1")])

    def test_block(self) -> None:
        """Somebody with a network in each place is no better off: the block that they have loses its newest."""
        anteroom = room()
        self.fill(anteroom, [f"2001:db8:1:{number:x}::1" for number in range(MOST)])
        self.assertFalse(anteroom.lets_in("2001:db8:1:ffff::1"))
        self.assertTrue(anteroom.lets_in("2001:db8:2::1"))
        self.assertEqual(MOST - 1, anteroom.add(MOST, "2001:db8:2::1"))

    def test_early_drop(self) -> None:
        """Up to half full nobody is dropped; then who has two already is, in proportion; who has less never."""
        found = {}
        for inside in (9, 10, 15, 19):
            anteroom = room()
            self.fill(anteroom, ["192.0.2.1"] * 2 + ["192.0.2.2"] + [f"2001:db8:{n:x}::1" for n in range(inside - 3)])
            for host in ("192.0.2.1", "192.0.2.2"):
                let_in = 0
                for percent in range(100):
                    anteroom._chance = lambda percent=percent: percent / 100  # type: ignore[misc]
                    let_in += anteroom.lets_in(host)
                found[inside, host] = let_in
        self.assertEqual([100, 100, 50, 10], [found[inside, "192.0.2.1"] for inside in (9, 10, 15, 19)])
        self.assertEqual({100}, {found[inside, "192.0.2.2"] for inside in (9, 10, 15, 19)})

    @given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=200))
    def test_bounds(self, steps: list[tuple[int, bool]]) -> None:
        """Whatever comes and goes, nobody is in it twice, and no bound is passed."""
        anteroom, inside = room(lambda: 0.5), dict[int, str]()
        for number, (network, comes) in enumerate(steps):
            host = f"192.0.{network}.1"
            if comes and anteroom.lets_in(host):
                gone = anteroom.add(number, host)
                if gone is not None:
                    del inside[gone]
                inside[number] = host
            elif inside and not comes:
                leaving = next(iter(inside))
                anteroom.remove(leaving)
                anteroom.remove(leaving)
                del inside[leaving]
            self.assertEqual(len(inside), len(anteroom))
            self.assertLessEqual(len(anteroom), MOST)
            self.assertLessEqual(anteroom.near(host), PER_NETWORK)
            self.assertEqual(sum(each == host for each in inside.values()), anteroom.near(host))
        for number in inside:
            anteroom.remove(number)
        self.assertEqual((0, 0, 0), (len(anteroom), anteroom.networks, len(anteroom._blocks)))

    def test_places(self) -> None:
        """IPv4 inside IPv6 is IPv4; a scope is no part of the address; what is no address is a place of its own."""
        for host, network, block in (
            ("192.0.2.9", "192.0.2.9", "192.0.2.0/24"),
            ("::ffff:192.0.2.9", "192.0.2.9", "192.0.2.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
            ("local", "local", "local"),
        ):
            self.assertEqual((network, block), (network_of(host), block_of(host)))
