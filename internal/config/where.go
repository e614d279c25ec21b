package config

import (
	"fmt"
	"slices"
	"strings"
)

// Where says where the setting at a path came from, in the form of [Fault]:
// "belfry.yaml:12:5", "environment PUSHER_APP_SECRET", "flag --listen", or
// "default". Of a list it may be the list's own place.
func (c *Config) Where(path string) string {
	s := c.source(path)
	switch {
	case s.Kind == FromFile && s.Line > 0:
		return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Column)
	case s.Kind == FromDotenv:
		return fmt.Sprintf("%s:%d", s.File, s.Line)
	case s.Kind == FromEnvironment:
		return "environment " + s.Name
	}
	return s.String()
}

// IsExample reports whether a secret stands in public documents, so that anyone
// can sign with it.
func IsExample(secret string) bool {
	return slices.Contains(exampleSecrets(), strings.ToLower(strings.Trim(secret, "<>[]{} ")))
}
