package config

import (
	"errors"
	"fmt"
	"net/netip"
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
	case "limit", "quota":
		if text == "unlimited" {
			return belfry.Unlimited, nil
		}
		n, err = strconv.ParseInt(text, 10, 64)
		if err != nil || n < belfry.Unlimited {
			return 0, fmt.Errorf("%s is not a limit; write a whole number, 0 for off, or unlimited", shown)
		}
		if f.kind == "quota" && n == 0 {
			return 0, errors.New("0 would refuse everyone; write a number above it, or unlimited")
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
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
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
