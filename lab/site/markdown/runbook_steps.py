"""A Markdown extension: a command of a runbook's step is what a person types, `kbd`, and no block of code to the theme.

The theme looks after each block of code it finds from the moment a page opens, and the runbooks have hundreds. A step
wraps instead of being scrolled; what is left to give it, a button that copies, assets/site.js adds when it is seen.
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
# After what puts the highlighted blocks back in.
LAST = -100


class Steps(Postprocessor):
    """Makes the `code` of each step a `kbd`."""

    def run(self, text: str) -> str:
        """The page, with its steps typed."""
        return _STEP.sub(lambda found: f"{found[1]}<kbd>{_SPACE.sub(_BARE, found[2])}</kbd></pre>", text)


class StepsExtension(Extension):
    """`markdown_extensions: [lab.site.markdown.runbook_steps]`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's own name
        """Registers the processor."""
        md.postprocessors.register(Steps(md), "lab_steps", LAST)


def makeExtension(**options: object) -> StepsExtension:  # noqa: N802 - Markdown's own name
    """What Markdown asks a module for."""
    return StepsExtension(**options)
