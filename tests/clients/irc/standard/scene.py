"""Scenes: who says what in which IRC client, and what is to come, as one reads it in a log.

::

    bob + echo-message multi-prefix         bob's client asks for these; without such a line it is a plain one
    carol ~                                 a client of carol's that has said nothing yet; $password is hers
    alice: JOIN #tea                        she sends a line; what was there for her before is forgotten
    bob< :alice!alice@chat * #tea :hello    a line for bob is like this, * being anything; those before it are passed over
    bob< @msgid=$id;time :alice* hello      with these tags; $id is whatever it says, from now on
    bob! * PRIVMSG *                        nothing that waits for bob is like this
    bob% 2                                  so many lines wait for bob
    carol#                                  her connection was closed

Everybody comes in with their first line, into no room but the lobby; a room that is joined and is not there is made.
"""

import re
from typing import Final

from tests.clients.irc.irc_world import IrcPeer, IrcTestCase, bare, tags

_SECONDS: Final = 8
"""After a line; none while a client is not in yet, as it has ten for that."""
_STEP: Final = re.compile(r"(\w+) ?([:<!%+~#]) ?(.*)")
_VARIABLE: Final = re.compile(r"\$(\w+)")


class SceneTestCase(IrcTestCase):
    """Plays scenes."""

    def setUp(self) -> None:
        """Nobody has a client yet."""
        super().setUp()
        self.people = {"alice": self.alice, "bob": self.bob}
        self.peers: dict[str, IrcPeer] = {}
        self.waiting: dict[str, list[str]] = {}
        self.known: dict[str, str] = {}

    def play(self, script: str) -> None:
        """Plays one."""
        for line in script.splitlines():
            if not line.strip():
                continue
            step = _STEP.fullmatch(line.strip())
            assert step is not None, line
            self._step(step[1], step[2], step[3], line)

    def _step(self, name: str, kind: str, what: str, line: str) -> None:
        if kind in "+~" or name not in self.peers:
            self._come(name, what if kind == "+" else "", known=kind != "~")
        waiting = self.waiting[name]
        match kind:
            case ":":
                self._say(name, what)
            case "<":
                self.assertTrue(self._found(name, what), f"{line}: {waiting}")
            case "!":
                self.assertFalse([each for each in waiting if self._is(each, what)], line)
            case "%":
                self.assertEqual(len(waiting), int(what), f"{line}: {waiting}")
            case "#":
                self.assertTrue(self.peers[name].closed, line)

    def _come(self, name: str, caps: str, *, known: bool) -> None:
        if name not in self.people:
            self.people[name] = self.world.person(name)
        person = self.people[name]
        self.settings(person).set("create_on_join", "public")
        self.known["password"] = self.settings(person).password
        self.peers[name] = self.peer(person, caps) if known else self.stranger(person)
        self.waiting[name] = []
        self._collect()
        self.waiting[name].clear()

    def _say(self, name: str, what: str) -> None:
        self.waiting[name].clear()
        said = _VARIABLE.sub(lambda variable: self.known[variable[1]], what)
        self.peers[name].give(f"{said}\r\n".encode("utf-8", "surrogateescape"))
        session = self.peers[name].connection.session
        self.world.settle(_SECONDS if session is not None and session.registered else 0)
        self._collect()

    def _collect(self) -> None:
        for name, peer in self.peers.items():
            self.waiting[name] += peer.take()

    def _found(self, name: str, pattern: str) -> bool:
        waiting = self.waiting[name]
        for at, line in enumerate(waiting):
            if self._is(line, pattern):
                del waiting[: at + 1]
                return True
        return False

    def _is(self, line: str, pattern: str) -> bool:
        if pattern.startswith("@"):
            wanted, _, pattern = pattern[1:].partition(" ")
            if not self._tagged(line, wanted):
                return False
        text = _plain(_VARIABLE.sub(lambda variable: self.known.get(variable[1], variable[0]), pattern))
        return re.fullmatch(re.escape(text).replace(r"\*", ".*"), _plain(bare(line))) is not None

    def _tagged(self, line: str, wanted: str) -> bool:
        found = tags(line)
        for each in wanted.split(";"):
            key, _, value = each.partition("=")
            if key not in found:
                return False
            if value.startswith("$") and value[1:] not in self.known:
                self.known[value[1:]] = found[key]
            elif value and found[key] != self.known.get(value[1:], value):
                return False
        return True


def _plain(line: str) -> str:
    """A line without the colon of its last word, which means nothing."""
    return line[:1] + line[1:].replace(" :", " ", 1)
