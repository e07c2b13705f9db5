"""Names that more than one module uses: metrics, labels, headers, routes and environment variables."""

from __future__ import annotations

# Routes, as templates (never raw paths). The SLOs measure these routes at the gateway.
ROUTE_FEED = "/v1/feed/{user_id}"
ROUTE_USER = "/v1/users/{user_id}"
ROUTES = {"feed": ROUTE_FEED, "user": ROUTE_USER}  # by the service that answers

# Headers.
HEADER_REQUEST_ID = "X-Request-Id"
HEADER_CLIENT_ID = "X-Client-Id"
HEADER_TRACEPARENT = "traceparent"
HEADER_BAGGAGE = "baggage"  # W3C: carries the edge's decisions to the tiers behind it
HEADER_VERSION = "X-Service-Version"  # of the service that answered (behind the gateway: the upstream's)
HEADER_INSTANCE = "X-Service-Instance"

# Upstream groups of the gateway (also the names of the scalable services).
UPSTREAM_USER = "user"
UPSTREAM_FEED = "feed"
UPSTREAM_CANARY = "feed-canary"

CANARY_OF = {UPSTREAM_FEED: UPSTREAM_CANARY}  # the service that runs another one's next version

# Versions of the feed service.
VERSION_STABLE = "1.0.0"
VERSION_CANARY = "1.1.0"
VERSION_NEXT = "1.2.0"  # what a healthy rollout delivers
ROLLOUT_CONTROLLER = "rollout-controller"  # the actor of a rollout's changes in the audit log

# HTTP metrics, OpenTelemetry's HTTP semantic conventions as Prometheus renders them.
HTTP_SERVER_DURATION = "http_server_request_duration_seconds"
HTTP_CLIENT_DURATION = "http_client_request_duration_seconds"
LABEL_METHOD = "http_request_method"
LABEL_ROUTE = "http_route"
LABEL_STATUS = "http_response_status_code"
LABEL_VERSION = "service_version"
# Matchers of the feed's two groups of replicas, whatever versions they run.
OF_CANARY, OF_STABLE = 'instance=~"feed-canary-[0-9]+"', 'instance=~"feed-[0-9]+"'
LABEL_UPSTREAM = "upstream"
LABEL_UPSTREAM_INSTANCE = "upstream_instance"  # the replica that answered, as it names itself; "" without an answer
# {upstream, cause="unreachable"|"timeout"|"unavailable", outcome="answered"|"failed"|"over_budget"}
HTTP_CLIENT_RETRIES = "http_client_retries_total"
HTTP_SERVER_WAITING = "http_server_waiting_requests"  # queued for a worker thread
HTTP_SERVER_THREADS = "http_server_threads"  # {state="busy"|"all"}
BUILD_INFO = "fleetops_build_info"  # {service, service_version}
CONFIG_VERSION = "fleetops_config_version"  # of the configuration that the process started with; 0 for none
# Every SLO threshold (0.15, 0.2, 0.3, 0.4) is a bucket edge exactly.
LATENCY_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0)

# Gateway.
GATEWAY_INFLIGHT = "gateway_inflight_requests"
GATEWAY_INFLIGHT_LIMIT = "gateway_inflight_limit_requests"  # {priority}: in flight when the next one is shed
GATEWAY_RATELIMITED = "gateway_ratelimited_requests_total"  # {scope="client"|"global"}
GATEWAY_PRIORITY_REQUESTS = "gateway_priority_requests_total"  # {priority}: within the rate limits, shed or not
GATEWAY_SHED = "gateway_shed_requests_total"  # {priority}
# {client, result="admitted"|"client"|"global"}: heavy clients by name, all others together as "other"
GATEWAY_CLIENT_REQUESTS = "gateway_client_requests_total"
BREAKER_STATE = "circuit_breaker_state"  # {upstream, state="closed"|"half-open"|"open"}: 1 for the state it is in
BREAKER_REFUSED = "circuit_breaker_refused_total"  # {upstream}
GATEWAY_CANARY_WEIGHT = "gateway_canary_weight_ratio"
# Counts of a rollout step, {step, slo, arm="canary"|"stable"}.
COMPARISON_REQUESTS = "gateway_comparison_requests_total"
COMPARISON_BAD_REQUESTS = "gateway_comparison_bad_requests_total"
COMPARISON_CLIENTS = "gateway_comparison_clients_total"
COMPARISON_AFFECTED_CLIENTS = "gateway_comparison_affected_clients_total"
ROLLOUT_PHASE = "rollout_phase"  # {phase}
ROLLOUT_STEP = "rollout_step"
ROLLOUT_VERDICT = "rollout_verdict"  # {verdict="pass"|"fail"|"hold"}
ROLLOUT_EVIDENCE = "rollout_evidence_log10"  # {kind="harm"|"health", slo}
ROLLOUT_THRESHOLD = "rollout_evidence_threshold_log10"  # {kind}
BUDGET_OVERRIDES = "error_budget_overrides_total"  # {service, change}
GATEWAY_STATE_REFUSED = "gateway_state_refused_parts"  # stored settings rejected at start, replaced by their defaults
FEATURE_FLAG_ENABLED = "feature_flag_enabled"  # {flag}

