"""The menu bar, the menus that belong to a room, a message or a member, and the keys that do the same."""

import tkinter as tk
from collections.abc import Callable
from typing import Final

from chatserv.client import translate
from clients.window.actions import EMOJI, PersonActions
from clients.window.connecting import Connecting
from clients.window.help import show_keys
from clients.window.layout import Layout
from clients.window.rows import may_act
from clients.window.screen import Screen
from clients.window.settings import DARK, LIGHT

ROOM_KEYS: Final = 9
Command = Callable[[], object]


def add(menu: tk.Menu, label: str, command: Command, keys: str = "", *, on: bool = True) -> None:
    """A line of a menu. The letter behind ``&`` is underlined and chooses it."""
    at = label.find("&")
    menu.add_command(
        label=label.replace("&", "", 1), underline=at, command=command, accelerator=keys,
        state="normal" if on else "disabled",
    )  # fmt: skip


class Menus:
    """Builds menus. Menus of a thing are made when they are wanted, with what our role permits.

    Args:
        actions: What they do.
        screen: Knows the room.
        connecting: Connects.
        layout: Gives the parts of the window, once they are there.
        quit: Ends the program.
    """

    def __init__(
        self,
        actions: PersonActions,
        screen: Screen,
        connecting: Connecting,
        layout: Callable[[], Layout],
        quit: Command,  # noqa: A002 - what it does
    ) -> None:
        self._actions, self._screen, self._connecting = actions, screen, connecting
        self._layout, self._quit = layout, quit
        self._popup: tk.Menu | None = None

    # -- the bar ------------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Makes the menu bar and binds the keys."""
        root = self._layout().root
        bar = self._layout().adopt(tk.Menu(root))
        for label, fill in (
            (translate("&Server"), self._server),
            (translate("&Rooms"), self._rooms),
            (translate("&Message"), self._of_message),
            (translate("&People"), self._people),
            (translate("&View"), self._view),
            (translate("&Help"), self._help),
        ):
            menu = self._layout().adopt(tk.Menu(bar, tearoff=False))
            menu.configure(postcommand=lambda menu=menu, fill=fill: self._refill(menu, fill))  # type: ignore[misc]
            fill(menu)
            bar.add_cascade(label=label.replace("&", "", 1), underline=label.find("&"), menu=menu)
        root.configure(menu=bar)
        self._bind(root)

    @staticmethod
    def _refill(menu: tk.Menu, fill: Callable[[tk.Menu], None]) -> None:
        menu.delete(0, "end")
        fill(menu)

    def _bind(self, root: tk.Tk) -> None:
        layout, actions = self._layout(), self._actions
        keys: dict[str, Command] = {
            "<Control-q>": self._quit,
            "<Control-l>": lambda: self._connecting.use_link(""),
            "<Control-k>": self._connecting.connect,
            "<Control-d>": self._connecting.disconnect,
            "<Control-f>": actions.search,
            "<Control-n>": actions.create_room,
            "<Control-j>": actions.join_room,
            "<Control-plus>": lambda: layout.rescale(1),
            "<Control-equal>": lambda: layout.rescale(1),
            "<Control-KP_Add>": lambda: layout.rescale(1),
            "<Control-minus>": lambda: layout.rescale(-1),
            "<Control-KP_Subtract>": lambda: layout.rescale(-1),
            "<Control-0>": lambda: layout.rescale(0),
            "<F6>": lambda: layout.next_pane(1),
            "<Shift-F6>": lambda: layout.next_pane(-1),
            "<Control-Tab>": lambda: layout.next_pane(1),
            "<Alt-a>": lambda: actions.go(self._screen.next_unread()),
            "<Escape>": layout.entry.focus_in,
        }
        for number in range(1, ROOM_KEYS + 1):
            keys[f"<Alt-Key-{number}>"] = lambda number=number: actions.go(self._screen.room_at(number))  # type: ignore[misc]
        for key, command in keys.items():
            root.bind_all(key, lambda event, command=command: self._pressed(event, command))  # type: ignore[misc]

    def _pressed(self, event: "tk.Event[tk.Misc]", command: Command) -> str | None:
        """Keys of the main window do nothing in dialogs."""
        root = self._layout().root
        if isinstance(event.widget, tk.Misc) and event.widget.winfo_toplevel() is root:
            command()
            return "break"
        return None

    def _server(self, menu: tk.Menu) -> None:
        actions, here = self._actions, self._actions.client is not None
        admin = here and actions.client is not None and actions.client.is_admin
        add(menu, translate("&Connect"), self._connecting.connect, "Ctrl+K", on=not here)
        add(menu, translate("&Disconnect"), self._connecting.disconnect, "Ctrl+D", on=here)
        add(menu, translate("Use a &link…"), lambda: self._connecting.use_link(""), "Ctrl+L", on=not here)
        menu.add_separator()
        add(menu, translate("&Invite somebody to the server"), actions.invite_to_server, on=admin)
        add(menu, translate("&Announce…"), self._announce, on=admin)
        add(menu, translate("Your &devices"), lambda: actions.command("/devices"), on=here)
        menu.add_separator()
        add(menu, translate("&Quit"), self._quit, "Ctrl+Q")

    def _announce(self) -> None:
        text = translate("Everybody who is online sees it. It is not encrypted end to end.")
        self._actions.one_word(translate("Announce"), translate("Text"), translate("Announce"), "announce", text=text)

    def _rooms(self, menu: tk.Menu) -> None:
        actions, handle = self._actions, self._screen.handle()
        here = actions.client is not None
        room = handle is not None and not handle.direct and not handle.offered
        topic = handle.topic if handle is not None else ""
        add(menu, translate("&New room…"), actions.create_room, "Ctrl+N", on=here)
        add(menu, translate("&Join a public room…"), actions.join_room, "Ctrl+J", on=here)
        add(menu, translate("&Direct messages…"), self._direct, on=here)
        add(
            menu,
            translate("Next with something ne&w"),
            lambda: actions.go(self._screen.next_unread()),
            "Alt+A",
            on=here,
        )
        menu.add_separator()
        add(menu, translate("&Invite…"), self._invite, on=room)
        add(
            menu, translate("&Topic…"),
            lambda: actions.one_word(translate("Topic"), translate("Topic"), translate("Set"), "topic", topic), on=room,
        )  # fmt: skip
        add(
            menu, translate("&Rename…"),
            lambda: actions.one_word(translate("Rename"), translate("Name"), translate("Rename"), "name"), on=room,
        )  # fmt: skip
        add(menu, translate("&Mark as read, for all to see"), lambda: actions.command("/read"), on=room)
        add(menu, translate("&Leave…"), actions.ask_to_leave, on=room)
        self._offers(menu)

    def _offers(self, menu: tk.Menu) -> None:
        waiting = [row for row in self._layout().rooms.rows if "offered" in row.tags]
        if waiting:
            menu.add_separator()
        for row in waiting[:ROOM_KEYS]:
            said = translate("Invitation to {room}…").format(room=row.text)
            menu.add_command(label=said, command=lambda key=row.key: self._actions.offer(key))  # type: ignore[misc]

    def _direct(self) -> None:
        self._actions.one_word(translate("Direct messages"), translate("With whom"), translate("Begin"), "msg")

    def _invite(self) -> None:
        self._actions.one_word(translate("Invite"), translate("User name"), translate("Invite"), "invite")

    def _view(self, menu: tk.Menu) -> None:
        layout = self._layout()
        for label, value in ((translate("Li&ght"), LIGHT), (translate("&Dark"), DARK)):
            menu.add_radiobutton(
                label=label.replace("&", "", 1), underline=label.find("&"), value=value,
                variable=layout.theme_name, command=layout.take_theme,
            )  # fmt: skip
        menu.add_separator()
        add(menu, translate("&Larger"), lambda: layout.rescale(1), "Ctrl++")
        add(menu, translate("&Smaller"), lambda: layout.rescale(-1), "Ctrl+-")
        add(menu, translate("&Normal size"), lambda: layout.rescale(0), "Ctrl+0")

    def _help(self, menu: tk.Menu) -> None:
        add(menu, translate("&Commands"), lambda: self._actions.command("/help"), on=self._actions.client is not None)
        add(menu, translate("&Keys"), lambda: show_keys(self._layout().root))

    # -- of a message -------------------------------------------------------------------------------------------------

    def _of_message(self, menu: tk.Menu) -> None:
        actions = self._actions
        waiting, message = actions.chosen_waiting, actions.chosen
        if waiting is not None:
            failed = waiting.state == "failed"
            add(menu, translate("&Send again"), lambda: actions.resend(waiting), on=failed)
            add(menu, translate("&Discard"), lambda: actions.discard(waiting), on=waiting.state != "stored")
        else:
            text = message is not None and message.text is not None
            own = message is not None and message.own and text
            add(menu, translate("&Reply"), lambda: actions.act("reply"), "R", on=text)
            self._signs(menu, on=text)
            add(menu, translate("&Edit"), lambda: actions.act("edit"), "E", on=own)
            gone = message is not None and actions.may_delete(message)
            add(menu, translate("&Take back…"), lambda: actions.act("delete"), "Del", on=gone)
            add(menu, translate("&Copy text"), lambda: actions.act("copy"), on=text)
        menu.add_separator()
        add(menu, translate("&Search…"), actions.search, "Ctrl+F")

    def _signs(self, menu: tk.Menu, *, on: bool) -> None:
        signs = tk.Menu(menu, tearoff=False)
        self._layout().theme.dress_menu(signs)
        message = self._actions.chosen
        for emoji in EMOJI if message is not None else ():
            signs.add_command(
                label=emoji,
                command=lambda emoji=emoji, message=message: self._actions.react(message, emoji),  # type: ignore[misc]
            )
        signs.add_command(label=translate("Another…"), command=lambda: self._actions.act("react"), accelerator="+")
        menu.add_cascade(label=translate("React"), underline=3, menu=signs, state="normal" if on else "disabled")

    # -- of a member --------------------------------------------------------------------------------------------------

    def _people(self, menu: tk.Menu) -> None:
        self._of_member(menu, self._layout().members.selected)

    def _of_member(self, menu: tk.Menu, user: str) -> None:
        actions, handle = self._actions, self._screen.handle()
        member = actions.member(user) if user else None
        other = member is not None and user != self._screen.us
        ours = "" if handle is None or handle.direct else handle.role
        theirs = "" if member is None else member.role
        power = other and may_act(ours, theirs)
        add(menu, translate("&Direct messages"), lambda: actions.command(f"/msg {user}"), on=other)
        add(menu, translate("&Verify…"), lambda: actions.verify(user), on=other)
        if member is not None and member.trust == "changed":
            add(menu, translate("&Accept the new identity…"), lambda: self._ask_to_trust(user))
        menu.add_separator()
        if theirs == "banned":
            add(menu, translate("&Lift the ban"), lambda: actions.command(f"/unban {user}"), on=power)
            return
        muted = member is not None and member.muted
        said, word = (translate("Let &write again"), "unmute") if muted else (translate("&Mute"), "mute")
        add(menu, said, lambda: actions.command(f"/{word} {user}"), on=power)
        add(menu, translate("&Kick…"), lambda: self._ask_to_put_out(user, "kick"), on=power)
        add(menu, translate("&Ban…"), lambda: self._ask_to_put_out(user, "ban"), on=power)
        self._roles(menu, user, theirs, on=power and ours == "owner")

    def _roles(self, menu: tk.Menu, user: str, theirs: str, *, on: bool) -> None:
        roles = tk.Menu(menu, tearoff=False)
        self._layout().theme.dress_menu(roles)
        for role, label in (
            ("member", translate("member")),
            ("moderator", translate("moderator")),
            ("owner", translate("owner")),
        ):
            roles.add_command(
                label=label, state="disabled" if role == theirs else "normal",
                command=lambda role=role: self._actions.command(f"/role {user} {role}"),  # type: ignore[misc]
            )  # fmt: skip
        menu.add_cascade(label=translate("Role"), underline=0, menu=roles, state="normal" if on else "disabled")

    def _ask_to_put_out(self, user: str, command: str) -> None:
        title = translate("Ban") if command == "ban" else translate("Kick")
        text = translate("Put {user} out of this room? They can be invited again.")
        if command == "ban":
            text = translate("Ban {user} from this room? They cannot come back until the ban is lifted.")
        self._actions.ask_to(title, text.format(user=user), title, f"/{command} {user}")

    def _ask_to_trust(self, user: str) -> None:
        text = translate("Accept the new identity of {user} without comparing? To be sure, verify instead.")
        title = translate("Accept the new identity")
        self._actions.ask_to(title, text.format(user=user), translate("Accept"), f"/trust {user}")

    # -- menus at a place of the screen -------------------------------------------------------------------------------

    def _post(self, x: int, y: int, fill: Callable[[tk.Menu], None]) -> None:
        if self._popup is not None:
            self._popup.destroy()
        self._popup = menu = tk.Menu(self._layout().root, tearoff=False)
        self._layout().theme.dress_menu(menu)
        fill(menu)
        menu.tk_popup(x, y)

    def message(self, x: int, y: int) -> None:
        """The menu of the marked message."""
        self._post(x, y, self._of_message)

    def member(self, user: str, x: int, y: int) -> None:
        """The menu of a member."""
        self._post(x, y, lambda menu: self._of_member(menu, user))

    def room(self, room: str, x: int, y: int) -> None:
        """The menu of a room."""
        handle = self._screen.handle(room)
        if handle is None:
            return
        offered, direct = handle.offered, handle.direct

        def fill(menu: tk.Menu) -> None:
            add(menu, translate("&Open"), lambda: self._actions.go(room))
            if offered:
                add(menu, translate("&Accept"), lambda: self._actions.accept(room))
            add(
                menu, translate("&Refuse") if offered else translate("&Leave…"),
                lambda: self._actions.leave(room) if offered else self._actions.ask_to_leave(room), on=not direct,
            )  # fmt: skip

        self._post(x, y, fill)
