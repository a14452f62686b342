"""The room that was asked for on the command line, which may not be there yet."""

from chatserv.client import Client, NotMember, RoomHandle, place, translate


class WantedRoom:
    """Looks for the room until it is there; keeps it when it gets another name.

    Args:
        client: Knows the rooms.
        wanted: As it was given: ``lobby``, ``#lobby`` or ``@bob``.
    """

    def __init__(self, client: Client, wanted: str) -> None:
        self._client, self._wanted = client, wanted
        self._handle: RoomHandle | None = None
        self._called = ""

    def find(self) -> RoomHandle | None:
        """The room, if we are in it and have agreed to it."""
        if self._handle is None or self._handle.name not in self._client.rooms:
            try:
                self._handle = self._client.room(self._wanted)
            except NotMember:
                self._handle = None
        if self._handle is None or self._handle.offered:
            return None
        self._called = self._handle.name
        return self._handle

    @property
    def name(self) -> str:
        """What it is called now; empty where it is not there."""
        handle = self.find()
        return "" if handle is None else handle.name

    @property
    def called(self) -> str:
        """The same, or what it was called while it was there; empty where it never was."""
        return self.name or self._called

    def missing(self) -> str:
        """Why it cannot be used, in words; clean."""
        room = place(self._wanted.removeprefix("#"))
        if self._handle is not None and self._handle.offered:
            return translate("You have not accepted {room} yet: /accept {room} or /refuse {room}").format(room=room)
        return translate("You are not in a room {room}.").format(room=room)
