"""What the IRC side keeps in the profile, and its bounds."""

import base64
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from chatserv.client import Profile

FILE_NAME: Final = "irc.json"
PASSWORD_BYTES: Final = 16
MAX_CLIENTS: Final = 16
MAX_HIDDEN: Final = 1000
Reactions = Literal["own", "all", "none"]
Creating = Literal["no", "private", "public"]
LEAST_LINE_BYTES: Final = 400
MOST_LINE_BYTES: Final = 8000
PREFERENCES: Final = ("reactions", "create_on_join", "line_bytes")
MAX_DIGITS: Final = 4


@dataclass(frozen=True)
class Bounds:
    """Every bound of the IRC side.

    Attributes:
        accounts: Profiles in one program; a command line with more is refused.
        sessions: IRC clients at a time, of all accounts; further ones are told ``ERROR`` and closed.
        unregistered: Of those, clients that have not given the password yet.
        register_seconds: How long they may take for it.
        register_bytes: How much they may say for it.
        unsent_bytes: What waits for a client that does not read; beyond, it is closed and finds the rest when it comes back.
        without_end_bytes: What may come without an end of line.
        bad_lines: Lines in a minute that cannot be read, before the client is closed.
        queued: Commands that wait for those before them; beyond, nothing more is read meanwhile.
        replayed: Messages of a room that a client is shown when it comes; beyond, it is told how many more there are.
        page: Messages that one question for history is answered with.
        own: Messages of a client's own whose echo is waited for.
        watched: Nicks that a client watches.
        multiline_bytes: Of a text that goes as a batch of lines, either way, its line ends included.
        multiline_lines: Lines of such a batch.
        multiline_seconds: So long a client may take for one; then what has come of it is forgotten.
        wrong_passwords: In a minute; beyond, each answer takes ``wrong_seconds``.
        wrong_seconds: So long.
        stored_seconds: After how long somebody is told that what they say waits for the server.
    """

    accounts: int = 8
    sessions: int = 16
    unregistered: int = 4
    register_seconds: float = 10.0
    register_bytes: int = 4096
    unsent_bytes: int = 1 << 20
    without_end_bytes: int = 65_536
    bad_lines: int = 8
    queued: int = 200
    replayed: int = 200
    page: int = 500
    own: int = 1000
    watched: int = 100
    multiline_bytes: int = 10_000
    multiline_lines: int = 100
    multiline_seconds: float = 60.0
    wrong_passwords: int = 3
    wrong_seconds: float = 2.0
    stored_seconds: float = 2.0


class _Kept(msgspec.Struct):
    """The file."""

    password: str
    reactions: Reactions = "own"
    create_on_join: Creating = "no"
    line_bytes: Annotated[int, msgspec.Meta(ge=LEAST_LINE_BYTES, le=MOST_LINE_BYTES)] = 4096
    hidden: dict[str, list[str]] = {}

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []  # the password stands in no log

    def __repr__(self) -> str:
        return "_Kept"


class IrcSettings:
    """What is kept: the password, what a person prefers, and the rooms that each client has put away.

    Args:
        profile: Where; sealed, where the profile is.

    Raises:
        PrivateFileError: The file cannot be used, or others may read it.
        ProfileLocked: The profile is not unlocked.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        found = self._read()
        self._kept = found or _Kept(_new_password())
        if found is None:
            self._save()

    def _read(self) -> _Kept | None:
        return self._profile.read_json(FILE_NAME, _Kept)  # a password that cannot be read is made anew

    def _look(self) -> _Kept:
        """As it stands in the file now: ``--new-password`` may have changed it."""
        self._kept = self._read() or self._kept
        return self._kept

    def _save(self) -> None:
        self._profile.write(FILE_NAME, msgspec.json.encode(self._kept))

    @property
    def password(self) -> str:
        """What IRC clients show: 128 random bits in base32."""
        return self._kept.password

    def fits(self, given: str) -> bool:
        """Whether somebody knows the password; takes as long for each wrong one."""
        return hmac.compare_digest(given.strip().lower().encode(errors="replace"), self._look().password.encode())

    def renew(self) -> str:
        """Another password from now on."""
        self._look().password = _new_password()
        self._save()
        return self.password

    @property
    def reactions(self) -> Reactions:
        """Which signs are told in words: those to one's own messages, all, or none."""
        return self._kept.reactions

    @property
    def create_on_join(self) -> Creating:
        """What JOIN makes of a room that there is not."""
        return self._kept.create_on_join

    @property
    def line_bytes(self) -> int:
        """How long a line of a text may be on the way out."""
        return self._kept.line_bytes

    def set(self, name: str, value: str) -> bool:
        """Changes a preference, by its name in the file; says whether there is such a one, and it may be so."""
        if name not in PREFERENCES:
            return False
        plain = {key: getattr(self._look(), key) for key in _Kept.__struct_fields__}
        number = value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS
        plain[name] = int(value) if name == "line_bytes" and number else value
        try:
            self._kept = msgspec.convert(plain, _Kept)
        except msgspec.ValidationError:
            return False
        self._save()
        return True

    def hidden(self, client: str, room_id: bytes) -> bool:
        """Whether this client has put the room away."""
        return room_id.hex() in self._kept.hidden.get(client, ())

    def hide(self, client: str, room_id: bytes) -> None:
        """Puts a room away from this client; of too many, the first ones come back."""
        hidden = self._look().hidden
        rooms = hidden.pop(client, [])
        if room_id.hex() not in rooms:
            rooms.append(room_id.hex())
        hidden[client] = rooms[-MAX_HIDDEN:]
        while len(hidden) > MAX_CLIENTS:
            del hidden[next(iter(hidden))]
        self._save()

    def show(self, client: str, room_id: bytes) -> None:
        """Brings it back."""
        if self.hidden(client, room_id):
            rooms = self._look().hidden.get(client, [])
            if room_id.hex() in rooms:
                rooms.remove(room_id.hex())
            self._save()


def passwords(settings: Mapping[str, IrcSettings]) -> list[str]:
    """What IRC clients say with PASS, of each profile."""
    return [spoken_password(name, each, several=len(settings) > 1) for name, each in settings.items()]


def spoken_password(name: str, settings: IrcSettings, *, several: bool) -> str:
    """What IRC clients say with PASS: the password, or ``profile:password``, where there are several profiles."""
    return f"{name}:{settings.password}" if several else settings.password


def _new_password() -> str:
    return base64.b32encode(os.urandom(PASSWORD_BYTES)).decode().rstrip("=").lower()
