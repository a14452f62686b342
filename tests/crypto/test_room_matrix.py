"""Who may do what to whom: docs/rooms.rst 5.2 as a table."""

from functools import cache

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.commits import Add, BadCommit, Create, Op, Remove, SetMember, SetPolicy
from chatserv.crypto.room_state import Policy, Role
from tests.support.rooms import DEVICES, DIRECT, OPEN, PRIVATE, PUBLIC, Device, World

# Written by hand from the text of the specification. Each row is an op, each column whom it is about; "self" is the actor.
# "moderator" and "owner" are others with that role, "muted" is a muted member. + is allowed, - is refused.

OWNER = """
                            absent banned member muted moderator owner self
  set member                   +      +      -     +       +       -    +
  set member, muted            +      +      +     -       +       -    -
  set moderator                +      -      +     +       -       -    +
  set moderator, muted         +      -      +     +       +       -    -
  set owner                    +      -      +     +       +       -    -
  strike                       -      +      +     +       +       -    -
  ban                          +      -      +     +       +       -    -
  strike after reset           -      +      +     +       +       +    -
  add a device                 -      -      +     +       +       +    +
  add an unlogged device       -      -      -     -       -       -    -
  add a device after reset     -      -      -     -       -       -    -
  remove a device              -      -      +     +       +       +    +
  remove a revoked device      -      -      +     +       +       +    +
  leave                        -      -      +     +       +       +    -
"""
MODERATOR = """
                            absent banned member muted moderator owner self
  set member                   +      +      -     +       -       -    -
  set member, muted            +      +      +     -       -       -    -
  set moderator                -      -      -     -       -       -    -
  set moderator, muted         -      -      -     -       -       -    -
  set owner                    -      -      -     -       -       -    -
  strike                       -      +      +     +       -       -    -
  ban                          +      -      +     +       -       -    -
  strike after reset           -      +      +     +       +       +    -
  add a device                 -      -      +     +       +       +    +
  add an unlogged device       -      -      -     -       -       -    -
  add a device after reset     -      -      -     -       -       -    -
  remove a device              -      -      +     +       +       +    +
  remove a revoked device      -      -      +     +       +       +    +
  leave                        -      -      +     +       +       +    -
"""
MEMBER = """
                            absent banned member muted moderator owner self
  set member                   -      -      -     -       -       -    -
  set member, muted            -      -      -     -       -       -    -
  set moderator                -      -      -     -       -       -    -
  set moderator, muted         -      -      -     -       -       -    -
  set owner                    -      -      -     -       -       -    -
  strike                       -      -      -     -       -       -    -
  ban                          -      -      -     -       -       -    -
  strike after reset           -      -      +     +       +       +    -
  add a device                 -      -      +     +       +       +    +
  add an unlogged device       -      -      -     -       -       -    -
  add a device after reset     -      -      -     -       -       -    -
  remove a device              -      -      -     -       -       -    +
  remove a revoked device      -      -      +     +       +       +    +
  leave                        -      -      +     +       +       +    -
"""
MEMBER_WHO_MAY_ADD = """
                            absent banned member muted moderator owner self
  set member                   +      -      -     -       -       -    -
  set member, muted            -      -      -     -       -       -    -
  set moderator                -      -      -     -       -       -    -
  set moderator, muted         -      -      -     -       -       -    -
  set owner                    -      -      -     -       -       -    -
  strike                       -      -      -     -       -       -    -
  ban                          -      -      -     -       -       -    -
  strike after reset           -      -      +     +       +       +    -
  add a device                 -      -      +     +       +       +    +
  add an unlogged device       -      -      -     -       -       -    -
  add a device after reset     -      -      -     -       -       -    -
  remove a device              -      -      -     -       -       -    +
  remove a revoked device      -      -      +     +       +       +    +
  leave                        -      -      +     +       +       +    -
"""
ONE_OF_TWO = """
                            absent member self
  set member                   -      -    -
  set member, muted            -      -    -
  set moderator                -      -    -
  set moderator, muted         -      -    -
  set owner                    -      -    -
  strike                       -      -    -
  ban                          -      -    -
  strike after reset           -      -    -
  add a device                 -      +    +
  add an unlogged device       -      -    -
  add a device after reset     -      -    -
  remove a device              -      -    +
  remove a revoked device      -      +    +
  leave                        -      -    -
"""
ONE_ALONE = """
                            absent self
  set member                   -    -
  set member, muted            -    -
  set moderator                -    -
  set moderator, muted         -    -
  set owner                    -    -
  strike                       -    -
  ban                          -    -
  strike after reset           -    -
  add a device                 -    +
  add an unlogged device       -    -
  add a device after reset     -    -
  remove a device              -    +
  remove a revoked device      -    +
  leave                        -    -
"""
RETURNING = """
                            absent banned member muted moderator owner self
  set member                   -      -      -     -       -       -    -
  set member, muted            -      -      -     -       -       -    -
  set moderator                -      -      -     -       -       -    -
  set moderator, muted         -      -      -     -       -       -    -
  set owner                    -      -      -     -       -       -    -
  strike                       -      -      -     -       -       -    -
  ban                          -      -      -     -       -       -    -
  strike after reset           -      -      -     -       -       -    -
  add a device                 -      -      +     +       +       +    +
  add an unlogged device       -      -      -     -       -       -    -
  add a device after reset     -      -      -     -       -       -    -
  remove a device              -      -      -     -       -       -    -
  remove a revoked device      -      -      +     +       +       +    +
  leave                        -      -      +     +       +       +    -
"""
JOINING = """
                            absent banned member muted moderator owner self
  set member                   -      -      -     -       -       -    -
  set member, muted            -      -      -     -       -       -    -
  set moderator                -      -      -     -       -       -    -
  set moderator, muted         -      -      -     -       -       -    -
  set owner                    -      -      -     -       -       -    -
  strike                       -      -      -     -       -       -    -
  ban                          -      -      -     -       -       -    -
  strike after reset           -      -      -     -       -       -    -
  add a device                 -      -      +     +       +       +    +
  add an unlogged device       -      -      -     -       -       -    -
  add a device after reset     -      -      -     -       -       -    -
  remove a device              -      -      -     -       -       -    -
  remove a revoked device      -      -      +     +       +       +    -
  leave                        -      -      +     +       +       +    -
"""
NOBODY = """
                            absent banned member muted moderator owner self
  set member                   -      -      -     -       -       -    -
  set member, muted            -      -      -     -       -       -    -
  set moderator                -      -      -     -       -       -    -
  set moderator, muted         -      -      -     -       -       -    -
  set owner                    -      -      -     -       -       -    -
  strike                       -      -      -     -       -       -    -
  ban                          -      -      -     -       -       -    -
  strike after reset           -      -      -     -       -       -    -
  add a device                 -      -      -     -       -       -    -
  add an unlogged device       -      -      -     -       -       -    -
  add a device after reset     -      -      -     -       -       -    -
  remove a device              -      -      -     -       -       -    -
  remove a revoked device      -      -      -     -       -       -    -
  leave                        -      -      -     -       -       -    -
"""
# Kind of room, actor, table. "back": a new device of that actor, from outside the roster (its ops follow its own Add).
TABLES = (
    ("private", "owner", OWNER),
    ("private", "moderator", MODERATOR),
    ("private", "member", MEMBER),
    ("private", "owner back", RETURNING),
    ("private", "moderator back", RETURNING),
    ("private", "member back", RETURNING),
    ("private", "stranger", NOBODY),
    ("private", "banned", NOBODY),
    ("open", "owner", OWNER),
    ("open", "moderator", MODERATOR),
    ("open", "member", MEMBER_WHO_MAY_ADD),
    ("open", "owner back", RETURNING),
    ("open", "moderator back", RETURNING),
    ("open", "member back", RETURNING),
    ("open", "stranger", NOBODY),
    ("open", "banned", NOBODY),
    ("public", "owner", OWNER),
    ("public", "moderator", MODERATOR),
    ("public", "member", MEMBER),
    ("public", "owner back", RETURNING),
    ("public", "moderator back", RETURNING),
    ("public", "member back", RETURNING),
    ("public", "stranger", JOINING),
    ("public", "banned", NOBODY),
    ("dm", "member", ONE_OF_TWO),
    ("devices", "member", ONE_ALONE),
)
ABOUT_THE_ROOM = """
                            owner moderator member back stranger
  private  rotation           +       +       +     +       -
  private  policy             +       -       -     -       -
  private  policy: other kind -       -       -     -       -
  private  create             -       -       -     -       -
  open     rotation           +       +       +     +       -
  open     policy             +       -       -     -       -
  open     policy: other kind -       -       -     -       -
  open     create             -       -       -     -       -
  public   rotation           +       +       +     +       +
  public   policy             +       -       -     -       -
  public   policy: other kind -       -       -     -       -
  public   create             -       -       -     -       -
"""
# The last two columns: from outside, behind the ops of the own entering; "rotation" is then that entering alone.

