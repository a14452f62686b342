"""Logins by password against a whole server: who gets in, what is told when, and what it costs to guess."""

from dataclasses import replace
from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.head_notices import GATHER_SECONDS
from chatserv.crypto.statements import (
    DeviceFacts,
    Revocation,
    certificate_facts,
    make_certificate,
    make_revocation,
    make_rotation,
    sign_password,
)
from chatserv.crypto.suite import sha256
from chatserv.domain.closing import CloseReason
from chatserv.domain.roles import Role
from chatserv.errors import StorageFull
from chatserv.models import Ban, BanKind
from chatserv.net.watch import Phase
from chatserv.wire import messages
from tests.net.test_privacy import everything, spellings
from tests.support.server import IDENTITY, START_MS, MemoryClient, WireServer, new_machine, salted_of
from tests.support.sessions import rsa_key, server_id, spki, to_record
from tests.support.smith import code

NEXT = "next identity"


class LoginCase(SynchronousTestCase):
    """A server on which alice has an account and a device that is online."""

    def setUp(self) -> None:
        """Registers her."""
        self.make()

    def make(self, **limits: Any) -> None:
        """A server with other limits."""
        self.server = WireServer(**limits)
        self.alice = self.server.join("alice")

    def refused(self, code: str, user: str = "alice", **how: Any) -> MemoryClient:
        """Somebody who is kept out with this code."""
        client = self.server.guest(user, **how)
        assert client.error is not None, client.received
        self.assertEqual(client.error.code, code)
        return client

    def let_in(self, user: str = "alice", **how: Any) -> MemoryClient:
        """A guest."""
        client = self.server.guest(user, **how)
        self.assertEqual([type(message) for message in client.received[:1]], [messages.GuestWelcome], client.error)
        return client

    def certificate(self, guest: MemoryClient, **changes: Any) -> bytes:
        """What the account's identity key would sign for a guest; ``changes`` are fields of it."""
        assert guest.machine is not None
        offer, signing = guest.machine.credentials.offer, guest.machine.credentials.signing_key
        facts: dict[str, Any] = {
            "server_id": self.server.identity.server_id,
            "user": "alice",
            "device_id": offer.device_id,
            "rsa_spki": offer.rsa_spki,
            "ed25519": offer.ed25519,
            "created_ms": offer.created_ms,
            "identity_fingerprint": sha256(spki(IDENTITY)),
        }
        return make_certificate(DeviceFacts(**facts | changes), rsa_key(IDENTITY), signing)

    def set_password(
        self, verifier: bytes, client: MemoryClient | None = None, identity: str = IDENTITY, **other: Any
    ) -> Any:
        """What comes of a new verifier; ``other`` is what is signed in place of what is true."""
        said = {"server": self.server.identity.server_id, "user": "alice", "signed": verifier} | other
        signature = sign_password(said["server"], said["user"], said["signed"], rsa_key(identity))
        return (client or self.alice).ask(messages.SetPassword, verifier=verifier, signature=signature)


