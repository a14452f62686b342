"""A disk of ours that fails: the client stands still, says whose trouble it is, and goes on when there is space again."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from chatserv.local_errors import LocalFileError

TRY_SECONDS: Final = 5.0  # the longest pause before the disk is tried again


@implementer(IStreamClientEndpoint)
class Recovering:
    """An endpoint that connects only where nothing of ours stands in the way.

    Args:
        endpoint: Where the server is.
        recover: Tries whether the trouble is over, and goes back to what is stored. Raises `LocalFileError`.
        away: Told why the server is not there either, where the first attempt after a trouble fails.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        recover: Callable[[], None],
        away: Callable[[Exception | None], object],
    ) -> None:
        self._endpoint, self._recover, self._away = endpoint, recover, away
        self.trouble: LocalFileError | None = None

    def connect(self, protocolFactory: Any) -> "Deferred[Any]":  # noqa: N803 - Twisted's name
        """As of the endpoint; fails with the trouble as long as it lasts."""
        if self.trouble is None:
            return self._endpoint.connect(protocolFactory)
        try:
            self._recover()
        except LocalFileError as error:
            self.trouble = error
            return fail(error)
        self.trouble = None
        connecting: Deferred[Any] = self._endpoint.connect(protocolFactory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Any) -> Any:
        self._away(failure.value)
        return failure