POLICIES = {"private": PRIVATE, "open": OPEN, "public": PUBLIC, "dm": DIRECT}
USERS = {"member": "mel", "moderator": "mona", "owner": "olga", "stranger": "sam", "banned": "bill"}
TARGETS = {
    "absent": "ann",
    "banned": "bea",
    "member": "tom",
    "muted": "mute",
    "moderator": "mod",
    "owner": "other-owner",
}
ROLES = {
    "mel": (Role.MEMBER, False),
    "mona": (Role.MODERATOR, False),
    "bea": (Role.BANNED, False),
    "bill": (Role.BANNED, False),
    "tom": (Role.MEMBER, False),
    "mute": (Role.MEMBER, True),
    "mod": (Role.MODERATOR, False),
    "other-owner": (Role.OWNER, False),
}


class Scene:
    """A room of one kind with somebody in each role, each with two devices in it, and two more outside."""

    fresh: Device  # of somebody whose identity was reset

    def __init__(self, kind: str) -> None:
        self.world = World()
        users = {"dm": ["mel", "tom"], "devices": ["mel"]}.get(kind) or ["olga", *ROLES]
        for user in [*users, "ann", "sam"]:
            self.world.account(user)
            for name in ("second", "third", "fourth"):
                self.world.device(user, name)
        creator = self.device(users[0])
        if kind == "dm":
            self.room = self.world.room(creator, self.device("tom"), policy=DIRECT)
            self.add("mel", "second")
            self.add("tom", "second")
            return
        if kind == "devices":
            self.room = self.world.room(creator, policy=DEVICES)
            self.add("mel", "second")
            return
        self.room = self.world.room(creator, policy=POLICIES[kind])
        self.add("olga", "second")
        for user, (role, muted) in ROLES.items():
            self.room.commit(creator, SetMember(user, role, muted))
            if role:
                self.add(user, "first")
                self.add(user, "second")

    def device(self, user: str, name: str = "first") -> Device:
        """A device of the user, by its name."""
        identity = self.world.facts.identities(user, self.world.size)[0].fingerprint
        return Device(user, name, identity)

    def add(self, user: str, name: str) -> None:
        """The creator, or the user themself, adds a device."""
        by = self.device("olga" if "olga" in ROLES or self.room.state.member("olga") else "mel")
        self.room.commit(by, Add(self.room.entry(self.device(user, name))))


