"""``--export`` and ``--import``: one's own history, to a file and from one."""

from twisted.internet.defer import Deferred

from chatserv.client import Slash
from clients.plain.script import Errand
from clients.shared.exit_codes import DONE, REFUSED, Exit
from clients.shared.startup import tell


class HistoryMode(Errand):
    """Says what the file means, and writes it, with a connection or without; or reads one, once the log is here."""

    def start(self, token: bytes | None) -> None:
        """Connects; what is kept here can be written at once."""
        super().start(token)
        if self._arguments.export_file is not None:
            self._patience.end()
            self._reactor.callLater(0, lambda: Deferred.fromCoroutine(self._work()).addErrback(self._refused))

    def _online(self, *, first: bool) -> None:
        if self._arguments.export_file is None:
            super()._online(first=first)

    async def _work(self) -> None:
        export, source = self._arguments.export_file, self._arguments.import_file
        if export is not None:
            slash = Slash(self._client)
            warning, *_how = await slash.obey("export", [str(export)])
            tell(warning)
            self._say(await slash.obey("export", [f"{export} yes"]), DONE)
        elif source is not None:
            found = await self._client.import_history(str(source.absolute()))
            self._say(found.told(), REFUSED if found.refusals or not found.whole else DONE)

    def _say(self, lines: list[str], code: int) -> None:
        for line in lines:
            self._printing.line(line)
        self.finish(Exit(code))
