// Package report keeps what pages say of themselves: which channels and event
// names they have handlers for, and which handlers failed. Anybody who knows a
// connection's socket id may say it, so it is a hint for people and decides
// nothing.
package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// MaxBody is the most bytes of a report.
const MaxBody = 4096

const (
	maxName     = 200 // characters of a channel's or an event's name
	maxError    = 200 // characters of what a handler failed with
	maxFailures = 10  // kept of one page
)

// Every stands for a handler that takes every event.
const Every = "*"

// Report is what a page said.
type Report struct {
	// Socket is the page's connection.
	Socket string `json:"socket_id"`
	// Handlers are the names of events that the page has handlers for, by channel.
	// Those of "" are for all channels; the name Every is a handler for all events.
	Handlers map[string][]string `json:"handlers"`
	// Failures are handlers that failed since the report before.
	Failures []Failure `json:"errors"`
	// More says that not all channels stand in it, since there are too many.
	More bool `json:"more"`
}

// Failure is a handler that failed.
type Failure struct {
	// Channel is empty for a handler of all channels.
	Channel string `json:"channel"`
	Event   string `json:"event"`
	Error   string `json:"error"`
}

// Read reads a report, which comes from anybody: of what it holds, only text that
// can be shown remains, and no more than is allowed. The error is CodeInvalid or
// CodeTooLarge.
func Read(body []byte) (Report, error) {
	if len(body) > MaxBody {
		return Report{}, &belfry.Error{Code: belfry.CodeTooLarge, Message: fmt.Sprintf("a report has at most %d bytes", MaxBody),
			Hint: `leave channels out, and say so with "more": true`}
	}
	var r Report
	if err := json.Unmarshal(body, &r); err != nil {
		return Report{}, &belfry.Error{Code: belfry.CodeInvalid, Message: "the body is not a report", Err: err,
			Hint: `write {"socket_id": "123.456", "handlers": {"orders": ["order.paid"]}}`}
	}
	if _, ok := pusher.ParseSocketID(r.Socket); !ok {
		return Report{}, &belfry.Error{Code: belfry.CodeInvalid, Message: "socket_id is not one", Hint: "it is pusher.connection.socket_id of a connected page"}
	}
	handlers := make(map[string][]string, len(r.Handlers))
	for channel, names := range r.Handlers {
		all := handlers[shown(channel, maxName)]
		for _, name := range names {
			all = append(all, shown(name, maxName))
		}
		slices.Sort(all)
		handlers[shown(channel, maxName)] = slices.Compact(all)
	}
	r.Handlers = handlers
	r.Failures = r.Failures[max(0, len(r.Failures)-maxFailures):]
	for i, f := range r.Failures {
		r.Failures[i] = Failure{Channel: shown(f.Channel, maxName), Event: shown(f.Event, maxName), Error: shown(f.Error, maxError)}
	}
	return r, nil
}

// shown makes a text of somebody else's fit to be shown on one line: what is no
// letter, mark, number, sign or space becomes U+FFFD, and it ends after most
// characters.
func shown(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case r == '\n', r == '\t', r == '\r':
			return ' '
		}
		return unicode.ReplacementChar
	}, text)
	n := 0
	for i := range text {
		if n++; n > most {
			return text[:i] + "…"
		}
	}
	return text
}
