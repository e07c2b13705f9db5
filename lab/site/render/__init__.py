"""Markup: HTML elements, SVG charts, links inside the site, and the text of time series."""
