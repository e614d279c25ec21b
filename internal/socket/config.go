package socket

import (
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// Config is what an engine is made of. Hub is required.
type Config struct {
	Hub    *hub.Hub
	Logger *slog.Logger // default: nothing is logged
	// Portable has Open make the portable engine even where there is a better one.
	Portable bool
	// OneCallEach has the Linux engine write to each subscriber with a system call
	// of its own, where otherwise it sends to many with one, by io_uring.
	OneCallEach bool
	// PathPrefix stands before /app/{key}; default none (WS-01).
	PathPrefix string
	// Express, if set, answers POST requests under {PathPrefix}/apps/ where the
	// engine reads them itself. What it does not take goes to the HTTP server.
	Express Express
	// IdleTimeout is how long a connection is kept for the next of these requests;
	// default 2 min. It works in steps of a second.
	IdleTimeout time.Duration
	// MaxMessage is the longest message of a client, in bytes; default 128 KiB
	// (WS-43).
	MaxMessage int
	// SendBuffer is how many bytes may wait for one connection before it is
	// closed with 4100; default 1 MiB (WS-45).
	SendBuffer int
	// MaxPending is how many bytes may wait for all connections together before
	// publishers wait; default 256 MiB.
	MaxPending int
	// PingAfter is how long a connection may be silent before it is pinged;
	// default 25 s, at the latest the app's activity timeout plus 15 s (WS-23).
	PingAfter time.Duration
	// PingTimeout is how long a pinged connection may stay silent before it is
	// closed with 4201; default 30 s (WS-23).
	PingTimeout time.Duration
	// CloseTimeout is how long a peer may take to answer a close frame; default
	// 5 s. This and the two above work in steps of a second.
	CloseTimeout time.Duration
	// HandshakeTimeout is how long a request head may take, where the engine reads
	// it itself; default 10 s.
	HandshakeTimeout time.Duration
	// MaxConnections is how many connections all apps may have together; one
	// more is closed with 4100 (WS-38). Default, and below zero: no limit.
	MaxConnections int
	// TrustedProxies are the addresses whose X-Forwarded-For,
	// X-Forwarded-Proto and Forwarded count; default none.
	TrustedProxies []netip.Prefix
	// AcceptRate is how many connections a second one address may open, with
	// bursts of twice that (an IPv6 address counts with its /64); more get HTTP
	// 429. Default: no limit.
	AcceptRate int
}

// withDefaults gives the configuration with every zero value replaced.
func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.PathPrefix = strings.Trim(c.PathPrefix, "/"); c.PathPrefix != "" {
		c.PathPrefix = "/" + c.PathPrefix
	}
	setDefault(&c.MaxMessage, 128<<10)
	setDefault(&c.SendBuffer, 1<<20)
	setDefault(&c.MaxPending, 256<<20)
	setDefault(&c.PingAfter, 25*time.Second)
	setDefault(&c.PingTimeout, 30*time.Second)
	setDefault(&c.CloseTimeout, 5*time.Second)
	setDefault(&c.HandshakeTimeout, 10*time.Second)
	setDefault(&c.IdleTimeout, 2*time.Minute)
	return c
}

func setDefault[T int | time.Duration](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

// seconds rounds d up to whole seconds.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
