"""Invalid specs and windows are refused with file, line and key."""

# ruff: noqa: E501 - a table of cases is easiest to read with one case per line
from __future__ import annotations

from pathlib import Path

import pytest
from shop_spec import BAD, GOOD, WINDOWS

from lab.errors import SpecError
from lab.slo import load_windows
from lab.slo.generate import read_all, render_slos
from lab.slo.specs.sloth import read_spec
from lab.slo.specs.windows import read_windows

SPEC_REFUSALS = {
    "unknown key at the top": (("service: shop", "service: shop\nserv: x"), "spec.yml:3: serv: unknown key"),
    "unknown key in an SLO": (("    objective: 99.9", "    objective: 99.9\n    target: 1"), "spec.yml:6: slos[0].target"),
    "camel-case alert": (("      name: CheckoutBurn", "      name: B\n      pageAlert: {}"), "slos[0].alerting.pageAlert: unknown key"),
    "objective 100": (("99.9", "100"), "spec.yml:5: slos[0].objective: 100 must be above 0 and below 100"),
    "objective 0": (("99.9", "0"), "slos[0].objective: 0 must be above"),
    "objective in words": (("99.9", "three nines"), "slos[0].objective: must be a number"),
    "objective not finite": (("99.9", ".nan"), "slos[0].objective"),
    "a name with a space": (("checkout", "check out"), "slos[0].name: 'check out' is not a name"),
    "a wrong template variable": (("total[{{.window}}]", "total[{{.windows}}]"), "spec.yml:9: slos[0].sli.events.total_query: {{.windows}}"),
    "no template variable": (("total[{{.window}}]", "total[5m]"), "total_query: does not use {{.window}}"),
    "an open template": (("total[{{.window}}]", "total[{{.window]"), "total_query: {{ is not a template variable"),
    "a label name with a dash": (("      name: CheckoutBurn", "      name: B\n      labels: {a-b: c}"), "'a-b' is not a label name"),
    "a label that is the generator's": (("service: shop", "service: shop\nlabels: {sloth_id: x}"), "spec.yml:3: labels.sloth_id: is set by the generator"),
    "an interval of 0s": (("    objective: 99.9", "    interval: {all: 0s}\n    objective: 99.9"), "spec.yml:5: slos[0].interval.all: '0s' is not a duration"),
    "an unknown interval": (("    objective: 99.9", "    interval: {sli: 1m}\n    objective: 99.9"), "slos[0].interval.sli: unknown key"),
    "an info label with a dash": (("    objective: 99.9", "    infoLabels: {a-b: c}\n    objective: 99.9"), "'a-b' is not a label name"),
    "Sloth's plugins": (("service: shop", "service: shop\nslo_plugins: {chain: []}"), "spec.yml:3: slo_plugins: unknown key"),
    "an SLI plugin": (("      events:", "      plugin: {id: x}\n      events:"), "slos[0].sli.plugin: SLI plugins are not supported"),
    "a duplicate key": (("service: shop", "service: shop\nservice: mall"), "service: is a duplicate key"),
    "a negative floor": (("service: shop", "service: shop\npolicy: {min_bad_events: -1}"), "policy.min_bad_events"),
    "an unknown cold start": (("service: shop", "service: shop\npolicy: {cold_start: hot}"), "policy.cold_start: 'hot'"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPEC_REFUSALS)
def test_an_invalid_spec_is_refused_with_file_line_and_key(case: str, tmp_path: Path) -> None:
    (old, new), expected = SPEC_REFUSALS[case]
    assert old in GOOD
    path = tmp_path / "spec.yml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(SpecError) as refusal:
        read_spec(path)
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: prometheus/v1\nservice: shop\nslos: []\n", "slos: must be a list with at least one"),
        ("", "is empty"),
        ("---\n---\n", "is empty"),
        ("# only a comment\n", "is empty"),
        ("slos: [", "is not valid YAML"),
        ("- a\n- b\n", "must be a mapping"),
        ("just words", "must be a mapping"),
        ("a: &a [*a]", "refers to itself"),
        ("\x00", "is not valid YAML"),
    ],
)
def test_a_file_that_is_not_a_spec_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yml"
    path.write_text(text)
    with pytest.raises(SpecError, match=expected):
        read_spec(path)


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read_spec(tmp_path / "none.yml")
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="is not UTF-8 text"):
        read_spec(tmp_path / "bytes.yml")


def test_two_slos_with_the_same_id_are_refused_with_both_places(tmp_path: Path) -> None:
    path = tmp_path / "spec.yml"
    path.write_text(f"{GOOD}---\n{GOOD}")
    with pytest.raises(SpecError, match=r"spec.yml:16: .*'shop-checkout' is already the name of .*spec.yml:4"):
        read_all([path])


