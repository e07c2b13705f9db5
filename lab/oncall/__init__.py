"""The pager: receives Alertmanager's notifications, stores pages and the audit log, escalates, serves an inbox."""
