package ops

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
)

// collector turns the engines' figures into metrics, afresh for each scrape.
type collector struct{ ops *Ops }

// Describe lists the metrics that Collect gives.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range allMetrics() {
		if !slices.Contains(counted(), m) {
			ch <- m.desc
		}
	}
}

// Collect reads all figures once.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := sink{ch}
	cfg := c.ops.cfg
	s.put(buildInfo, 1, cfg.Version, runtime.Version())
	s.put(ready, truth(cfg.Unready() == ""))
	for name, part := range c.ops.health.report(context.Background()).Components {
		s.put(componentUp, truth(part.Status == statusUp), name)
	}
	if cfg.Hub != nil {
		for _, app := range cfg.Hub() {
			s.app(app)
		}
	}
	if cfg.Apps != nil {
		for _, app := range cfg.Apps() {
			if n := app.Limits.MessagesPerDay; n != belfry.Unlimited {
				s.put(dailyLimit, n, app.ID)
			}
		}
	}
	if cfg.Sockets != nil {
		s.sockets(cfg.Sockets())
	}
	if cfg.Hooks != nil {
		for _, app := range cfg.Hooks() {
			s.hooks(app)
		}
	}
	if cfg.CertificateEnds != nil {
		if ends := cfg.CertificateEnds(); !ends.IsZero() {
			s.set(certificateDays, time.Until(ends).Hours()/24)
		}
	}
	s.application(cfg.Application, cfg.Version)
}

type sink struct{ ch chan<- prometheus.Metric }

func (s sink) put(m *metric, value int64, labels ...string) { s.set(m, float64(value), labels...) }

func (s sink) set(m *metric, value float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

func (s sink) app(a hub.Stats) {
	s.put(connections, a.Connections, a.App)
	s.put(users, a.Users, a.App)
	for kind, n := range a.Channels {
		s.put(channels, n, a.App, kind)
	}
	for kind, n := range a.Subscriptions {
		s.put(subscriptions, n, a.App, kind)
	}
	s.put(opened, a.ConnectionsTotal, a.App)
	for code, n := range a.Refused {
		s.put(refused, n, a.App, strconv.Itoa(code))
	}
	s.put(messagesIn, a.MessagesIn, a.App)
	s.put(bytesIn, a.BytesIn, a.App)
	s.put(published, a.Published, a.App)
	s.put(clientEvents, a.ClientEvents, a.App)
	s.put(delivered, a.Delivered, a.App)
	s.put(deliveredBytes, a.BytesOut, a.App)
	s.put(dropped, a.Dropped, a.App)
	s.put(denied, a.Denied, a.App)
	for limit, n := range a.Limits {
		s.put(limited, n, a.App, limit)
	}
	s.put(messagesToday, a.MessagesToday, a.App)
}

func (s sink) sockets(st SocketStats) {
	s.put(sockets, st.Open)
	s.put(socketPending, st.PendingBytes)
	s.put(socketIn, st.BytesIn)
	s.put(socketOut, st.BytesOut)
	s.put(socketPings, st.Pings)
	s.put(socketSlow, st.SlowClosed)
	for code, n := range st.Closed {
		s.put(socketClosed, n, strconv.Itoa(code))
	}
	for reason, n := range st.Rejected {
		s.put(socketReject, n, reason)
	}
}

func (s sink) hooks(h HookStats) {
	s.put(hookPending, h.Pending, h.App)
	s.put(hookResults, h.Sent, h.App, "ok")
	s.put(hookResults, h.Failed, h.App, "failed")
	s.put(hookRetried, h.Retried, h.App)
	s.put(hookDropped, h.Dropped, h.App)
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
