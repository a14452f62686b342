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
    "Tell the others some other way, not through this server, and use another server until its operator "
    "has explained it."
)
_PUT_OUT: Final = N_("Ask them some other way; a moderator can remove them from the room.")
_SPOILT: Final = N_(
    "If not, tell the others some other way and create another account: what is sent in your name is not from you."
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
        N_("it says that somebody has a new identity, which they never signed. Nothing is sent any more."),
        _OTHER_SERVER,
    ),
    "false_key": AlarmKind(
        Blame.SERVER,
        N_("it gave out a key that its owner has not signed, or held one back. Nobody was added with it."),
        _ASK_OPERATOR,
    ),
    "false_keys": AlarmKind(
        Blame.SERVER,
        N_("it gave this device room keys other than those made for it."),
        N_("The room gets new ones automatically. If it happens again, ask whoever runs the server."),
    ),
    "forgotten_keys": AlarmKind(
        Blame.UNCLEAR,
        N_(
            "a room's keys cannot be opened here. That is so if the files of this device were put back from an older copy; "
            "if they were not, the server or a member of the room is not honest."
        ),
        N_("The room gets new ones automatically; what was said with those keys cannot be read on this device."),
    ),
    "room_forked": AlarmKind(
        Blame.SERVER,
        N_("it shows different members different rooms."),
        N_("Before you write there, check with the others, some other way, who is in it."),
    ),
    "bad_commit": AlarmKind(
        Blame.SERVER,
        N_("it passed on a change that breaks the room's rules. The room is on hold."),
        N_("Create another room with people you trust, and ask whoever runs the server."),
    ),
    "room_withheld": AlarmKind(
        Blame.SERVER,
        N_(
            "it says that you are no longer in a room, which nobody has signed. Nothing is sent there; if "
            "the room comes back, you will see what was said meanwhile, or that something is missing."
        ),
        N_(
            "Ask the others in it some other way, and whoever runs the server. If you were removed and "
            "everybody has left since, nobody can prove it any more."
        ),
    ),
    "room_stuck": AlarmKind(
        Blame.SERVER,
        N_("it does not deliver what is needed to follow a room. The room is on hold."),
        N_("Connect again later; if that does not help, ask whoever runs the server."),
    ),
    "commit_stalled": AlarmKind(
        Blame.SERVER,
        N_("it does not carry out a change that you made to a room."),
        N_(
            "Anybody who was to be removed can still read there until the change is shown as done: do not "
            "write what they must not read, or create another room without them."
        ),
    ),
    "log_withheld": AlarmKind(
        Blame.SERVER,
        N_("it withholds a part of its log that others have seen."),
        N_("News about keys may be missing. If this goes on, ask whoever runs the server."),
    ),
    "revocation_withheld": AlarmKind(
        Blame.SERVER,
        N_("it says that a device of yours is revoked, and its log does not: the device can go on reading."),
        N_("Ask the others some other way to remove the device from their rooms, and ask whoever runs the server."),
    ),
    "old_log": AlarmKind(
        Blame.SERVER,
        N_("its log is too old."),
        N_("Check this machine's clock; if it is right, news about keys may be missing: ask whoever runs the server."),
    ),
    "unlogged_server_key": AlarmKind(
        Blame.UNCLEAR,
        N_(
            "it speaks with a key that its own log does not name as its newest. Somebody who has an old key of the "
            "server may have taken its place, or its log was put back from an older copy."
        ),
        _ASK_OPERATOR,
    ),
    "backup_rolled_back": AlarmKind(
        Blame.SERVER,
        N_("it has an older backup of your account than before, or none: your recovery code might not have worked."),
        N_("This device leaves a new one if it can. If it happens again, ask whoever runs the server."),
    ),
    "identity_reset": AlarmKind(
        Blame.SERVER,
        N_("the log says that your identity has changed. Was that you?"),
        _SPOILT,
    ),
    "unknown_device": AlarmKind(
        Blame.UNCLEAR,
        N_(
            "the log lists a device of yours that is not known here. If you did not add it, the server "
            "made it up, or somebody has your identity key."
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
            "{user} claims to see another log of the server than you do, which proves nothing yet. "
            "Nothing is sent to rooms with {user} until they show what the server signed for them; they "
            "have been asked."
        ),
        _PUT_OUT,
    ),
    "false_claim": AlarmKind(
        Blame.PERSON,
        N_("{user} claimed to see another log of the server than you do, and that was not true."),
        _PUT_OUT,
    ),
    "false_evidence": AlarmKind(
        Blame.PERSON,
        N_("{user} shows something as signed by the server that it never signed."),
        _PUT_OUT,
    ),
}
