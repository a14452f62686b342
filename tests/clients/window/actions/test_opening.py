"""Tests of opening links."""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

from chatserv.client import Announced
from tests.client.slash_fakes import AT_MS, message
from tests.clients.window.actions.test_bound_actions import BoundTestCase, line_of_menu

TEXT = "look: https://example.org/a?b='$(touch evil)' and https://other.example"


class OpeningTests(BoundTestCase):
    """From a text to the program that opens it."""

    def setUp(self) -> None:
        """A program that writes down what it is given."""
        super().setUp()
        directory = Path(self.mktemp())
        directory.mkdir()
        self.written, program = directory.absolute() / "written", directory / "xdg-open"
        program.write_text(
            f'#!/bin/sh\nfor each; do echo "$each"; done > "{self.written}.new"\nmv "{self.written}.new" "{self.written}"\n'
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.patch(os, "environ", {**os.environ, "PATH": f"{directory.absolute()}{os.pathsep}{os.environ['PATH']}"})
        self.plans.kept.append(message(3, TEXT, room="plans"))
        self.tell(message(3, TEXT, room="plans"))

    def test_it_is_asked_about_and_given_as_one_argument(self) -> None:
        """The dialog says where it leads; Cancel opens nothing."""
        from clients.window.actions import opening

        self.context.layout.chat._actions.open("https://example.org/a?b='$(touch evil)'")
        self.assertIn("example.org", self.dialog_text)
        self.press("Cancel")
        self.assertEqual(opening._running, [])
        self.context.layout.chat._actions.open("https://example.org/a?b='$(touch evil)'")
        self.press("Open")
        self.assertEqual(opening._running.pop().wait(), 0)
        self.assertEqual(self.written.read_text(), "https://example.org/a?b=%27%24%28touch%20evil%29%27\n")

    def test_nothing_else_is_opened(self) -> None:
        """Whatever the text says."""
        for text in ("file:///etc/passwd", "javascript:alert(1)", "--help", "https://user@example.org"):
            self.context.layout.chat._actions.open(text)
            self.assertIsNone(self.dialog())

    def test_it_is_copied_where_nothing_opens_it(self) -> None:
        """No program, or one that cannot be started."""
        from clients.shared.links import link
        from clients.window.actions import opening

        self.patch(shutil, "which", lambda _: None)
        self.context.layout.chat._actions.open("https://example.org/")
        self.press("Copy")
        self.assertEqual(self.root.clipboard_get(), "https://example.org/")
        found = link("https://example.org/")
        self.assertFalse(found is None or opening.open_link(found, ["/nowhere/at-all"]))

    def test_the_menu_of_a_message_opens_its_links(self) -> None:
        """For who has no mouse; in what the program says they are marked as well."""
        import tkinter as tk

        self.choose(message(3, TEXT, room="plans"))
        menu = tk.Menu(self.root, tearoff=False)
        self.application.menus.of_message.fill(menu)
        labels: list[Any] = [
            menu.entrycget(at, "label") for at in range((menu.index("end") or 0) + 1) if menu.type(at) == "command"
        ]
        self.assertEqual(
            [each for each in labels if each.startswith("Open")], ["Open example.org…", "Open other.example…"]
        )
        menu.invoke(line_of_menu(menu, "Open other.example…"))
        self.assertEqual(self.dialog_title, "Link")
        self.tell(Announced(text="tonight: https://status.example", at_ms=AT_MS))
        ranges = self.context.layout.chat.text.tag_ranges("link")
        self.assertEqual(self.context.layout.chat.text.get(*ranges[-2:]), "https://status.example")

    def test_a_topic_opens_its_link(self) -> None:
        """By a click; one without a link does nothing."""
        heading = self.context.layout.heading
        for topic, title in (("no link here", ""), ("minutes: https://minutes.example/1", "Link")):
            self.plans.topic = topic
            self.go("plans")
            self.application.presenter.lists.head()
            heading._topic.event_generate("<Button-1>")
            self.update()
            self.assertEqual(self.dialog_title, title)
        self.assertIn("minutes.example", self.dialog_text)