def test_an_objective_that_can_never_trip_a_tier_is_refused_with_the_tiers_name(tmp_path: Path) -> None:
    path = tmp_path / "spec.yml"
    path.write_text(GOOD.replace("99.9", "90"))
    with pytest.raises(SpecError, match=r"slos\[0\].objective: 90 % can never trip page.quick of windows production"):
        render_slos(read_spec(path), load_windows("production"), "spec.yml")


def test_an_unreachable_tier_is_accepted_when_its_alert_is_disabled(tmp_path: Path) -> None:
    path = tmp_path / "spec.yml"
    path.write_text(GOOD.replace("99.9", "90") + "      page_alert: {disable: true}\n")
    assert "CheckoutBurn" in render_slos(read_spec(path), load_windows("production"), "spec.yml")


WINDOW_REFUSALS = {
    "short as long as long": (("shortWindow: 5m", "shortWindow: 1h"), "windows.yml:15: spec.page.quick.shortWindow"),
    "long beyond the period": (("longWindow: 3d", "longWindow: 31d"), "spec.ticket.slow.longWindow"),
    "fewer than four scrapes": (("scrape-interval: 15s", "scrape-interval: 2m"), "holds fewer than 4 scrapes of 120 s"),
    "not a duration": (("sloPeriod: 30d", "sloPeriod: a month"), "spec.sloPeriod: 'a month' is not a duration"),
    "no budget": (("errorBudgetPercent: 5", "errorBudgetPercent: 0"), "spec.page.slow.errorBudgetPercent"),
    "an unknown speed": (("    slow:", "    slowly:"), "spec.page.slowly: unknown key"),
    "another kind": (("kind: AlertWindows", "kind: Windows"), "kind: 'Windows' is not supported"),
    "another version": (("sloth.slok.dev/v1", "sloth.slok.dev/v2"), "apiVersion"),
    "a broken factor": (('time-factor: "1"', 'time-factor: "x"'), "must be a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("case", WINDOW_REFUSALS)
def test_invalid_windows_are_refused_with_file_line_and_key(case: str, tmp_path: Path) -> None:
    (old, new), expected = WINDOW_REFUSALS[case]
    assert old in WINDOWS
    path = tmp_path / "windows.yml"
    path.write_text(WINDOWS.replace(old, new))
    with pytest.raises(SpecError) as refusal:
        read_windows(path)
    assert expected in str(refusal.value)


HEAD, SLI, ALERTING = GOOD.partition("    sli:\n")[0], "    sli:\n      events:\n", GOOD[GOOD.index("    alerting:") :]
BOTH = "      raw: {error_ratio_query: 'x[{{.window}}]'}\n      events:\n"
TOP, NAMED, SERVED = "service: shop\n", "      name: CheckoutBurn\n", "version: prometheus/v1\nservice: shop\n"

# Everything that Sloth's loader and validation refuse in a native spec. Each is refused here with the line, and with the
# key that is wrong or missing.
SLOTHS_REFUSALS = {
    "an empty file": (GOOD, "", 1, "version: "),
    "invalid YAML": (GOOD, ":", 1, "version: "),
    "an open brace": (GOOD, "{", 2, "version: "),
    "no version": ("version: prometheus/v1\n", "", 1, "version is missing"),
    "another version": ("prometheus/v1", "prometheus/v2", 1, "version: "),
    "an empty list of SLOs": (GOOD, f"{SERVED}slos: []\n", 3, "slos: "),
    "SLOs without a value": (GOOD, f"{SERVED}slos:\n", 3, "slos: "),
    "no SLOs": (GOOD, SERVED, 1, "slos is missing"),
    "no service": (TOP, "", 1, "service is missing"),
    "an empty service": (TOP, 'service: ""\n', 2, "service: "),
    "a service with a brace": (TOP, "service: 'a-{b'\n", 2, "service: "),
    "a service that starts with no letter": (TOP, "service: _shop\n", 2, "service: "),
    "a service that ends with no letter": (TOP, "service: shop-\n", 2, "service: "),
    "a service of one letter": (TOP, "service: s\n", 2, "service: "),
    "no name": ("  - name: checkout\n    objective", "  - objective", 4, "slos[0]: name is missing"),
    "an empty name": ("checkout", '""', 4, "slos[0].name: "),
    "a name with a brace": ("checkout", "'a-{b'", 4, "slos[0].name: "),
    "a name that starts with no letter": ("checkout", ".checkout", 4, "slos[0].name: "),
    "a name that ends with no letter": ("checkout", "checkout_", 4, "slos[0].name: "),
    "a name twice in a file": (GOOD, f"{GOOD}---\n{GOOD}", 16, "slos[0].name: "),
    "a name twice in a list": ("slos:\n", f"slos:\n{GOOD.partition('slos:')[2][1:]}", 12, "slos[1].name: "),
    "no objective": ("    objective: 99.9\n", "", 4, "slos[0]: objective is missing"),
    "an objective below 0": ("99.9", "-1", 5, "slos[0].objective: "),
    "an objective just above 100": ("99.9", "100.0001", 5, "slos[0].objective: "),
    "a wrong objective in a later document": (GOOD, f"{GOOD}---\n{GOOD.replace('99.9', '101').replace('shop', 'mall')}", 17, "slos[0].objective: "),
    "no SLI": (GOOD, f"{HEAD}{ALERTING}", 4, "slos[0]: sli is missing"),
    "an empty SLI": (GOOD, f"{HEAD}    sli: {{}}\n{ALERTING}", 6, "slos[0].sli: "),
    "two kinds of SLI": (SLI, f"    sli:\n{BOTH}", 6, "slos[0].sli: "),
    "an unknown SLI plugin": (GOOD, f"{HEAD}    sli: {{plugin: {{id: nobodys}}}}\n{ALERTING}", 6, "slos[0].sli.plugin: "),
    "events without queries": (GOOD, f"{HEAD}    sli: {{events: {{}}}}\n{ALERTING}", 6, "slos[0].sli.events: error_query is missing"),
    "no total query": ("        total_query: sum(rate(http_requests_total[{{.window}}]))\n", "", 7, "slos[0].sli.events: total_query is missing"),
    "one query for both": ('{code=~"5.."}', "", 8, "slos[0].sli.events.error_query: "),
    "an error query without the window": (BAD, "sum(rate(http_requests_total[1m]))", 8, "slos[0].sli.events.error_query: "),
    "an empty raw query": (GOOD, f"{HEAD}    sli: {{raw: {{error_ratio_query: ''}}}}\n{ALERTING}", 6, "slos[0].sli.raw.error_ratio_query: "),
    "a raw query without the window": (GOOD, f"{HEAD}    sli: {{raw: {{error_ratio_query: a / b}}}}\n{ALERTING}", 6, "slos[0].sli.raw.error_ratio_query: "),
    "the raw query in camel case": (GOOD, f"{HEAD}    sli: {{raw: {{errorRatioQuery: a / b}}}}\n{ALERTING}", 6, "slos[0].sli.raw.errorRatioQuery: "),
    "no alerting": (ALERTING, "", 4, "slos[0]: alerting is missing"),
    "no alert name": (NAMED, "      labels: {a: b}\n", 10, "slos[0].alerting: name is missing"),
    "no name for the page": (NAMED, "      ticket_alert: {disable: true}\n", 10, "slos[0].alerting: name is missing"),
    "no name for the ticket": (NAMED, "      page_alert: {disable: true}\n", 10, "slos[0].alerting: name is missing"),
    "an empty alert name": ("CheckoutBurn", '""', 11, "slos[0].alerting.name: "),
    "disabled among the labels": (NAMED, f"{NAMED}      ticket_alert: {{labels: {{disable: true}}}}\n", 12, "slos[0].alerting.ticket_alert.labels.disable: "),
    "a broken label": (TOP, f"{TOP}labels: {{.team: a}}\n", 3, "labels..team: "),
    "the metric's name as a label": (TOP, f"{TOP}labels: {{__name__: a}}\n", 3, "labels.__name__: "),
    "a label without a value": (TOP, f"{TOP}labels:\n  team:\n", 4, "labels.team: "),
    "an empty label": (TOP, f'{TOP}labels: {{team: ""}}\n', 3, "labels.team: "),
    "a label that is not UTF-8": (TOP, f"{TOP}labels:\n  team: a\udcc3(\n", 4, "team: "),
    "a label name that is not UTF-8": (TOP, f"{TOP}labels: {{a: b, \udcf0\udc8f: c}}\n", 3, "labels: "),
} | {
    f"{what} of the {severity}": (NAMED, f"{NAMED}      {severity}_alert:\n        {kind}: {{{entry}}}\n", 13, f"slos[0].alerting.{severity}_alert.{kind}.{name}: ")
    for severity in ("page", "ticket")
    for kind in ("labels", "annotations")
    for what, entry, name in ((f"a broken name among the {kind}", ".a: b", ".a"), (f"an empty value among the {kind}", 'a: ""', "a"))
}  # fmt: skip


@pytest.mark.parametrize("case", SLOTHS_REFUSALS)
def test_what_sloth_refuses_is_refused_with_line_and_key(case: str, tmp_path: Path) -> None:
    old, new, line, message = SLOTHS_REFUSALS[case]
    assert old in GOOD
    path = tmp_path / "spec.yml"
    path.write_bytes(GOOD.replace(old, new, 1).encode("utf-8", "surrogateescape"))
    with pytest.raises(SpecError) as refusal:
        read_all([path])
    assert str(refusal.value).startswith(f"{path}:{line}: {message}")
    assert "\n" not in str(refusal.value)
    assert refusal.value.exit_status == 2


def test_alerts_that_are_both_disabled_need_no_name(tmp_path: Path) -> None:
    path = tmp_path / "spec.yml"
    path.write_text(GOOD.replace(NAMED, "      page_alert: {disable: true}\n      ticket_alert: {disable: true}\n"))
    (slo,) = read_spec(path)
    assert not slo.enabled("page")
    assert not slo.enabled("ticket")