@cache
def scene(kind: str, user: str = "", event: str = "") -> Scene:
    """A scene in which something happened to ``user`` in the log after the room was made. Not to be changed."""
    made = Scene(kind)
    if event == "revoked":
        made.world.revoke(made.device(user, "second"))
    elif event == "reset":
        made.fresh = made.world.reset(user)
    return made


def ops_of(row: str, here: Scene, user: str, ahead: int) -> list[Op]:
    """The ops that a row means. ``ahead``: how many numbers are used before; what is not in the room has the next one."""
    room = here.room
    first, second = here.device(user), here.device(user, "second")
    match row:
        case "strike" | "strike after reset":
            return [SetMember(user, None)]
        case "ban":
            return [SetMember(user, Role.BANNED)]
        case "add a device":
            return [Add(room.entry(here.device(user, "fourth"), ahead))]
        case "add an unlogged device":
            return [Add(room.entry(here.world.unlogged(user, "unlogged"), ahead))]
        case "add a device after reset":
            void = [Remove(room.leaf(device)) for device in (first, second) if room.state.device(device.device_id)]
            return [*void, Add(room.entry(here.fresh, ahead))]
        case "remove a device" | "remove a revoked device":
            return [Remove(room.leaf(second))]
        case "leave":
            return [room.leave(first)]
    role, *muted = row.removeprefix("set ").split(", ")
    return [SetMember(user, Role[role.upper()], bool(muted))]


