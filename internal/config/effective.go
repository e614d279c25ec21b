package config

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
)

// mask stands for a secret that is set.
const mask = "********"

// Setting is one setting in force.
type Setting struct {
	// Key is the setting's path in the file. Apps go by id:
	// "apps[1001].limits.connections".
	Key string `json:"key"`
	// Value is the value as it would be written; a secret is masked.
	Value string `json:"value"`
	// Source is where the value came from.
	Source string `json:"source"`
	// Default tells that nothing set it.
	Default bool `json:"default"`

	raw  string // unmasked, to compare
	live bool
}

// Effective lists all settings in force in the order of the reference, secrets
// masked.
func (c *Config) Effective() []Setting {
	w := lister{config: c}
	w.walk(schema(), reflect.ValueOf(c).Elem(), "", "", false)
	return w.list
}

type lister struct {
	config *Config
	list   []Setting
}

// walk lists the settings of struct v. Path is where they stand in the file,
// shown how they are named to people; they differ in lists of apps.
func (w *lister) walk(fields []field, v reflect.Value, path, shown string, live bool) {
	for i := range fields {
		f := &fields[i]
		at, name, value := join(path, f.key), join(shown, f.key), v.Field(f.index)
		switch {
		case f.group():
			w.walk(f.below, value, at, name, live || f.live)
		case f.list():
			for j := range value.Len() {
				elem := value.Index(j)
				label := strconv.Itoa(j)
				switch elem := elem.Addr().Interface().(type) {
				case *App:
					label = elem.ID
				case *Dashboard:
					label = elem.Name
				case *Figure:
					label = elem.Name
				}
				w.walk(f.below, elem, fmt.Sprintf("%s[%d]", at, j), name+"["+label+"]", live || f.live)
			}
		default:
			w.add(f, at, name, value, live || f.live)
		}
	}
}

func (w *lister) add(f *field, path, name string, v reflect.Value, live bool) {
	source, set := w.config.sources[path]
	if !set {
		source = Source{Kind: FromDefault}
	}
	s := Setting{Key: name, Source: source.String(), Default: !set, live: live, raw: f.format(v)}
	s.Value = f.conceal(s.raw, v)
	if f.key == "app_id" || f.key == "app_key" || f.key == "app_secret" {
		if !set && len(w.config.AppList) == 0 {
			s.Source = string(FromServer)
		}
	}
	w.list = append(w.list, s)
}

// conceal gives what may be shown of a value.
func (f *field) conceal(raw string, v reflect.Value) string {
	switch {
	case raw == "":
		return ""
	case v.Kind() == reflect.Map:
		names := sortedKeys(v.Interface().(map[string]string))
		for i := range names {
			names[i] += ": " + mask
		}
		return strings.Join(names, ", ")
	case f.section():
		return "(set)"
	case f.secret:
		return mask
	case f.kind == "url" || f.kind == "redis" || f.kind == "database" || f.kind == "database-own":
		return maskURL(raw)
	}
	return raw
}

// maskURL hides the password and the query's values of an address.
func maskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return mask
	}
	user, query := u.User, u.RawQuery
	u.User, u.RawQuery = nil, ""
	shown := u.String()
	if user != nil {
		login := url.User(user.Username()).String()
		if _, has := user.Password(); has {
			login += ":" + mask
		} else {
			login = mask // a token alone
		}
		shown = strings.Replace(shown, "://", "://"+login+"@", 1)
	}
	if query != "" {
		shown += "?" + mask
	}
	return shown
}

