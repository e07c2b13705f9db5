"""What was measured of the rules: detection in recorded incidents, and the cost of evaluating them."""

from __future__ import annotations

import json
from typing import Any

from lab.errors import LabError
from lab.site import html, units
from lab.site.book import Book
from lab.site.html import Markup

FIGURES = "figures/bench.json"


def detection_record_table(book: Book) -> Markup:
    """Predicted against measured detection, of every recorded incident that an SLO's page caught."""
    rows = []
    for record in book.records:
        foretold, fired, paged = record.data.get("prediction"), record.first("firing"), record.first("page")
        if not foretold or not foretold.get("alert") or paged is None:
            continue
        predicted, allowed = (float(foretold[key]) for key in ("detection_seconds", "allowance_seconds"))
        measured = float(paged["t_seconds"])
        rows.append(
            (
                html.link(book.href(record.path), record.ident),
                html.link(book.runbook(foretold["alert"]), foretold["alert"]),
                units.seconds(predicted),
                units.ABSENT if fired is None else units.seconds(float(fired["t_seconds"])),
                units.seconds(measured),
                units.seconds(allowed),
                html.badge("ok", "yes") if measured <= predicted + allowed else html.badge("bad", "no"),
            )
        )
    head = ("Record", "Page", "Predicted", "Fired", "Page delivered", "Allowed on top", "Inside")
    return html.table(head, rows, label="Detection, predicted and measured, in lab time", numeric=True)


def rule_cost(book: Book) -> Markup:
    """What evaluating one SLO's rules costs beside Sloth's, as `make bench` measured it."""
    found = _figures(book, "rules")
    rows = [
        (title, side["rules"], f"{side['pass_ms']:.1f}{units.NBSP}ms", f"{side['second_ms']:.2f}{units.NBSP}ms")
        for title, side in (("these rules", found["ours"]), ("Sloth\u2019s", found["sloth"]))
    ]
    table = html.table(
        ("Rules of one SLO", "Rules", "Every rule once", "Each second"), rows, label="Rule cost", numeric=True
    )
    return table + Markup(
        "<p>{} of Sloth\u2019s work, on Prometheus {}, {} days of history, measured on {}.</p>"
    ).format(
        units.percent(found["ratio"], 0),
        found["prometheus"],
        f"{found['history_days']:g}",
        units.day(found["measured_at"]),
    )


def _figures(book: Book, section: str) -> dict[str, Any]:
    path = book.docs / FIGURES
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["sections"][section]
    except (OSError, ValueError, KeyError) as error:
        raise LabError(f"docs/{FIGURES} holds no figures of {section!r}; run `make bench`") from error
    return found


VIEWS = (detection_record_table, rule_cost)
