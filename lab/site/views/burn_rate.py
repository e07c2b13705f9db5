"""The burn-rate calculator: its controls and its data. The script is docs/assets/burn_rate.js."""

from __future__ import annotations

import json
import math
from typing import Any

from lab import units
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.slo.model import Windows

START = {"budget": 0.01, "bad": 0.5, "seconds": 3600.0}  # about INC-001, in production windows


def profile(windows: Windows) -> dict[str, Any]:
    """A window profile as the script reads it; durations in seconds."""
    return {
        "time_factor": windows.time_factor,
        "period_seconds": windows.period_seconds,
        "tiers": [
            {
                "severity": tier.severity, "factor": tier.factor,
                "long_seconds": tier.long_seconds, "short_seconds": tier.short_seconds,
            }
            for tier in windows.tiers
        ],
    }  # fmt: skip


def burn_rate_tool(context: SiteContext) -> Markup:
    """The calculator with both window profiles as data; its script fills it."""
    data = {name: profile(context.slos.windows(name)) for name in ("production", "lab")}
    text = json.dumps(data).replace("<", "\\u003c")
    return Markup(_TOOL).format(
        data=Markup(text), lab=f"lab, {context.factor}x", height=172,
        sliders=Markup().join(
            (
                _slider("budget", "Objective", math.log10(1e-4), math.log10(0.1)),
                _slider("bad", "Bad requests", -4, 0),
                _slider("seconds", "Incident lasts", 1, math.log10(3 * 86400)),
            )
        ),
        period=units.seconds(context.slos.production.period_seconds),
    )  # fmt: skip


def _slider(name: str, label: str, low: float, high: float) -> Markup:
    return Markup(
        '<label class="burn-slider"><span>{label} <output data-part="{name}-now"></output></span>'
        '<input type="range" data-part="{name}" min="{low:.3f}" max="{high:.3f}" step="0.005" value="{value:.3f}">'
        "</label>"
    ).format(label=label, name=name, low=low, high=high, value=math.log10(START[name]))


_TOOL = """<div id="burn-rate" class="burn">
<div class="burn-controls">{sliders}<label class="burn-slider"><span>Windows</span><select data-part="profile"><option value="production">production, {period}</option><option value="lab">{lab}</option></select></label></div>
<p class="burn-answer" data-part="answer" role="status"></p>
<svg class="burn-drawing" data-part="drawing" role="img" width="100%" height="{height}" aria-label=""></svg>
<div class="lab-scroll" role="region" tabindex="0" aria-label="Alert tiers"><table class="lab-table lab-table--numeric"><thead><tr><th scope="col">Tier</th><th scope="col">Fires after</th><th scope="col">Clears after the end</th><th scope="col">Budget spent when it fires</th></tr></thead><tbody data-part="rows"></tbody></table></div>
<script type="application/json" data-part="profiles">{data}</script>
</div>
<noscript><p>The calculator needs JavaScript; the tables below and on the page SLOs and alerts do not.</p></noscript>"""  # noqa: E501 - one element per line reads better than broken attributes

VIEWS = (burn_rate_tool,)
