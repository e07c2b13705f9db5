"""Specs keep the text of scalars, merge keys work as in YAML, and any invalid YAML gives a one-line error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lab.errors import SpecError
from lab.slo import load_windows
from lab.slo.generate import render_slos
from lab.slo.model import Slo
from lab.slo.specs.sloth import read_spec
from lab.slo.specs.windows import read_windows

pytestmark = pytest.mark.batch

SPEC = """\
version: prometheus/v1
service: %(service)s
slos:
  - name: %(name)s
    objective: %(objective)s
    labels: {kept: %(label)s}
    infoLabels: {kept: %(label)s}
    sli: {raw: {error_ratio_query: "avg_over_time(bad_ratio[{{.window}}])"}}
    alerting: {name: %(alert)s, annotations: {kept: %(label)s}}
"""
GOOD = {"service": "shop", "name": "checkout", "objective": "99.9", "label": "a", "alert": "Burn"}


def read(path: Path, **given: str) -> Slo:
    path.write_text(SPEC % (GOOD | given), encoding="utf-8")
    (slo,) = read_spec(path)
    return slo


@pytest.mark.parametrize(
    "text",
    [
        "1.10", "+4915112345", "01234", "22:30", "1_000", "0x1F", "1.0e+3", "0o17", "0b11", "-0", ".5", ".inf", ".nan",
        "2023-02-28", "2023-02-30", "0000-00-00", "2001-12-14t21:59:43.10-05:00", "9999-99-99T99:99:99Z",
        "yes", "no", "On", "off", "true", "y", "=", "9" * 5000, "1e999", "190:20:30.15", "!!float abc", "!!int 1.10",
        "!!timestamp soon", "!!bool maybe", "!!str 1.10", "! 1.10",
    ],
)  # fmt: skip
def test_a_label_keeps_the_text_that_is_written(text: str, tmp_path: Path) -> None:
    """It is not converted to a number, a date or a flag, not even with a tag of YAML itself."""
    slo = read(tmp_path / "spec.yml", label=text)
    expected = {"kept": text.rpartition(" ")[2]}
    assert (slo.labels, slo.info_labels, slo.alert_annotations) == (expected, expected, expected)
    rules = yaml.safe_load(render_slos([slo], load_windows("production"), "spec.yml"))["groups"][0]["rules"]
    assert rules[0]["labels"]["kept"] == expected["kept"]


@pytest.mark.parametrize("text", ["0123", "2024_01", "1.10", "0x1F", "12e3"])
def test_names_of_service_slo_and_alert_keep_the_text_that_is_written(text: str, tmp_path: Path) -> None:
    slo = read(tmp_path / "spec.yml", service=text, name=text, alert=text)
    assert (slo.sloth_id, slo.alert_name) == (f"{text}-{text}", text)


@pytest.mark.parametrize("text", ["", "~", "null", "Null"])
def test_a_label_without_a_value_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"spec.yml:6: slos\[0\].labels.kept: must be a string"):
        read(tmp_path / "spec.yml", label=text)


@pytest.mark.parametrize(
    "text",
    ["1:39.9", "099.9", "0x63", "9_9.9", "'99.9'", "99,9", ".nan", ".inf", "1e999", "yes", "2023-02-30",
     "!!bool maybe", "!!float abc", "!!int 1.5x", "9" * 5000, "{}", "[99.9]", ""],
)  # fmt: skip
def test_an_objective_that_is_not_a_decimal_number_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"spec.yml:5: slos\[0\].objective: must "):
        read(tmp_path / "spec.yml", objective=text)


@pytest.mark.parametrize("text", ["99.9", "99.900", "+99.9", "9.99e1", "9.99E+01", "999e-1"])
def test_an_objective_is_normalised(text: str, tmp_path: Path) -> None:
    assert str(read(tmp_path / "spec.yml", objective=text).objective_percent) == "99.9"


def test_whole_tens_are_written_without_an_exponent(tmp_path: Path) -> None:
    assert str(read(tmp_path / "spec.yml", objective="90").objective_percent) == "90"


@pytest.mark.parametrize("tag", ["!secret", "!!binary", "!!set", "!!omap", "!!python/object:os.system", "!<x>"])
def test_an_unsupported_yaml_tag_is_refused(tag: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"spec.yml:6: slos\[0\].labels.kept: the YAML tag \S+ is not supported"):
        read(tmp_path / "spec.yml", label=f"{tag} a")


MERGED = """\
version: prometheus/v1
service: shop
slos:
  - name: cart
    objective: 99.9
    sli: &sli {raw: {error_ratio_query: "avg_over_time(cart_bad[{{.window}}])"}}
    alerting:
      name: CartBurn
      page_alert: &page
        labels: {severity: page, team: till}
      ticket_alert: &ticket
        <<: *page
        labels: {severity: ticket, team: till}
  - name: till
    objective: 99.9
    sli: *sli
    alerting:
      name: TillBurn
      page_alert: *page
      ticket_alert: %s
