package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/notify"
)

// draftBody is a Draft with what stands beside it in a body.
type draftBody struct {
	notify.Draft
	revision int64
	create   bool
}

// draftFields are the members of a notification's body. Each reads its value;
// null empties a text or a time.
var draftFields = map[string]func(v json.RawMessage, d *draftBody) error{
	"title":       func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.Title) },
	"message":     func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.Message) },
	"type":        func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.Type) },
	"priority":    func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.Priority) },
	"category":    func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.Category) },
	"icon":        func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.Icon) },
	"color":       func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.Color) },
	"action_url":  func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.ActionURL) },
	"action_text": func(v json.RawMessage, d *draftBody) error { return textOrNull(v, &d.ActionText) },
	"importance": func(v json.RawMessage, d *draftBody) error {
		d.Importance = new(int)
		if json.Unmarshal(v, d.Importance) != nil || isNull(v) {
			return errors.New("it must be a whole number from 0 to 100")
		}
		return nil
	},
	"dismissible": func(v json.RawMessage, d *draftBody) error {
		d.Dismissible = new(bool)
		return truthOf(v, d.Dismissible)
	},
	"send": func(v json.RawMessage, d *draftBody) error {
		if !d.create {
			return errors.New("POST to …/send instead")
		}
		return truthOf(v, &d.Send)
	},
	"revision": func(v json.RawMessage, d *draftBody) error {
		if json.Unmarshal(v, &d.revision) != nil || d.revision < 1 {
			return errors.New("it must be the revision that you have seen")
		}
		return nil
	},
	"data": func(v json.RawMessage, d *draftBody) error {
		if d.Data = v; isNull(v) {
			d.Data = json.RawMessage("{}")
		}
		return nil
	},
	"expires_at":   func(v json.RawMessage, d *draftBody) error { return timeOrNull(v, &d.Expires) },
	"scheduled_at": func(v json.RawMessage, d *draftBody) error { return timeOrNull(v, &d.Scheduled) },
	"target":       func(v json.RawMessage, d *draftBody) error { return targetOf(v, d) },
}

// decodeDraft reads a notification's body. What cannot be read becomes a fault
// among those that the engine finds; the error is for what is no JSON object.
func decodeDraft(body []byte, create bool) (notify.Draft, int64, error) {
	d, err := decodeFields(body, `{"title": …, "message": …, "target": {"type": "all"}}`, nil, create)
	return d.Draft, d.revision, err
}

// decodeTarget reads the body of a preview.
func decodeTarget(body []byte) (notify.Draft, error) {
	d, err := decodeFields(body, `{"target": {"type": "all"}}`, []string{"target"}, true)
	return d.Draft, err
}

// decodeStep reads the body of send, schedule and cancel.
func decodeStep(body []byte) (at *time.Time, revision int64, err error) {
	d, err := decodeFields(body, `{"scheduled_at": "2030-01-31T09:00:00Z"}`, []string{"scheduled_at", "revision"}, false)
	if err == nil && len(d.Faults) > 0 {
		err = &notify.Invalid{Fields: d.Faults}
	}
	return d.Scheduled, d.revision, err
}

// decodeFields reads the members of a body, only some of them unless only is
// nil.
func decodeFields(body []byte, like string, only []string, create bool) (d draftBody, err error) {
	members, order, err := object(body, like)
	if err != nil {
		return d, err
	}
	d.create, d.Faults = create, map[string]string{}
	for _, name := range order {
		read := draftFields[name]
		values := members[name]
		switch {
		case read == nil || only != nil && !slices.Contains(only, name):
			d.Faults[clip(name)] = "there is no such member"
		case len(values) > 1:
			d.Faults[name] = "it stands twice"
		default:
			if err := read(values[0], &d); err != nil {
				d.Faults[name] = err.Error()
			}
		}
		if len(d.Faults) > 50 {
			break
		}
	}
	return d, nil
}

func isNull(v json.RawMessage) bool { return string(bytes.TrimSpace(v)) == "null" }

func textOrNull(v json.RawMessage, into **string) error {
	*into = new(string)
	return text(v, *into)
}

func truthOf(v json.RawMessage, into *bool) error {
	if isNull(v) {
		return errors.New("it must be true or false")
	}
	return truth(v, into)
}

func timeOrNull(v json.RawMessage, into **time.Time) error {
	*into = new(time.Time)
	if isNull(v) {
		return nil
	}
	var s string
	at, err := time.Time{}, json.Unmarshal(v, &s)
	if err == nil {
		at, err = time.Parse(time.RFC3339, strings.ToUpper(s))
	}
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return errors.New("write a time with its zone, as in 2030-01-31T09:00:00Z")
	}
	**into = at
	return nil
}

// targetOf reads a target. Its faults are named by the target's own members.
func targetOf(v json.RawMessage, d *draftBody) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(v, &members) != nil || members == nil {
		return errors.New(`it must be an object, as in {"type": "roles", "roles": ["editor"]}`)
	}
	var t notify.Target
	bad := false
	fault := func(name, text string) { d.Faults["target."+clip(name)], bad = text, true }
	for name, value := range members {
		switch {
		case name == "type":
			if text(value, &t.Type) != nil {
				fault(name, "it must be a string")
			}
		case isNull(value) && (name == "users" || name == "roles" || name == "days"):
		case name == "users":
			readNames(value, &t.Users, name, fault)
		case name == "roles":
			readNames(value, &t.Roles, name, fault)
		case name == "days":
			if json.Unmarshal(value, &t.Days) != nil || t.Days < 1 {
				fault(name, "it must be a whole number above 0")
			}
		default:
			fault(name, "there is no such member")
		}
	}
	if !bad {
		d.Target = &t
	}
	return nil
}

func readNames(v json.RawMessage, into *[]string, name string, fault func(name, text string)) {
	var all []json.RawMessage
	if json.Unmarshal(v, &all) != nil {
		fault(name, "it must be an array of strings")
		return
	}
	for i, one := range all {
		var s *string
		if json.Unmarshal(one, &s) != nil || s == nil {
			fault(name+"["+strconv.Itoa(i)+"]", "it must be a string")
			if i > 50 {
				return
			}
			continue
		}
		*into = append(*into, *s)
	}
}
