"""HTML, SVG and time series as markup."""
