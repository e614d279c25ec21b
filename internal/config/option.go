package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Limit reads one of an app's limits from a command line, NAME=VALUE with the
// names and values of the file.
func Limit(text string) (name string, n int64, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return "", 0, fmt.Errorf("%q is no limit; write NAME=VALUE, as in connections=100 or event_data=20KB", text)
	}
	fields := fieldsOf(reflect.TypeFor[Limits]())
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == name })
	if i < 0 {
		var known []string
		for _, f := range fields {
			known = append(known, f.key)
		}
		if near := nearest(name, known); near != "" {
			return "", 0, fmt.Errorf("there is no limit %q; did you mean %s?", name, near)
		}
		return "", 0, fmt.Errorf("there is no limit %q; known are %s", name, strings.Join(known, ", "))
	}
	if n, err = fields[i].number(value, strconv.Quote(value)); err != nil {
		return "", 0, fmt.Errorf("%s: %w", name, err)
	}
	return name, n, nil
}

// CheckOrigin says what is wrong with an entry of an app's allowed_origins.
func CheckOrigin(text string) error { return checkText("origin-pattern", text) }

// CheckWebhook says what is wrong with the address of a webhook.
func CheckWebhook(text string) error { return checkText("url", text) }

func checkText(kind, text string) error {
	if text == "" {
		return errors.New("is empty")
	}
	f := field{kind: kind}
	if _, err := f.text(text, strconv.Quote(text)); err != nil {
		return err
	}
	return nil
}
