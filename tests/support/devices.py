"""Further devices of people, as rows in the server's tables: certified by their owner, and nobody asked for a password."""

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from chatserv.client.account.keyring import rsa_key_der
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.models import Certified, LeafDraft
from chatserv.store.memory_devices import MemoryDevice
from chatserv.testing.memory_server import keyring, rsa_key, server_id
from chatserv.testing.world import Person, World
from chatserv.wire.link import ServerLink


def _facts(
    world: World,
    person: Person,
    name: str,
    device: rsa.RSAPrivateKey,
    signing: ed25519.Ed25519PrivateKey,
    identity_spki: bytes,
) -> DeviceFacts:
    return DeviceFacts(
        server_id=server_id(),
        user=person.name,
        device_id=sha256(person.name.encode(), name.encode())[:16],
        rsa_spki=rsa_spki(device.public_key()),
        ed25519=signing.public_key().public_bytes_raw(),
        created_ms=world.server.now_ms(),
        identity_fingerprint=sha256(identity_spki),
    )


def add_device(world: World, person: Person, name: str, *, holds_identity: bool = True, wait: bool = True) -> Person:
    """One more device of somebody, that runs from now on.

    Args:
        world: Where.
        person: Whose.
        name: What it is called; another for each.
        holds_identity: Whether it gets the identity key.
        wait: Whether to let time pass until everything is done.
    """
    ring = person.client.keyring
    device, signing = rsa_key(f"a further device {name}"), ed25519.Ed25519PrivateKey.generate()
    facts = _facts(world, person, name, device, signing, ring.identity_spki())
    certificate = make_certificate(facts, ring.load_identity(), signing)
    store = world.server.store
    certified = Certified(sha256(certificate), certificate, ring.identity_spki())
    store._accounts._devices[facts.device_id] = MemoryDevice(certified, person.name)
    leaf = user_leaf(LeafType.DEVICE, server_id(), person.name, sha256(certificate), certificate, world.server.now_ms())
    store._append_log([LeafDraft(leaf.encode(), certificate)])
    profile = world.server.profile(f"{world.directory}/{person.name} {name}", person.name, registered=True)
    profile.save_keyring(
        msgspec.structs.replace(
            ring,
            device_id=facts.device_id,
            identity_key=ring.identity_key if holds_identity else b"",
            device_key=rsa_key_der(device),
            signing_key=signing.private_bytes_raw(),
            certificate=certificate,
            registered=True,
        )
    )
    other = Person(world, person.name, profile, None)
    world.people.append(other)
    if wait:
        world.settle(30)
    return other


def reset_account(world: World, admin: Person, person: Person, name: str = "again") -> Person:
    """An administrator lets somebody begin anew, who does so by the link: the same account with a new identity.

    Args:
        world: Where.
        admin: Makes the link.
        person: Whose account; their devices are of no use any more.
        name: Another for each time.
    """
    return register_anew(world, person, admin.do(admin.client.admin.reset_link(person.name)), name)


def register_anew(world: World, person: Person, link: ServerLink, name: str = "again") -> Person:
    """The same with a link that is there."""
    identity, device = rsa_key(f"identity {name} of {person.name}"), rsa_key(f"device {name} of {person.name}")
    signing, spki = ed25519.Ed25519PrivateKey.generate(), rsa_spki(identity.public_key())
    facts = _facts(world, person, name, device, signing, spki)
    profile = world.server.profile(f"{world.directory}/{person.name} {name}", person.name)
    profile.save_keyring(
        msgspec.structs.replace(
            keyring(person.name),
            device_id=facts.device_id,
            identity_key=rsa_key_der(identity),
            device_key=rsa_key_der(device),
            signing_key=signing.private_bytes_raw(),
            certificate=make_certificate(facts, identity, signing),
        )
    )
    again = Person(world, person.name, profile, link.invite)
    world.people.append(again)
    world.settle(30)
    return again
