"""Tests, laid out like the tree they test. They read English, whatever the developer's language is.

Nothing depends on how fast the machine is, nor does Hypothesis. A row of the fault suite runs tests that its process may
have run before, in another instance of their class, which Hypothesis would take for a mistake. What a shell ignores for
programs that it starts with an ampersand is back at its default: tests interrupt the programs they start.
"""

import os
import signal
import sys

from hypothesis import HealthCheck, settings

allowed = [HealthCheck.too_slow, HealthCheck.differing_executors]
settings.register_profile("any machine", deadline=None, suppress_health_check=allowed)
settings.load_profile("any machine")
os.environ["LANGUAGE"] = "en"  # before chatserv.i18n reads it; programs that tests start inherit it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

if "twisted.trial" in sys.modules:  # the runner's reactor waits as those of programs do
    from twisted.internet import reactor  # noqa: TID251 - the one that trial has chosen

    from chatserv.clocks import use_steady_clock

    use_steady_clock(reactor)
