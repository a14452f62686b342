"""What a commit means to people: who came, who went, who may do what."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from chatserv.crypto.commits import Leave, Op, SetPolicy
from chatserv.crypto.room_state import Member, Policy, Role, State

Lines = tuple[tuple[str, tuple[str, ...]], ...]
Rules = tuple[tuple[str, bool | int | str], ...]
_ROLES = {Role.OWNER: "owner", Role.MODERATOR: "moderator", Role.MEMBER: "member"}


def describe(before: State, after: State, ops: Sequence[Op], struck: Callable[[Member], bool]) -> Lines:
    """Words and users, in the order of the words' first use; see `chatserv.client.room_events.RoomChanged`.

    Args:
        before: The room so far.
        after: The room now.
        ops: What was done.
        struck: Whether the log, which is the server's word, says that a member has another identity, or is gone.
    """
    leaving = {entry.user for op in ops if isinstance(op, Leave) if (entry := before.entry(op.leaf)) is not None}
    words: defaultdict[str, list[str]] = defaultdict(list)
    users = dict.fromkeys([*(m.user for m in before.members), *(m.user for m in after.members)])
    for user in users:
        record, now = before.member(user), after.member(user)
        if record is not None and now is not None and record.role and now.role and record.kt_added != now.kt_added:
            words["struck"].append(user)  # and listed anew, in one commit
            record = None
        for word in _words(record, now, leaving=user in leaving):
            words["struck" if word == "kicked" and record is not None and struck(record) else word].append(user)
    if before.policy != after.policy or any(isinstance(op, SetPolicy) for op in ops):
        words["policy"] = []
    if not words:
        words["devices" if before.roster != after.roster else "rotated"] = []
    return tuple((word, tuple(users)) for word, users in words.items())


def changed_rules(before: Policy, after: Policy) -> Rules:
    """What is another in the policy, by its field's name, with its new value."""
    values = ((name, getattr(before, name), getattr(after, name)) for name in Policy.__struct_fields__)
    return tuple((name, now) for name, was, now in values if was != now)


def _words(before: Member | None, after: Member | None, *, leaving: bool) -> list[str]:
    was = Role.BANNED if before is None else before.role
    now = Role.BANNED if after is None else after.role
    if not was and not now:
        was_banned, is_banned = before is not None, after is not None
        if was_banned == is_banned:
            return []
        return ["banned"] if is_banned else ["unbanned"]
    if not was:
        return ["joined"] if now is Role.MEMBER else ["joined", _ROLES[now]]
    if not now:
        if leaving:
            return ["left"]
        return ["kicked"] if after is None else ["banned"]
    found = [_ROLES[now]] if was is not now else []
    if before is not None and after is not None and before.muted is not after.muted:
        found.append("muted" if after.muted else "unmuted")
    return found
