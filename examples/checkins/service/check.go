package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// invalid names each bad field of a request and says what is wrong with it.
type invalid map[string]string

func (i invalid) Error() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(i)) {
		parts = append(parts, name+" "+i[name])
	}
	return strings.Join(parts, "; ")
}

// maxFaults bounds how many unknown members an answer names.
const maxFaults = 20

// check reads the members of a body as the resource's fields. A change may leave
// out any, so that only what is there is in values; else what is left out has
// its initial value. The error is invalid.
func (r *resource) check(body map[string]json.RawMessage, isChange bool) (values map[string]any, err error) {
	bad, values := invalid{}, map[string]any{}
	for i := range r.fields {
		f := &r.fields[i]
		raw, is := body[f.name]
		switch {
		case !is && isChange:
		case !is && f.required:
			bad[f.name] = "is missing"
		case !is:
			values[f.name] = f.initial
		default:
			value, fault := f.read(raw)
			if fault != "" {
				bad[f.name] = fault
			}
			values[f.name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if r.field(name) == nil && len(bad) < maxFaults {
			bad[clip(name, 50)] = "is no field of a " + r.one + ": there are " + r.names()
		}
	}
	if isChange && len(body) == 0 {
		bad["body"] = "is empty: name at least one field to change"
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return values, nil
}

func (r *resource) names() string {
	var names []string
	for _, f := range r.fields {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// read takes a JSON value, or says what is wrong with it.
func (f *field) read(raw json.RawMessage) (value any, fault string) {
	if bytes.Equal(raw, []byte("null")) {
		if f.required || f.initial != nil {
			return nil, "may not be null"
		}
		return nil, ""
	}
	switch f.kind {
	case integer:
		id, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || id < 1 {
			return nil, "must be an id: a whole number from 1 on"
		}
		return id, ""
	case boolean:
		var b bool
		if json.Unmarshal(raw, &b) != nil {
			return nil, "must be true or false"
		}
		return b, ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil, "must be a text"
	}
	return f.readText(s)
}

func (f *field) readText(s string) (value any, fault string) {
	if f.levels != nil {
		if !slices.Contains(f.levels, s) {
			return nil, "must be one of " + strings.Join(f.levels, ", ")
		}
		return s, ""
	}
	s = strings.TrimSpace(s)
	switch {
	case !utf8.ValidString(s):
		return nil, "is no valid text"
	case s == "" && f.required:
		return nil, "is empty"
	case s == "":
		return nil, ""
	case utf8.RuneCountInString(s) > f.max:
		return nil, fmt.Sprintf("is longer than %d characters", f.max)
	case strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) && (!f.lines || c != '\n' && c != '\r' && c != '\t') }):
		return nil, "has control characters"
	}
	return s, ""
}

// readFilter takes the value that a list is narrowed by.
func (f *field) readFilter(s string) (value any, fault string) {
	if f.kind == text {
		return f.readText(s)
	}
	return f.read(json.RawMessage(s))
}

// clip shortens s to n bytes, at a character's end.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
