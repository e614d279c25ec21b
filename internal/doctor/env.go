package doctor

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Project is what is known of a Laravel or front-end project by its files.
type Project struct {
	// Env is the text of its .env, File its name.
	Env, File string
	// Package is the text of package.json beside it, empty when there is none.
	Package string
	// Files are the names of the files in its folder.
	Files []string
	// Weak says why a secret is easily guessed, empty when it is not.
	Weak func(secret string) string
}

// variable is one line of a .env.
type variable struct {
	name, value string
	line        int
	padded      bool // white space or quotes that stay in the value
}

// readEnv reads a .env as Laravel and Vite do, so far as settings go: NAME=VALUE,
// quotes, comments, ${OTHER}.
func readEnv(text string) (list []variable, byName map[string]variable) {
	byName = map[string]variable{}
	for i, line := range strings.Split(text, "\n") {
		if i == 2000 {
			break
		}
		line = strings.TrimSuffix(line, "\r")
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		v := variable{name: strings.TrimSpace(name), line: i + 1}
		v.padded = name != v.name && strings.HasSuffix(name, " ")
		v.value, v.padded = unquote(value, v.padded)
		for other, at := range byName {
			if strings.Contains(v.value, "${"+other+"}") {
				v.value = strings.ReplaceAll(v.value, "${"+other+"}", at.value)
			}
		}
		list = append(list, v)
		byName[v.name] = v
	}
	return list, byName
}

// unquote takes quotes and a comment off a value. odd says that quotes or spaces
// are left in it.
func unquote(text string, odd bool) (value string, _ bool) {
	trimmed := strings.TrimSpace(text)
	odd = odd || strings.HasPrefix(text, " ") && trimmed != ""
	if trimmed != "" && (trimmed[0] == '"' || trimmed[0] == '\'') {
		inner, rest, closed := strings.Cut(trimmed[1:], trimmed[:1])
		rest = strings.TrimSpace(rest)
		if closed && (rest == "" || rest[0] == '#') {
			return inner, odd || inner != strings.TrimSpace(inner)
		}
		return trimmed, true
	}
	if before, _, comment := strings.Cut(trimmed, " #"); comment {
		trimmed = strings.TrimSpace(before)
	}
	return trimmed, odd || strings.ContainsAny(trimmed, "\"'\t ")
}

// envReader collects what is wrong with a project.
type envReader struct {
	Project
	list    []variable
	vars    map[string]variable
	found   []Check
	bundler string // vite, mix, next or empty
}

// bundlers give the prefix that each passes on to pages.
func prefixOf(bundler string) string {
	return map[string]string{"vite": "VITE_", "mix": "MIX_", "next": "NEXT_PUBLIC_", "cra": "REACT_APP_"}[bundler]
}

// Env looks at a project's .env and names its faults, one check each; one that
// passed when there is none. No value of a secret is told.
func Env(p Project) []Check {
	if p.Weak == nil {
		p.Weak = func(string) string { return "" }
	}
	r := &envReader{Project: p}
	r.list, r.vars = readEnv(p.Env)
	r.findBundler()
	r.serverSide()
	r.frontEnd()
	r.values()
	switch {
	case len(r.found) > 0:
	case !r.ours():
		c := Skip("%s holds nothing that is known here: no BROADCAST_*, PUSHER_* or REVERB_* (variables: %d%s)", p.File, len(r.list), r.using())
		c.Name = "env"
		return []Check{c}
	default:
		c := Pass("%s has nothing wrong that is known here (variables: %d%s)", p.File, len(r.list), r.using())
		c.Name = "env"
		return []Check{c}
	}
	return r.found
}

// ours reports whether a variable is one of those that are looked at.
func (r *envReader) ours() bool {
	return slices.ContainsFunc(r.list, func(v variable) bool {
		return strings.HasPrefix(v.name, "BROADCAST_") || strings.Contains(v.name, "PUSHER_") || strings.Contains(v.name, "REVERB_")
	})
}

func (r *envReader) using() string {
	if r.bundler == "" {
		return ""
	}
	return ", bundler: " + r.bundler
}

