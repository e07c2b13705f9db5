"""Exit status 0 means that Prometheus loads the written rules; otherwise the error names the place in the spec."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from lab.cli.slo import slo as command
from lab.errors import SpecError
from lab.slo import load_windows, promtool
from lab.slo.generate import read_all, rule_file
from lab.slo.query.promql import clean
from lab.slo.rendering.loadable import RuleFile, check_loadable
from lab.slo.rendering.operator import metadata
from lab.slo.rendering.rule_file import split_groups

pytestmark = pytest.mark.promtool

BAD, TOTAL = "sum(rate(ops_total{outcome='jam'}[{{.window}}]))", "sum(rate(ops_total[{{.window}}]))"


def generate(folder: Path, *options: str, bad: str = BAD, total: str = TOTAL, more: str = "") -> Result:
    """Run the command on a spec with these queries, with an existing output file."""
    spec, out = folder / "spec.yml", folder / "out.yml"
    document = {
        "version": "prometheus/v1",
        "service": "tollgate",
        "slos": [
            {
                "name": "entry",
                "objective": 99.9,
                "sli": {"events": {"error_query": bad, "total_query": total}},
                "alerting": {"name": "BarrierJams"},
            }
        ],
    }
    spec.write_text(yaml.safe_dump(document, allow_unicode=False, sort_keys=False, width=10_000) + more)
    out.write_text("old content")
    return CliRunner().invoke(command, ["generate", "--spec", str(spec), "--out", str(out), *options])


@pytest.mark.parametrize("option", [(), ("--plain",)])
@pytest.mark.parametrize(
    "query",
    [
        f"{BAD} # jams only",
        f"# jams only\n{BAD}",
        f"{BAD}\n# {{{{.other}}}} and (",
        "sum(\n  # per lane\n  rate(ops_total{outcome='jam'}[{{.window}}])\r\n)",
        "sum(rate(ops_total{lane=\"#1\",a='#2',b=`#3`}[{{.window}}])) #'\"`",
        "sum(rate(ops_total{lane=\"a\\\"#\"}[{{.window}}])) # (",
        "sum(rate(ops_total{lane=\"a\u00a0b\u2028\"}[{{.window}}]))",
        "sum(rate(ops_total{lane=`a\n  b \n`}[{{.window}}]))",
        "sum(rate(ops_total{lane=\"\U0001f6a7 \U000e0001\"}[{{.window}}]))",
        "\t" + BAD + "\r\n",
    ],
)  # fmt: skip
def test_an_unusual_but_valid_query_gives_rules_that_load(query: str, option: tuple[str, ...], tmp_path: Path) -> None:
    """Comments, and any characters between quotes: strings are the same in the rule file as in the spec."""
    result = generate(tmp_path, *option, bad=query)
    assert result.exit_code == 0, result.exception
    checked = promtool.run(["check", "rules", tmp_path / "out.yml"])
    assert checked.returncode == 0, checked.stderr
    rules = yaml.safe_load((tmp_path / "out.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    ratio = next(rule["expr"] for rule in rules if rule["record"] == "slo:sli_error:ratio_rate5m")
    assert clean(query).replace("{{.window}}", "5m") in ratio


@pytest.mark.parametrize(
    "character",
    list("\u00a0\u2000\u200a\u200b\u2028\u2029\u3000\ufeff\x85\x1c\x1f\x0b"),
    ids=lambda character: f"{ord(character):04x}",
)
@pytest.mark.parametrize("side", ["error_query", "total_query"])
def test_whitespace_that_promql_does_not_allow_is_refused(character: str, side: str, tmp_path: Path) -> None:
    queries = {"bad": BAD, "total": TOTAL}
    name = "bad" if side == "error_query" else "total"
    result = generate(tmp_path, **{name: queries[name].replace("sum(", f"sum({character}")})
    assert isinstance(result.exception, SpecError)
    line = {"error_query": 8, "total_query": 9}[side]
    place = f"spec.yml:{line}: slos[0].sli.events.{side}: is not PromQL: contains U+{ord(character):04X}"
    assert place in str(result.exception)
    assert (tmp_path / "out.yml").read_text() == "old content"


@pytest.mark.parametrize("option", [(), ("--operator",), ("--plain",)])
@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("ops_total[{{.window}}]", "must be an instant vector, but is a range vector; apply rate()"),
        ("ops_total[{{.window}}:1m]", "must be an instant vector, but is a range vector"),
        ("scalar(sum(rate(ops_total[{{.window}}])))", "must be an instant vector, but is a scalar"),
        ("'{{.window}}'", "must be an instant vector, but is a string"),
        ("sum(rate(ops_total[{{.window}}]))) or (vector(1)", "is not PromQL: ) has no opening bracket"),
        ("sum(rate(ops_total{a='b\"}[{{.window}}]))", "is not PromQL: the quote ' is never closed"),
        ("sum(rate(ops_total[{{.window}}])", "is not PromQL: ( is never closed"),
        ("sum(rate(ops_total[{{.window}})]", "is not PromQL: ) has no opening bracket"),
        ("sum by rate(ops_total[{{.window}}])", "is not PromQL: 1:"),
        ("sum(rate(ops_total[{{.window}}s]))", "is not PromQL: 1:"),
        ("sum(rate(ops_total[{{.window}}])) \u2212 1", "is not PromQL: 1:"),
        ("# {{.window}}\n", "does not use {{.window}}"),
        ("# {{.window}}\nsum(rate(ops_total[5m]))", "does not use {{.window}}"),
    ],
)  # fmt: skip
def test_a_query_that_the_rules_cannot_use_is_named(
    query: str, problem: str, option: tuple[str, ...], tmp_path: Path
) -> None:
    for side, key in (("bad", "error_query"), ("total", "total_query")):
        result = generate(tmp_path, *option, **{side: query})
        assert isinstance(result.exception, SpecError), result.output
        line = 8 if side == "bad" else 9
        message = str(result.exception)
        assert f": slos[0].sli.events.{key}: {problem}" in message
        assert message.startswith(f"{tmp_path / 'spec.yml'}:{line}: ")
        assert "\n" not in message
        assert (tmp_path / "out.yml").read_text() == "old content"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.yml", "spec.yml"]


@pytest.mark.parametrize("option", [(), ("--operator",)])
@pytest.mark.parametrize("kind", ["labels", "annotations"])
def test_names_that_yaml_would_convert_are_written_unchanged(
    option: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    """YAML 1.1 readers convert a name such as `on` to a boolean and `null` to nothing."""
    names = ("on", "yes", "N", "null", "true", "_")
    result = generate(tmp_path, *option, more=f"    {kind}: {{{', '.join(f'{name}: {name}' for name in names)}}}\n")
    assert isinstance(result.exception, SpecError), "null is not a string"
    quoted = ", ".join(f"{name}: '{name}'" for name in names)
    result = generate(tmp_path, *option, more=f"    {kind}: {{{quoted}}}\n")
    assert result.exit_code == 0, result.exception
    written = yaml.safe_load((tmp_path / "out.yml").read_text())
    groups = (written["spec"] if option else written)["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert all({name: name for name in names}.items() <= alert[kind].items() for alert in alerts)


def test_rules_that_do_not_load_are_not_printed(tmp_path: Path) -> None:
    generate(tmp_path, bad="ops_total[{{.window}}]")
    result = CliRunner().invoke(command, ["generate", "--spec", str(tmp_path / "spec.yml")])
    assert isinstance(result.exception, SpecError)
    assert result.stdout == ""


def test_the_broken_slo_among_many_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the file is checked in several parts by several processes."""
    monkeypatch.setattr("lab.slo.rendering.loadable._BATCH_CHARACTERS", 20_000)
    template = "  - {name: n%d, objective: 99, sli: {raw: {error_ratio_query: '%s'}}, alerting: {name: A}}\n"
    path = tmp_path / "spec.yml"
    good, bad = "avg_over_time(x[{{.window}}])", "x[{{.window}}]"
    for broken in (None, 0, 7, 11):
        specs = "".join(template % (n, bad if n == broken else good) for n in range(12))
        path.write_text(f"version: prometheus/v1\nservice: shop\nslos:\n{specs}")
        ((_, slos),) = read_all([path])
        file = rule_file(slos, load_windows("production"), "spec.yml")
        if broken is None:
            check_loadable([file])
            continue
        with pytest.raises(
            SpecError, match=rf"spec.yml:{4 + broken}: slos\[{broken}\].sli.raw.error_ratio_query: must"
        ):
            check_loadable([file])


