"""Help, prompt, palette, question: what they offer is what there is."""

from __future__ import annotations

from screens.commands import COMMANDS, complete, execute, find
from screens.dialogs.confirm import Confirm
from tests.screens.looking import console_on, press, text_on
from tests.screens.made_up import demo_snapshot


async def test_help_lists_the_keys_of_the_screen_and_filters() -> None:
    async with console_on(demo_snapshot(), (100, 60)) as (app, _, pilot):
        await press(pilot, "question_mark")
        text = text_on(app)
        assert "Ctrl-R" in text
        assert "Fetch everything now" in text
        assert "Shift-U" in text
        await press(pilot, "=pause")
        assert "Let the feeds rest" not in text_on(app) or "Fetch everything" not in text_on(app)
        await press(pilot, "escape", "enter", "question_mark")
        assert "The next backend of the fleet" in text_on(app)


async def test_the_prompt_completes_with_tab_and_opens_a_backend() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await press(pilot, "colon", "=b payg-w", "tab", "enter")
        assert "payg-westus · PAYG" in text_on(app)


async def test_the_prompt_keeps_a_wrong_line_and_says_what_is_wrong() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await press(pilot, "colon", "=flet", "enter")
        assert "no command “flet”; did you mean fleet?" in text_on(app)
        await press(pilot, *["backspace"] * 4, "=sort colour", "enter")
        assert "sort knows no “colour”" in text_on(app)
        await press(pilot, "escape")
        assert app.screen.id == app.screen_stack[0].id


async def test_commands_do_what_keys_do() -> None:
    async with console_on(demo_snapshot()) as (app, engine, pilot):
        await press(pilot, "colon", "=filter payg", "enter")
        assert "3 of 5" in text_on(app)
        await press(pilot, "colon", "=filter", "enter")
        assert "3 of 5" not in text_on(app)
        await press(pilot, "colon", "=sort requests", "enter")
        assert "REQ▼" in text_on(app)
        await press(pilot, "colon", "=refresh", "enter")
        assert "refresh all" in engine.asked
        await press(pilot, "colon", "=theme light", "enter")
        assert app.theme == "genaigw-light"
        await press(pilot, "colon", "=q", "enter")
        assert app.return_value == 0


async def test_every_command_and_alias_finds_itself() -> None:
    words = [word for command in COMMANDS for word in (command.name, *command.aliases)]
    assert len(words) == len(set(words))
    async with console_on(demo_snapshot()) as (app, _, _):
        for command in COMMANDS:
            assert find(command.name) is command
            assert complete(app, command.name)[0][0].strip() == command.name
            if command.needs_argument:
                assert execute(app, command.name) == f"{command.name} needs {command.argument}"


async def test_q_and_ctrl_q_leave_with_zero() -> None:
    for key in ("q", "ctrl+q"):
        async with console_on(demo_snapshot()) as (app, _, pilot):
            await press(pilot, key)
        assert app.return_code == 0


async def test_the_palette_offers_the_commands() -> None:
    async with console_on(demo_snapshot(), (100, 40)) as (app, _, pilot):
        await press(pilot, "ctrl+p")
        await press(pilot, "=payg-legacy")
        await pilot.app.workers.wait_for_complete()
        assert "backend payg-legacy" in text_on(app)


async def test_a_question_is_answered_yes_by_y_alone() -> None:
    answers: list[bool | None] = []
    async with console_on(demo_snapshot()) as (app, _, pilot):
        for key in ("enter", "escape", "n", "y"):
            await app.push_screen(Confirm("Leave [b]this[/]", ["Really?"], "leave"), answers.append)
            await press(pilot, key)
    assert answers == [False, False, False, True]
