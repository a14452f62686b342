"""``twistd -ny chat.tac``: the same server as ``twistd -n chatserv``.

Settings file and state directory come from ``CHATSERV_CONFIG`` and ``CHATSERV_STATE_DIR``.
"""

from twisted.application.service import Application

from chatserv.tap import service_from_environment

application = Application("chatserv")
service_from_environment().setServiceParent(application)