def test_the_checked_groups_are_the_bytes_of_the_file(tmp_path: Path) -> None:
    """In a PrometheusRule object, those inside `groups`."""
    generate(tmp_path, bad=f"(\n\n{BAD}\n)")
    ((_, slos),) = read_all([tmp_path / "spec.yml"])
    plain = rule_file(slos, load_windows("production"), "a")
    wrapped = rule_file(slos, load_windows("production"), "a", operator=metadata(slos, labels=["groups=a"]))
    groups = split_groups(plain.text)
    assert len(groups) == len(plain.groups)
    assert plain.text.endswith("groups:\n" + "".join(groups))
    assert split_groups(wrapped.text) == groups
    assert yaml.safe_load("".join(groups)) == yaml.safe_load(wrapped.text)["spec"]["groups"]


def test_a_duplicate_group_name_is_refused(tmp_path: Path) -> None:
    generate(tmp_path)
    ((_, slos),) = read_all([tmp_path / "spec.yml"])
    file = rule_file(slos, load_windows("production"), "a")
    with pytest.raises(SpecError, match="is also another SLO's"):
        check_loadable([RuleFile(file.text, file.groups * 2, file.windows)])


def test_a_file_name_cannot_end_the_header_comment(tmp_path: Path) -> None:
    generate(tmp_path)
    odd = tmp_path / "a\n- b\u2028\x01.yml"
    (tmp_path / "spec.yml").rename(odd)
    result = CliRunner().invoke(command, ["generate", "--spec", str(odd)])
    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout)["groups"]
