package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// text reads what stays text but has a syntax.
func (f *field) text(s, shown string) (string, error) {
	if f.kind == "expression" {
		return s, nil // it may have lines, and is judged where it is compiled
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return "", errors.New("holds a line break or another control character; remove it")
	}
	switch f.kind {
	case "enum":
		return s, f.choose(s, shown)
	case "null":
		if s == "null" {
			return "", nil
		}
	case "listen-off":
		if s == "off" {
			return "", nil
		}
		return s, checkListen(s, shown)
	case "listen":
		return s, checkListen(s, shown)
	case "path":
		s = strings.TrimRight(s, "/")
		if s != "" && (s[0] != '/' || strings.ContainsAny(s, "?#% ") || strings.Contains(s, "//")) {
			return "", fmt.Errorf("%s is not a path; write it from the root: /realtime", shown)
		}
	case "url":
		if strings.ContainsAny(s, "@?") {
			shown = "the value" // a password or a token may be in it
		}
		return s, checkURL(s, shown, "https", "http")
	case "redis":
		return s, checkURL(s, "the value", "redis", "rediss", "unix")
	case "database":
		return s, checkURL(s, "the value", "sqlite", "postgres", "postgresql")
	case "database-own":
		if s == "belfry" {
			return s, nil
		}
		return s, checkURL(s, "the value", "sqlite", "postgres", "postgresql")
	case "app-id", "app-key":
		return s, checkName(s, f.kind == "app-key", shown)
	case "domain":
		return s, checkDomain(s, shown)
	case "origin", "origin-pattern":
		return s, checkOrigin(s, f.kind == "origin-pattern", shown)
	case "base64-32":
		if b, err := base64.StdEncoding.DecodeString(s); err != nil || len(b) != 32 {
			return "", errors.New("is not 32 bytes in base64; make one with: openssl rand -base64 32")
		}
	}
	return s, nil
}

func checkListen(s, shown string) error {
	host, port, err := net.SplitHostPort(s)
	_, notNumber := strconv.ParseUint(port, 10, 16)
	switch {
	case err == nil && notNumber == nil && !strings.ContainsAny(host, " /"):
		return nil
	case err != nil && portOnly(s):
		return fmt.Errorf("%s has no colon; write :%s for all addresses, or 127.0.0.1:%s for this machine alone", shown, s, s)
	default:
		return fmt.Errorf("%s is not an address to listen on; write HOST:PORT or :PORT", shown)
	}
}

func portOnly(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

func checkURL(s, shown string, schemes ...string) error {
	u, err := url.Parse(s)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Opaque != "" ||
		(u.Hostname() == "" && (u.Scheme == "http" || u.Scheme == "https" || u.Path == "")) || u.Fragment != "" {
		return fmt.Errorf("%s is not an address; write %s://…", shown, strings.Join(schemes[:min(2, len(schemes))], ":// or "))
	}
	return nil
}

// checkName checks an app's id or key. A colon would end the key in
// "key:signature".
func checkName(s string, key bool, shown string) error {
	bad := "/?#% "
	if key {
		bad += ":,"
	}
	if len(s) > 200 || strings.ContainsAny(s, bad) {
		return fmt.Errorf("%s does not fit into an address; use letters, digits, - and _, 200 at most", shown)
	}
	return nil
}

func checkDomain(s, shown string) error {
	switch {
	case strings.HasPrefix(s, "*."):
		return fmt.Errorf("%s has a wildcard, for which no certificate can be fetched this way; name each host, or use cert_file and key_file", shown)
	case strings.ContainsAny(s, ":/ @*_") || !strings.Contains(s, ".") || portOnly(s[strings.LastIndex(s, ".")+1:]):
		return fmt.Errorf("%s is not a host name; write it alone: ws.example.com", shown)
	}
	return nil
}

// checkOrigin checks a whole origin or, as a pattern, a host.
func checkOrigin(s string, pattern bool, shown string) error {
	if u, err := url.Parse(s); err == nil && strings.Contains(s, "://") {
		if u.Host != "" && u.Path == "" && u.RawQuery == "" && u.User == nil && u.Fragment == "" && (pattern || !strings.Contains(u.Host, "*")) {
			return nil
		}
	} else if pattern && !strings.ContainsAny(s, "/ @?#") {
		return nil
	}
	if pattern {
		return fmt.Errorf("%s is neither a host pattern nor an origin; write app.example.com, *.example.com or https://app.example.com", shown)
	}
	return fmt.Errorf("%s is not an origin; write scheme and host alone: https://app.example.com", shown)
}
