"""A Markdown extension that marks the commands of a runbook step as `kbd`, so that the theme skips them as code blocks.

The theme prepares every code block when a page opens, and the runbooks have hundreds. A step wraps and never scrolls;
assets/site.js adds its copy button when the step comes into view.
"""

from __future__ import annotations

import re

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor

_STEP = re.compile(
    r'(<div class="(?:[^"]* )?(?:check|mitigate|validate)(?: [^"]*)?"><pre[^>]*>)'
    r"(?:<span></span>)?<code>(.*?)</code></pre>",
    re.DOTALL,
)
_SPACE = re.compile(r'<span class="w">(\s+)</span>')
_BARE = r"\1"
# Runs after the postprocessor that inserts the highlighted blocks.
LAST = -100


class Steps(Postprocessor):
    """Replaces the `code` element of each step by `kbd`."""

    def run(self, text: str) -> str:
        """The HTML of a page with its steps rewritten."""
        return _STEP.sub(lambda step: f"{step[1]}<kbd>{_SPACE.sub(_BARE, step[2])}</kbd></pre>", text)


class StepsExtension(Extension):
    """`markdown_extensions: [lab.site.markdown.runbook_steps]`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's own name
        """Registers the postprocessor."""
        md.postprocessors.register(Steps(md), "lab_steps", LAST)


def makeExtension(**options: object) -> StepsExtension:  # noqa: N802 - Markdown's own name
    """The hook by which Markdown loads a module as an extension."""
    return StepsExtension(**options)
