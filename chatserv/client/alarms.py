"""What each alarm means: who is to blame for it, as far as that is known, and what a person can do."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from chatserv.i18n import N_, _


class Blame(Enum):
    """Who did it. ``PERSON``: ``Alarm.user``, alone. ``UNCLEAR``: the server, or somebody who has a key of ours."""

    SERVER = "server"
    PERSON = "person"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class AlarmKind:
    """One kind of alarm: ``said`` is what happened, which may name the ``{user}``, ``todo`` what to do; both in English."""

    blame: Blame
    said: str
    todo: str

    def explain(self, user: str = "") -> str:
        """What happened, in the language of the person. ``user``: who did it, as shown."""
        return _(self.said).format(user=user)

    def advise(self) -> str:
        """What they can do, in their language."""
        return _(self.todo)


_ASK_OPERATOR: Final = N_("Ask whoever runs the server.")
_OTHER_SERVER: Final = N_(
    "Tell the others by another way than this server, and use another one until its operator has explained it."
)
_PUT_OUT: Final = N_("Ask them by another way; a moderator can put them out of the room.")
_SPOILT: Final = N_(
    "If not, tell the others by another way, and make another account: what comes in your name is not yours."
)

KINDS: Final[dict[str, AlarmKind]] = {
    "log_forked": AlarmKind(
        Blame.SERVER,
        N_("it shows different logs to different people. Nothing is sent any more."),
        _OTHER_SERVER,
    ),
    "false_statement": AlarmKind(
        Blame.SERVER,
        N_("it says that a device was revoked, which nobody signed. Nothing is sent."),
        _OTHER_SERVER,
    ),
    "false_rotation": AlarmKind(
        Blame.SERVER,
        N_("it says that somebody has another identity, which they never signed. Nothing is sent any more."),
        _OTHER_SERVER,
    ),
    "false_key": AlarmKind(
        Blame.SERVER,
        N_("it gave out a key that its owner has not signed, or kept one back. Nobody was taken in with it."),
        _ASK_OPERATOR,
    ),
    "false_keys": AlarmKind(
        Blame.SERVER,
        N_("it gave this device other keys of a room than the ones that were made for it."),
        N_("The room gets new ones by itself. If it happens again, ask whoever runs the server."),
    ),
    "room_forked": AlarmKind(
        Blame.SERVER,
        N_("it shows different members different rooms."),
        N_("Before you write there, compare with the others who is in it, by another way."),
    ),
    "bad_commit": AlarmKind(
        Blame.SERVER,
        N_("it passed on a change that breaks the room's rules. The room stands still."),
        N_("Make another room with those whom you trust, and ask whoever runs the server."),
    ),
    "room_withheld": AlarmKind(
        Blame.SERVER,
        N_(
            "it says that you are not in a room any more, which nobody has signed. Nothing is sent there; if it comes back, "
            "you are told what was said meanwhile, or that something is missing."
        ),
        N_(
            "Ask the others in it by another way, and whoever runs the server. If you were put out, and everybody has left "
            "since, nobody can show that any more."
        ),
    ),
    "room_stuck": AlarmKind(
        Blame.SERVER,
        N_("it does not give what is needed to follow a room. The room stands still."),
        N_("Connect again later; if it stays so, ask whoever runs the server."),
    ),
    "commit_stalled": AlarmKind(
        Blame.SERVER,
        N_("it does not carry out a change to a room that you have made."),
        N_(
            "Whoever was to be put out reads on there until it is told as done: do not write what they must not read, or "
            "make another room without them."
        ),
    ),
    "log_withheld": AlarmKind(
        Blame.SERVER,
        N_("it withholds a part of its log that others have seen."),
        N_("News about keys may be missing. If it stays so, ask whoever runs the server."),
    ),
    "old_log": AlarmKind(
        Blame.SERVER,
        N_("its log is older than it may be."),
        N_(
            "Look at this machine's clock; if that is right, news about keys may be missing: ask whoever runs the server."
        ),
    ),
    "identity_reset": AlarmKind(
        Blame.SERVER,
        N_("the log says that your identity is another one. Was that you?"),
        _SPOILT,
    ),
    "unknown_device": AlarmKind(
        Blame.UNCLEAR,
        N_(
            "the log has a device of yours that is not known here. If you have not made it, the server made it up, or "
            "somebody has your identity key."
        ),
        _SPOILT,
    ),
    "device_revoked": AlarmKind(
        Blame.UNCLEAR,
        N_("this device was revoked: nobody sends to it any more. Was that you?"),
        _SPOILT,
    ),
    "head_claimed": AlarmKind(
        Blame.PERSON,
        N_(
            "{user} claims to see another log of the server than you, which is no proof. Nothing is sent to rooms with "
            "{user} before they have shown what the server signed for them; they were asked."
        ),
        _PUT_OUT,
    ),
    "false_claim": AlarmKind(
        Blame.PERSON,
        N_("{user} has claimed to see another log of the server than you, and that was not true."),
        _PUT_OUT,
    ),
    "false_evidence": AlarmKind(
        Blame.PERSON,
        N_("{user} shows as signed by the server what it has never signed."),
        _PUT_OUT,
    ),
}
