"""How a client comes in: capabilities, password, name; then what it is shown."""

import base64
import binascii
import re
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client import VERSION, ChatError, translate
from clients.irc.channels import enter
from clients.irc.events import Events
from clients.irc.lines import Line
from clients.irc.names import SERVER, escaped
from clients.irc.session import Session, me
from clients.irc.surroundings import Account, Surroundings

CAPS: Final = (
    "account-tag", "away-notify", "batch", "cap-notify", "draft/channel-rename", "draft/chathistory",
    "draft/message-redaction", "draft/multiline", "draft/no-implicit-names", "draft/read-marker", "echo-message",
    "extended-join", "invite-notify", "labeled-response", "message-tags", "multi-prefix", "no-implicit-names", "sasl",
    "server-time", "soju.im/search", "standard-replies", "userhost-in-names", "znc.in/self-message",
)  # fmt: skip
VALUES: Final = {"sasl": "=PLAIN", "draft/multiline": "=max-bytes={bytes},max-lines={lines}"}
"""What is said with a capability to clients that know of values."""
SUPPORTED: Final = (
    ("CASEMAPPING=ascii", "CHANTYPES=#", "PREFIX=(qo)~@", "CHANMODES=b,,,imnst", "EXTBAN=,m", "MODES=1", "NICKLEN=65",
     "CHANNELLEN=65", "TOPICLEN=1024"),
    ("MONITOR={watched}", "CHATHISTORY={page}", "MSGREFTYPES=msgid,timestamp", "LINELEN=8191", "UTF8ONLY", "WHOX",
     "soju.im/SAFERATE", "NETWORK=chatserv"),
)  # fmt: skip
DEFAULT_CLIENT: Final = "irc"
_CLIENT: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
_LOGIN_CHARACTERS: Final = 400


async def cap(session: Session, line: Line) -> None:
    """CAP: LS, LIST, REQ, END."""
    kind = line.param(0).upper()
    if kind in {"LS", "REQ"} and not session.registered:
        session.scratch["negotiating"] = "yes"
    if kind == "LS":
        new = line.param(1).isdecimal() and int(line.param(1)[:4]) >= 302
        if new:
            session.caps.add("cap-notify")
        told = " ".join(each + (VALUES.get(each, "") if new else "") for each in CAPS)
        bounds = session.around.bounds
        session.answer("CAP", "*", "LS", told.format(bytes=bounds.multiline_bytes, lines=bounds.multiline_lines))
    elif kind == "LIST":
        session.answer("CAP", "*", "LIST", " ".join(sorted(session.caps)))
    elif kind == "REQ":
        _request(session, line.param(1))
    elif kind == "END":
        session.scratch.pop("negotiating", None)
        await _come_in(session)
    else:
        session.numeric("410", line.param(0), translate("Unknown CAP command"))


def _request(session: Session, wanted: str) -> None:
    names = wanted.split()
    if any(each.removeprefix("-") not in CAPS for each in names):
        session.answer("CAP", "*", "NAK", wanted)
        return
    for each in names:
        if each.startswith("-"):
            session.caps.discard(each[1:])
        else:
            session.caps.add(each)
    session.answer("CAP", "*", "ACK", wanted)


async def password(session: Session, line: Line) -> None:
    """PASS: the word, or ``profile:word``, or ``profile@client:word``."""
    if session.registered:
        session.numeric("462", translate("Already registered"))
    else:
        session.scratch["password"] = line.param(0)


async def nick(session: Session, line: Line) -> None:
    """NICK: the account has a name; none is taken here."""
    if session.registered:
        if line.param(0) != session.nick:
            session.numeric("432", line.param(0), translate("The nick is the account's name"))
        return
    session.scratch["nick"] = line.param(0)
    await _come_in(session)


async def user(session: Session, line: Line) -> None:
    """USER."""
    if session.registered:
        session.numeric("462", translate("Already registered"))
        return
    if not line.param(3):
        session.numeric("461", "USER", translate("Not enough parameters"))
        return
    session.scratch["user"] = "yes"
    await _come_in(session)