def entering(here: Scene, user: str) -> list[Op]:
    """The ops with which the user's third device comes in from outside, as a member or as nobody."""
    device = here.device(user, "third")
    if here.room.state.role(user):
        return [Add(here.room.entry(device))]
    return [*here.room.join(device)]


class MatrixTests(SynchronousTestCase):
    """Each cell of the tables is what the rules do."""

    def allowed(self, here: Scene, actor: str, *ops: Op, outside: bool) -> bool:
        """Whether the rules take a commit with these ops."""
        before = entering(here, actor) if outside else []
        device = here.device(actor, "third" if outside else "first")
        try:
            here.room.validate(here.room.sealed(device, *before, *ops))
        except BadCommit:
            return False
        return True

    def cell(self, kind: str, actor: str, row: str, target: str) -> bool:
        """Whether ``actor`` may do to ``target`` what ``row`` says."""
        user = USERS[actor.removesuffix(" back")]
        outside = actor not in ("owner", "moderator", "member")
        about = user if target == "self" else TARGETS[target]
        event = {
            "remove a revoked device": "revoked",
            "strike after reset": "reset",
            "add a device after reset": "reset",
        }
        here = scene(kind, about, event[row]) if row in event else scene(kind)
        return self.allowed(here, user, *ops_of(row, here, about, ahead=outside), outside=outside)

    def check(self, kind: str) -> None:
        """All tables of one kind of room."""
        wrong, count = [], 0
        for table_kind, actor, table in TABLES:
            if table_kind != kind:
                continue
            header, *rows = table.strip().splitlines()
            targets = header.split()
            self.assertEqual(len(rows), 14)
            for line in rows:
                row, cells = line[:26].strip(), line[26:].split()
                for target, cell in zip(targets, cells, strict=True):
                    count += 1
                    if self.cell(kind, actor, row, target) != (cell == "+"):
                        wrong.append(f"{kind}: {actor}: {row}: {target}: the table says {cell}")
        self.assertEqual(wrong, [])
        self.assertEqual(count, {"dm": 42, "devices": 28}.get(kind, 8 * 14 * 7))

    def test_private(self) -> None:
        """In a private room to which moderators add."""
        self.check("private")

    def test_open(self) -> None:
        """In a private room to which any member adds."""
        self.check("open")

    def test_public(self) -> None:
        """In a public room."""
        self.check("public")

    def test_direct(self) -> None:
        """In a direct message."""
        self.check("dm")

    def test_devices(self) -> None:
        """In a room of one user's devices."""
        self.check("devices")

    def test_about_the_room(self) -> None:
        """Ops that are about nobody, by each role, in each kind of room."""
        header, *rows = ABOUT_THE_ROOM.strip().splitlines()
        for line in rows:
            kind, row, cells = line[2:10].strip(), line[11:29].strip(), line[29:].split()
            here = scene(kind)
            ops: dict[str, list[Op]] = {
                "rotation": [],
                "policy": [SetPolicy(Policy(here.room.state.policy.kind, max_devices=77))],
                "policy: other kind": [SetPolicy(DIRECT)],
                "create": [Create(bytes(32), POLICIES[kind])],
            }
            for actor, cell in zip(header.split(), cells, strict=True):
                user = {"back": "olga"}.get(actor) or USERS[actor]
                allowed = self.allowed(here, user, *ops[row], outside=actor in ("back", "stranger"))
                self.assertEqual(allowed, cell == "+", line)

    def test_about_fixed_rooms(self) -> None:
        """In direct messages, and among one's devices, members may rotate, and nothing else that is about the room."""
        for kind in ("dm", "devices"):
            here = scene(kind)
            self.assertTrue(self.allowed(here, "mel", outside=False))
            self.assertTrue(self.allowed(here, "mel", outside=True))
            self.assertFalse(self.allowed(here, "sam", outside=True))
            for op in (SetPolicy(DIRECT), SetPolicy(DEVICES), SetPolicy(PRIVATE), Create(bytes(32), DIRECT)):
                self.assertFalse(self.allowed(here, "mel", op, outside=False))
