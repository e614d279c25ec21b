package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// DefaultFile is the configuration file that is read when it exists and no
// other is named.
const DefaultFile = "belfry.yaml"

// Options says where the settings are. The zero value reads ./.env and
// ./belfry.yaml, without flags and without an environment.
type Options struct {
	// Flags holds the flags that were given, by name without dashes. See
	// [Flags] for the names.
	Flags map[string]string
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Dir is the working directory; empty means the process's.
	Dir string
	// File is the configuration file (--config). When empty it is
	// BELFRY_CONFIG, else DefaultFile in Dir if that exists.
	File string
}

// Load reads and checks the settings. Every failure is an *Error that lists all
// faults; the Config is nil then.
func Load(o Options) (*Config, error) {
	l := loader{options: o, environ: map[string]string{}, fields: schema()}
	for _, pair := range o.Environ {
		name, value, _ := strings.Cut(pair, "=")
		l.environ[name] = value
	}
	l.dotenv = readDotenv(o.Dir, l.environ, &l.faults)
	l.config = &Config{sources: map[string]Source{}, spots: map[string]spots{}}
	root := reflect.ValueOf(l.config).Elem()
	setDefaults(root, l.fields)
	l.readFile(root)
	l.overlay(root)
	l.derive()
	check(l.config, &l.faults)
	if err := l.faults.err(); err != nil {
		return nil, err
	}
	l.warn(root)
	return l.config, nil
}

type loader struct {
	options Options
	environ map[string]string
	dotenv  dotenv
	fields  []field
	faults  faults
	config  *Config
}

// lookup gives a variable of the environment or the .env file. An empty one
// counts as not set.
func (l *loader) lookup(name string) (string, bool) {
	if v := l.environ[name]; v != "" {
		return v, true
	}
	v := l.dotenv.values[name]
	return v, v != ""
}

// readFile finds the configuration file and puts it into the config.
func (l *loader) readFile(root reflect.Value) {
	name, named := l.options.File, true
	if name == "" {
		name, _ = l.lookup("BELFRY_CONFIG")
	}
	if name == "" {
		name, named = DefaultFile, false
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.options.Dir, path)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return
	}
	l.config.file = name
	if err != nil {
		l.faults.at(Source{Kind: FromFile, File: name}, "", "cannot be read: %s", cause(err))
		return
	}
	r := reader{file: name, lookup: l.lookup, faults: &l.faults}
	n := r.read(text)
	if n == nil {
		return
	}
	d := decoder{file: name, sources: l.config.sources, spots: l.config.spots, faults: &l.faults}
	switch n.kind {
	case nullNode, badNode:
	case mapNode:
		d.mapping(n, root, l.fields, "")
	default:
		d.fault(n, "", "wants keys such as apps: and listen:, and is %s", n.is())
	}
}

// overlay lets flags, environment and .env override the file.
func (l *loader) overlay(root reflect.Value) {
	reverb := l.reverb(root)
	eachSingle(l.fields, root, "", func(f *field, path string, v reflect.Value) {
		names := f.env
		if reverb && slices.ContainsFunc(names, isReverb) {
			names = slices.Clone(names)
			slices.SortStableFunc(names, func(a, b string) int {
				return order(isReverb(a)) - order(isReverb(b))
			})
		}
		text, source, ok := l.pick(f, names)
		if !ok {
			return
		}
		l.config.sources[path] = source
		if err := f.set(v, text, false); err != nil {
			l.faults.at(source, path, "%s", err)
		}
	})
	flags := Flags()
	for name := range l.options.Flags {
		if !slices.ContainsFunc(flags, func(f Flag) bool { return f.Name == name }) {
			l.faults.at(Source{Kind: FromFlag, Name: name}, "", "unknown flag")
		}
	}
}

func isReverb(name string) bool { return strings.HasPrefix(name, "REVERB_") }

func order(first bool) int {
	if first {
		return 0
	}
	return 1
}

// reverb reports whether BROADCAST_CONNECTION is reverb, so that REVERB_APP_*
// comes before a PUSHER_APP_* that was left behind.
func (l *loader) reverb(root reflect.Value) bool {
	is := false
	eachSingle(l.fields, root, "", func(f *field, path string, v reflect.Value) {
		if path == "broadcast_connection" {
			text, _, ok := l.pick(f, f.env)
			is = ok && text == "reverb" || !ok && v.String() == "reverb"
		}
	})
	return is
}

