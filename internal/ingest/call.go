package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/belfryhq/belfry"
)

// Bounds of what is kept of a call, in bytes.
const (
	maxReason = 200
	maxName   = 64
)

// call is what a body asks for.
type call struct{ dashboard, rangeName, reason string }

// readCall reads a body. Members that are not known are the sender's own.
func readCall(body []byte) (c call, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		text := "the body must be a JSON object"
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			text = fmt.Sprintf("the body is not JSON: %s, at byte %d", syntax, syntax.Offset)
		}
		return c, &belfry.Error{Code: belfry.CodeInvalid, Message: text, Hint: `send {"reason": "what changed", "range": "this_week"}`}
	}
	var faults []string
	for _, m := range []struct {
		name string
		into *string
	}{{"dashboard", &c.dashboard}, {"range", &c.rangeName}, {"reason", &c.reason}} {
		if value, ok := members[m.name]; ok && json.Unmarshal(value, m.into) != nil { // null leaves ""
			faults = append(faults, m.name+" must be a text")
		}
	}
	c.reason = tidy(c.reason, maxReason)
	if faults != nil {
		return c, belfry.Errorf(belfry.CodeInvalid, "%s", strings.Join(faults, "; "))
	}
	return c, nil
}

// tidy makes a foreign text one line of at most that many bytes.
func tidy(s string, most int) string {
	if len(s) > 4*most {
		s = s[:4*most]
	}
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most-len("…")], "") + "…"
	}
	return s
}
