"""Tests of `clients.shared.links`."""

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.links import MAX_LINKS, MAX_URL_CHARACTERS, link, links


def found(text: str) -> list[str]:
    """The links of a text."""
    return [text[begin:end] for begin, end in links(text)]


class LinksTests(SynchronousTestCase):
    """Where links stand."""

    def test_what_stands_around_them_is_none_of_them(self) -> None:
        """Signs of the sentence in any script, brackets, quotes; brackets of their own are."""
        for text in (
            "see {} now",
            "({})",
            "{}.",
            "{}, and",
            "“{}”",
            "谢谢{}。",
            "「{}」",
            "<{}>",
            "is it {}?!",
            "[{}]…",
            "«{}»",
        ):
            self.assertEqual(found(text.format("https://example.org/a_(b)")), ["https://example.org/a_(b)"], text)
        self.assertEqual(found("https://example.org/ http://b.example mailto:a@b.example"), [
            "https://example.org/", "http://b.example", "mailto:a@b.example",
        ])  # fmt: skip

    def test_other_schemes_are_text(self) -> None:
        """And what is no link of these."""
        for text in (
            "javascript:alert(1)", "file:///etc/passwd", "chatserv://127.0.0.1:5000/#x", "xhttps://example.org", "https://",
            "https:///path", "mailto:nobody", "http://example.org:99999/", "ftp://example.org", "https://exa$mple.org", "",
            "https://bank.example@evil.example/", "http://user:word@evil.example", "https://-x.example", "mailto:a@b,c@d",
        ):  # fmt: skip
            self.assertEqual(found(text), [], text)

    def test_what_cannot_be_seen_ends_them(self) -> None:
        """Or turns what follows round."""
        for sign in ("\u202e", "\u2066", "\u200b", "\u200d", "\u00ad", "\ufeff", "\u3000", "\x1b", "\n"):
            self.assertEqual(found(f"https://example.org/a{sign}gpj.exe"), ["https://example.org/a"])

    def test_they_are_bounded(self) -> None:
        """In number and in length; one more is text."""
        self.assertEqual(len(found("https://example.org " * (MAX_LINKS + 1))), MAX_LINKS)
        longest = "https://example.org/".ljust(MAX_URL_CHARACTERS, "a")
        self.assertEqual((len(found(longest)), len(found(longest + "a"))), (1, 0))

    def test_brackets_hold_nobody_up(self) -> None:
        """What is too long for a link is not looked through, sign by sign, for where it ends: that took seconds."""
        with mock.patch("clients.shared.links._end", side_effect=AssertionError("looked through")):
            self.assertEqual([], links("https://a" + ")" * MAX_URL_CHARACTERS))


class LinkTests(SynchronousTestCase):
    """What is given to the program that opens them."""

    def test_nothing_in_it_is_an_order(self) -> None:
        """Only signs of RFC 3986, and the scheme first."""
        evil = link("https://example.org/--help?a=$(touch x)&b='c'")
        self.assertIsNotNone(evil)
        self.assertEqual(evil and evil.url, "https://example.org/--help?a=%24%28touch%20x%29&b=%27c%27")
        for text in ("HTTPS://EXAMPLE.org:8080/ä?ü#ö", "http://[::1]:80/x"):
            self.assertRegex((link(text) or evil).url if evil else "", r"^https?://[!-~]+$")

    def test_a_host_is_told_as_it_is_asked_for(self) -> None:
        """Letters of another script do not pass for ours."""
        for text, where in (
            ("https://\u0440\u0430\u0443\u0440\u0430l.com/x", "xn--l-7sba6dbr.com"),
            ("https://bücher.example:8443", "xn--bcher-kva.example:8443"),
            ("HTTP://Example.ORG", "example.org"), ("mailto:bob@example.org?attach=/etc/passwd", "bob@example.org"),
        ):  # fmt: skip
            given = link(text)
            self.assertEqual(given and given.goes_to, where)

    def test_letters_carry_no_files(self) -> None:
        """The address alone is taken."""
        given = link("mailto:bob@example.org?attach=/etc/passwd")
        self.assertEqual(given and (given.url, given.mail), ("mailto:bob@example.org", True))
