"""Settings and certificate, read anew while the server runs: all of it, or nothing. No connection ends for it.

Everything that can be wrong is looked at first; what comes then does not fail.
"""

import datetime
from typing import Any, Final

from msgspec import Struct
from twisted.logger import Logger

from chatserv.config import Config
from chatserv.errors import ChatError
from chatserv.live_settings import LiveSettings
from chatserv.local_errors import SettingsError
from chatserv.log_file import open_rotating
from chatserv.net.certificates import ServedCertificate, check_new, load_certified
from chatserv.probing import all_listeners, check_endpoints, listen_problem
from chatserv.repeating import repeated
from chatserv.settings_file import WHOLE_FILE
from chatserv.settings_loading import load
from chatserv.settings_sources import Sources
from chatserv.state_directory import StateDirectory

log = Logger(namespace="chatserv.settings")
LOOK_SECONDS: Final = 86_400.0  # between two looks at how long the certificate holds


class Reloaded(Struct, frozen=True):
    """What reading anew has come to.

    Attributes:
        applied: Keys whose new values hold from now on.
        waits_for_restart: Keys whose new values the next start takes.
        certificate: The file whose new certificate is shown from now on; empty: it is the same as before.
        warnings: What the operator should know, a line each.
    """

    applied: tuple[str, ...]
    waits_for_restart: tuple[str, ...]
    certificate: str
    warnings: tuple[str, ...]


class Reloading:
    """Reads them for one server.

    Args:
        sources: Where settings come from.
        settings: Those that run.
        served: The certificate that runs.
        state: The state directory.
        reactor: Times the looks at the certificate; knows what an endpoint is.
    """

    def __init__(
        self, sources: Sources, settings: LiveSettings, served: ServedCertificate, state: StateDirectory, reactor: Any
    ) -> None:
        self._sources, self._settings, self._served, self._state = sources, settings, served, state
        self._reactor = reactor
        self._files = [file.name for file in sources.files()]
        self._looks = repeated(self._look, reactor)

    def start(self) -> None:
        """Begins to look after the certificate."""
        self._looks.start(LOOK_SECONDS)

    def stop(self) -> None:
        """Looks no more."""
        if self._looks.running:
            self._looks.stop()

    def reload(self) -> Reloaded:
        """Reads everything anew; says in the log what has come of it.

        Raises:
            SettingsError: Something in a source, or a file that it names, cannot be used.
            ChatError: The server's own certificate cannot be used. In each case everything stays as it was.
        """
        try:
            reloaded = self._reload()
        except ChatError as error:
            log.error("settings are not taken, everything stays as it was: {error}", error=str(error))
            raise
        for warning in reloaded.warnings:
            log.warn("{warning}", warning=warning)
        log.info("settings are read anew; changed: {keys}", keys=", ".join(reloaded.applied) or "nothing")
        if reloaded.waits_for_restart:
            log.warn("until the next start wait: {keys}", keys=", ".join(reloaded.waits_for_restart))
        if reloaded.certificate:
            log.info("{file}: a new certificate is shown from now on", file=reloaded.certificate)
        return reloaded

    def _reload(self) -> Reloaded:
        loaded, files = load(self._sources), [file.name for file in self._sources.files()]
        if self._files and not files:
            hint = "put it back; only a start goes on with the defaults"
            raise SettingsError(self._files[0], WHOLE_FILE, "is gone, and there is no other", hint)
        config, now = self._settings.merged(loaded.config), datetime.datetime.now(datetime.UTC)
        check_endpoints(self._reactor, loaded.config.server)
        self._check_log(config)
        certified = load_certified(config, self._state)
        if not certified.is_same(self._served.certified):
            check_new(certified, now)
        warnings = [*loaded.warnings, *self._ports_in_use(loaded.config), *filter(None, [certified.trouble(now)])]
        renewed = self._served.replace(certified)
        changes = self._settings.replace(loaded.config)
        self._files = files
        return Reloaded(
            changes.applied, changes.waits_for_restart, str(certified.path) if renewed else "", tuple(warnings)
        )

    def _check_log(self, config: Config) -> None:
        wanted = config.logging
        if wanted.file != self._settings.config.logging.file:
            path = self._state.path / wanted.file
            try:
                open_rotating(path, wanted).close()
            except OSError as error:
                reason = f"cannot be written to ({error.strerror})"
                raise SettingsError(str(path), "logging.file", reason, "check its directory") from None

    def _ports_in_use(self, config: Config) -> list[str]:
        """Of the listeners that the next start adds, the first one that somebody else has."""
        ours = all_listeners(self._settings.config.server)
        new = [each for each in all_listeners(config.server) if each not in ours and each.kind == "tcp"]
        problem = listen_problem(new)
        return [] if problem is None else [f"the next start could not listen on {problem}"]

    def _look(self) -> None:
        """Tells of a certificate that ends soon; one of our own is made anew then."""
        if self._served.certified.is_ours:
            try:
                self._served.replace(load_certified(self._settings.config, self._state))
            except ChatError as error:
                log.error("the server's certificate cannot be made anew: {error}", error=str(error))
        trouble = self._served.certified.trouble(datetime.datetime.now(datetime.UTC))
        if trouble is not None:
            log.warn("{trouble}", trouble=trouble)
