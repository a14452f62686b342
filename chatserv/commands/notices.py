"""What other nodes have said that may be lost: told to whom it is for, here."""

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.broadcast import notify, notify_if_place, notify_relaxed
from chatserv.commands.context import Context
from chatserv.commands.enrolling import targets
from chatserv.wire import messages


def take_notice(context: Context, notice: Notice) -> None:
    """Does what one is about; one of a newer version is passed over."""
    room = context.hub.rooms.get(notice.about)
    match notice.kind:
        case NoticeKind.TYPING if room is not None:
            notify_relaxed(room.live, messages.Typing(room.room_id, notice.name))
        case NoticeKind.READ if room is not None:
            notify_relaxed(room.live, messages.Read(room.room_id, notice.name, notice.number))
        case NoticeKind.PREKEYS_LOW:
            session = context.hub.session_of(notice.about)
            if session is not None:
                notify([session], messages.PrekeysLow(notice.number))
        case NoticeKind.TOLD:
            notify_if_place(targets(context, notice.name, notice.about), notice.body)
        case NoticeKind.LEASE_FREE if context.leases.shared is not None:
            context.leases.shared.freed(notice.about)
        case NoticeKind.ASKED | NoticeKind.ANSWERED:
            context.asking.heard(notice)
        case NoticeKind.LEASE_WANTED if context.leases.shared is not None:
            context.leases.shared.wanted(notice.about)
