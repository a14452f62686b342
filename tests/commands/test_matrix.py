"""Who may do what: every command for everybody, against a table that is written by hand and not by the server."""

from collections.abc import Callable, Iterable
from typing import Any, Final, get_args

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.guests import GuestSession
from chatserv.commands.table import TABLE, dispatch
from chatserv.crypto.commits import SetMember
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.crypto.statements import Gone, Revocation, make_gone, make_revocation, make_rotation, sign_password
from chatserv.crypto.suite import SPKI_BYTES
from chatserv.domain.roles import Role
from chatserv.wire import messages
from chatserv.wire.password_login import GuestOffer
from tests.support.server import IDENTITY, START_MS, MemoryClient, WireServer
from tests.support.sessions import rsa_key

# Somebody not logged in; a user who is not in the (public) room; one who is not in the (private) room; the muted, the
# banned, the member, the moderator and the owner of the public room; a server administrator who is not in the private room.
WHO: Final = ("anonymous", "stranger", "outsider", "muted", "banned", "member", "moderator", "owner", "admin")
NO_LOGIN, ALL_OK = "not_authenticated", ["ok"] * 8
NO_LEASE = ["stale_commit"] * 8
ADMINS_ONLY = ["forbidden"] * 7 + ["ok"]
DEVICES_IN_IT = ["not_member", "not_member", "ok", "banned", "ok", "ok", "ok", "not_member"]
NOT_THE_MUTED = ["not_member", "not_member", "muted", "banned", "ok", "ok", "ok", "not_member"]
NOT_THE_BANNED = ["ok", "not_member", "ok", "banned", "ok", "ok", "ok", "not_member"]
WHO_HAD_A_PLACE = ["not_member", "not_member", "ok", "ok", "ok", "ok", "ok", "not_member"]

EXPECTED: Final[dict[type[messages.Command], list[str]]] = {
    messages.Ping: ALL_OK,
    messages.Sync: ALL_OK,
    messages.Bye: ALL_OK,
    messages.SetPresence: ALL_OK,
    messages.Send: NOT_THE_MUTED,
    messages.History: WHO_HAD_A_PLACE,
    messages.ListRooms: ALL_OK,
    messages.GetRoom: NOT_THE_BANNED,
    messages.BeginCommit: NOT_THE_BANNED,
    messages.EndCommit: ALL_OK,
    messages.PutWraps: NO_LEASE,
    messages.PutCommit: NO_LEASE,
    messages.GetWrap: WHO_HAD_A_PLACE,
    messages.Leave: DEVICES_IN_IT,
    messages.Agreed: ALL_OK,
    messages.MarkRead: DEVICES_IN_IT,
    messages.SetTyping: NOT_THE_MUTED,
    messages.PublishPrekeys: ALL_OK,
    messages.FetchKeys: NO_LEASE,
    messages.GetCertificates: ALL_OK,
    messages.GetLog: ALL_OK,
    messages.GetStatement: ALL_OK,
    messages.Revoke: ["ok"] * 7 + ["forbidden"],  # the only device of the last administrator
    messages.Rotate: ALL_OK,
    messages.ListDevices: ALL_OK,
    messages.OwnRooms: ALL_OK,
    messages.GetBackup: ["not_found"] * 8,
    messages.PutBackup: ALL_OK,
    messages.DeleteAccount: ["ok"] * 7 + ["forbidden"],  # the last administrator
    messages.SetPassword: ALL_OK,
    messages.Enrol: ["forbidden"] * 8,  # they are devices already
    messages.Tell: ["not_found"] * 8,  # each has one device
    messages.OpenBlob: NOT_THE_MUTED,
    messages.PutChunk: ["not_found"] * 8,  # who may is asked once the blob is known: `tests.commands.test_blobs`
    messages.ReadBlob: ["not_found"] * 8,
    messages.DropBlob: ["not_found"] * 8,
    messages.ListBlobs: ALL_OK,
    messages.OfferEvents: ["forbidden"] * 8,  # nothing is being mended
    messages.OfferLog: ["forbidden"] * 8,
    messages.MakeInvite: ADMINS_ONLY,
    messages.ListAccounts: ADMINS_ONLY,
    messages.Suspend: ADMINS_ONLY,
    messages.ServerMute: ADMINS_ONLY,
    messages.SetServerRole: ADMINS_ONLY,
    messages.DeleteUser: ADMINS_ONLY,
    messages.SetBan: ADMINS_ONLY,
    messages.ListBans: ADMINS_ONLY,
    messages.Announce: ADMINS_ONLY,
    messages.Operate: ["forbidden"] * 8,  # nobody carries operations out in these tests
}

# What a guest may do; all else is forbidden. Nobody is there to be told something but the member, who is.
GUESTS: Final[dict[type[messages.Command], str]] = {
    messages.Ping: "ok",
    messages.Bye: "ok",
    messages.Revoke: "ok",
    messages.GetCertificates: "ok",
    messages.GetLog: "ok",
    messages.GetStatement: "ok",
    messages.GetBackup: "not_found",
    messages.Enrol: "bad_key",  # the example is the certificate of another device
    messages.Tell: "ok",
}