class AdmissionTests(LoginCase):
    """Who gets in, and what is true of a guest."""

    def test_what_a_guest_is_told(self) -> None:
        """Whose guest it is, the newest identity, the log's head; nothing of rooms."""
        guest = self.let_in()
        welcome = guest.one(messages.GuestWelcome)
        self.assertEqual((welcome.name, welcome.identity_spki), ("alice", spki(IDENTITY)))
        self.assertEqual(welcome.account, self.server.account_id(self.alice.account))
        self.assertEqual(welcome.log_head, self.server.context.log.signed_head)
        self.alice.sync()
        self.alice.say("hello")
        self.assertEqual(guest.received, [welcome])

    def test_guests_a_day(self) -> None:
        """Devices are told of so many guests a day; a new password lets others come again."""
        self.make(guest_notices_per_day=2)
        for number in range(2):
            self.let_in(number=number)
        error = self.refused("rate_limited", number=2).error
        assert error is not None
        self.assertAlmostEqual(43_200, error.after_seconds or 0, delta=1)
        self.assertEqual(2, len(self.alice.all(messages.GuestWaits)))
        self.assertEqual("Ok", code(self.set_password(self.alice.account.verifier)))
        self.let_in(number=3)

    def test_a_guest_is_nobody_online(self) -> None:
        """Neither the hub nor anybody's presence knows of it."""
        bob = self.server.join("bob")
        bob.sync()
        self.alice.drop()
        self.server.settle()
        bob.received.clear()
        self.let_in()
        self.assertEqual(bob.received, [])
        self.assertEqual(self.server.hub.sessions_of("alice"), [])

    def test_suspended_and_banned_are_told_after_the_proof(self) -> None:
        """Who has the password learns ``forbidden``; who has not, what everybody learns."""
        for put_out in (
            lambda: self.server.wait(self.server.memory.set_account("alice", suspended=True)),
            lambda: self.server.context.bans.change(Ban(BanKind.ACCOUNT, "alice", "root", 1), on=True),
        ):
            self.make()
            put_out()
            self.refused("auth_failed", right=False)
            self.assertTrue(self.refused("forbidden").authenticated)
            self.assertEqual(len(self.server.context.guests), 0)

    def test_suspending_ends_guests(self) -> None:
        """Those that are there, and one whose login is under way."""
        guest = self.let_in()
        admin = self.server.join("carla", Role.ADMIN)
        self.assertIsInstance(admin.ask(messages.Suspend, user="alice", on=True), messages.Ok)
        self.assertEqual((guest.all(messages.Farewell), guest.close_reason), ([messages.Farewell("suspended")], 0))
        self.assertEqual(len(self.server.context.guests), 0)

    def test_a_login_under_way_is_refused(self) -> None:
        """What happens to the account while the store is asked counts, also behind an answer that is on its way."""
        self.server = WireServer(slow=["device"])
        self.server.store.slow.clear()
        self.alice = self.server.join("alice")
        admin = self.server.join("carla", Role.ADMIN)
        self.server.store.slow.add("device")
        guest = self.server.guest("alice")
        self.assertFalse(guest.received)  # the account was asked for, and is well
        self.assertIsInstance(admin.ask(messages.Suspend, user="alice", on=True), messages.Ok)
        self.server.store.fire()
        self.server.settle()
        assert guest.error is not None
        self.assertEqual((guest.error.code, guest.received), ("forbidden", []))

    def test_another_device_of_the_account(self) -> None:
        """A guest cannot offer to be a device that there is, with other keys than its."""
        self.refused("bad_message", device_id=self.alice.account.device_id)

    def test_a_network_is_noted(self) -> None:
        """Whoever has logged in, as a device or by password, has made their network known; as a keyed hash."""
        self.server.host = "198.51.100.9"
        self.let_in()
        login = self.server.wait(self.server.memory.login("alice"))
        self.assertEqual(len(login.networks), 2)
        for network in login.networks:
            self.assertNotIn(b"198.51.100.9", network)
        asked: list[object] = []

        async def note(*given: object) -> None:
            asked.append(given)

        self.patch(self.server.memory, "note_network", note)
        self.server.log_in(self.alice.account)
        self.assertEqual(asked, [])  # the store knows
        self.server.advance(86_401)
        self.server.log_in(self.alice.account)
        self.assertEqual(len(asked), 1)

    def test_a_full_disk_keeps_nobody_out(self) -> None:
        """A network that cannot be noted is told the store again at the next login."""
        memory, note = self.server.memory, self.server.memory.note_network

        async def full(*_: Any) -> None:
            raise StorageFull("disk")

        self.patch(memory, "note_network", full)
        self.server.host = "198.51.100.9"
        self.let_in()
        self.patch(memory, "note_network", note)
        self.let_in()
        self.assertEqual(len(self.server.wait(memory.login("alice")).networks), 2)

    def test_no_place(self) -> None:
        """As many guests as the server takes: one more of an account that has none here is told to come back."""
        self.make(guests=2)
        self.server.join("bob")
        for number in (1, 2):
            self.let_in(number=number)
        self.refused("server_full", "bob", number=3)
        self.let_in(number=2)

    def test_too_many_of_one_account(self) -> None:
        """The oldest makes place, and is told so."""
        guests = [self.let_in(number=number) for number in range(3)]
        self.let_in(number=3)
        self.assertEqual(guests[0].all(messages.Farewell), [messages.Farewell("replaced")])
        self.assertEqual(guests[0].close_reason, CloseReason.REPLACED)
        self.assertEqual([guest.lost for guest in guests], [True, False, False])
        self.assertEqual(len(self.server.context.guests), 3)

    def test_the_same_machine_again(self) -> None:
        """A second connection of it takes over."""
        first, second = self.let_in(), self.let_in()
        self.assertEqual((first.close_reason, second.lost), (CloseReason.REPLACED, False))
        self.assertEqual(len(self.server.context.guests), 1)

    def test_a_guest_goes_after_its_time(self) -> None:
        """However much it says."""
        self.make(guest_seconds=100)
        guest = self.let_in()
        for _ in range(4):
            self.server.advance(24)
            guest.ask(messages.Ping)
        self.assertFalse(guest.lost)
        self.server.advance(6)
        self.assertEqual((guest.close_reason, guest.lost), (CloseReason.TOO_OLD, True))
        self.assertEqual(len(self.server.context.guests), 0)

    def test_draining(self) -> None:
        """A guest is told that the server goes."""
        guest = self.let_in()
        self.server.factory.drain()
        self.server.settle()
        self.assertEqual(len(guest.all(messages.DrainingNotice)), 1)
        self.assertEqual(guest.close_reason, CloseReason.DRAINING)


