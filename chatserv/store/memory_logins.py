"""What a login by password goes by, and new devices of an account that there is, in the store in memory."""

from collections.abc import Callable, Sequence

from chatserv.account_models import Enrolment, PasswordLogin
from chatserv.crypto.suite import sha256
from chatserv.errors import BadKey, BadMessage, NotFound, Quota
from chatserv.models import AccountStatus, Certified, LeafDraft
from chatserv.store.limits import StoreLimits
from chatserv.store.memory_devices import MemoryDevice


class LoginTable:
    """The half of `chatserv.store.memory_accounts.AccountTable` that is about logins by password.

    By name: ``_verifiers``; ``_identities``, the identity keys (DER), the newest last; ``_networks``, each with when it
    was used last.
    """

    _limits: StoreLimits
    _log: Callable[[Sequence[LeafDraft]], None]
    _accounts: dict[str, AccountStatus]
    _devices: dict[bytes, MemoryDevice]
    _verifiers: dict[str, bytes]
    _identities: dict[str, list[bytes]]
    _networks: dict[str, dict[bytes, int]]

    def login(self, name: str) -> PasswordLogin | None:
        """What a login of that account goes by."""
        verifier = self._verifiers.get(name)
        if not verifier:
            return None
        networks = frozenset(self._networks.get(name, ()))
        return PasswordLogin(self._accounts[name].account, verifier, self._identities[name][-1], networks)

    def set_verifier(self, account_id: bytes, verifier: bytes, signer: bytes) -> str:
        """Puts another verifier in the place of an account's; gives its name. Raises `NotFound` or `BadKey`."""
        name = self._name_of(account_id)
        self._require_newest(name, signer)
        self._verifiers[name] = verifier
        return name

    def _require_newest(self, name: str, fingerprint: bytes) -> None:
        if sha256(self._identities[name][-1]) != fingerprint:
            raise BadKey("not the newest identity of the account")

    def note_network(self, account_id: bytes, network: bytes, now_ms: int) -> None:
        """The account has logged in from there."""
        try:
            noted = self._networks.setdefault(self._name_of(account_id), {})
        except NotFound:
            return
        noted[network] = now_ms
        for oldest in sorted(noted, key=lambda each: (-noted[each], each))[self._limits.networks :]:
            del noted[oldest]

    def _name_of(self, account_id: bytes) -> str:
        for name in self._verifiers:
            if self._accounts[name].account.account_id == account_id and self._verifiers[name]:
                return name
        raise NotFound("account")

    def enrol(self, new: Enrolment, now_ms: int) -> None:
        """Makes a device. Raises `NotFound`, `BadKey`, `BadMessage` or `Quota`."""
        if not self._verifiers.get(new.name):
            raise NotFound("account")
        cert_hash = sha256(new.certificate)
        known = self._devices.get(new.device_id)
        same = next((each for each in self._devices.values() if each.certified.cert_hash == cert_hash), None)
        if known is not same or (known is not None and known.name != new.name):
            raise BadMessage("device exists")
        if known is not None and not known.revoked:
            return
        if known is not None or self._identities[new.name][-1] != new.identity_spki:
            raise BadKey("device certificate: revoked, or by another identity than the newest")
        if sum(each.name == new.name and not each.revoked for each in self._devices.values()) >= self._limits.devices:
            raise Quota("devices")
        certified = Certified(cert_hash, new.certificate, new.identity_spki)
        self._devices[new.device_id] = MemoryDevice(certified, new.name, created_ms=now_ms)
        self._log([] if new.leaf is None else [new.leaf])
