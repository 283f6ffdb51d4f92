"""Writing the post-mortem draft from the screens, next to what is saved there."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from console.report.markdown import make_report
from screens.saving import saved_directory
from screens.spans import visible

if TYPE_CHECKING:
    from screens.app import ConsoleApp

SPAN = timedelta(hours=1)


def write_draft(app: ConsoleApp) -> str | None:
    """Write the draft of the last hour; the path is told. Returns the sentence that says why not."""
    snapshot, now = app.snapshot, app.clock.now()
    if snapshot.gateway is None:
        return "there is nothing to report yet: the gateway is not known"
    folder = saved_directory(os.environ)
    name = f"report-{visible(snapshot.service_name)}-{now:%Y%m%d-%H%M%S}".replace("/", "-")
    draft = make_report(snapshot, snapshot.findings, snapshot.changes or (), now, SPAN, chart_prefix=name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.md"
        path.write_text(draft.text, encoding="utf-8")
        for chart, svg in draft.charts:
            (folder / chart).write_text(svg, encoding="utf-8")
    except OSError as error:
        return f"the report is not written: {error}"
    app.notify(f"written {path}\nand {len(draft.charts)} charts", markup=False, timeout=8)
    return None