# Caches and the database.
CACHE_REQUESTS = "cache_requests_total"  # {cache="feed"|"user", result="hit"|"stale"|"miss"|"error"}
CACHE_COALESCED = "cache_coalesced_requests_total"  # {cache}: misses that waited for a fetch already in flight
CACHE_LOST = "cache_lost_entries_total"  # {cache}: gone before their TTL expired
CACHE_REFRESHES = "cache_refreshes_total"  # {cache, result="done"|"failed"|"skipped"}: background, after a stale hit
DB_OPERATION_DURATION = "db_client_operation_duration_seconds"  # {db_operation_name}
DB_POOL_CONNECTIONS = "db_client_connection_count"  # {state="used"|"idle"}
DB_POOL_MAX = "db_client_connection_max"
DB_POOL_WAIT = "db_client_connection_wait_time_seconds"
DB_POOL_PENDING = "db_client_connection_pending_requests"
LINK_DELAY = "link_delay_seconds"  # {part="base"|"extra"}: round trip
LINK_CONNECTIONS = "link_connections"
LINK_BYTES = "link_bytes_total"  # {direction="to_upstream"|"to_client"}
LINK_MAX_DELAY_SECONDS = 5.0
TLS_NOT_AFTER = "tls_certificate_not_after_timestamp_seconds"  # of the certificate that a server presents
LINK_REFUSED = "link_refused_connections_total"  # the upstream could not be reached

# The fan-out writer of the user service.
FANOUT_EDITS = "fanout_edits_total"  # {result="done"|"failed"|"dropped"}
FANOUT_PAGES = "fanout_pages_written_total"  # {version}

# The exporter: database statistics, logs, supervision, and a probe that reads the feeds that users read.
DB_UP = "db_up"
DB_SESSIONS = "db_sessions"  # {application, state}
DB_SESSIONS_MAX = "db_sessions_max"
DB_LOCK_WAITERS = "db_lock_waiters"  # {mode}: the lock mode they wait for
DB_LOCK_WAIT_OLDEST = "db_lock_wait_oldest_seconds"
DB_TRANSACTION_OLDEST = "db_transaction_oldest_seconds"  # {application}: age, active or idle
DB_IDLE_IN_TRANSACTION = "db_idle_in_transaction_sessions"
DB_IDLE_IN_TRANSACTION_OLDEST = "db_idle_in_transaction_oldest_seconds"
DB_INDEX_VALID = "db_index_valid"  # {index}: 0 when it is missing or unfinished
LOG_USED = "log_used_bytes"  # {process}: the log and its rotated parts
LOG_QUOTA = "log_quota_bytes"  # {process}: maximum for the log and its rotated parts together
LOG_WRITTEN = "log_written_bytes_total"  # {process}
DISK_FREE = "state_directory_free_bytes"  # free space on the filesystem of the state directory
CPU_SECONDS = "machine_cpu_seconds_total"  # {by="lab"|"others"|"idle"}: of all processors
MEMORY_TOTAL = "machine_memory_total_bytes"
MEMORY_AVAILABLE = "machine_memory_available_bytes"  # without swapping, the page cache included
# {process, service}, each with its descendants; none for a program that does not run
PROCESS_CPU = "supervised_process_cpu_seconds_total"
PROCESS_MEMORY = "supervised_process_resident_memory_bytes"
PROCESS_STARTS = "supervised_process_starts_total"  # {process, service}: also of processes that never served metrics
PROCESS_STARTS_UNPLANNED = (
    "supervised_process_unplanned_starts_total"  # of these, restarts by the supervisor after the process exited
)
LOG_DEBUG = "log_debug_enabled"  # of the process that exports it
FEED_PROBES = "feed_probe_requests_total"  # {result="match"|"mismatch"|"unanswered"}
WRITE_PROBES = "write_probe_requests_total"  # {result="acknowledged"|"refused"}
WRITE_LOST = "write_probe_lost_writes_total"  # acknowledged, but not in the database afterwards
CAPACITY_MEASURED = "capacity_measured_requests_per_second"  # {configuration}

# Traces.
TRACES_KEPT = "traces_kept_total"  # {reason="shed"|"failed"|"slow"|"retried"|"baseline"}
TRACES_EXPORTED = "traces_exported_total"  # {result="sent"|"failed"|"dropped"}: to an OTLP endpoint
TRACE_STORE_BYTES = "trace_store_bytes"
TRACE_FETCH_FAILURES = "trace_fetch_failures_total"  # {instance}

# Traffic.
TRAFFIC_OFFERED = "traffic_requests_offered_total"  # {http_route}
TRAFFIC_COMPLETED = "traffic_requests_completed_total"  # {http_route, http_response_status_code}
TRAFFIC_DROPPED = "traffic_requests_dropped_total"  # {http_route}: arrivals that got no connection in time
TRAFFIC_DURATION = "traffic_request_duration_seconds"  # {http_route}: from the scheduled arrival
TRAFFIC_LATE = "traffic_arrival_delay_seconds"  # from the scheduled arrival until the generator acts on it
TRAFFIC_RATE = "traffic_target_rate"
TRAFFIC_MAX_RATE = 2000.0  # arrivals a second that the load generator can be set to

