"""What the site is built from besides pages: assets, npm packages, and the budgets each page must meet."""
