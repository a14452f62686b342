"""``make irctest``: the gateway for IRC clients under the IRC community's own tests, https://github.com/progval/irctest."""
