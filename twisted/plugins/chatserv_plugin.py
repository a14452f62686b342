"""Tells ``twistd`` about the ``chatserv`` sub-command."""

from twisted.application.service import ServiceMaker

chatserv = ServiceMaker("chatserv", "chatserv.tap", "Private team chat: a server that stores and forwards.", "chatserv")
