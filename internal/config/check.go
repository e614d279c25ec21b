package config

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/belfryhq/belfry"
)

// checker finds what is wrong between settings, after each has been read.
type checker struct {
	*Config
	faults *faults
}

func check(c *Config, faults *faults) {
	k := checker{c, faults}
	k.listeners()
	k.tls()
	k.pusher()
	k.apps()
	k.issuers()
	k.queues()
	k.push()
}

// fault tells of the setting at path, where its value or what holds it stands.
func (k *checker) fault(path, format string, args ...any) {
	k.faults.at(k.source(path), path, format, args...)
}

// source gives where the setting at path came from, or else what holds it.
func (c *Config) source(path string) Source {
	for p := path; p != ""; {
		if s, ok := c.sources[p]; ok {
			return s
		}
		i := strings.LastIndexAny(p, ".[")
		p = p[:max(i, 0)]
	}
	return Source{Kind: FromDefault}
}

func (k *checker) listeners() {
	_, port, err := net.SplitHostPort(k.Listen)
	if err == nil && port != "0" && k.Listen == k.MetricsListen {
		path := "metrics_listen"
		if !k.isSet(path) {
			path = "listen"
		}
		k.fault(path, "listen and metrics_listen are both %q; give each its own port", k.Listen)
	}
	if s := &k.Server; s.DrainWindow > s.ShutdownGrace {
		path := "server.drain_window"
		if !k.isSet(path) {
			path = "server.shutdown_grace"
		}
		k.fault(path, "the drain window (%s) is longer than the whole shutdown may take (%s); make server.shutdown_grace the longer one",
			formatDuration(s.DrainWindow), formatDuration(s.ShutdownGrace))
	}
}

func (k *checker) tls() {
	t := &k.TLS
	files := t.CertFile != "" || t.KeyFile != ""
	switch {
	case files && t.KeyFile == "":
		k.fault("tls.cert_file", "has no key to it; set tls.key_file too")
	case files && t.CertFile == "":
		k.fault("tls.key_file", "has no certificate to it; set tls.cert_file too")
	}
	auto := len(t.Auto.Domains) > 0
	if files && auto {
		k.fault("tls.auto.domains", "certificates come either from files or by themselves; keep cert_file and key_file, or auto")
	}
	for _, path := range []string{"tls.auto.email", "tls.auto.directory", "tls.auto.ca_root"} {
		if k.isSet(path) && !auto && !k.faults.has("tls.auto.domains") {
			k.fault(path, "does nothing without tls.auto.domains; name the domains")
		}
	}
	if d := t.Auto.Directory; d != "" && !strings.HasPrefix(d, "https://") && !k.faults.has("tls.auto.directory") {
		k.fault("tls.auto.directory", "is not an https address, as an authority's must be; write https://…")
	}
	if e := t.Auto.Email; e != "" && (!strings.Contains(e, "@") || strings.ContainsAny(e, " <>")) {
		k.fault("tls.auto.email", "is not an e-mail address; write name@example.com")
	}
}

// pusher checks that PUSHER_APP_* is complete and one app's.
func (k *checker) pusher() {
	paths := []string{"pusher.app_id", "pusher.app_key", "pusher.app_secret"}
	names := []string{"PUSHER_APP_ID", "PUSHER_APP_KEY", "PUSHER_APP_SECRET"}
	values := []string{k.Pusher.AppID, k.Pusher.Key, k.Pusher.Secret}
	var missing []string
	family, first := "", ""
	for i, path := range paths {
		if k.faults.has(path) {
			return
		}
		if values[i] == "" {
			missing = append(missing, names[i])
			continue
		}
		source := k.source(path)
		f, _, _ := strings.Cut(source.Name, "_APP_")
		if first == "" {
			family, first = f, path
			if source.Name != "" {
				names[i] = source.Name
			}
		} else if f != family && f != "" && family != "" {
			k.fault(path, "belongs with another app than %s; set id, key and secret under one family of names (%s_APP_ID, %[2]s_APP_KEY, %[2]s_APP_SECRET)", k.source(first).Name, family)
			return
		}
	}
	if len(missing) == len(paths) {
		return
	}
	if len(missing) > 0 {
		k.fault(first, "the default app lacks %s; set id, key and secret, or none of them", strings.Join(missing, " and "))
	}
}