func (r *envReader) add(cause Cause, name, fix, format string, args ...any) {
	c := Fail(cause, fix, "%s", r.at(name)+fmt.Sprintf(format, args...))
	c.Name = "env"
	if name != "" {
		c.Name += " " + name
	}
	r.found = append(r.found, c)
}

// at is the place of a variable.
func (r *envReader) at(name string) string {
	if v, ok := r.vars[name]; ok {
		return fmt.Sprintf("%s:%d: ", r.File, v.line)
	}
	return r.File + ": "
}

func (r *envReader) get(name string) string { return r.vars[name].value }

// first gives the first of the variables that is set.
func (r *envReader) first(names ...string) (name, value string) {
	for _, n := range names {
		if v := r.get(n); v != "" {
			return n, v
		}
	}
	return "", ""
}

// findBundler says what builds the front end, by its settings' file or its
// dependencies.
func (r *envReader) findBundler() {
	has := func(begin string) bool {
		return slices.ContainsFunc(r.Files, func(f string) bool { return strings.HasPrefix(f, begin) })
	}
	depends := func(name string) bool { return strings.Contains(r.Package, `"`+name+`"`) }
	switch {
	case has("vite.config."):
		r.bundler = "vite"
	case has("next.config."), depends("next"):
		r.bundler = "next"
	case has("webpack.mix."), depends("laravel-mix"):
		r.bundler = "mix"
	case depends("react-scripts"):
		r.bundler = "cra"
	case depends("vite"):
		r.bundler = "vite"
	}
}

// serverSide looks at what the back end publishes with.
func (r *envReader) serverSide() {
	name, driver := r.first("BROADCAST_CONNECTION", "BROADCAST_DRIVER")
	old, new := r.get("BROADCAST_DRIVER"), r.get("BROADCAST_CONNECTION")
	switch {
	case old != "" && new != "" && old != new:
		r.add(EnvOldName, "BROADCAST_DRIVER", "keep BROADCAST_CONNECTION (Laravel 11 and later) or BROADCAST_DRIVER (before), not both",
			"BROADCAST_DRIVER is %s and BROADCAST_CONNECTION is %s: which one counts depends on the Laravel version", short(old), short(new))
	case old != "" && new == "" && r.composer11():
		r.add(EnvOldName, "BROADCAST_DRIVER", "write BROADCAST_CONNECTION="+short(old), "BROADCAST_DRIVER is not read since Laravel 11, so the broadcaster is the default")
	}
	switch strings.ToLower(driver) {
	case "null", "log":
		r.add(EnvBroadcaster, name, "write "+name+"=pusher (or reverb)", "%s is %s: no event leaves the application", name, driver)
	case "", "pusher", "reverb":
		if driver == "" && (r.get("PUSHER_APP_KEY") != "" || r.get("REVERB_APP_KEY") != "") {
			r.add(EnvBroadcaster, "", "write BROADCAST_CONNECTION=pusher", "BROADCAST_CONNECTION is not set: Laravel's default sends no event anywhere")
		}
	}
	prefix := "PUSHER_"
	if strings.EqualFold(driver, "reverb") || r.get("PUSHER_APP_KEY") == "" && r.get("REVERB_APP_KEY") != "" {
		prefix = "REVERB_"
	}
	if driver != "" || r.get(prefix+"APP_KEY") != "" || r.get(prefix+"APP_ID") != "" {
		for _, part := range []string{"APP_ID", "APP_KEY", "APP_SECRET"} {
			if r.get(prefix+part) == "" {
				r.add(EnvMissing, prefix+part, "take it from the server: belfry app:list, or what serve printed at its first start", "%s is missing", prefix+part)
			}
		}
	}
	r.destination(prefix)
	if name, queue := r.first("QUEUE_CONNECTION", "QUEUE_DRIVER"); queue != "" && queue != "sync" && queue != "null" && !r.worker() {
		r.add(EnvQueueWorker, name, "run a worker: php artisan queue:work (under Supervisor, or as a service of Compose); to try without one, QUEUE_CONNECTION=sync",
			"%s is %s, and nothing here starts a worker: events wait in the queue for one", name, short(queue))
	}
}

// composer11 reports whether Laravel is 11 or later, by the skeleton's files:
// bootstrap/providers.php came with it. Without a sign it does not.
func (r *envReader) composer11() bool { return slices.Contains(r.Files, "bootstrap/providers.php") }

