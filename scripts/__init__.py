"""Small programs that call promtool and its like straight through subprocess."""
