package pusher

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
)

// Event is one event of the HTTP API (HTTP-21).
type Event struct {
	Name     string
	Channels []string // distinct, legal, at least one
	// Data is the event's data as a JSON string token, ready for a frame: a
	// string passes still escaped (WS-14). Size is the length in bytes of the
	// string it stands for.
	Data []byte
	Size int
	// SocketID is excluded from delivery; empty for none (HTTP-25).
	SocketID string
	// Info are the attributes asked for (HTTP-26); HasInfo tells an empty list
	// from none.
	Info    []string
	HasInfo bool
	// Receipt asks for a delivery receipt, an addition of this server.
	Receipt bool
}

// Naming holds the limits that a body is checked against.
type Naming struct {
	Limits belfry.Limits
	Strict bool // StrictNames of the app
}

// MaxChannelName is the longest legal channel name (CH-03).
func (n Naming) MaxChannelName() int {
	limit := n.Limits.ChannelNameLength
	if limit == belfry.Unlimited {
		limit = 1 << 20
	}
	if n.Strict {
		limit = min(limit, 164)
	}
	return limit
}

// ParseEvent reads and checks the body of POST /events (HTTP-21 to HTTP-25).
// Errors are *belfry.Error: CodeTooLarge for data over the limit, CodeInvalid
// for the rest, naming field, size and limit.
func ParseEvent(body []byte, naming Naming) (Event, error) {
	e, err := parseEvent(body)
	if err != nil {
		return Event{}, invalid("body", err)
	}
	if err := e.check(naming); err != nil {
		return Event{}, err
	}
	return e, nil
}

// ParseBatch reads and checks the body of POST /batch_events: all or nothing
// (HTTP-31, HTTP-32). Errors as ParseEvent's.
func ParseBatch(body []byte, naming Naming) ([]Event, error) {
	var events []Event
	found := false
	limit := naming.Limits.BatchSize
	err := scanObject(body, func(name string, value []byte) error {
		if name != "batch" {
			return nil
		}
		found, events = true, nil
		return scanArray(value, func(element []byte) error {
			if belfry.Over(len(events)+1, limit) {
				return &belfry.Error{Code: belfry.CodeInvalid, Message: fmt.Sprintf("Batch too large: at most %d events are allowed", limit)}
			}
			e, err := parseEvent(element)
			if err != nil {
				return fmt.Errorf("event %d: %w", len(events), err)
			}
			events = append(events, e)
			return nil
		})
	})
	switch coded, ok := errors.AsType[*belfry.Error](err); {
	case ok:
		return nil, coded
	case err != nil:
		return nil, invalid("batch", err)
	case !found:
		return nil, invalid("batch", errors.New(`"batch" is missing: send {"batch":[{"name":…,"channel":…,"data":…}]}`))
	}
	for i := range events {
		if err := events[i].check(naming); err != nil {
			var coded *belfry.Error
			errors.As(err, &coded)
			return nil, &belfry.Error{Code: coded.Code, Message: fmt.Sprintf("batch event %d: %s", i, coded.Message)}
		}
	}
	return events, nil
}

func invalid(where string, err error) *belfry.Error {
	return &belfry.Error{Code: belfry.CodeInvalid, Message: where + ": " + err.Error()}
}

func parseEvent(body []byte) (Event, error) {
	var e Event
	var single string
	var hasName, hasSingle bool
	err := scanObject(body, func(name string, value []byte) (err error) {
		switch name {
		case "name":
			e.Name, hasName, err = stringMember(name, value)
		case "data":
			if isNull(value) {
				e.Data = nil
				return nil
			}
			e.Data, e.Size = stringToken(value)
		case "channels":
			if isNull(value) {
				return nil
			}
			err = parseStrings(name, value, &e.Channels)
			if err == nil && e.Channels == nil {
				err = errors.New(`"channels" is empty: name at least one channel`)
			}
		case "channel":
			single, hasSingle, err = stringMember(name, value)
		case "socket_id":
			e.SocketID, _, err = stringMember(name, value)
		case "info":
			var info string
			info, e.HasInfo, err = stringMember(name, value)
			e.Info = splitInfo(info)
		case "receipt":
			e.Receipt = string(value) == "true"
		}
		return err
	})
	switch {
	case err != nil:
		return e, err
	case !hasName:
		return e, errors.New(`"name" is missing: give the event's name`)
	case e.Data == nil:
		return e, errors.New(`"data" is missing: give a string, "" included`)
	case e.Channels == nil && hasSingle: // both given: channels wins (HTTP-21)
		e.Channels = []string{single}
	}
	if e.Channels == nil {
		return e, errors.New(`"channels" is missing: give an array of channel names, or "channel" with one`)
	}
	return e, nil
}

func splitInfo(info string) []string {
	var names []string
	for name := range strings.SplitSeq(info, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// SplitInfo parts the comma list of an info parameter (HTTP-41).
func SplitInfo(info string) []string { return splitInfo(info) }

func (e *Event) check(naming Naming) error {
	limits := naming.Limits
	fail := func(format string, args ...any) error { return belfry.Errorf(belfry.CodeInvalid, format, args...) }
	switch n := utf8.RuneCountInString(e.Name); {
	case n == 0:
		return fail(`"name" is empty: give the event's name`)
	case belfry.Over(n, limits.EventNameLength):
		return fail("event name of %d characters is too long: at most %d are allowed", n, limits.EventNameLength)
	case IsReserved(e.Name):
		return fail("event name %q is reserved: names beginning pusher: or pusher_internal: belong to the protocol", clip(e.Name))
	}
	if n := len(e.Channels); belfry.Over(n, limits.ChannelsPerEvent) {
		return fail("event %q names %d channels: at most %d are allowed; send it in several requests", clip(e.Name), n, limits.ChannelsPerEvent)
	}
	longest := naming.MaxChannelName()
	for _, channel := range e.Channels {
		if !ValidName(channel, longest) {
			return fail("channel %q is not a legal name: use 1 to %d letters, digits and _-=@,.; only", clip(channel), longest)
		}
	}
	e.Channels = distinct(e.Channels)
	if e.SocketID != "" && !ValidSocketID(e.SocketID) {
		return fail("socket_id %q is malformed: it must be digits, a dot, digits", clip(e.SocketID))
	}
	if belfry.Over(e.Size, limits.EventData) {
		return belfry.Errorf(belfry.CodeTooLarge,
			"The data content of this event exceeds the allowed maximum: event %q for channel %q has %d bytes, %d are allowed",
			clip(e.Name), e.Channels[0], e.Size, limits.EventData)
	}
	return nil
}

// distinct drops repeats and keeps the order.
func distinct(names []string) []string {
	if len(names) < 2 {
		return names
	}
	seen := make(map[string]struct{}, len(names))
	kept := names[:0]
	for _, name := range names {
		if _, again := seen[name]; !again {
			seen[name] = struct{}{}
			kept = append(kept, name)
		}
	}
	return kept
}
