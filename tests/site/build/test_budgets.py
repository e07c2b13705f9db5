"""The site's budgets against measured figures."""

from __future__ import annotations

from lab.site.build import budgets

GOOD = {
    "performance": 99, "accessibility": 100, "best-practices": 100, "seo": 100, "lcp_seconds": 1.1, "cls": 0.0,
    "tbt_seconds": 0.05, "load_bytes": 120_000,
}  # fmt: skip


def out_of(pages: dict[str, dict[str, float]], build_seconds: float = 6.0) -> list[tuple[str, str, float]]:
    return [(page, bound.figure, value) for page, bound, value in budgets.missed(pages, build_seconds)]


def test_a_missed_budget_is_reported_by_page_and_figure() -> None:
    """Only the console may weigh more than a page of text."""
    pages = {"index": GOOD, "lab/": GOOD | {"load_bytes": 300_000}}
    assert out_of(pages) == []
    assert out_of(pages | {"glossary/": GOOD | {"load_bytes": 300_000, "seo": 99}}, 11.5) == [
        ("glossary/", "seo", 99), ("glossary/", "load_bytes", 300_000), ("", "build_seconds", 11.5),
    ]  # fmt: skip
    assert out_of({"lab/": GOOD | {"load_bytes": 500_000}}) == [("lab/", "load_bytes", 500_000)]


def test_the_worst_of_all_pages_has_the_lowest_score_and_the_largest_figure() -> None:
    slow = GOOD | {"performance": 88, "tbt_seconds": 0.4, "load_bytes": 90_000}
    worst = budgets.worst({"index": GOOD, "03_runbooks/": slow, "lab/": GOOD | {"load_bytes": 300_000}}, 6.0)
    assert (worst["performance"], worst["tbt_seconds"]) == (88, 0.4)
    assert (worst["load_bytes"], worst["console_bytes"]) == (120_000, 300_000)
    assert worst["build_seconds"] == 6.0


def test_a_limit_is_shown_in_its_unit() -> None:
    assert budgets.LOAD.limit.replace("\u00a0", " ") == "at most 150 kB"
    assert budgets.PAGE[0].limit == "at least 95"
    (blocked,) = (bound for bound in budgets.PAGE if bound.figure == "tbt_seconds")
    assert blocked.limit.replace("\u00a0", " ") == "at most 0.15 s"
