package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/words"
)

// eventBody is the body of POST /api/events.
type eventBody struct {
	event, app, queue, connection, excludeSocket, condition string

	channels         []string
	data             json.RawMessage
	delay, expiresIn time.Duration
	tries            int
	now, withID      bool
}

// eventFields are the members of the body. Each reads its value, which is never
// null but for data.
var eventFields = map[string]func(value json.RawMessage, b *eventBody) error{
	"event":             func(v json.RawMessage, b *eventBody) error { return text(v, &b.event) },
	"channels":          func(v json.RawMessage, b *eventBody) error { return texts(v, &b.channels) },
	"data":              func(v json.RawMessage, b *eventBody) error { b.data = v; return nil },
	"app":               func(v json.RawMessage, b *eventBody) error { return text(v, &b.app) },
	"queue":             func(v json.RawMessage, b *eventBody) error { return text(v, &b.queue) },
	"connection":        func(v json.RawMessage, b *eventBody) error { return text(v, &b.connection) },
	"delay":             func(v json.RawMessage, b *eventBody) error { return duration(v, &b.delay) },
	"tries":             func(v json.RawMessage, b *eventBody) error { return count(v, &b.tries) },
	"now":               func(v json.RawMessage, b *eventBody) error { return truth(v, &b.now) },
	"exclude_socket_id": func(v json.RawMessage, b *eventBody) error { return text(v, &b.excludeSocket) },
	"expires_in":        func(v json.RawMessage, b *eventBody) error { return duration(v, &b.expiresIn) },
	"with_id":           func(v json.RawMessage, b *eventBody) error { return truth(v, &b.withID) },
	"condition":         func(v json.RawMessage, b *eventBody) error { return text(v, &b.condition) },
}

// maxFaults bounds how many faults one answer names.
const maxFaults = 10

// decodeEvent reads the body strictly: it names every member that is unknown,
// stands twice, is missing or has the wrong type.
func decodeEvent(body []byte) (eventBody, error) {
	var b eventBody
	members, order, err := object(body, `{"event": …, "channels": […], "data": …}`)
	if err != nil {
		return b, err
	}
	var faults []string
	fault := func(name, format string, args ...any) {
		faults = append(faults, clip(name)+": "+fmt.Sprintf(format, args...))
	}
	for _, name := range order {
		read, known := eventFields[name]
		values := members[name]
		switch {
		case !known:
			fault(name, "there is no such member%s", suggest(name))
		case len(values) > 1:
			fault(name, "it stands twice")
		case string(values[0]) == "null" && name != "data": // as if it were left out
		default:
			if err := read(values[0], &b); err != nil {
				fault(name, "%s", err)
			}
		}
	}
	for _, name := range []string{"event", "channels"} {
		if given := members[name]; len(given) == 0 || string(given[0]) == "null" {
			fault(name, "it is missing")
		}
	}
	if len(faults) > maxFaults {
		faults = append(faults[:maxFaults], fmt.Sprintf("and %d more", len(faults)-maxFaults))
	}
	if faults != nil {
		return b, belfry.Errorf(belfry.CodeInvalid, "%s", strings.Join(faults, "; "))
	}
	return b, nil
}

// object gives the values of each member of a JSON object, and their names in
// order, each once. like shows what to send instead of what is none.
func object(body []byte, like string) (members map[string][]json.RawMessage, order []string, err error) {
	if !utf8.Valid(body) {
		return nil, nil, belfry.Errorf(belfry.CodeInvalid, "the body is not valid UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, nil, belfry.Errorf(belfry.CodeInvalid, "the body is not JSON: %s; send %s", place(body, err), like)
	}
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	if first, err := in.Token(); err != nil || first != json.Delim('{') {
		return nil, nil, belfry.Errorf(belfry.CodeInvalid, "the body must be a JSON object: send %s", like)
	}
	members = map[string][]json.RawMessage{}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, nil, belfry.Errorf(belfry.CodeInvalid, "the body is not JSON")
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil, nil, belfry.Errorf(belfry.CodeInvalid, "the body is not JSON")
		}
		key, _ := name.(string)
		if members[key] == nil {
			order = append(order, key)
		}
		members[key] = append(members[key], value)
	}
	return members, order, nil
}

// place says where JSON breaks off.
func place(body []byte, err error) string {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return "it cannot be read"
	}
	before := body[:min(int(syntax.Offset), len(body))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := max(1, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]))
	return fmt.Sprintf("%s, in line %d, column %d", syntax, line, column)
}

// suggest names the member that a wrong name is nearest to.
func suggest(name string) string {
	for wrong, right := range map[string]string{
		"name": "event", "channel": "channels", "payload": "data", "socket_id": "exclude_socket_id", "socket": "exclude_socket_id",
		"expires": "expires_in", "ttl": "expires_in", "app_id": "app",
	} {
		if strings.EqualFold(name, wrong) {
			return "; did you mean " + right + "?"
		}
	}
	plain := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(clip(name)))
	nearest, best := "", 3 // at most two letters off
	for known := range eventFields {
		d := distance(plain, strings.ReplaceAll(known, "_", ""))
		if d < best || d == best && nearest != "" && known < nearest {
			nearest, best = known, d
		}
	}
	if nearest != "" {
		return "; did you mean " + nearest + "?"
	}
	all := make([]string, 0, len(eventFields))
	for known := range eventFields {
		all = append(all, known)
	}
	slices.Sort(all)
	return "; there are: " + strings.Join(all, ", ")
}

// distance is how many letters must be put in, left out or changed to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func text(v json.RawMessage, into *string) error {
	if json.Unmarshal(v, into) != nil {
		return errors.New("it must be a string")
	}
	return nil
}

func texts(v json.RawMessage, into *[]string) error {
	var all []*string // so that null is told from ""
	if json.Unmarshal(v, &all) != nil || slices.Contains(all, nil) {
		return errors.New("it must be an array of strings")
	}
	for _, s := range all {
		*into = append(*into, *s)
	}
	return nil
}

func truth(v json.RawMessage, into *bool) error {
	if json.Unmarshal(v, into) != nil {
		return errors.New("it must be true or false")
	}
	return nil
}

func count(v json.RawMessage, into *int) error {
	if json.Unmarshal(v, into) != nil || *into < 1 {
		return errors.New("it must be a whole number above 0")
	}
	return nil
}

// duration reads "90s" or "1m30s", or a number of seconds.
func duration(v json.RawMessage, into *time.Duration) error {
	wrong := errors.New(`it must be a time such as "90s", "5m" or "1h30m", or a number of seconds, and not below 0`)
	written := string(v)
	if v[0] == '"' {
		if json.Unmarshal(v, &written) != nil {
			return wrong
		}
		if d, err := time.ParseDuration(written); err == nil && d >= 0 {
			*into = d
			return nil
		}
	}
	seconds, err := strconv.ParseFloat(written, 64)
	if err != nil || !(seconds >= 0) || seconds > math.MaxInt64/float64(time.Second)/2 {
		return wrong
	}
	*into = time.Duration(seconds * float64(time.Second))
	return nil
}

// clip shortens what a stranger sent, for an error.
func clip(s string) string { return words.Clip(s, 64) }
