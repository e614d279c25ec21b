package ops

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metric describes one metric, for the collector and for the reference page.
type metric struct {
	name   string
	kind   prometheus.ValueType
	help   string
	labels []string
	desc   *prometheus.Desc
}

func newMetric(kind prometheus.ValueType, name, help string, labels ...string) *metric {
	return &metric{name: name, kind: kind, help: help, labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
	timing  = prometheus.UntypedValue // a histogram
)

// The metrics, in the order of the reference page. Labels are bounded: app is
// an id of the settings, the others come from fixed lists.
var (
	buildInfo   = newMetric(gauge, "belfry_build_info", "Always 1; the labels say what runs.", "version", "goversion")
	ready       = newMetric(gauge, "belfry_ready", "1 while the server takes connections, 0 while it starts or drains.")
	componentUp = newMetric(gauge, "belfry_component_up", "1 while the component's health check passes, else 0.", "component")

	probeSeconds = newMetric(timing, "belfry_probe_seconds", "Time that an event of the server's own took the whole way: through the HTTP API, over a real WebSocket, in seconds.")
	probeFailed  = newMetric(counter, "belfry_probe_failures_total", "Events of the server's own that did not come back.")

	connections    = newMetric(gauge, "belfry_connections", "Connections that an app has accepted and that are open.", "app")
	dailyLimit     = newMetric(gauge, "belfry_messages_per_day_limit", "The app's messages_per_day; absent when there is no limit.", "app")
	messagesToday  = newMetric(gauge, "belfry_messages_today", "Messages of this UTC day that count against messages_per_day: publishes and deliveries.", "app")
	users          = newMetric(gauge, "belfry_users", "Signed-in users.", "app")
	channels       = newMetric(gauge, "belfry_channels", "Occupied channels, by kind.", "app", "kind")
	subscriptions  = newMetric(gauge, "belfry_subscriptions", "Subscriptions, by kind of channel.", "app", "kind")
	opened         = newMetric(counter, "belfry_connections_opened_total", "Connections that the app accepted.", "app")
	refused        = newMetric(counter, "belfry_connections_refused_total", "Connections refused at the start, by close code; app is empty when the key was of none.", "app", "code")
	messagesIn     = newMetric(counter, "belfry_client_messages_total", "Messages received from clients.", "app")
	bytesIn        = newMetric(counter, "belfry_client_message_bytes_total", "Bytes of the messages received from clients.", "app")
	published      = newMetric(counter, "belfry_events_published_total", "Events published through the HTTP API or by Belfry itself.", "app")
	clientEvents   = newMetric(counter, "belfry_client_events_total", "Client events accepted.", "app")
	delivered      = newMetric(counter, "belfry_messages_delivered_total", "Messages handed to subscribers.", "app")
	deliveredBytes = newMetric(counter, "belfry_messages_delivered_bytes_total", "Bytes of the messages handed to subscribers.", "app")
	dropped        = newMetric(counter, "belfry_messages_dropped_total", "Messages not delivered because the subscriber lagged too far.", "app")
	denied         = newMetric(counter, "belfry_denied_total", "Subscriptions and sign-ins refused.", "app")
	limited        = newMetric(counter, "belfry_limit_refusals_total", "Refusals because of a limit, by the limit's key in the settings.", "app", "limit")

	sockets       = newMetric(gauge, "belfry_sockets", "Open WebSockets, whether an app has accepted them or not.")
	socketPending = newMetric(gauge, "belfry_socket_pending_bytes", "Bytes waiting to be written to WebSockets.")
	socketIn      = newMetric(counter, "belfry_socket_read_bytes_total", "Bytes read from WebSockets, framing included.")
	socketOut     = newMetric(counter, "belfry_socket_written_bytes_total", "Bytes written to WebSockets, framing included.")
	socketPings   = newMetric(counter, "belfry_socket_pings_total", "Pings sent to silent clients.")
	socketSlow    = newMetric(counter, "belfry_socket_slow_closed_total", "WebSockets closed because they lagged too far.")
	socketClosed  = newMetric(counter, "belfry_socket_closed_total", "WebSockets closed by the server, by close code.", "code")
	socketReject  = newMetric(counter, "belfry_socket_rejected_total", "Requests that became no WebSocket, by reason.", "reason")

	hookPending = newMetric(gauge, "belfry_webhook_pending", "Webhook events waiting to be sent.", "app")
	hookResults = newMetric(counter, "belfry_webhook_requests_total", "Webhook requests by result: ok was answered with a 2xx, failed was not.", "app", "result")
	hookRetried = newMetric(counter, "belfry_webhook_retries_total", "Webhook requests that were not the first attempt.", "app")
	hookSeconds = newMetric(timing, "belfry_webhook_request_seconds", "Time of one webhook request, in seconds.", "app", "result")
	hookDropped = newMetric(counter, "belfry_webhook_dropped_total", "Webhook events given up, after the last attempt or because the queue was full.", "app")

	httpRequests = newMetric(counter, "belfry_http_requests_total", "HTTP requests answered, by door and status.", "door", "code")
	httpSeconds  = newMetric(timing, "belfry_http_request_seconds", "Time to answer an HTTP request, in seconds.", "door")

	certificateDays = newMetric(gauge, "belfry_certificate_days_left", "Days until the first of the certificates ends, negative when it has; absent without TLS.")
)

func allMetrics() []*metric {
	return append([]*metric{
		buildInfo, ready, componentUp, probeSeconds, probeFailed,
		connections, users, channels, subscriptions, opened, refused, messagesIn, bytesIn,
		published, clientEvents, delivered, deliveredBytes, dropped, denied, limited, messagesToday, dailyLimit,
		sockets, socketPending, socketIn, socketOut, socketPings, socketSlow, socketClosed, socketReject,
		hookPending, hookResults, hookSeconds, hookRetried, hookDropped,
		httpRequests, httpSeconds, certificateDays,
	}, slices.Concat(applicationMetrics(), boardMetrics(), traceMetrics())...)
}

// counted are the metrics that are counted here, not read from an engine.
func counted() []*metric {
	return []*metric{httpRequests, httpSeconds, hookSeconds, deliverySeconds, probeSeconds, probeFailed}
}

// WriteReference writes the page of the reference that lists the metrics.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Made from internal/ops/metrics.go by: go test ./internal/ops -update -->

Prometheus reads them from ` + "`/metrics`" + ` on the metrics address (` + "`BELFRY_METRICS_LISTEN`" + `, by default ` + "`127.0.0.1:9601`" + `).
Counters start at zero with the process. Besides these there are the usual ` + "`go_*`" + ` and ` + "`process_*`" + ` metrics.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
`)
	for _, m := range allMetrics() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.typeName(), strings.Join(m.labels, ", "), m.help)
	}
	b.WriteString(`
| label | values |
| --- | --- |
| app | the app's id |
| kind | public, private, presence, encrypted, each also with -cache; user |
| limit | a key of the app's limits, such as client_events_per_second |
| code | a WebSocket close code, or an HTTP status |
| queue | a queue's name; "other" stands for those beyond the first hundred |
| state | waiting, running, delayed (with those that wait for their next try), failed |
| dashboard | a dashboard's name, of the first hundred |
| driver | local, pusher, log, null |
| result | of webhooks and key sets: ok, failed |
| | of tries: done, retried (kept for another), failed (given up) |
| | of broadcasts: sent, skipped (expired, or its condition said no), failed (one try), refused (had a fault) |
| | of logins: ok, wrong, limited (refused after too many wrong ones), disabled, failed (the server's own fault) |
| | of tokens and JWTs: ok, refused |
| | of failures in the trace: written, dropped |
| | of authorizations: allowed, not_signed_in, no_rule, refused, failed, invalid, unavailable |
| version | a program's version; "other" stands for those beyond the first ten |
| door | api, web |
| component | the name of a health check, as /health gives it |
`)
	_, err := io.WriteString(w, b.String())
	return err
}

func (m *metric) typeName() string {
	switch m.kind {
	case counter:
		return "counter"
	case gauge:
		return "gauge"
	default:
		return "histogram"
	}
}