def _leave(server: WireServer, client: MemoryClient, room: bytes) -> messages.Command:
    farewell = server.smith.leave(client.account, room)
    return messages.Leave(7, room, farewell.leaf, farewell.signature)


def _revoke(server: WireServer, client: MemoryClient, room: bytes) -> messages.Command:  # noqa: ARG001
    account = client.account
    revocation = Revocation(account.device_id, account.cert_hash, START_MS, 0)
    return messages.Revoke(7, make_revocation(revocation, rsa_key(IDENTITY)))


def _set_password(server: WireServer, client: MemoryClient, room: bytes) -> messages.Command:  # noqa: ARG001
    account = client.account
    signature = sign_password(server.identity.server_id, account.user, account.verifier, rsa_key(IDENTITY))
    return messages.SetPassword(7, account.verifier, signature)


Example = Callable[[WireServer, MemoryClient, bytes], messages.Command]
EXAMPLES: Final[dict[type[messages.Command], Example]] = {
    messages.Ping: lambda *_: messages.Ping(7),
    messages.Sync: lambda server, *_: messages.Sync(7, server.memory.incarnation),
    messages.Bye: lambda *_: messages.Bye(7),
    messages.SetPresence: lambda *_: messages.SetPresence(7, away=True),
    messages.Send: lambda _, client, room: client.next_send("hello", room, label=7),
    messages.History: lambda *given: messages.History(7, given[2], 100),
    messages.ListRooms: lambda *_: messages.ListRooms(7),
    messages.GetRoom: lambda *given: messages.GetRoom(7, given[2], 0),
    messages.BeginCommit: lambda *given: messages.BeginCommit(7, given[2]),
    messages.EndCommit: lambda *given: messages.EndCommit(7, given[2]),
    messages.PutWraps: lambda *given: messages.PutWraps(7, given[2], 1, ()),
    messages.PutCommit: lambda *given: messages.PutCommit(7, given[2], b""),
    messages.GetWrap: lambda server, _, room: messages.GetWrap(7, room, server.hub.rooms[room].epoch),
    messages.Leave: _leave,
    messages.Agreed: lambda *given: messages.Agreed(7, (given[2],)),
    messages.MarkRead: lambda *given: messages.MarkRead(7, given[2], 1),
    messages.SetTyping: lambda *given: messages.SetTyping(7, given[2]),
    messages.PublishPrekeys: lambda *_: messages.PublishPrekeys(7, ()),
    messages.FetchKeys: lambda *given: messages.FetchKeys(7, given[2], ()),
    messages.GetCertificates: lambda *_: messages.GetCertificates(7, ()),
    messages.GetLog: lambda *_: messages.GetLog(7, 0),
    messages.GetStatement: lambda *_: messages.GetStatement(7, 0),
    messages.Revoke: _revoke,
    messages.Rotate: lambda *_: messages.Rotate(
        7, make_rotation(rsa_key(IDENTITY), rsa_key("next identity"), START_MS)
    ),
    messages.ListDevices: lambda *_: messages.ListDevices(7),
    messages.OwnRooms: lambda *_: messages.OwnRooms(7),
    messages.GetBackup: lambda *_: messages.GetBackup(7),
    messages.PutBackup: lambda *_: messages.PutBackup(7, 1, b"sealed", ()),
    messages.DeleteAccount: lambda server, client, _: messages.DeleteAccount(
        7, make_gone(Gone(server.identity.server_id, client.account.user, START_MS), rsa_key(IDENTITY))
    ),
    messages.SetPassword: _set_password,
    messages.Enrol: lambda *given: messages.Enrol(7, given[1].account.certificate),
    messages.Tell: lambda *_: messages.Tell(7, b"", b"hello"),
    messages.OpenBlob: lambda *given: messages.OpenBlob(7, given[2], bytes(16), 1, bytes(32)),
    messages.PutChunk: lambda *_: messages.PutChunk(7, bytes(16), 0, b"x"),
    messages.ReadBlob: lambda *_: messages.ReadBlob(7, bytes(16), 0),
    messages.DropBlob: lambda *_: messages.DropBlob(7, bytes(16)),
    messages.ListBlobs: lambda *_: messages.ListBlobs(7),
    messages.OfferLog: lambda *_: messages.OfferLog(7, bytes(432), 0),
    messages.OfferEvents: lambda *_: messages.OfferEvents(7, bytes(16), (messages.Offered(1, bytes(16), 0, 0, b""),)),
    messages.MakeInvite: lambda *_: messages.MakeInvite(7),
    messages.ListAccounts: lambda *_: messages.ListAccounts(7),
    messages.Suspend: lambda *_: messages.Suspend(7, "founder", on=True),
    messages.ServerMute: lambda *_: messages.ServerMute(7, "founder", on=True),
    messages.SetServerRole: lambda *_: messages.SetServerRole(7, "founder", admin=True),
    messages.DeleteUser: lambda *_: messages.DeleteUser(7, "founder"),
    messages.SetBan: lambda *_: messages.SetBan(7, "address", "192.0.2.1", on=True),
    messages.ListBans: lambda *_: messages.ListBans(7),
    messages.Announce: lambda *_: messages.Announce(7, "hello"),
    messages.Operate: lambda *_: messages.Operate(7, "status"),
}