async def authenticate(session: Session, line: Line) -> None:
    """AUTHENTICATE: SASL PLAIN with the user ``profile`` or ``profile@client``."""
    given = line.param(0)
    if session.registered:
        session.numeric("462", translate("Already registered"))
    elif given == "*":
        session.numeric("906", translate("SASL authentication aborted"))
    elif "sasl" not in session.scratch:
        if given.upper() == "PLAIN":
            session.scratch["sasl"] = ""
            session.answer("AUTHENTICATE", "+")
        else:
            session.numeric("908", "PLAIN", translate("are available SASL mechanisms"))
            session.numeric("904", translate("SASL authentication failed"))
    else:
        session.scratch.pop("sasl")
        await _plain(session, given)


async def _plain(session: Session, given: str) -> None:
    try:
        if len(given) > _LOGIN_CHARACTERS:
            raise ValueError
        _, who, word = base64.b64decode(given, validate=True).decode().split("\0")
    except (binascii.Error, ValueError):
        who = word = ""
    if not await _fits(session, who, word):
        session.numeric("904", translate("SASL authentication failed"))
        session.end(translate("Wrong password"))
        return
    session.scratch["authenticated"] = "yes"
    session.numeric("900", me(session), escaped(session.client.user), translate("You are logged in"))
    session.numeric("903", translate("SASL authentication successful"))


async def _fits(session: Session, who: str, word: str) -> bool:
    """Whether somebody knows the password; a second guess in a minute is free, many are slow."""
    around = session.around
    now = around.clock.seconds()
    while around.wrong and now - around.wrong[0] > 60:
        around.wrong.popleft()
    if len(around.wrong) >= around.bounds.wrong_passwords:
        waited: Deferred[None] = Deferred()
        around.clock.callLater(around.bounds.wrong_seconds, waited.callback, None)
        await waited
    profile, at, client = who.partition("@")
    account = _account(around, profile, word)
    if account is not None and (not at or _CLIENT.fullmatch(client)):
        session.account, session.client_name = account, client or DEFAULT_CLIENT
        return True
    around.wrong.append(around.clock.seconds())
    while len(around.wrong) > around.bounds.wrong_passwords:
        around.wrong.popleft()
    return False


def _account(around: Surroundings, profile: str, word: str) -> Account | None:
    """Whose password it is: of the profile that is named; without a name, of whichever it opens.

    All are looked at, so that it takes as long for a profile that there is as for one that there is not.
    """
    found = [each for name, each in around.accounts.items() if _opens(each, word) and profile in {"", name}]
    return found[0] if found else None


def _opens(account: Account, word: str) -> bool:
    """Whether it is the password of that one; no word is where its settings cannot be read, and others go on."""
    try:
        return account.settings.fits(word)
    except ChatError:
        return False


async def _come_in(session: Session) -> None:
    said = session.scratch
    if session.registered or "negotiating" in said or not {"nick", "user"} <= said.keys():
        return
    if "authenticated" not in said:
        who, _, word = said.get("password", "").rpartition(":")
        if not await _fits(session, who, word):
            session.numeric("464", translate("Wrong password: chatserv-irc --password shows it"))
            session.end(translate("Wrong password"))
            return
    if session.over:
        return
    said.clear()
    session.registered = True
    _welcome(session)
    _attach(session)


def _welcome(session: Session) -> None:
    session.numeric("001", translate("Welcome, {name}: what you say is end-to-end encrypted").format(name=me(session)))
    session.numeric("002", translate("Your host is this machine, running chatserv {version}").format(version=VERSION))
    session.numeric("003", translate("Only programs of this machine that know the password can come here"))
    session.numeric("004", SERVER, VERSION, "i", "bimnoqst", "bqo")
    tell_supported(session)
    session.numeric("422", translate("No message of the day"))


def tell_supported(session: Session) -> None:
    """005."""
    bounds = session.around.bounds
    for each in SUPPORTED:
        words = [word.format(watched=bounds.watched, page=bounds.page) for word in each]
        session.numeric("005", *words, translate("are supported by this server"))


def _attach(session: Session) -> None:
    """Shows the rooms, then what was missed, what waits, and what is wrong."""
    client, name = session.client, session.client_name
    for handle in client.handles():
        try:
            session.attached[handle.room_id] = handle.position
            hidden = session.settings.hidden(name, handle.room_id)
            if not (handle.offered or handle.direct or hidden):
                enter(session, handle)
        except ChatError:
            continue  # gone in this moment
    session.at_end.append(client.listen(Events(session).happened, name=f"irc-{name}"))
