"""Values that keep to themselves what they hold: keys, tokens, what is sealed; and what nobody wants to read in a log."""

from typing import Any, ClassVar

from msgspec import Struct


class Discreet(Struct, frozen=True):
    """The base of a value whose ``repr`` shows the fields that ``shown`` names and no other, however many are added."""

    shown: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.shown]