def guest_of(server: WireServer, client: MemoryClient) -> GuestSession:
    """A guest of somebody's account."""
    live = client.seat.live
    assert live is not None
    offer = GuestOffer(b"g" * 16, bytes(SPKI_BYTES), bytes(32), START_MS)
    guest = GuestSession(
        live.account_id, live.name, Role.USER, offer.device_id, live.outbox, {}, offer=offer, since_ms=START_MS
    )
    server.context.guests.add(guest)
    return guest


def check_whole(kinds: Iterable[type[messages.Command]]) -> None:
    """Raises `AssertionError` unless the table here says something about each command for each of `WHO`, and of no other."""
    assert set(kinds) == set(EXPECTED) == set(EXAMPLES), set(kinds) ^ set(EXPECTED)
    assert all(len(row) + 1 == len(WHO) for row in EXPECTED.values())


class MatrixTests(SynchronousTestCase):
    """Every cell of the table."""

    def client(self, server: WireServer, who: str) -> tuple[MemoryClient, bytes]:
        """Somebody's session, and the room that they ask about. Everybody has synced before, but who asks for that."""
        lobby, founder = server.lobby, server.founder
        if who in {"outsider", "admin"}:
            private = server.make_room(founder)
            role = Role.ADMIN if who == "admin" else Role.USER
            return server.join(f"{who}ish", role, lobby=False), private  # who is called "admin" is nobody
        user = f"{who}ish"
        client = server.join(user, lobby=who != "stranger")
        changes = {
            "muted": SetMember(user, RoomRole.MEMBER, muted=True),
            "banned": SetMember(user, RoomRole.BANNED),
            "moderator": SetMember(user, RoomRole.MODERATOR),
            "owner": SetMember(user, RoomRole.OWNER),
        }
        server.put(founder, lobby)  # an epoch for which everybody who is in the room has a wrap
        if who in changes:
            server.put(founder, lobby, changes[who])
        return client, lobby

    def outcome(self, kind: type[messages.Command], who: str) -> str:
        """What a command comes to: ``ok`` or the code of the error."""
        server = WireServer()
        name = "member" if who == "anonymous" else who
        client, room = self.client(server, name)
        command = EXAMPLES[kind](server, client, room)
        if kind is messages.GetWrap and who == "banned":
            command = messages.GetWrap(7, room, server.hub.rooms[room].epoch - 1)  # the last one that it was given
        session = None if who == "anonymous" else client.seat.live
        reply: Any = self.successResultOf(Deferred.fromCoroutine(dispatch(server.context, session, command)))
        self.assertEqual(reply.label, 7)
        if who in {"muted", "banned"} and isinstance(reply, messages.Error) and reply.code == who:
            self.assertEqual(reply.by, "room")
        return reply.code if isinstance(reply, messages.Error) else "ok"

    def test_every_cell(self) -> None:
        """Each command does for each kind of person what the table here says."""
        check_whole(TABLE)
        for kind, row in EXPECTED.items():
            for who, expected in zip(WHO, [NO_LOGIN, *row], strict=True):
                with self.subTest(command=kind.__name__, who=who):
                    self.assertEqual(self.outcome(kind, who), expected, f"{kind.__name__} by {who}")

    def test_every_command_of_a_guest(self) -> None:
        """A guest may do what is named here, and nothing else."""
        for kind, example in EXAMPLES.items():
            server = WireServer()
            member = server.join("memberish")
            guest = guest_of(server, member)
            with self.subTest(command=kind.__name__):
                command = example(server, member, server.lobby)
                reply: Any = self.successResultOf(Deferred.fromCoroutine(dispatch(server.context, guest, command)))
                code = reply.code if isinstance(reply, messages.Error) else "ok"
                self.assertEqual(code, GUESTS.get(kind, "forbidden"), kind.__name__)

    def test_every_command_has_a_row(self) -> None:
        """Every message that a client may send has a row, and there is no other row."""
        self.assertEqual(set(TABLE), set(get_args(messages.ClientMessage)))

    def test_row_that_is_not_in_the_matrix(self) -> None:
        """A command that is added to the server's table and not to this one fails the test."""

        class Added(messages.Command, frozen=True, tag="added"):
            """A command of tomorrow."""

        self.assertRaises(AssertionError, check_whole, [*TABLE, Added])
        self.assertRaises(AssertionError, check_whole, list(TABLE)[1:])
