"""PromQL: cleaning and parsing the queries of specs, the unit of a query's value, and building queries."""
