"""The menu of a member: moderation is offered as far as our role permits."""

import tkinter as tk
from collections.abc import Callable

from chatserv.client import MemberView, RoomHandle, place, shown, translate
from clients.window.actions.registry import PersonActions
from clients.window.context import WindowContext
from clients.window.menus.menu_lines import add, add_below
from clients.window.widgets.rows import may_act


class MemberMenu:
    """Fills menus for somebody in the current room; what they do there, they do in that room or not at all.

    Args:
        context: What all parts share.
        actions: What they do.
        dress: Gives a menu its colours.
    """

    def __init__(self, context: WindowContext, actions: PersonActions, dress: Callable[[tk.Menu], None]) -> None:
        self._context, self._actions, self._dress = context, actions, dress

    def fill(self, menu: tk.Menu, user: str) -> None:
        """What can be done about them."""
        actions, handle = self._actions, self._context.here()
        member = actions.people.member(user) if user else None
        other = self._context.client is not None and member is not None and user != self._context.session.us
        ours = "" if handle is None or handle.direct else handle.role
        theirs = "" if member is None else member.role
        power = other and may_act(ours, theirs)
        add(menu, translate("&Direct messages"), lambda: actions.doing.command(f"/msg {user}"), on=other)
        add(menu, translate("&Verify…"), lambda: actions.people.verify(user), on=other)
        if member is not None and member.trust == "changed":
            add(menu, translate("&Accept the new identity…"), lambda: self._ask_to_trust(user))
        known = other and actions.people.ignores(user)
        if known:
            add(menu, translate("Stop &ignoring"), lambda: actions.people.ignore(user, on=False))
        else:
            add(menu, translate("&Ignore…"), lambda: actions.people.ask_to_ignore(user), on=other)
        add(menu, translate("What the &log says…"), lambda: actions.account.audit(user), on=other)
        menu.add_separator()
        self._moderate(menu, user, member, handle, power=power)
        client = self._context.client
        if other and client is not None and client.is_admin:
            menu.add_separator()
            add(menu, translate("Rese&t identity…"), lambda: actions.admin.reset_identity(user))
            add(menu, translate("Delete accou&nt…"), lambda: actions.admin.delete_user(user))

    def _moderate(
        self, menu: tk.Menu, user: str, member: MemberView | None, handle: RoomHandle | None, *, power: bool
    ) -> None:
        """What moderators and owners do in a room."""
        actions, theirs = self._actions, "" if member is None else member.role
        owner = handle is not None and not handle.direct and handle.role == "owner"
        if theirs == "banned":
            add(menu, translate("Un&ban"), lambda: actions.doing.command(f"/unban {user}", handle), on=power)
            return
        muted = member is not None and member.muted
        said, word = (translate("Un&mute"), "unmute") if muted else (translate("&Mute"), "mute")
        add(menu, said, lambda: actions.doing.command(f"/{word} {user}", handle), on=power)
        add(menu, translate("&Kick…"), lambda: self._ask_to_put_out(user, "kick", handle), on=power)
        add(menu, translate("&Ban…"), lambda: self._ask_to_put_out(user, "ban", handle), on=power)
        self._roles(menu, user, theirs, handle if power and owner else None)

    def _roles(self, menu: tk.Menu, user: str, theirs: str, room: RoomHandle | None) -> None:
        roles = tk.Menu(menu, tearoff=False)
        self._dress(roles)
        for role, label in (
            ("member", translate("member")),
            ("moderator", translate("moderator")),
            ("owner", translate("owner")),
        ):
            roles.add_command(
                label=label, state="disabled" if role == theirs else "normal",
                command=lambda role=role: self._actions.doing.command(f"/role {user} {role}", room),  # type: ignore[misc]
            )  # fmt: skip
        add_below(menu, translate("&Role"), roles, on=room is not None)

    def _ask_to_put_out(self, user: str, command: str, room: RoomHandle | None) -> None:
        if room is None:
            return
        title = translate("Ban") if command == "ban" else translate("Kick")
        text = translate("Remove {user} from {room}? They can be invited again.")
        if command == "ban":
            text = translate("Ban {user} from {room}? They cannot come back until the ban is lifted.")
        said = text.format(user=shown(user), room=place(room.name))
        self._actions.doing.ask_to(title, said, title, f"/{command} {user}", room)

    def _ask_to_trust(self, user: str) -> None:
        text = translate("Accept the new identity of {user} without comparing? To be sure, verify instead.")
        title = translate("Accept the new identity")
        self._actions.doing.ask_to(title, text.format(user=shown(user)), translate("Accept"), f"/trust {user}")
