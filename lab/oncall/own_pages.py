"""Pages that the pager raises itself, about the delivery of alerts to it."""

from __future__ import annotations

from lab.oncall.webhook import Notice

SERVICE = "monitoring"
PREFIX = "pager:"


def fingerprint(alertname: str, key: str = "") -> str:
    """The fingerprint of such a page; `key` distinguishes several pages of one alertname."""
    return f"{PREFIX}{alertname}{key and ':'}{key}"


def is_own(page_fingerprint: str) -> bool:
    """Whether the pager raised a page itself, by its fingerprint."""
    return page_fingerprint.startswith(PREFIX)


def notice(
    alertname: str, status: str, at: str, summary: str, description: str, *,
    console_url: str, runbook: str, key: str = "",
) -> Notice:  # fmt: skip
    """A notice for such a page: firing since the timestamp `at`, or resolved at it. `runbook` names the section."""
    return Notice(
        fingerprint(alertname, key),
        status,
        at,
        at if status == "resolved" else None,
        {"alertname": alertname, "severity": "page", "service": SERVICE},
        {
            "summary": summary,
            "description": description,
            "runbook_url": f"{console_url}/03_runbooks/#{runbook.lower()}",
            "dashboard_url": f"{console_url}/lab/",
        },
    )