class GuessingTests(LoginCase):
    """What it costs to guess, and who is not kept out by it."""

    def test_five_tries(self) -> None:
        """Then the right password is refused from there too, for a while, and from elsewhere it is not."""
        for _ in range(5):
            self.refused("auth_failed", right=False)
        refused = self.refused("rate_limited")
        assert refused.error is not None
        self.assertAlmostEqual(refused.error.after_seconds or 0, 300, delta=1)
        self.server.host = "198.51.100.9"
        self.let_in()
        self.server.host = "127.0.0.1"
        self.server.advance(300)
        self.let_in()

    def test_an_unknown_name_has_the_same_bound(self) -> None:
        """So that the bound tells nothing."""
        for _ in range(5):
            self.refused("auth_failed", "nobody")
        self.refused("rate_limited", "nobody")

    def test_all_at_once(self) -> None:
        """Proofs that are shown together do not get round the bound: the sixth is not tried."""
        clients = []
        for number in range(8):
            client = self.server.connect(
                self.server.account("alice"), guest=new_machine(self.alice.account, number, right=number == 7)
            )
            assert client is not None
            client.start()
            clients.append(client)
        self.server.settle()
        codes = [client.error and client.error.code for client in clients]
        self.assertEqual(codes, ["auth_failed"] * 5 + ["rate_limited"] * 3)

    def test_same_answer(self) -> None:
        """For an unknown name and a wrong password, all that the server sends has the same kinds and lengths."""
        shapes = []
        for user in ("alice", "alicf"):
            client = self.refused("auth_failed", user, right=False)
            writes = b"".join(client.protocol.transport.writes).split(b"\r\n")
            shapes.append([(to_record(line)[:2], len(line)) for line in writes[1:] if line])
        self.assertEqual(*shapes)
        self.assertEqual([kind[0] for kind, _ in shapes[0]], [2, 8, 1])

    def guess(self, networks: range) -> list[MemoryClient]:
        """One wrong password from each of these networks."""
        found = []
        for number in networks:
            self.server.host = f"10.{number // 256}.{number % 256}.1"
            found.append(self.server.guest("alice", right=False))
        return found

    def test_nobody_keeps_the_person_out(self) -> None:
        """Guessed at from everywhere, she gets in at once from where she has been, and from elsewhere in her turn."""
        self.guess(range(50))
        waiting = self.guess(range(50, 60))
        self.assertEqual([guesser.error for guesser in waiting], [None] * 10)
        self.server.host = "127.0.0.1"
        self.let_in(number=1)
        self.server.host = "198.51.100.9"
        here = self.server.guest("alice", number=2)
        self.assertFalse(here.received)
        self.server.advance(70)
        self.assertEqual(len(here.all(messages.GuestWelcome)), 1)
        self.assertEqual({guesser.error and guesser.error.code for guesser in waiting}, {"auth_failed"})

    def test_who_waits_is_not_cut(self) -> None:
        """The deadline of a login does not end a wait; the line's length does."""
        self.make(login_seconds=10)
        self.guess(range(50))
        waiting = self.guess(range(50, 70))
        self.server.advance(125)
        self.assertEqual({guesser.error and guesser.error.code for guesser in waiting}, {"auth_failed"})

    def test_who_leaves_the_line_is_forgotten(self) -> None:
        """Nothing is tried for a connection that is gone."""
        self.guess(range(50))
        (gone,) = self.guess(range(50, 51))
        gone.drop()
        self.server.advance(10)
        self.assertEqual(self.server.context.passwords.waiting, 0)

    def test_a_slow_client_is_cut(self) -> None:
        """Somebody who never shows a proof has the time of any login."""
        client = self.server.connect(guest=new_machine(self.alice.account, 1))
        assert client is not None
        client.machine = None  # derives nothing
        client.start()
        self.server.settle()
        client.reading = False
        self.server.advance(31)
        self.assertIs(client.protocol.phase, Phase.CLOSING)