func (k *checker) apps() {
	ids, keys := map[string]int{}, map[string]string{}
	for i := range k.AppList {
		a := &k.AppList[i]
		path := fmt.Sprintf("apps[%d]", i)
		if first, twice := ids[a.ID]; twice && a.ID != "" {
			k.fault(path+".id", "is the id of apps[%d] too; give each app its own", first)
		} else {
			ids[a.ID] = i
		}
		k.credentials(a, path, keys)
		k.origins(a, path)
		for j := range a.Webhooks {
			k.headers(&a.Webhooks[j], fmt.Sprintf("%s.webhooks[%d].headers", path, j))
		}
		k.limits(a, path+".limits")
	}
	k.defaultApp(ids, keys)
}

// credentials checks that each key belongs to one app and that the app's own
// has a secret.
func (k *checker) credentials(a *App, path string, keys map[string]string) {
	own := false
	seen := map[belfry.Credential]bool{}
	for _, c := range a.credentials() {
		own = own || c.Key == a.Key
		if owner, taken := keys[c.Key]; taken && owner != path && c.Key != "" {
			k.fault(k.keyPath(a, path, c.Key), "is a key of %s too; a key belongs to one app", owner)
		} else {
			keys[c.Key] = path
		}
		if seen[c] {
			k.fault(path+".secrets", "names one key and secret twice; keep one")
		}
		seen[c] = true
	}
	if !own && a.Key != "" && !k.faults.has(path+".secret") && !k.faultsBelow(path+".secrets") {
		k.fault(path+".secret", "is missing; write secret: and its value, best as \"${NAME}\" with the secret in the environment")
	}
}

// keyPath finds where the app names key.
func (k *checker) keyPath(a *App, path, key string) string {
	if key != a.Key {
		for i, s := range a.Secrets {
			if s.Key == key {
				return fmt.Sprintf("%s.secrets[%d].key", path, i)
			}
		}
	}
	return path + ".key"
}

func (k *checker) faultsBelow(path string) bool {
	for p := range k.faults.keys {
		if strings.HasPrefix(p, path) {
			return true
		}
	}
	return false
}

func (k *checker) origins(a *App, path string) {
	if len(a.AllowedOrigins) > 1 && slices.Contains(a.AllowedOrigins, "*") {
		k.fault(path+".allowed_origins", "holds * beside other entries; * alone allows any origin, so remove it or them")
	}
}

// headers checks the names and values of a webhook's extra headers.
func (k *checker) headers(w *Webhook, path string) {
	seen := map[string]bool{}
	for _, name := range sortedKeys(w.Headers) {
		at := join(path, name)
		lower := strings.ToLower(name)
		switch {
		case !headerName(name):
			k.fault(at, "is not a header's name; use letters, digits and -")
		case seen[lower]:
			k.fault(at, "stands twice, in other spelling; keep one")
		case slices.Contains([]string{"x-pusher-key", "x-pusher-signature", "content-type", "content-length", "content-encoding", "host", "connection", "transfer-encoding", "te", "trailer", "upgrade"}, lower):
			k.fault(at, "is set by the server itself; remove it")
		case strings.ContainsFunc(w.Headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			k.fault(at, "its value holds a line break or another control character; remove it")
		}
		seen[lower] = true
	}
}

func headerName(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// limits checks that a limit can be reached at all.
func (k *checker) limits(a *App, path string) {
	l := &a.Limits
	if max := k.Server.MaxMessageSize; l.ClientEventData > max && k.isSet(path+".client_event_data") {
		k.fault(path+".client_event_data", "%s is above server.max_message_size (%s), which closes the connection first; raise that too",
			formatSize(int64(l.ClientEventData)), formatSize(int64(max)))
	}
	if l.HTTPBody > 0 && l.EventData > l.HTTPBody {
		at := path + ".event_data"
		if !k.isSet(at) {
			at = path + ".http_body"
		}
		k.fault(at, "event_data (%s) is above http_body (%s), which refuses the request first; make http_body the larger one",
			formatSize(int64(l.EventData)), formatSize(int64(l.HTTPBody)))
	}
}

// defaultApp checks the app of PUSHER_APP_* against those of the file: the
// same app there must be the same in full.
func (k *checker) defaultApp(ids map[string]int, keys map[string]string) {
	p := &k.Pusher
	if p.AppID == "" || p.Key == "" || p.Secret == "" {
		return
	}
	i, known := ids[p.AppID]
	if !known {
		if owner, taken := keys[p.Key]; taken {
			k.fault("pusher.app_key", "is a key of %s, which has another id; a key belongs to one app", owner)
		}
		return
	}
	want := belfry.Credential{Key: p.Key, Secret: p.Secret}
	if path := fmt.Sprintf("apps[%d]", i); !slices.Contains(k.AppList[i].credentials(), want) && !k.faultsBelow(path) {
		k.fault("pusher.app_key", "key and secret of the default app are not those of %s, which has the same id; make them the same, or the ids different", path)
	}
}
