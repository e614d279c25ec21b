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

// OverLimit is the cause of a refusal by one of the app's limits. It stands in
// the chain of the errors that this file gives, so that a caller can count them.
type OverLimit struct {
	// Limit is the configuration key below limits, such as "event_data".
	Limit string
	// Event and Channel are what met the limit; empty where the limit is about
	// something else.
	Event, Channel string
	// Size is what was asked for and Max what is allowed, in the limit's unit.
	Size, Max int64
}

// Error names the limit and both numbers.
func (e *OverLimit) Error() string {
	return fmt.Sprintf("limits.%s: %d asked for, %d allowed", e.Limit, e.Size, e.Max)
}

// refuse makes the error that o causes. A limit of zero switches the feature
// off, which is CodeForbidden whatever code says.
func (o OverLimit) refuse(code belfry.Code, format string, args ...any) *belfry.Error {
	if o.Max == 0 {
		return &belfry.Error{Code: belfry.CodeForbidden, Err: &o,
			Message: fmt.Sprintf("switched off for this app: limits.%s is 0", o.Limit)}
	}
	return &belfry.Error{Code: code, Message: fmt.Sprintf(format, args...), Err: &o}
}

// ParseEvent reads and checks the body of POST /events (HTTP-21 to HTTP-25).
// The event's Data may be a part of body. Errors are *belfry.Error:
// CodeTooLarge for data over the limit, CodeForbidden for a feature whose limit
// is zero, CodeInvalid for the rest, naming field, size and limit; the cause of
// those about a limit is an *OverLimit.
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

// MakeEvent checks an event whose data is the plain text data, as the
// deprecated POST /channels/{name}/events brings it (HTTP-70). Errors as
// ParseEvent's.
func MakeEvent(name, channel, socketID string, data []byte, naming Naming) (Event, error) {
	if !utf8.Valid(data) {
		return Event{}, invalid("body", errNotUTF8)
	}
	e := Event{
		Name: name, Channels: []string{channel}, SocketID: socketID,
		Data: AppendString(make([]byte, 0, len(data)+len(data)/8+2), data), Size: len(data),
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
	var count int
	found := false
	limit := naming.Limits.BatchSize
	err := scanObject(body, func(name string, value []byte) error {
		if name != "batch" {
			return nil
		}
		found, events, count = true, nil, 0
		return scanArray(value, func(element []byte) error {
			if count++; belfry.Over(count, limit) {
				return nil // counted only: the error says how many there are
			}
			e, err := parseEvent(element)
			if err != nil {
				return fmt.Errorf("event %d: %w", len(events), err)
			}
			events = append(events, e)
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, invalid("batch", err)
	case !found:
		return nil, invalid("batch", errors.New(`"batch" is missing: send {"batch":[{"name":…,"channel":…,"data":…}]}`))
	case belfry.Over(count, limit):
		o := OverLimit{Limit: "batch_size", Size: int64(count), Max: int64(limit)}
		return nil, o.refuse(belfry.CodeInvalid, "Batch too large: it has %d events, at most %d are allowed; send it in several requests", count, limit)
	}
	for i := range events {
		if err := events[i].check(naming); err != nil {
			err.Message = fmt.Sprintf("batch event %d: %s", i, err.Message)
			return nil, err
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
				e.Channels = nil
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

func (e *Event) check(naming Naming) *belfry.Error {
	limits := naming.Limits
	fail := func(format string, args ...any) *belfry.Error {
		return belfry.Errorf(belfry.CodeInvalid, format, args...)
	}
	switch n := utf8.RuneCountInString(e.Name); {
	case n == 0:
		return fail(`"name" is empty: give the event's name`)
	case belfry.Over(n, limits.EventNameLength):
		o := OverLimit{Limit: "event_name_length", Event: clip(e.Name), Size: int64(n), Max: int64(limits.EventNameLength)}
		return o.refuse(belfry.CodeInvalid, "event name of %d characters is too long: at most %d are allowed", n, o.Max)
	case IsReserved(e.Name):
		return fail("event name %q is reserved: names beginning pusher: or pusher_internal: belong to the protocol", clip(e.Name))
	}
	if n := len(e.Channels); belfry.Over(n, limits.ChannelsPerEvent) {
		o := OverLimit{Limit: "channels_per_event", Event: e.Name, Size: int64(n), Max: int64(limits.ChannelsPerEvent)}
		return o.refuse(belfry.CodeInvalid, "event %q names %d channels: at most %d are allowed; send it in several requests", clip(e.Name), n, o.Max)
	}
	for _, channel := range e.Channels {
		if err := naming.CheckChannel(channel); err != nil {
			return err
		}
	}
	e.Channels = distinct(e.Channels)
	if e.SocketID != "" && !ValidSocketID(e.SocketID) {
		return fail("socket_id %q is malformed: it must be digits, a dot, digits", clip(e.SocketID))
	}
	if belfry.Over(e.Size, limits.EventData) {
		o := OverLimit{Limit: "event_data", Event: e.Name, Channel: e.Channels[0], Size: int64(e.Size), Max: int64(limits.EventData)}
		return o.refuse(belfry.CodeTooLarge,
			"The data content of this event exceeds the allowed maximum: event %q for channel %q has %d bytes, %d are allowed",
			clip(e.Name), clip(e.Channels[0]), e.Size, o.Max)
	}
	return nil
}

// CheckChannel judges a channel's name (CH-03, HTTP-24); nil for a legal one.
func (n Naming) CheckChannel(name string) *belfry.Error {
	longest := n.MaxChannelName()
	switch {
	case ValidName(name, longest):
		return nil
	case nameCharacters(name):
		o := OverLimit{Limit: "channel_name_length", Channel: clip(name), Size: int64(len(name)), Max: int64(longest)}
		return o.refuse(belfry.CodeInvalid, "channel name of %d characters is too long: %q; at most %d are allowed", len(name), clip(name), longest)
	}
	return belfry.Errorf(belfry.CodeInvalid, "channel %q is not a legal name: use 1 to %d letters, digits and _-=@,.; only", clip(name), longest)
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
