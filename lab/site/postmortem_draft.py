"""The draft of a postmortem: macros give the numbers, TO_WRITE marks what a person must write.

The draft contains only what the record has data for: no burn rate for an incident without an SLO at stake, no
runbook trace for a responder that ran no runbook command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from textwrap import indent

from lab.drills.spec.detection import BurnRate
from lab.drills.spec.drill import Drill
from lab.errors import LabError
from lab.site.render.timeseries import Line, extremes, wrong_side_is_above
from lab.site.sources import postmortem_pages, register_files
from lab.site.sources.context import POSTMORTEMS
from lab.site.sources.records import Record

TO_WRITE = "To be written"
# A signal without an objective has moved when it changed by this ratio of its usual value.
MOVED_RATIO = 0.5
MAX_CHARTS = 4
# Shown under Detection, and in the budget table.
DRAWN_ELSEWHERE = ("burn_rate_", "budget_remaining_")


def name(record: Record) -> str:
    """The file name of the page, from the incident and its title: `INC-001_feed_latency_regression.md`."""
    slug = re.sub(r"[^a-z0-9]+", "_", record.data.drill.title.lower()).strip("_")
    return f"{record.ident}_{slug}.md"


def page(record: Record, drill: Drill) -> str:
    """The Markdown of the draft. Raises LabError for the control, and for a record without a page or ticket."""
    if drill.is_control:
        raise LabError(f"{record.ident} is a control without a fault, so it has no postmortem")
    if record.first("page") is None:
        raise LabError(f"the record of {record.ident} has no page; a postmortem describes the response to a page")
    parts = (
        _head(record), _summary(record), _impact(record, drill), _detection(record, drill), _trigger(record),
        _causes(record, drill), _timeline(record, drill), _resolution(record), _lessons(), _actions(record),
        _evidence(record),
    )  # fmt: skip
    return "\n\n".join(block for part in parts for block in part) + "\n"


def _head(record: Record) -> Iterator[str]:
    title = record.data.drill.title
    lower = title if title[1:2].isupper() else title[:1].lower() + title[1:]
    yield (
        f'---\ntitle: "{record.ident} {title}"\n'
        f'description: "The postmortem of {record.ident}, {lower}."\n'
        f"status: {postmortem_pages.DRAFT}\nauthors: [{TO_WRITE}]\nreviewers: [{TO_WRITE}]\n---"
    )
    yield f"# {record.ident}: {lower}"
    yield _call("postmortem_head", record)


def _summary(record: Record) -> Iterator[str]:
    alert = record.prediction.alert
    yield "## Summary"
    yield _write("What happened, to whom, and how it ended: three or four sentences that make sense alone.")
    sentence = [f"{alert} reached the responder at T+{_call('moment', record, 'page')}"]
    if record.first("action"):
        sentence.append(f"the mitigation was complete at T+{_call('moment', record, 'action')}")
    if record.first("recovered"):
        sentence.append(f"every SLI at stake was good again at T+{_call('moment', record, 'recovered')}")
    elif record.first("resolved"):
        sentence.append(f"the alert resolved at T+{_call('moment', record, 'resolved')}")
    yield "; ".join(sentence) + "."
    yield _call("facts", record)


def _impact(record: Record, drill: Drill) -> Iterator[str]:
    yield "## Impact"
    if drill.effect is None:
        yield _write("Who was affected and who was not, although no SLO was at stake.")
    else:
        sli = _sli(drill.effect.slo)
        yield (
            f"At worst {_call('worst', record, sli)} of the events of {drill.effect.slo.replace('-', ' ')} were bad,"
            f" and {_call('before', record, sli)} before the fault; its objective is"
            f' {{{{ objective("{drill.effect.slo}") }}}} good ones.'
        )
        yield _write("Which users noticed, what they saw, and which were not affected.")
        yield _chart(record, [sli])
    yield "The error budget it cost:"
    yield _call("budget_table", record)


def _detection(record: Record, drill: Drill) -> Iterator[str]:
    yield "## Detection"
    yield _call("prediction", record)
    if drill.effect is not None:
        yield _chart(record, [line.name for line in record.data.signals if line.name.startswith("burn_rate_")])
        if record.first("firing") and isinstance(drill.detection_model, BurnRate):
            yield (
                f"With production's windows the same fault would fire it after {_call('production_time', record)},"
                " by the same arithmetic, before scrape, evaluation and group wait."
            )
    yield _write("Did the right alert detect it, early enough, and did no other alert fire?")


def _trigger(record: Record) -> Iterator[str]:
    yield "## Trigger"
    yield f"Class: {_call('fact', record, 'drill.trigger')}. Component: {_call('fact', record, 'drill.component')}."
    yield _write("The action or event that triggered it. Not who did it, but what made it easy to do and hard to see.")


def _causes(record: Record, drill: Drill) -> Iterator[str]:
    yield "## Root causes and contributing factors"
    yield _write("Number them. The mechanism first, then why nothing stopped it before users were affected.")
    at_stake = _sli(drill.effect.slo) if drill.effect else ""
    for signal in moved(record):
        if signal != at_stake:
            yield _chart(record, [signal])


def _timeline(record: Record, drill: Drill) -> Iterator[str]:
    yield "## Timeline"
    yield (
        "UTC, and time after injection (lab time, {{ factor() }}). T0 to T8 are the graded instants, which the charts"
        " mark too."
    )
    chart = _sli(drill.effect.slo) if drill.effect else ""
    yield _call("timeline", record, *([chart] if chart else []))
    yield _call("durations", record)


def _resolution(record: Record) -> Iterator[str]:
    yield "## Resolution"
    if record.data.runbook:
        yield "The responder ran the runbook section that the page links to. Each command:"
        yield _call("runbook_trace", record)
    yield "Every change to the system, from the audit log:"
    yield _call("actions", record)
    yield _write("Why this was enough, whether it was safe, and what had to be restored afterwards.")


def _lessons() -> Iterator[str]:
    for title, prompt in (
        ("What went well", "What helped, and should stay?"),
        ("What went wrong", "Where was time lost, and which assumptions were wrong?"),
        ("Where we got lucky", "What unplanned circumstance kept the impact smaller?"),
    ):
        yield f"## {title}"
        yield _write(prompt)


def _actions(record: Record) -> Iterator[str]:
    yield "## Action items"
    if any(item.incident == record.ident for item in register_files.action_items()):
        yield _call("action_items", record)
    else:
        yield _write(
            "Add rows such as these to lab/site/sources/action_items.yml, with the proof that each is done. Then call"
            " the macro action_items here."
        ) + indent(f"\n\n``` yaml\n{_rows(record)}```", "    ")


def _rows(record: Record) -> str:
    """One row for each type of action item, with the latest due date that its priority allows."""
    return "".join(
        f"- id: {record.ident.replace('INC', 'AI')}-{number}\n  incident: {record.ident}\n  type: {kind}\n"
        f"  text: {TO_WRITE}\n  owner: {TO_WRITE}\n  status: open\n  priority: {priority}\n"
        f"  due: {record.t0.date() + timedelta(register_files.PRIORITIES[priority].days)}\n  proof: {TO_WRITE}\n"
        for number, (kind, priority) in enumerate(zip(register_files.TYPES, register_files.PRIORITIES, strict=True), 1)
    )


def _evidence(record: Record) -> Iterator[str]:
    yield "## Evidence"
    yield from (_call(macro, record) for macro in ("verdict", "evidence", "log_lines"))
    yield "## Where it leads"
    yield _call("incident_loop", record)


def moved(record: Record) -> list[str]:
    """The names of the signals that moved, the largest change first, at most MAX_CHARTS.

    A signal with an objective moved when it crossed it, one without when it changed by MOVED_RATIO of its usual value.
    Burn rates and the budget are left out: other sections show them.
    """
    scores = []
    for signal in record.data.signals:
        if signal.name.startswith(DRAWN_ELSEWHERE):
            continue
        line, objective, _ = record.signal(signal.name)
        if line.known and (score := _moved_by(line, objective)) >= 1:
            scores.append((score, signal.name))
    return [name for _, name in sorted(scores, key=lambda pair: -pair[0])][:MAX_CHARTS]


def _moved_by(line: Line, objective: float | None) -> float:
    """The change of a signal as a multiple of its threshold, at most 100; at 1 or more it has moved."""
    before, worst, _ = extremes(line, objective)
    if objective is not None:
        good, bad = (worst, objective) if wrong_side_is_above(line, objective) else (objective, worst)
        return min(good / bad if bad else 0.0, 100.0)
    if before is None:
        return 0.0
    after = [value for at, value in line.known if at >= 0] or [before]
    change = max(abs(value - before) for value in after)
    return min(change / (MOVED_RATIO * abs(before)) if before else (2.0 if change else 0.0), 100.0)


def unwritten(text: str) -> int:
    """The number of marked places in a draft that are still unwritten."""
    return text.count(TO_WRITE)


def nav_line(file: Path) -> str:
    """The line for the page in mkdocs.yml's nav."""
    text = file.read_text(encoding="utf-8")
    title = next(line.removeprefix("title: ").strip('"') for line in text.splitlines() if line.startswith("title: "))
    return f"- {title}: {POSTMORTEMS}/{file.name}"


def _write(prompt: str) -> str:
    return f'!!! note "{TO_WRITE}"\n    {prompt}'


def _sli(sloth_id: str) -> str:
    return sloth_id.replace("-", "_") + "_bad_ratio"


def _chart(record: Record, signals: Iterable[str]) -> str:
    return _call("chart", record, *signals)


def _call(macro: str, record: Record, *arguments: str) -> str:
    quoted = ", ".join(f'"{argument}"' for argument in (record.ident, *arguments))
    return f"{{{{ {macro}({quoted}) }}}}"
