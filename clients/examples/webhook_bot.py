"""An example: a webhook. What is POSTed to it on this machine, with its token, it says in a room.

Register an account for it first, then run it: it prints its address, and the file with the header that requests need::

    chatserv-client --link-file LINK --profile hook --user hook --password-file FILE --no-seal --send < /dev/null
    python -m clients.examples.webhook_bot hook lobby 8090
    echo it is done | curl --fail --header @FILE --data-binary @- http://127.0.0.1:8090/
"""

import hmac
import io
import secrets
import sys
from typing import Any

import msgspec
from twisted.internet import defer, task
from twisted.protocols.policies import ThrottlingFactory
from twisted.web import http, resource, server

from chatserv.client import ChatError, Client, Profile, explained, use_steady_clock

MAX_CONNECTIONS, MAX_BODY, REQUEST_SECONDS, STORED_SECONDS = 16, 65_536, 30.0, 30.0
CODES = {"text_invalid": 400, "muted": 403, "too_large": 413}
# A connection whose next request has to be whole in time: a byte now and then makes the time no longer.
CHANNEL = type("Channel", (http.HTTPChannel,), {"resetTimeout": lambda _self: None})
SAID: Any = msgspec.defstruct("Said", [("text", str)])


class Body(io.BytesIO):
    """What comes, in memory, up to one byte more than is taken; the rest is read and forgotten."""

    def write(self, data: Any) -> int:
        """Keeps what fits."""
        return super().write(data[: MAX_BODY + 1 - self.tell()])


class Hook(resource.Resource):
    """Says texts: 200, the server has stored it; 202, it waits for the server, and will be said; else it will not."""

    def __init__(self, client: Client, room: str, header: bytes, reactor: Any) -> None:
        super().__init__()
        self._client, self._room, self._header, self._reactor = client, room, header, reactor
        self.putChild(b"", self)
        site = server.Site(self, timeout=REQUEST_SECONDS, reactor=reactor)
        vars(site).update(protocol=CHANNEL, getContentFile=lambda _length: Body(), log=lambda _request: None)
        self.door = ThrottlingFactory(site, MAX_CONNECTIONS)

    def render(self, request: Any) -> int:
        """Takes a text; whoever does not know the token learns nothing but that."""
        saying = defer.Deferred.fromCoroutine(self._say(request, request.content.read()))
        saying.addErrback(lambda _: (500, "")).addCallback(lambda result: answer(request, *result))
        return server.NOT_DONE_YET

    async def _say(self, request: server.Request, body: bytes) -> tuple[int, str]:
        known = hmac.compare_digest(b"Authorization: " + (request.getHeader(b"authorization") or b""), self._header)
        if not known or request.method != b"POST":
            return 405 if known else 401, ""
        if len(body) > MAX_BODY:
            return 413, ""
        try:
            json = (request.getHeader(b"content-type") or b"").startswith(b"application/json")
            text = msgspec.json.decode(body, type=SAID).text if json else body.decode().rstrip("\n")
            self._client.room(self._room).accept()
            stored = self._client.send(self._room, text).addCallback(lambda _: 200)
            return await stored.addTimeout(STORED_SECONDS, self._reactor, lambda *_: 202), ""
        except (ValueError, RecursionError):
            return 400, ""
        except ChatError as error:
            return CODES.get(error.code, 503), explained(error)


def answer(request: server.Request, code: int, words: str) -> None:
    """Ends a request, unless nobody waits for it any more."""
    if request.channel is not None:
        request.setResponseCode(code)
        request.setHeader(b"WWW-Authenticate", b"Bearer")
        request.setHeader(b"Allow", b"POST")
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        request.write(words.encode())
        request.finish()


async def run(reactor: Any, name: str, room: str, port: str) -> None:
    """Connects, makes the token at the first start, and takes requests until it is interrupted."""
    profile = Profile.named(name)
    header = (profile.read("webhook") or b"Authorization: Bearer " + secrets.token_urlsafe(32).encode()).strip()
    profile.write("webhook", header)
    async with Client(profile, reactor) as client:
        reactor.addSystemEventTrigger("before", "shutdown", client.stop)
        listening = reactor.listenTCP(int(port), Hook(client, room, header, reactor).door, interface="127.0.0.1")
        print(f"http://127.0.0.1:{listening.getHost().port}/ {profile.path('webhook')}", flush=True)
        async for _ in client:
            pass


if __name__ == "__main__":
    task.react(lambda reactor: defer.Deferred.fromCoroutine(run(use_steady_clock(reactor), *sys.argv[1:])))