// worker reports whether a file is there that starts workers.
func (r *envReader) worker() bool {
	return slices.ContainsFunc(r.Files, func(f string) bool {
		return f == "Procfile" && strings.Contains(r.Package, "queue:work") || f == "config/horizon.php" || strings.HasPrefix(f, "supervisor")
	}) || strings.Contains(r.Package, "queue:work") || strings.Contains(r.Package, "queue:listen")
}

// destination looks at where events are sent to.
func (r *envReader) destination(prefix string) {
	host, cluster := r.get(prefix+"HOST"), r.get(prefix+"APP_CLUSTER")
	if host == "" && prefix == "PUSHER_" && r.get(prefix+"APP_KEY") != "" {
		r.add(EnvNoHost, prefix+"HOST", "write the server's host, port and scheme: PUSHER_HOST=ws.example.com, PUSHER_PORT=443, PUSHER_SCHEME=https",
			"PUSHER_HOST is %s: events go to api-%s.pusher.com", missingOrEmpty(r.vars, prefix+"HOST"), cmp.Or(short(cluster), "mt1"))
	}
	if p := prefixOf(r.bundler); p != "" && host != "" && r.get(p+"PUSHER_APP_KEY") != "" && r.get(p+"PUSHER_APP_CLUSTER") != "" && r.get(p+"PUSHER_HOST") == "" {
		r.add(EnvNoHost, p+"PUSHER_HOST", "write "+p+`PUSHER_HOST="${PUSHER_HOST}", with port and scheme, give it to Echo as wsHost, and build again`,
			"%sPUSHER_HOST is %s, and pages get a cluster: without wsHost in their code they go to pusher.com", p, missingOrEmpty(r.vars, p+"PUSHER_HOST"))
	}
	if host != "" && cluster != "" && cluster != "mt1" {
		r.add(EnvClusterHost, prefix+"APP_CLUSTER", "leave the cluster out, or as mt1, when a host is named", "%sAPP_CLUSTER is %s and %sHOST is set: the host wins on the server, and a front end with only the cluster goes to pusher.com",
			prefix, short(cluster), prefix)
	}
	for _, p := range []string{prefix, "VITE_" + prefix, "MIX_" + prefix, "NEXT_PUBLIC_" + prefix} {
		r.place(p)
	}
}

// missingOrEmpty says which of the two a variable without a value is.
func missingOrEmpty(vars map[string]variable, name string) string {
	if _, there := vars[name]; there {
		return "empty"
	}
	return "missing"
}

// place looks at one host, port and scheme.
func (r *envReader) place(p string) {
	host, port, scheme := r.get(p+"HOST"), r.get(p+"PORT"), strings.ToLower(r.get(p+"SCHEME"))
	if _, err := strconv.Atoi(host); strings.Contains(host, "/") || strings.Contains(host, ":") && !strings.HasPrefix(host, "[") || host != "" && err == nil {
		want := "ws.example.com"
		if u, err := url.Parse(host); err == nil && u.Hostname() != "" {
			want = u.Hostname()
		}
		r.add(EnvHostScheme, p+"HOST", "write the host alone: "+p+"HOST="+short(want), "%sHOST holds more than a host's name", p)
	}
	n, err := strconv.Atoi(port)
	switch {
	case port != "" && (err != nil || n < 1 || n > 65535):
		r.add(EnvBadPort, p+"PORT", "write a number, such as 6001", "%sPORT is no port", p)
	case port == "6001" && (scheme == "https" || scheme == "wss"):
		r.add(EnvTLSPort, p+"SCHEME", "write "+p+"SCHEME=http for a server without TLS, or the port of the proxy that ends TLS (443)", "%sSCHEME is %s with port 6001, on which Belfry speaks plain HTTP unless tls: is set", p, scheme)
	case port == "443" && scheme == "http":
		r.add(EnvTLSPort, p+"SCHEME", "write "+p+"SCHEME=https", "%sSCHEME is http with port 443", p)
	}
	if scheme != "" && !slices.Contains([]string{"http", "https", "ws", "wss"}, scheme) {
		r.add(EnvBadPort, p+"SCHEME", "write http or https", "%sSCHEME is %q", p, short(scheme))
	}
}
