"""Drills on pages beside the catalogue: detection against prediction, how a person is scored, the faults there are."""

from __future__ import annotations

from statistics import median

from lab.drills import campaign, chooser, score
from lab.drills.spec import COMPONENTS, TRIGGERS
from lab.site import html, units
from lab.site.book import Book
from lab.site.html import Markup
from lab.site.records import Record


def drill_detection(book: Book) -> Markup:
    """Each recorded drill's detection: predicted, what the pipeline may add, measured, and the ratio of the two."""
    rows, ratios = [], []
    for drill in book.catalogue:
        record = book.records.find(drill.id)
        if record is None or not record["prediction"]:
            continue
        foretold, told = record["prediction"], record["durations"]["page_seconds"]
        ratio = _ratio(record)
        ratios += [] if ratio is None else [ratio]
        rows.append(
            (
                drill.id, html.link(book.runbook(foretold["alert"]), foretold["alert"]),
                units.seconds(foretold["detection_seconds"]), units.seconds(foretold["allowance_seconds"]),
                units.ABSENT if told is None else units.seconds(told),
                units.ABSENT if ratio is None else f"{ratio:.2f}",
            )
        )  # fmt: skip
    head = ("Drill", "Alert", "Predicted", "Pipeline adds at most", f"Told after (lab time, {book.factor}x)", "Ratio")
    table = html.table(head, rows, label="Detection against prediction", numeric=True)
    if not ratios:
        return table
    return table + Markup("<p>Measured over predicted, the pipeline taken off: median {}, worst {}.</p>").format(
        f"{median(ratios):.2f}", f"{max(ratios):.2f}"
    )


def _ratio(record: Record) -> float | None:
    foretold = record["prediction"]
    return campaign.detection_ratio(
        foretold["detection_seconds"], foretold["allowance_seconds"], record["durations"]["page_seconds"]
    )


def score_table(_book: Book) -> Markup:
    """What each part of the score is worth."""
    slow, prompt = f"{score.SLOWEST_RATIO:g}", units.seconds(score.PROMPT_ACK_SECONDS)
    rows = (
        ("recovery", f"{score.RECOVERY_POINTS}", "the SLI came back and stayed, by whatever fix"),
        ("diagnosis", f"{score.DIAGNOSIS_POINTS}", "component and trigger class; a part of it for less, see below"),
        ("speed", f"{score.SPEED_POINTS}", f"as fast as the autopilot; nothing from {slow} times its time on"),
        ("acknowledgement", f"{score.ACK_POINTS}", f"within {prompt}; nothing from {slow} times that on"),
        ("each hint", f"{units.MINUS}{score.HINT_POINTS}", "bought, read or not"),
        (
            "each harmful action",
            f"{units.MINUS}{score.HARM_POINTS}",
            "an SLI that was good turned bad right after it, as fast as pages",
        ),
    )
    return html.table(("For", "Points", "How"), rows, label="Score")


def diagnosis_words(_book: Book) -> Markup:
    """What a diagnosis may name."""
    rows = (
        ("components", ", ".join(name for name in COMPONENTS if name != "none")),
        ("trigger classes", ", ".join(name for name in TRIGGERS if name != "control")),
    )
    return html.table(("A diagnosis names", "one of"), rows, label="Words of a diagnosis")


def fault_table(_book: Book) -> Markup:
    """Every fault with its parameters."""
    rows = [
        (html.code(fault["kind"]), fault["about"], Markup("<br>").join(_parameter(one) for one in fault["parameters"]))
        for fault in chooser.faults()
    ]
    return html.table(("Fault", "What it does", "Parameters"), rows, label="Faults")


def _parameter(one: dict[str, object]) -> Markup:
    default = "" if one["required"] else f", default {one['default']}"
    return Markup("{} {}{}. {}").format(html.code(one["name"]), one["shape"], default, one["about"])


VIEWS = (drill_detection, score_table, diagnosis_words, fault_table)