class EnrolmentTests(LoginCase):
    """How a guest becomes a device."""

    def test_enrol(self) -> None:
        """By a certificate of the account's identity key; then the machine logs in as a device."""
        guest = self.let_in()
        certificate = self.certificate(guest)
        size = self.server.context.log.size
        self.assertIsInstance(guest.ask(messages.Enrol, certificate=certificate), messages.Ok)
        self.assertIsInstance(guest.ask(messages.Enrol, certificate=certificate), messages.Ok)
        self.assertEqual(self.server.context.log.size, size + 1)
        self.assertEqual(self.server.context.log.covered_size, size + 1)
        self.server.advance(GATHER_SECONDS)
        self.assertEqual(self.alice.all(messages.LogHead)[-1].after, size)
        assert guest.machine is not None
        device = self.server.wait(self.server.memory.device("alice", guest.machine.credentials.device_id))
        self.assertEqual(device.certificate, certificate)

    def test_per_day(self) -> None:
        """An account gets no more devices a day than the bound; what is repeated is answered as before."""
        self.make(enrolments_per_day=2)
        guests = [self.let_in(number=number) for number in range(3)]
        certificates = [self.certificate(guest) for guest in guests]
        replies = [
            guest.ask(messages.Enrol, certificate=each) for guest, each in zip(guests, certificates, strict=True)
        ]
        self.assertEqual(["Ok", "Ok", "rate_limited"], [code(reply) for reply in replies])
        self.assertAlmostEqual(43_200, replies[2].after_seconds, delta=1)
        self.assertEqual("Ok", code(guests[0].ask(messages.Enrol, certificate=certificates[0])))

    def test_revocations_a_day(self) -> None:
        """The same of the devices that it ends."""
        self.make(revocations_per_day=1)
        statements = []
        for number in range(2):
            guest = self.let_in(number=number)
            certificate = self.certificate(guest)
            guest.ask(messages.Enrol, certificate=certificate)
            said = Revocation(certificate_facts(certificate).device_id, sha256(certificate), START_MS, 0)
            statements.append(make_revocation(said, rsa_key(IDENTITY)))
        replies = [code(self.alice.ask(messages.Revoke, statement=statements[at])) for at in (0, 1, 0)]
        self.assertEqual(["Ok", "rate_limited", "Ok"], replies)

    def test_refused(self) -> None:
        """Another identity, device, key, name or server, rubbish, and a certificate that is not for this guest."""
        guest, other = self.let_in(number=1), self.let_in(number=2)
        forged = bytearray(self.certificate(guest))
        forged[-100] ^= 1
        for certificate in (
            self.certificate(guest, user="bob"),
            self.certificate(guest, server_id=bytes(32)),
            self.certificate(guest, created_ms=START_MS + 1),
            self.certificate(guest, device_id=bytes(16)),
            self.certificate(guest, identity_fingerprint=bytes(32)),
            self.certificate(guest, rsa_spki=spki("another")),
            self.certificate(other),
            self.alice.account.certificate,
            bytes(forged),
            b"",
        ):
            self.assertEqual(guest.ask(messages.Enrol, certificate=certificate).code, "bad_key")
        self.assertEqual(self.alice.ask(messages.Enrol, certificate=self.certificate(guest)).code, "forbidden")

    def test_ten_devices(self) -> None:
        """The eleventh valid device is refused."""
        self.make(devices_per_account=2)
        first = self.let_in(number=1)
        self.assertIsInstance(first.ask(messages.Enrol, certificate=self.certificate(first)), messages.Ok)
        second = self.let_in(number=2)
        self.assertEqual(second.ask(messages.Enrol, certificate=self.certificate(second)).code, "quota")

    def test_the_devices_know(self) -> None:
        """They are told of a guest when it comes and goes, and of those that wait when they log in."""
        before = self.server.now_ms()
        guest = self.let_in()
        assert guest.machine is not None
        offer = guest.machine.credentials.offer
        waits = messages.GuestWaits(offer.device_id, offer.rsa_spki, offer.ed25519, offer.created_ms, before)
        self.assertEqual(self.alice.all(messages.GuestWaits), [waits])
        again = self.server.log_in(self.alice.account)
        self.assertEqual(again.all(messages.GuestWaits), [waits])
        self.assertIsInstance(again.received[0], messages.Welcome)
        bob = self.server.join("bob")
        self.assertEqual(bob.all(messages.GuestWaits), [])
        guest.drop()
        self.server.settle()
        self.assertEqual(again.all(messages.GuestGone), [messages.GuestGone(offer.device_id)])
        self.assertEqual(bob.all(messages.GuestGone), [])


