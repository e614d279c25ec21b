package ops_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/ops"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/trace"
)

// application is one with a different number in each place.
func application() ops.Application {
	return ops.Application{
		Identity: func() identity.Stats {
			return identity.Stats{
				Logins:   identity.LoginStats{OK: 101, Wrong: 102, Limited: 103, Disabled: 104, Failed: 105},
				Sessions: identity.SessionStats{Ended: 106, Refused: 107},
				Tokens:   identity.CheckStats{OK: 108, Refused: 109}, JWT: identity.CheckStats{OK: 110, Refused: 111},
				KeySets: identity.CheckStats{OK: 112, Refused: 113}, Hashing: 114, Hashed: 115,
			}
		},
		Ingest: func() ingest.Stats {
			return ingest.Stats{Calls: map[string]uint64{"ok": 141, "signature_wrong": 142}, OldSecret: 143}
		},
		Boards: func() []dashboard.Stats {
			return []dashboard.Stats{{Dashboard: "default", Changes: 150, Broadcasts: 152, Large: 1, Unsent: 153, Failures: 154, Computations: 7, Seconds: 9,
				Bounds: []time.Duration{time.Millisecond, time.Second}, Buckets: []uint64{1, 3}, Figures: []dashboard.FigureStats{{Failing: "sql"}, {}}}}
		},
		Trace: func() trace.Stats {
			return trace.Stats{Seen: 9, Records: 8, Dropped: 2, OneIn: 4, Bytes: 1024, FailuresWritten: 3, FailuresDropped: 1}
		},
		Push: func() notify.PushStats {
			return notify.PushStats{Sent: 144, Gone: 145, Failed: 146, Retried: 147}
		},
		Authz: func() authz.Stats {
			return authz.Stats{
				Channels: map[authz.Result]uint64{authz.Allowed: 116, authz.NoRule: 117}, Users: map[authz.Result]uint64{authz.NotSignedIn: 118},
				AuditWritten: 119, AuditDropped: 120, AuditWaiting: 121,
			}
		},
		Broadcast: func() broadcast.Stats {
			return broadcast.Stats{Driver: "local", Accepted: 122, Refused: 123, Sent: 124, Skipped: 125, Failed: 126, Calls: 127, Circuit: "open"}
		},
		Queues: func() []queue.Stats {
			h := queue.Histogram{Bounds: []time.Duration{time.Millisecond, time.Second}, Counts: []uint64{1, 2, 4}, Count: 7, Sum: 9 * time.Second}
			return []queue.Stats{{Queue: "default", Enqueued: 128, Dropped: 129, Done: 130, Failed: 131, Retried: 132, Wait: h, Run: h}}
		},
		Sizes: func(context.Context) (map[string]queue.Size, error) {
			return map[string]queue.Size{"default": {Waiting: 133, Running: 134, Delayed: 135, Failed: 136, Oldest: 1500 * time.Millisecond, Paused: true}}, nil
		},
		Workers: func(context.Context) ([]queue.WorkerInfo, error) {
			settings := queue.WorkerSettings{Concurrency: 5}
			return []queue.WorkerInfo{
				{Version: "v1.2.3", WorkerSettings: settings}, {Version: "v1.2.3", WorkerSettings: settings},
				{Version: "v1.2.2", Other: true, WorkerSettings: settings},
				{Version: "v1.2.1", Other: true, Silent: true, WorkerSettings: settings},
			}, nil
		},
	}
}

// happen has the engines tell something.
func happen(o *ops.Ops) {
	o.Webhook("1001", true, 20*time.Millisecond)
	o.Webhook("1001", false, 20*time.Second)
	o.Delivered("1001", 2*time.Millisecond)
}