"""


@pytest.mark.parametrize(
    "again",
    ["*ticket", "{<<: *ticket}", "{<<: [*ticket, *page]}", "{<<: *page, <<: *ticket}", "{<<: [*page], <<: [*ticket]}"],
)
def test_a_mapping_that_overrides_a_merged_key_can_be_merged_again(again: str, tmp_path: Path) -> None:
    """By alias, by another merge, or in a list whose first entry wins."""
    (tmp_path / "spec.yml").write_text(MERGED % again)
    for slo in read_spec(tmp_path / "spec.yml"):
        assert slo.alerts["ticket"].labels == {"severity": "ticket", "team": "till"}
        assert slo.alerts["page"].labels == {"severity": "page", "team": "till"}


def test_an_anchor_can_be_redefined(tmp_path: Path) -> None:
    """As in YAML and Go, an alias refers to the last definition before it."""
    text = (SPEC % GOOD).replace("labels: {kept: a}", "labels: {one: &a 1.0, two: *a, three: &a 2.0, four: *a}", 1)
    (tmp_path / "spec.yml").write_text(text)
    (slo,) = read_spec(tmp_path / "spec.yml")
    assert slo.labels == {"one": "1.0", "two": "1.0", "three": "2.0", "four": "2.0"}


@pytest.mark.parametrize(
    ("again", "problem"),
    [
        ("{<<: words}", "20: slos[1].alerting.ticket_alert: << merges mappings only"),
        ("{<<: [*page, words]}", "20: slos[1].alerting.ticket_alert: << merges mappings only"),
        ("{labels: {a: b}, labels: {a: b}}", "20: slos[1].alerting.ticket_alert.labels: is a duplicate key"),
        ('{"<<": *page}', "20: slos[1].alerting.ticket_alert.<<: unknown key"),
        ("*nowhere", "20: ticket_alert: is not valid YAML: *nowhere refers to an anchor that is not defined"),
        ("&me {<<: *me}", "20: slos: refers to itself"),
        ("&me {labels: {a: *me}}", "20: slos: refers to itself"),
        ("{? [a] : b}", "20: slos[1].alerting.ticket_alert: a key must be a string"),
        ("{disable: maybe}", "20: slos[1].alerting.ticket_alert.disable: must be true or false"),
        ('{"a\\nb": 1}', "20: slos[1].alerting.ticket_alert.'a\\nb': unknown key"),
        ('{labels: {a: "\\ud800"}}', "20: ticket_alert: is not valid YAML: "),
    ],
)
def test_an_invalid_merge_or_alias_is_refused(again: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yml").write_text(MERGED % again)
    with pytest.raises(SpecError) as refusal:
        read_spec(tmp_path / "spec.yml")
    assert f"spec.yml:{problem}" in str(refusal.value)


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? ", "a:\n" + " " * 3])
def test_a_hundred_thousand_levels_are_refused_without_a_crash(opening: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yml").write_text(opening * 100_000)
    with pytest.raises(SpecError):
        read_spec(tmp_path / "spec.yml")


@pytest.mark.parametrize("merge", ["[{}, {}]", "[{{<<: {}}}, {{<<: {}}}]"])
def test_aliases_that_multiply_are_refused(merge: str, tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} {merge.format(f'*l{n - 1}', f'*l{n - 1}')}\n" for n in range(1, 35))
    (tmp_path / "spec.yml").write_text(f"l0: &l0 {{a: b}}\n{levels}")
    with pytest.raises(SpecError, match="refers to itself, or is nested too deeply"):
        read_spec(tmp_path / "spec.yml")


words = st.one_of(
    st.sampled_from([
        "~", "null", "yes", "1.10", "0x1F", "1:39.9", "2023-02-30", "0000-00-00", "=", "<<", ".nan", ".inf", "1e400",
        "!!float abc", "!!bool maybe", "!!timestamp x", "!!binary '='", "!x y", "&a b", "*a", "&a {<<: *a}", "[]", "{}",
        "{<<: {a: 1}}", "? b", "- a", "'", '"', '"\\x00"', '"\\ud800"', "|\n  a", "%", "@", "`", "²", "5m", "30d", "1w",
        "99.9", "sum(rate(x[{{.window}}]))", "'x[{{.window}}] # c'", "prometheus/v1", "openslo/v1", "\u2028",
    ]),
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
)  # fmt: skip
WINDOWS = Path("rules/windows/lab.yml").read_text(encoding="utf-8")
TEXTS = (SPEC % GOOD, MERGED % "*ticket", WINDOWS)


@st.composite
def altered(draw: st.DrawFn) -> str:
    """A valid document with some words, keys or lines replaced."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        tokens = [mark for mark in yaml.scan(text) if isinstance(mark, yaml.ScalarToken)]
        if draw(st.booleans()):
            lines = text.splitlines(keepends=True)
            at = draw(st.integers(0, len(lines)))
            text = "".join([*lines[:at], draw(words), draw(st.sampled_from(["", "\n"])), *lines[at:]])
        elif tokens:
            token: Any = draw(st.sampled_from(tokens))
            text = text[: token.start_mark.index] + draw(words) + text[token.end_mark.index :]
        try:
            list(yaml.scan(text))
        except yaml.YAMLError:
            break
    return text


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(text=st.one_of(altered(), st.text(max_size=60), st.lists(words, max_size=8).map("\n".join)))
@example(text='a: "\\UFFFFFFFF"')
@example(text="a: !<tag:yaml.org,2002:null> [a]")
def test_any_text_is_read_or_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for reader in (read_spec, read_windows):
        try:
            document = reader(path)
            if isinstance(document, list):
                render_slos(document, load_windows("production"), "any.yml")
            else:
                render_slos([read(tmp_path / "spec.yml")], document, "any.yml")
        except SpecError as refusal:
            assert refusal.exit_status == 2
            assert len(str(refusal).splitlines()) == 1, str(refusal)
