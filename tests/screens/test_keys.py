"""Every key is written down, once, and the document says what the bindings say."""

from __future__ import annotations

from pathlib import Path

from textual.binding import Binding

from screens.app import ConsoleApp
from screens.backend.screen import BackendScreen
from screens.dialogs.confirm import Confirm
from screens.dialogs.prompt import Prompt, PromptInput
from screens.dialogs.reader import Reader, ReaderInput
from screens.fleet.screen import FilterInput, FleetScreen
from screens.fragments.dialog import DeployDialog, DeployReason
from screens.fragments.screen import FragmentsScreen
from screens.keys import document, key_words
from screens.welcome.screen import WelcomeScreen
from screens.widgets.grid import Grid

ROOMS = (
    ConsoleApp, FleetScreen, FilterInput, BackendScreen, WelcomeScreen, Grid, Prompt, PromptInput, Reader, ReaderInput,
    Confirm, FragmentsScreen, DeployDialog, DeployReason,
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


def test_every_binding_has_id_description_and_tooltip() -> None:
    bindings = [binding for room in ROOMS for binding in room.__dict__["BINDINGS"]]
    assert all(isinstance(binding, Binding) and binding.id and binding.description for binding in bindings)
    assert [binding.id for binding in bindings if not binding.tooltip] == []
    ids = [binding.id for binding in bindings]
    assert len(ids) == len(set(ids))


def test_the_document_is_what_the_bindings_say() -> None:
    assert (ROOT / "docs" / "keys.md").read_text(encoding="utf-8") == document(), "run `make docs`"


def test_keys_read_as_people_write_them() -> None:
    keys = ("ctrl+r", "U", "slash", "question_mark", "escape", "pagedown", "colon", "j")
    assert [key_words(key) for key in keys] == ["Ctrl-R", "Shift-U", "/", "?", "Esc", "PgDn", ":", "j"]
