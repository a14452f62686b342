"""Names that no new account can have: whoever had one would be taken for the server, for who runs it, or for everybody."""

from functools import cache
from typing import Final

from chatserv.domain.names import check_beginning, skeleton, user_name
from chatserv.errors import NameTaken

# fmt: off
KEPT: Final = frozenset({
    "chatserv", "daemon", "lobby", "root", "server", "servers", "service", "servidor", "sistema", "sudo", "superuser",
    "system",
    "abuse", "admin", "admins", "administracion", "administrador", "administrator", "administrators", "help", "helpdesk",
    "hostmaster", "mod", "mods", "moderador", "moderator", "moderators", "official", "oficial", "operador", "operator",
    "operators", "owner", "postmaster", "security", "seguridad", "soporte", "staff", "support", "sysadmin", "sysop", "team",
    "webmaster",
    "all", "anonymous", "anybody", "anyone", "channel", "everybody", "everyone", "here", "nobody", "none", "null", "room",
    "somebody", "todos", "undefined", "unknown",
})
# fmt: on


def new_user_name(text: str) -> str:
    """`user_name`, for an account that is to be made: begins with a letter or digit, and is none of `KEPT`.

    Signs in such a word and numbers behind it do not help, nor does what looks like it: ``r00t``, ``adm1n_``, ``lobby2``.
    Accounts that have such a name from before keep it.

    Raises:
        NameInvalid: As `user_name`, or for how it begins (`check_beginning`).
        NameTaken: It is one of these.
    """
    word = name = user_name(text)
    while word and not word[-1].isalpha():
        word = word[:-1]
    if not _at_a_glance_kept().isdisjoint((_at_a_glance(name), _at_a_glance(word))):
        raise NameTaken("kept for the server")
    check_beginning(name)
    return name


def _at_a_glance(name: str) -> str:
    """The name's skeleton without signs, in which i, l and 1 are one letter."""
    return "".join(each for each in skeleton(name) if each.isalnum()).replace("l", "i")


@cache
def _at_a_glance_kept() -> frozenset[str]:
    return frozenset(map(_at_a_glance, KEPT))