func TestMetrics_GiveEveryFigureOfTheApplicationSide(t *testing.T) {
	o := ops.New(measured())
	happen(o)
	w := get(t, o.Private(), "/metrics")
	for _, want := range []string{
		`belfry_trace_steps_total 9`,
		`belfry_trace_records_total 8`,
		`belfry_trace_dropped_total 2`,
		`belfry_trace_sampling 4`,
		`belfry_trace_bytes 1024`,
		`belfry_trace_failures_total{result="written"} 3`,
		`belfry_trace_failures_total{result="dropped"} 1`,
		`belfry_logins_total{result="ok"} 101`,
		`belfry_logins_total{result="wrong"} 102`,
		`belfry_logins_total{result="limited"} 103`,
		`belfry_logins_total{result="disabled"} 104`,
		`belfry_logins_total{result="failed"} 105`,
		`belfry_sessions_ended_total 106`,
		`belfry_sessions_refused_total 107`,
		`belfry_token_checks_total{result="ok"} 108`,
		`belfry_token_checks_total{result="refused"} 109`,
		`belfry_jwt_checks_total{result="ok"} 110`,
		`belfry_jwt_checks_total{result="refused"} 111`,
		`belfry_key_set_fetches_total{result="ok"} 112`,
		`belfry_key_set_fetches_total{result="failed"} 113`,
		`belfry_passwords_hashing 114`,
		`belfry_passwords_hashed_total 115`,
		`belfry_channel_authorizations_total{result="allowed"} 116`,
		`belfry_channel_authorizations_total{result="no_rule"} 117`,
		`belfry_user_authorizations_total{result="not_signed_in"} 118`,
		`belfry_audit_written_total 119`,
		`belfry_audit_dropped_total 120`,
		`belfry_audit_waiting 121`,
		`belfry_broadcast_accepted_total{driver="local"} 122`,
		`belfry_broadcast_events_total{driver="local",result="refused"} 123`,
		`belfry_broadcast_events_total{driver="local",result="sent"} 124`,
		`belfry_broadcast_events_total{driver="local",result="skipped"} 125`,
		`belfry_broadcast_events_total{driver="local",result="failed"} 126`,
		`belfry_broadcast_calls_total{driver="local"} 127`,
		`belfry_broadcast_circuit_open{driver="local"} 1`,
		`belfry_queue_enqueued_total{queue="default"} 128`,
		`belfry_queue_dropped_total{queue="default"} 129`,
		`belfry_queue_tries_total{queue="default",result="done"} 130`,
		`belfry_queue_tries_total{queue="default",result="failed"} 131`,
		`belfry_queue_tries_total{queue="default",result="retried"} 132`,
		`belfry_queue_wait_seconds_bucket{queue="default",le="0.001"} 1`,
		`belfry_queue_wait_seconds_bucket{queue="default",le="1"} 3`,
		`belfry_queue_wait_seconds_bucket{queue="default",le="+Inf"} 7`,
		`belfry_queue_run_seconds_sum{queue="default"} 9`,
		`belfry_queue_depth{queue="default",state="waiting"} 133`,
		`belfry_queue_depth{queue="default",state="running"} 134`,
		`belfry_queue_depth{queue="default",state="delayed"} 135`,
		`belfry_queue_depth{queue="default",state="failed"} 136`,
		`belfry_queue_oldest_seconds{queue="default"} 1.5`,
		`belfry_queue_paused{queue="default"} 1`,
		`belfry_workers{version="v1.2.3"} 2`,
		`belfry_workers{version="v1.2.2"} 1`,
		`belfry_workers_of_other_build 1`,
		`belfry_worker_slots 15`,
		`belfry_push_messages_total{result="sent"} 144`,
		`belfry_push_messages_total{result="gone"} 145`,
		`belfry_push_messages_total{result="failed"} 146`,
		`belfry_push_messages_total{result="retried"} 147`,
		`belfry_webhooks_received_total{result="ok"} 141`,
		`belfry_webhooks_received_total{result="signature_wrong"} 142`,
		`belfry_webhooks_received_old_secret_total 143`,
		`belfry_dashboard_changes_total{dashboard="default"} 150`,
		`belfry_dashboard_broadcasts_total{dashboard="default",result="sent"} 151`,
		`belfry_dashboard_broadcasts_total{dashboard="default",result="large"} 1`,
		`belfry_dashboard_broadcasts_total{dashboard="default",result="failed"} 153`,
		`belfry_dashboard_figure_failures_total{dashboard="default"} 154`,
		`belfry_dashboard_figures_failing{dashboard="default"} 1`,
		`belfry_dashboard_computation_seconds_bucket{dashboard="default",le="1"} 3`,
		`belfry_dashboard_computation_seconds_count{dashboard="default"} 7`,
		`belfry_webhook_request_seconds_bucket{app="1001",result="ok",le="0.025"} 1`,
		`belfry_webhook_request_seconds_count{app="1001",result="failed"} 1`,
		`belfry_event_delivery_seconds_bucket{app="1001",le="0.0025"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(w.Body.String(), "v1.2.1") {
		t.Error("a silent worker counts")
	}
}

func TestMetrics_LeaveOutWhatIsNotKnown(t *testing.T) {
	away := errors.New("the database is away")
	cfg := measured()
	cfg.Application.Sizes = func(context.Context) (map[string]queue.Size, error) { return nil, away }
	cfg.Application.Workers = func(context.Context) ([]queue.WorkerInfo, error) { return nil, away }
	cfg.Application.Authz = func() authz.Stats { return authz.Stats{} }
	cfg.CertificateEnds = func() time.Time { return time.Time{} }
	w := get(t, ops.New(cfg).Private(), "/metrics")
	for _, absent := range []string{"belfry_queue_depth", "belfry_queue_oldest", "belfry_workers", "belfry_audit", "belfry_certificate"} {
		if strings.Contains(w.Body.String(), "\n"+absent) {
			t.Errorf("%s is there", absent)
		}
	}
	if w.Code != 200 || !strings.Contains(w.Body.String(), `belfry_queue_tries_total{queue="default",result="done"} 130`) {
		t.Errorf("status %d, or the rest is missing", w.Code)
	}
}

// Labels are bounded, whatever the database has.
func TestMetrics_ManyQueuesAndVersionsShareALabel(t *testing.T) {
	cfg := measured()
	sizes, workers := map[string]queue.Size{}, []queue.WorkerInfo{}
	for i := range 150 {
		sizes[fmt.Sprintf("queue-%03d", i)] = queue.Size{Waiting: 1}
		workers = append(workers, queue.WorkerInfo{Version: fmt.Sprintf("v%d\xff", i)})
	}
	cfg.Application.Sizes = func(context.Context) (map[string]queue.Size, error) { return sizes, nil }
	cfg.Application.Workers = func(context.Context) ([]queue.WorkerInfo, error) { return workers, nil }
	w := get(t, ops.New(cfg).Private(), "/metrics")
	for _, want := range []string{
		`belfry_queue_depth{queue="queue-099",state="waiting"} 1`, `belfry_queue_depth{queue="other",state="waiting"} 50`,
		`belfry_workers{version="v1.2.3"} 0`, `belfry_workers{version="other"} 141`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if len(sizes) != 150 {
		t.Error("the answer, which others share, was changed")
	}
}
