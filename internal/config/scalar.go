package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
)

// set puts a value written as text into v, which f describes. The error says
// what is wrong and what to write; it shows the text unless hide is set.
func (f *field) set(v reflect.Value, text string, hide bool) error {
	shown := strconv.Quote(text)
	if hide || f.secret {
		shown = "the value"
	} else if len(shown) > 80 {
		shown = "the value"
	}
	switch p := v.Addr().Interface().(type) {
	case *bool:
		return f.setBool(p, text, shown)
	case *int:
		n, err := f.number(text, shown)
		*p = int(n)
		return err
	case *int64:
		n, err := f.number(text, shown)
		*p = n
		return err
	case *time.Duration:
		d, err := f.duration(text, shown)
		*p = d
		return err
	case *string:
		s, err := f.text(text, shown)
		*p = s
		return err
	case *[]string:
		return f.setList(p, commaList(text), hide)
	case *[]netip.Prefix:
		return f.setPrefixes(p, text, hide)
	default:
		return errors.New("wants a mapping")
	}
}

func commaList(text string) []string {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func (f *field) setBool(p *bool, text, shown string) error {
	switch strings.ToLower(text) {
	case "true", "1":
		*p = true
	case "false", "0":
		*p = false
	default:
		return fmt.Errorf("%s is neither true nor false", shown)
	}
	if f.kind == "unbuilt" && *p {
		return errors.New("is not built yet; remove it, or write false")
	}
	return nil
}

func (f *field) setList(p *[]string, items []string, hide bool) error {
	*p = nil
	for _, item := range items {
		var s string
		if err := f.set(reflect.ValueOf(&s).Elem(), item, hide); err != nil {
			return err
		}
		*p = append(*p, s)
	}
	return nil
}

func (f *field) setPrefixes(p *[]netip.Prefix, text string, hide bool) error {
	*p = nil
	switch {
	case f.kind == "prefixes-all" && text == "true":
		*p = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		return nil
	case f.kind == "prefixes-all" && text == "false":
		return nil
	}
	for _, item := range commaList(text) {
		prefix, err := parsePrefix(item)
		if err != nil {
			shown := strconv.Quote(item)
			if hide {
				shown = "the value"
			}
			return fmt.Errorf("%s is not an address range; write 10.0.0.0/8, or one address", shown)
		}
		*p = append(*p, prefix)
	}
	return nil
}

// parsePrefix reads a range or a single address.
func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, errors.New("not an address")
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// number reads counts, sizes and ports.
func (f *field) number(text, shown string) (int64, error) {
	n, err := int64(0), error(nil)
	switch f.kind {
	case "size", "size-limit":
		n, err = parseSize(text, f.kind == "size-limit")
		if err != nil {
			return 0, fmt.Errorf("%s is not a size; write it with its unit: %s", shown, f.example())
		}
	case "limit":
		if text == "unlimited" {
			return belfry.Unlimited, nil
		}
		n, err = strconv.ParseInt(text, 10, 64)
		if err != nil || n < belfry.Unlimited {
			return 0, fmt.Errorf("%s is not a limit; write a whole number, 0 for off, or unlimited", shown)
		}
	default:
		n, err = strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s is not a whole number", shown)
		}
	}
	if f.typ.Kind() == reflect.Int && int64(int(n)) != n {
		return 0, fmt.Errorf("%s is too large", shown)
	}
	switch f.kind {
	case "port":
		if n < 1 || n > 65535 {
			return 0, fmt.Errorf("%s is not a port; write 1 to 65535", shown)
		}
	case "enum":
		return n, f.choose(strconv.FormatInt(n, 10), shown)
	}
	if lo, hi := f.bound(f.min), f.bound(f.max); f.max != "" && (n < lo || n > hi) {
		return 0, fmt.Errorf("%s is outside %s to %s", shown, f.min, f.max)
	}
	return n, nil
}

func (f *field) bound(text string) int64 {
	n, _ := parseSize(text, true)
	return n
}

// example gives a value to show when one cannot be read.
func (f *field) example() string {
	if f.def != "" {
		return f.def
	}
	return "10KB"
}

// parseSize reads "10KB": bytes, KB, MB or GB, each 1024 of the one before. A
// limit may be 0, -1 or "unlimited" too.
func parseSize(text string, limit bool) (int64, error) {
	if limit {
		switch text {
		case "0":
			return 0, nil
		case "-1", "unlimited":
			return belfry.Unlimited, nil
		}
	}
	number := strings.TrimRight(text, "KMGBikmgb")
	shift := 0
	switch strings.ToUpper(text[len(number):]) {
	case "B":
	case "KB", "KIB":
		shift = 10
	case "MB", "MIB":
		shift = 20
	case "GB", "GIB":
		shift = 30
	default:
		return 0, errors.New("no unit")
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
	if err != nil || n < 0 {
		return 0, errors.New("no number")
	}
	return n << shift, nil
}

func (f *field) duration(text, shown string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || text == "" {
		return 0, fmt.Errorf("%s is not a duration; write it with its unit: %s", shown, f.def)
	}
	lo, _ := time.ParseDuration(f.min)
	hi, _ := time.ParseDuration(f.max)
	if d < lo || d > hi {
		return 0, fmt.Errorf("%s is outside %s to %s", shown, f.min, f.max)
	}
	return d, nil
}

func (f *field) choose(text, shown string) error {
	if slices.Contains(f.choices, text) {
		return nil
	}
	hint := "write one of " + strings.Join(f.choices, ", ")
	if near := nearest(text, f.choices); near != "" && f.typ.Kind() != reflect.Int {
		hint = `did you mean "` + near + `"? Known are ` + strings.Join(f.choices, ", ")
	}
	return fmt.Errorf("%s is not known; %s", shown, hint)
}

// text reads what stays text but has a syntax.
func (f *field) text(s, shown string) (string, error) {
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