class TellTests(LoginCase):
    """What an account's sessions tell each other."""

    def test_to_all_devices(self) -> None:
        """A guest's word reaches each device that is there, and nobody else."""
        guest, bystander = self.let_in(number=1), self.let_in(number=2)
        bob = self.server.join("bob")
        self.assertIsInstance(guest.ask(messages.Tell, to=b"", body=b"let me in"), messages.Ok)
        assert guest.machine is not None
        told = messages.Told(guest.machine.credentials.device_id, True, b"let me in")
        self.assertEqual(self.alice.all(messages.Told), [told])
        self.assertEqual((bystander.all(messages.Told), bob.all(messages.Told)), ([], []))

    def test_to_a_guest(self) -> None:
        """A device answers the one that asked."""
        guest, bystander = self.let_in(number=1), self.let_in(number=2)
        assert guest.machine is not None
        to = guest.machine.credentials.device_id
        self.assertIsInstance(self.alice.ask(messages.Tell, to=to, body=b"yes"), messages.Ok)
        self.assertEqual(guest.all(messages.Told), [messages.Told(self.alice.account.device_id, False, b"yes")])
        self.assertEqual(bystander.all(messages.Told), [])

    def test_nobody_there(self) -> None:
        """No other device, no such device, somebody else's, oneself."""
        bob = self.server.join("bob")
        for to in (b"", bytes(16), bob.account.device_id, self.alice.account.device_id):
            self.assertEqual(self.alice.ask(messages.Tell, to=to, body=b"hello").code, "not_found")
        self.assertEqual(self.alice.ask(messages.Tell, to=b"short", body=b"hello").code, "bad_message")
        self.assertEqual(bob.all(messages.Told), [])

    def test_not_stored(self) -> None:
        """Who comes later hears nothing of it."""
        guest = self.let_in()
        guest.ask(messages.Tell, to=b"", body=b"let me in")
        again = self.server.log_in(self.alice.account)
        self.assertEqual(again.all(messages.Told), [])

    def test_rate(self) -> None:
        """So many a minute of an account's guests together; its devices have as many of their own."""
        self.make(tells_per_minute=4)
        first, second = self.let_in(number=1), self.let_in(number=2)
        for guest in (first, second) * 2:
            self.assertIsInstance(guest.ask(messages.Tell, to=b"", body=b"x"), messages.Ok)
        self.assertEqual(first.ask(messages.Tell, to=b"", body=b"x").code, "rate_limited")
        assert first.machine is not None
        to = first.machine.credentials.device_id
        self.assertIsInstance(self.alice.ask(messages.Tell, to=to, body=b"x"), messages.Ok)
        self.server.advance(61)
        self.assertIsInstance(first.ask(messages.Tell, to=b"", body=b"x"), messages.Ok)

    def test_size(self) -> None:
        """8 KiB, and not a byte more."""
        guest = self.let_in()
        self.assertIsInstance(guest.ask(messages.Tell, to=b"", body=bytes(8192)), messages.Ok)
        self.assertEqual(guest.ask(messages.Tell, to=b"", body=bytes(8193)).code, "bad_message")

    def test_a_reader_who_does_not_read(self) -> None:
        """What has no place is not queued: the sender is told to come back."""
        guest = self.let_in()
        self.alice.reading, self.alice.transport.full_above = False, 1000
        codes = set()
        for _ in range(120):
            reply = guest.ask(messages.Tell, to=b"", body=bytes(8192))
            codes.add(getattr(reply, "code", "ok"))
        self.assertEqual(codes, {"ok", "busy"})
        self.assertFalse(self.alice.lost)