# Pager.
PAGER_PAGES = "pager_pages"  # {severity, status, acked, escalated}
PAGER_UNREADABLE_ALERTS = "pager_unreadable_alerts_total"
PAGER_TRUNCATED_ALERTS = "pager_truncated_alerts_total"
PAGER_REFUSED_NOTIFICATIONS = "pager_refused_notifications_total"

# Environment of our own processes (set by the embedded stack and by compose.yaml alike).
ENV_SERVICE = "FLEETOPS_SERVICE"
ENV_INSTANCE = "FLEETOPS_INSTANCE"
ENV_VERSION = "FLEETOPS_VERSION"
ENV_DEFAULT_VERSION = "FLEETOPS_DEFAULT_VERSION"  # of a replica whose configuration names none
ENV_LISTEN = "FLEETOPS_LISTEN"
ENV_ADMIN_LISTEN = "FLEETOPS_ADMIN_LISTEN"
ENV_TOKEN_FILE = "FLEETOPS_TOKEN_FILE"  # noqa: S105 - the name of a variable, not a secret
ENV_STATE_DIR = "FLEETOPS_STATE_DIR"
ENV_CONFIG_FILE = "FLEETOPS_CONFIG_FILE"  # the service's configuration, see lab/telemetry/config.py
ENV_DATABASE_URL = "FLEETOPS_DATABASE_URL"
ENV_CACHE_URL = "FLEETOPS_CACHE_URL"
ENV_UPSTREAMS_USER = "FLEETOPS_UPSTREAMS_USER"  # comma-separated http://host:port
ENV_UPSTREAMS_FEED = "FLEETOPS_UPSTREAMS_FEED"
ENV_UPSTREAMS_CANARY = "FLEETOPS_UPSTREAMS_FEED_CANARY"
ENV_THREADS = "FLEETOPS_THREADS"
ENV_LOG_LEVEL = "FLEETOPS_LOG_LEVEL"
ENV_TRACE_SLOW = "FLEETOPS_TRACE_SLOW_SECONDS"  # record spans, and keep the traces of requests that take longer
ENV_OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"  # OpenTelemetry's own: where kept traces are sent too
ENV_POOL_MAX = "FLEETOPS_POOL_MAX"
ENV_CACHE_TTL = "FLEETOPS_CACHE_TTL_SECONDS"
ENV_FANOUT = "FLEETOPS_FANOUT"  # version of the fan-out writer, or "off"
ENV_LINK_UPSTREAM = "FLEETOPS_LINK_UPSTREAM"  # host:port behind the link
ENV_LINK_DELAY = "FLEETOPS_LINK_DELAY_SECONDS"  # base round trip
ENV_TLS_CERTIFICATE = "FLEETOPS_TLS_CERTIFICATE"  # PEM file with certificate and key; without it, no TLS
ENV_GATEWAY_URL = "FLEETOPS_GATEWAY_URL"
ENV_RATE = "FLEETOPS_RATE"
ENV_CONSOLE_URL = "FLEETOPS_CONSOLE_URL"
ENV_PAGER_URL = "FLEETOPS_PAGER_URL"
ENV_ALERTMANAGER_URL = "FLEETOPS_ALERTMANAGER_URL"
ENV_PROMETHEUS_URL = "FLEETOPS_PROMETHEUS_URL"
ENV_ACTOR = "FLEETOPS_ACTOR"  # the actor written to the audit log; default: the login user
ENV_ALLOWED_HOSTS = "FLEETOPS_ALLOWED_HOSTS"  # in addition to the listener's own address; for containers

# Attributes of spans, by OpenTelemetry's semantic conventions.
ATTRIBUTE_METHOD = "http.request.method"
ATTRIBUTE_ROUTE = "http.route"
ATTRIBUTE_STATUS = "http.response.status_code"
ATTRIBUTE_SERVER = "server.address"
ATTRIBUTE_PORT = "server.port"
ATTRIBUTE_DB_SYSTEM = "db.system.name"
ATTRIBUTE_DB_OPERATION = "db.operation.name"
ATTRIBUTE_DB_QUERY = "db.query.text"
ATTRIBUTE_UPSTREAM = "fleetops.upstream"
ATTRIBUTE_UPSTREAM_INSTANCE = "fleetops.upstream_instance"
ATTRIBUTE_RESULT = "fleetops.result"

# The external label through which alert annotations reach the site: {{ $externalLabels.site }}.
EXTERNAL_LABEL_SITE = "site"

# Active silences in Alertmanager: while there is one, a page may reach nobody.
SILENCES_ACTIVE = 'sum(alertmanager_silences{state="active"})'

# Prometheus and Alertmanager require this user; the password is the control token.
LOGIN_USER = "fleetops"