// pick gives the strongest value of f outside the file.
func (l *loader) pick(f *field, names []string) (string, Source, bool) {
	if v := l.options.Flags[f.flag]; f.flag != "" && v != "" {
		return v, Source{Kind: FromFlag, Name: f.flag}, true
	}
	for _, name := range names {
		v := l.environ[name]
		if f.kind == "port" && strings.HasPrefix(v, "tcp://") {
			continue // Kubernetes sets REDIS_PORT and the like so for a service of that name
		}
		if v != "" {
			return v, Source{Kind: FromEnvironment, Name: name}, true
		}
	}
	for _, name := range names {
		if v := l.dotenv.values[name]; v != "" {
			return v, Source{Kind: FromDotenv, Name: name, File: l.dotenv.file, Line: l.dotenv.lines[name]}, true
		}
	}
	return "", Source{}, false
}

// derive fills in defaults that follow from other settings.
func (l *loader) derive() {
	c := l.config
	if _, port, err := net.SplitHostPort(c.Listen); err == nil && !c.isSet("url") {
		scheme := "http"
		if c.TLS.Enabled() {
			scheme = "https"
		}
		if port != "0" {
			c.URL = scheme + "://localhost:" + port
		}
	}
	app := l.environ["APP_URL"]
	source := Source{Kind: FromEnvironment, Name: "APP_URL"}
	if app == "" {
		app, source = l.dotenv.values["APP_URL"], Source{Kind: FromDotenv, Name: "APP_URL", File: l.dotenv.file, Line: l.dotenv.lines["APP_URL"]}
	}
	if u, err := url.Parse(app); err == nil && u.Host != "" && !c.isSet("cors_origins") {
		c.CORSOrigins = []string{u.Scheme + "://" + u.Host}
		c.sources["cors_origins"] = source
	}
}

// isSet reports whether the setting at path did not keep its default.
func (c *Config) isSet(path string) bool {
	_, ok := c.sources[path]
	return ok
}

// warn notes what is no fault but worth a line at the start.
func (l *loader) warn(root reflect.Value) {
	var names []string
	eachSingle(l.fields, root, "", func(f *field, path string, v reflect.Value) {
		names = append(names, f.env...)
		s, set := l.config.sources[path]
		if set && f.later != "" && (s.Kind == FromFile || strings.HasPrefix(s.Name, "BELFRY_")) {
			l.warnf("%s: %s is read but not used yet: it is for %s, which this version does not have", s, path, f.later)
		}
	})
	l.warnOfRules()
	names = append(names, "BELFRY_CONFIG")
	var set []string
	for name, value := range l.environ {
		if value != "" {
			set = append(set, name)
		}
	}
	for name, value := range l.dotenv.values {
		if value != "" && l.environ[name] == "" {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	for _, name := range set {
		if !strings.HasPrefix(name, "BELFRY_") || slices.Contains(names, name) {
			continue
		}
		if near := nearest(name, names); near != "" {
			l.warnf("the variable %s is not a setting; did you mean %s?", name, near)
		}
	}
}

func (l *loader) warnf(format string, args ...any) {
	l.config.warnings = append(l.config.warnings, fmt.Sprintf(format, args...))
}

// Warnings gives what is no fault but may not be what the operator meant:
// settings that nothing uses yet, variables that look misspelt. For the log at
// the start; no secret is in it.
func (c *Config) Warnings() []string { return slices.Clone(c.warnings) }

// File gives the name of the configuration file that was read, as the operator
// gave it; empty when there was none.
func (c *Config) File() string { return c.file }

// Flag is a command-line flag that sets a setting.
type Flag struct {
	Name, Key, Default string
}

// Flags lists the flags that [Options] takes.
func Flags() []Flag {
	var flags []Flag
	eachSingle(schema(), reflect.ValueOf(Config{}), "", func(f *field, path string, _ reflect.Value) {
		if f.flag != "" {
			flags = append(flags, Flag{Name: f.flag, Key: path, Default: f.def})
		}
	})
	return flags
}