class PasswordTests(LoginCase):
    """A new password."""

    def test_change(self) -> None:
        """The new one works, the old one does not, and who came by the old one goes."""
        guest = self.let_in()
        other = self.server.account("other")
        self.assertIsInstance(self.set_password(other.verifier), messages.Ok)
        self.assertEqual(guest.all(messages.Farewell), [messages.Farewell("password_changed")])
        self.assertTrue(guest.lost)
        self.assertFalse(self.alice.lost)
        self.refused("auth_failed")
        machine = new_machine(self.alice.account, 1)
        again = self.server.log_in(self.alice.account, guest=replace(machine, salted=salted_of("other")))
        self.assertEqual(len(again.all(messages.GuestWelcome)), 1)

    def test_refused(self) -> None:
        """A verifier that no client would go by, and a guest's."""
        weak = bytearray(self.alice.account.verifier)
        weak[16:20] = bytes(4)
        self.assertEqual(self.set_password(bytes(weak)).code, "bad_message")
        guest = self.let_in()
        self.assertEqual(self.set_password(self.alice.account.verifier, guest).code, "forbidden")

    def test_not_signed(self) -> None:
        """A device alone cannot: it takes the identity key, over this server, this account and this verifier."""
        other, guest = self.server.account("other").verifier, self.let_in()
        elsewhere: list[dict[str, Any]] = [
            {"identity": NEXT},
            {"server": server_id("another")},
            {"user": "bob"},
            {"signed": self.alice.account.verifier},
        ]
        for each in elsewhere:
            self.assertEqual(self.set_password(other, **each).code, "bad_key", each)
        for wrong in (bytes(384), b"\xff" * 384):
            reply = self.alice.ask(messages.SetPassword, verifier=other, signature=wrong)
            self.assertEqual(reply.code, "bad_key")
        for short in (b"", bytes(383), bytes(385)):
            reply = self.alice.ask(messages.SetPassword, verifier=other, signature=short)
            self.assertEqual(reply.code, "bad_message")
        self.assertFalse(guest.lost)
        self.let_in()

    def test_newest_identity(self) -> None:
        """After a rotation the old key changes it no more, though a device that had it is still there; the new one does."""
        other = self.server.account("other").verifier
        statement = make_rotation(rsa_key(IDENTITY), rsa_key(NEXT), START_MS)
        self.assertIsInstance(self.alice.ask(messages.Rotate, statement=statement), messages.Ok)
        self.assertEqual(self.set_password(other).code, "bad_key")
        self.assertIsInstance(self.set_password(other, identity=NEXT), messages.Ok)

    def test_rotation_crosses(self) -> None:
        """What was checked before a rotation, and comes to the store behind it, is refused."""
        self.make(slow=("set_verifier",))
        other, label = self.server.account("other").verifier, self.alice.label()
        signature = sign_password(self.server.identity.server_id, "alice", other, rsa_key(IDENTITY))
        self.alice.tell(messages.SetPassword(label, other, signature))
        self.server.settle()
        statement = make_rotation(rsa_key(IDENTITY), rsa_key(NEXT), START_MS)
        self.assertIsInstance(self.alice.ask(messages.Rotate, statement=statement), messages.Ok)
        self.server.store.fire_all()
        self.server.settle()
        self.assertEqual(getattr(self.alice.reply(label), "code", ""), "bad_key")

    def test_a_login_under_way_with_the_old_one(self) -> None:
        """Who has proved the old password while it is changed does not come in."""
        self.server = WireServer(slow=["account"])
        self.server.store.slow.clear()
        self.alice = self.server.join("alice")
        self.server.store.slow.add("account")
        guest = self.server.guest("alice")
        other = self.server.account("other")
        self.set_password(other.verifier)
        self.server.store.fire_all()
        self.server.settle()
        assert guest.error is not None
        self.assertEqual(guest.error.code, "auth_failed")


class SecretTests(LoginCase):
    """What logs hold of all of this."""

    def test_nothing_that_helps_a_guesser(self) -> None:
        """No name that was tried, no salt, nonce, proof, verifier or key, in any value of any event; none is audited."""
        with capturedLogs() as events:
            self.make()
            guest = self.let_in()
            self.refused("auth_failed", right=False)
            self.refused("auth_failed", "a password by mistake")
            for _ in range(5):
                self.server.guest("alice", right=False)
            guest.ask(messages.Tell, to=b"", body=b"a word for nobody else")
            guest.ask(messages.Enrol, certificate=self.certificate(guest))
            self.set_password(self.alice.account.verifier)
        log = "\n".join(everything(event) for event in events)
        verifier = self.alice.account.verifier
        secrets = [verifier[:16], verifier[-64:-32], verifier[-32:], b"a word for nobody else", salted_of("alice")]
        secrets += [line[:-2] for line in guest.sent[1:]]
        for secret in secrets:
            for spelling in spellings(secret):
                self.assertNotIn(spelling, log)
        self.assertNotIn("a password by mistake", log)
        self.assertEqual(self.server.audited, [])