// format writes v as an operator would.
func (f *field) format(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case bool:
		return strconv.FormatBool(x)
	case int:
		return f.formatNumber(int64(x))
	case int64:
		return f.formatNumber(x)
	case time.Duration:
		return formatDuration(x)
	case string:
		if f.kind == "listen-off" && x == "" {
			return "off"
		}
		return x
	case []string:
		return strings.Join(x, ", ")
	case []netip.Prefix:
		texts := make([]string, len(x))
		for i, p := range x {
			texts[i] = p.String()
		}
		return strings.Join(texts, ", ")
	case map[string]string:
		var b strings.Builder
		for _, name := range sortedKeys(x) {
			fmt.Fprintf(&b, "%q: %q, ", name, x[name])
		}
		return b.String()
	case Section:
		return x.root.dump()
	default:
		return fmt.Sprint(x)
	}
}

func (f *field) formatNumber(n int64) string {
	limit := f.kind == "limit" || f.kind == "quota" || f.kind == "size-limit"
	switch {
	case limit && n == belfry.Unlimited:
		return "unlimited"
	case strings.HasPrefix(f.kind, "size") && n > 0:
		return formatSize(n)
	default:
		return strconv.FormatInt(n, 10)
	}
}

// formatSize writes n bytes in the largest unit that divides it.
func formatSize(n int64) string {
	for _, u := range []struct {
		name  string
		shift int
	}{{"GB", 30}, {"MB", 20}, {"KB", 10}} {
		if n > 0 && n&(1<<u.shift-1) == 0 {
			return strconv.FormatInt(n>>u.shift, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// formatDuration writes "30m" where d.String gives "30m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// dump writes a node so that equal nodes give equal texts.
func (n *node) dump() string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(strconv.Quote(n.text))
	for _, item := range n.items {
		b.WriteString(" -" + item.dump())
	}
	for _, e := range n.entries {
		b.WriteString(" " + strconv.Quote(e.key) + ":" + e.value.dump())
	}
	return "{" + b.String() + "}"
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// Change is one setting that differs between two configs.
type Change struct {
	// Key is as in Setting; an app that comes or goes is one change, "apps[ID]".
	Key string `json:"key"`
	// Old and New are masked where the setting is secret, and empty where it
	// was not there.
	Old string `json:"old"`
	New string `json:"new"`
	// NeedsRestart tells that a reload leaves the old value in force.
	NeedsRestart bool `json:"needs_restart"`
}

// Diff lists what a reload from old to new would change, in the order of the
// reference.
func Diff(old, new *Config) []Change {
	before, after := byKey(old), byKey(new)
	gone, come := appsOnlyIn(old, new), appsOnlyIn(new, old)
	var changes []Change
	for _, id := range gone {
		changes = append(changes, Change{Key: "apps[" + id + "]", Old: "present"})
	}
	for _, id := range come {
		changes = append(changes, Change{Key: "apps[" + id + "]", New: "present"})
	}
	skip := func(key string) bool {
		within := func(id string) bool { return strings.HasPrefix(key, "apps["+id+"].") }
		return slices.ContainsFunc(gone, within) || slices.ContainsFunc(come, within)
	}
	for _, s := range old.Effective() {
		if n, still := after[s.Key]; !skip(s.Key) && (!still || n.raw != s.raw) {
			c := Change{Key: s.Key, Old: s.Value, New: n.Value, NeedsRestart: !s.live}
			if c.Old == c.New {
				c.New += " (changed)"
			}
			changes = append(changes, c)
		}
	}
	for _, s := range new.Effective() {
		if _, known := before[s.Key]; !known && !skip(s.Key) {
			changes = append(changes, Change{Key: s.Key, New: s.Value, NeedsRestart: !s.live})
		}
	}
	return changes
}

func byKey(c *Config) map[string]Setting {
	m := map[string]Setting{}
	for _, s := range c.Effective() {
		m[s.Key] = s
	}
	return m
}

// appsOnlyIn gives the ids of the file's apps that a has and b has not.
func appsOnlyIn(a, b *Config) []string {
	var ids []string
	for _, app := range a.AppList {
		if !slices.ContainsFunc(b.AppList, func(o App) bool { return o.ID == app.ID }) {
			ids = append(ids, app.ID)
		}
	}
	return ids
}
