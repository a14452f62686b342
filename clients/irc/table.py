"""Every command, in one table."""

from typing import Final

from chatserv.client import VERSION, moment, now_ms, translate
from clients.irc import modes, multiline, past, people, registration, rooms, talk
from clients.irc.lines import Line
from clients.irc.names import SERVER
from clients.irc.session import Session
from clients.irc.surroundings import Row

HELP: Final = (
    "JOIN",
    "PART",
    "PRIVMSG",
    "TOPIC",
    "KICK",
    "INVITE",
    "MODE",
    "NAMES",
    "WHO",
    "WHOIS",
    "LIST",
    "AWAY",
    "MONITOR",
    "CHATHISTORY",
    "SEARCH",
)


async def ping(session: Session, line: Line) -> None:
    """PING."""
    if not line.params:
        session.numeric("409", translate("No origin"))
        return
    session.answer("PONG", SERVER, line.params[-1] if len(line.params) == 1 else line.param(0), source=SERVER)


async def nothing(session: Session, line: Line) -> None:
    """What needs no answer."""


async def quit_(session: Session, line: Line) -> None:  # noqa: ARG001 - why is told to nobody
    """QUIT: this client goes; the account stays."""
    session.end("bye")


async def motd(session: Session, line: Line) -> None:  # noqa: ARG001 - as all rows
    """MOTD."""
    session.numeric("422", translate("No message of the day"))


async def time(session: Session, line: Line) -> None:  # noqa: ARG001 - as all rows
    """TIME."""
    session.numeric("391", SERVER, moment(now_ms()))


async def version(session: Session, line: Line) -> None:  # noqa: ARG001 - as all rows
    """VERSION."""
    session.numeric("351", f"chatserv-{VERSION}", SERVER, translate("end-to-end encrypted"))
    registration.tell_supported(session)


async def lusers(session: Session, line: Line) -> None:  # noqa: ARG001 - as all rows
    """LUSERS: what the server knows of others it does not tell."""
    known = people.presence(session)
    there = sum(each != "offline" for each in known.values())
    said = translate("People in your rooms: {count}, of whom {there} are there")
    session.numeric("251", said.format(count=len(known), there=there))
    mine = sum(each.account is session.account for each in session.around.sessions)
    session.numeric("255", translate("IRC clients here: {count}").format(count=mine))


async def info(session: Session, line: Line) -> None:  # noqa: ARG001 - as all rows
    """INFO."""
    session.numeric("371", translate("chatserv-irc: /msg *chatserv help lists what else can be done"))
    session.numeric("374", translate("End of INFO"))


async def help_(session: Session, line: Line) -> None:
    """HELP."""
    about = line.param(0) or "*"
    session.numeric("704", about, translate("What can be done here:"))
    session.numeric("705", about, " ".join(HELP))
    session.numeric("706", about, translate("/msg *chatserv help lists the rest"))


async def refused(session: Session, line: Line) -> None:  # noqa: ARG001 - as all rows
    """OPER and the like."""
    session.numeric("481", translate("There are no IRC operators; administrators of the server use /msg *chatserv"))


TABLE: Final = {
    "ACCEPT": Row(people.accept, 1),
    "AUTHENTICATE": Row(registration.authenticate, 1, before=True),
    "AWAY": Row(people.away),
    "BATCH": Row(multiline.batch),
    "CAP": Row(registration.cap, 1, before=True),
    "CHATHISTORY": Row(past.chathistory, 1),
    "HELP": Row(help_),
    "INFO": Row(info),
    "INVITE": Row(rooms.invite, 2),
    "ISON": Row(people.ison, 1),
    "JOIN": Row(rooms.join_rooms, 1),
    "KICK": Row(rooms.kick, 2),
    "KILL": Row(refused),
    "LIST": Row(rooms.list_rooms),
    "LUSERS": Row(lusers),
    "MARKREAD": Row(past.markread),
    "MODE": Row(modes.mode, 1),
    "MONITOR": Row(people.monitor, 1),
    "MOTD": Row(motd),
    "NAMES": Row(rooms.names_of),
    "NICK": Row(registration.nick, 1, before=True),
    "NOTICE": Row(talk.privmsg),
    "OPER": Row(refused),
    "PART": Row(rooms.part, 1),
    "PASS": Row(registration.password, 1, before=True),
    "PING": Row(ping, before=True),
    "PONG": Row(nothing, before=True),
    "PRIVMSG": Row(talk.privmsg),
    "QUIT": Row(quit_, before=True),
    "REDACT": Row(talk.redact, 2),
    "REHASH": Row(refused),
    "RENAME": Row(rooms.rename, 2),
    "SEARCH": Row(past.search, 1),
    "TAGMSG": Row(talk.tagmsg, 1),
    "TIME": Row(time),
    "TOPIC": Row(rooms.topic, 1),
    "USER": Row(registration.user, 4, before=True),
    "USERHOST": Row(people.userhost, 1),
    "VERSION": Row(version),
    "WHO": Row(people.who, 1),
    "WHOIS": Row(people.whois, 1),
}
