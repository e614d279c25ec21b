package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/config"
)

// app is a correct beginning of a file, in lines 1 to 4.
const app = "apps:\n  - id: \"1\"\n    key: k\n    secret: s3cr3t-of-app\n"

func TestFaultsOfTheFile(t *testing.T) {
	tests := []struct{ name, yaml, want string }{
		{"unknown key", app + "listn: \":1\"\n", `5:1: listn: unknown key; did you mean "listen"?`},
		{"unknown key of an app", app + "    limts: {}\n", `5:5: apps[0].limts: unknown key; did you mean "limits"?`},
		{"other spelling", app + "    clientEvents: true\n", `5:5: apps[0].clientEvents: unknown key; did you mean "client_events"?`},
		{"key in the wrong place", app + "    http_body: 1MB\n", `5:5: apps[0].http_body: unknown key here; "http_body" belongs under apps[].limits`},
		{"key of the top level in a group", "log: {data_dir: x}\n", `1:7: log.data_dir: unknown key here; "data_dir" belongs under the top level`},
		{"far from every key", "log: {zzzzzzzzzz: 1}\n", `1:7: log.zzzzzzzzzz: unknown key; known here are level, format`},
		{"a value where a key should be", "log:\n  \"pass word!\": 1\n", `2:3: log.(…): unknown key; known here are level, format`},
		{"duplicate key", app + "    key: other\n", `5:5: apps[0].key: stands twice, first in line 3; keep one`},
		{"duplicate section", app + "apps: []\n", `5:1: apps: stands twice, first in line 1; keep one`},
		{"not YAML", "a: b: c\n", `1:4: is not valid YAML: mapping value is not allowed in this context`},
		{"open quote", "listen: \"s3cr3t\n", `1:9: is not valid YAML: could not find end character of double-quoted text`},
		{"open brace", "log: {level: info\n", `1:6: is not valid YAML: could not find flow mapping end token '}'`},
		{"tab", "log:\n\tlevel: info\n", "2:1: is not valid YAML: found character '\\t' that cannot start any token"},
		{"second document", "listen: \":1\"\n---\nlisten: \":2\"\n", `3:1: a second document begins here; a configuration file holds one`},
		{"not a mapping", "- a\n", `1:1: wants keys such as apps: and listen:, and is a list`},
		{"only a word", "hello\n", `1:1: wants keys such as apps: and listen:, and is a single value`},
		{"not UTF-8", "listen: \":1\"\nurl: \xff\n", `2:1: is not UTF-8; save it as UTF-8`},
		{"anchor", "log: &l {level: info}\n", `1:6: log: anchors (&) and aliases (*) are not read here; write the value out, or in quotes if the character belongs to it`},
		{"alias", "url: *u\n", `1:6: url: anchors (&) and aliases (*) are not read here; write the value out, or in quotes if the character belongs to it`},
		{"tag", "url: !!str x\n", `1:6: url: tags (!) are not read here; remove it, or write the value in quotes if it belongs to it`},
		{"merge key", "log:\n  <<: {level: info}\n", `2:3: log: this kind of key is not read here; write a plain name`},

		{"list for a text", "listen: [a]\n", `1:9: listen: wants one text, and is a list`},
		{"mapping for a text", app + "    name: {a: b}\n", `5:11: apps[0].name: wants one text, and is a mapping`},
		{"text for a group", "log: loud\n", `1:6: log: wants a mapping with keys such as level, and is a single value`},
		{"mapping for a list", "apps: {id: 1}\n", `1:7: apps: wants a list, each entry beginning with a dash, and is a mapping`},
		{"text for an app", "apps: [x]\n", `1:8: apps[0]: wants a mapping with keys such as id, and is a single value`},
		{"list in a list", "trusted_proxies: [[a]]\n", `1:19: trusted_proxies[0]: wants one text, and is a list`},
		{"text for truth", app + "    client_events: yes\n", `5:20: apps[0].client_events: "yes" is neither true nor false`},
		{"truth in quotes", app + "    client_events: \"true\"\n", `5:20: apps[0].client_events: is text in quotes and wants true or false; remove the quotes`},
		{"number for truth", app + "    enabled: 1\n", `5:14: apps[0].enabled: is a number and wants true or false`},
		{"number in quotes", app + "    limits: {batch_size: \"5\"}\n", `5:26: apps[0].limits.batch_size: is text in quotes and wants a whole number; remove the quotes`},
		{"not a number", app + "    limits: {batch_size: many}\n", `5:26: apps[0].limits.batch_size: "many" is not a limit; write a whole number, 0 for off, or unlimited`},
		{"fraction", app + "    limits: {batch_size: 1.5}\n", `5:26: apps[0].limits.batch_size: "1.5" is not a limit; write a whole number, 0 for off, or unlimited`},
		{"below unlimited", app + "    limits: {batch_size: -2}\n", `5:26: apps[0].limits.batch_size: "-2" is not a limit; write a whole number, 0 for off, or unlimited`},
		{"size without a unit", app + "    limits: {event_data: 10}\n", `5:26: apps[0].limits.event_data: "10" is not a size; write it with its unit: 10KB`},
		{"size out of range", "server: {max_message_size: 1GB}\n", `1:28: server.max_message_size: "1GB" is outside 1KB to 16MB`},
		{"number out of range", "webhooks: {keep_failed: 99}\n", `1:25: webhooks.keep_failed: "99" is outside 100 to 1000000`},
		{"duration without a unit", "server: {ping_after: 25}\n", `1:22: server.ping_after: "25" is not a duration; write it with its unit: 25s`},
		{"duration out of range", app + "    activity_timeout: 3s\n", `5:23: apps[0].activity_timeout: "3s" is outside 5s to 120s`},
		{"no probe", "health: {probe_every: 0s}\n", `1:23: health.probe_every: "0s" is outside 1s to 1m`},
		{"a probe that is off", "health: {probe_every: off}\n", `1:23: health.probe_every: "off" is not a duration; write it with its unit: 15s`},
		{"a rare probe", "health: {probe_every: 1h}\n", `1:23: health.probe_every: "1h" is outside 1s to 1m`},
		{"unknown word", "log: {level: warning}\n", `1:14: log.level: "warning" is not known; write one of debug, info, warn, error`},
		{"misspelt word", app + "    webhooks:\n      - url: https://h.test\n        events: [chanel_occupied]\n", `7:18: apps[0].webhooks[0].events[0]: "chanel_occupied" is not known; did you mean "channel_occupied"? Known are channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count`},
		{"quota code", app + "    compat: {quota_code: 4001}\n", `5:26: apps[0].compat.quota_code: "4001" is not known; write one of 4004, 4100`},

		{"port alone", "listen: 6001\n", `1:9: listen: "6001" has no colon; write :6001 for all addresses, or 127.0.0.1:6001 for this machine alone`},
		{"bad address", "listen: \"host:port\"\n", `1:9: listen: "host:port" is not an address to listen on; write HOST:PORT or :PORT`},
		{"both listeners", "listen: \":7\"\nmetrics_listen: \":7\"\n", `2:17: metrics_listen: listen and metrics_listen are both ":7"; give each its own port`},
		{"bad range", "trusted_proxies: [10.0.0.0/8, ten]\n", `1:31: trusted_proxies[1]: "ten" is not an address range; write 10.0.0.0/8, or one address`},
		{"bad origin", "cors_origins: [\"https://a.test/path\"]\n", `1:16: cors_origins[0]: "https://a.test/path" is not an origin; write scheme and host alone: https://app.example.com`},
		{"bad origin pattern", app + "    allowed_origins: [\"a.test/x\"]\n", `5:23: apps[0].allowed_origins[0]: "a.test/x" is neither a host pattern nor an origin; write app.example.com, *.example.com or https://app.example.com`},
		{"star and others", app + "    allowed_origins: [\"*\", a.test]\n", `5:22: apps[0].allowed_origins: holds * beside other entries; * alone allows any origin, so remove it or them`},
		{"path prefix", "server: {path_prefix: ws}\n", `1:23: server.path_prefix: "ws" is not a path; write it from the root: /realtime`},
		{"drain too long", "server: {drain_window: 1m}\n", `1:24: server.drain_window: the drain window (1m) is longer than the whole shutdown may take (30s); make server.shutdown_grace the longer one`},

		{"missing id", "apps:\n  - key: k\n    secret: s\n", `2:5: apps[0].id: is missing; write id: and its value`},
		{"empty id", "apps:\n  - id:\n    key: k\n    secret: s\n", `2:5: apps[0].id: is missing; write id: and its value`},
		{"missing key", "apps:\n  - id: 1\n    secret: s\n", `2:5: apps[0].key: is missing; write key: and its value`},
		{"missing secret", "apps:\n  - id: 1\n    key: k\n", `2:5: apps[0].secret: is missing; write secret: and its value, best as "${NAME}" with the secret in the environment`},
		{"secret of another key only", "apps:\n  - id: 1\n    key: k\n    secrets: [{key: o, secret: s}]\n", `2:5: apps[0].secret: is missing; write secret: and its value, best as "${NAME}" with the secret in the environment`},
		{"secret missing in secrets", app + "    secrets: [{key: o}]\n", `5:15: apps[0].secrets[0].secret: is missing; write secret: and its value`},
		{"same secret twice", app + "    secrets: [s3cr3t-of-app]\n", `5:14: apps[0].secrets: names one key and secret twice; keep one`},
		{"same id", app + "  - {id: 1, key: l, secret: t}\n", `5:10: apps[1].id: is the id of apps[0] too; give each app its own`},
		{"same key", app + "  - {id: 2, key: k, secret: t}\n", `5:18: apps[1].key: is a key of apps[0] too; a key belongs to one app`},
		{"same key among secrets", app + "  - {id: 2, key: l, secret: t, secrets: [{key: k, secret: u}]}\n", `5:48: apps[1].secrets[0].key: is a key of apps[0] too; a key belongs to one app`},
		{"colon in a key", "apps: [{id: 1, key: \"a:b\", secret: s}]\n", `1:21: apps[0].key: "a:b" does not fit into an address; use letters, digits, - and _, 200 at most`},
		{"slash in an id", "apps: [{id: a/b, key: a, secret: s}]\n", `1:13: apps[0].id: "a/b" does not fit into an address; use letters, digits, - and _, 200 at most`},
		{"line break in a secret", "apps: [{id: 1, key: a, secret: \"s\\nx\"}]\n", `1:32: apps[0].secret: holds a line break or another control character; remove it`},
		{"master key", app + "    encryption_master_key: c2hvcnQ=\n", `5:28: apps[0].encryption_master_key: is not 32 bytes in base64; make one with: openssl rand -base64 32`},
		{"replay", app + "    replay: true\n", `5:13: apps[0].replay: is not built yet; remove it, or write false`},
		{"data above the body", app + "    limits: {event_data: 2MB}\n", `5:26: apps[0].limits.event_data: event_data (2MB) is above http_body (1MB), which refuses the request first; make http_body the larger one`},
		{"client event above a message", app + "    limits: {client_event_data: 200KB}\n", `5:33: apps[0].limits.client_event_data: 200KB is above server.max_message_size (128KB), which closes the connection first; raise that too`},

		{"webhook without url", app + "    webhooks: [{events: [cache_miss]}]\n", `5:16: apps[0].webhooks[0].url: is missing; write url: and its value`},
		{"webhook not http", app + "    webhooks: [{url: \"ftp://h.test\"}]\n", `5:22: apps[0].webhooks[0].url: "ftp://h.test" is not an address; write https:// or http://…`},
		{"webhook without host", app + "    webhooks: [{url: \"https:///x\"}]\n", `5:22: apps[0].webhooks[0].url: "https:///x" is not an address; write https:// or http://…`},
		{"signature header", app + "    webhooks: [{url: \"https://h.test\", headers: {x-pusher-Signature: a}}]\n", `5:50: apps[0].webhooks[0].headers.x-pusher-Signature: is set by the server itself; remove it`},
		{"header name", app + "    webhooks: [{url: \"https://h.test\", headers: {\"a b\": a}}]\n", `5:50: apps[0].webhooks[0].headers.(…): is not a header's name; use letters, digits and -`},
		{"header value", app + "    webhooks: [{url: \"https://h.test\", headers: {a: \"1\\r\\nb: 2\"}}]\n", `5:50: apps[0].webhooks[0].headers.a: its value holds a line break or another control character; remove it`},
		{"header list", app + "    webhooks: [{url: \"https://h.test\", headers: [a]}]\n", `5:49: apps[0].webhooks[0].headers: wants a mapping of names to texts, and is a list`},

		{"certificate without key", "tls: {cert_file: a.pem}\n", `1:18: tls.cert_file: has no key to it; set tls.key_file too`},
		{"key without certificate", "tls: {key_file: a.pem}\n", `1:17: tls.key_file: has no certificate to it; set tls.cert_file too`},
		{"both kinds", "tls: {cert_file: a, key_file: b, auto: {domains: [a.test]}}\n", `1:50: tls.auto.domains: certificates come either from files or by themselves; keep cert_file and key_file, or auto`},
		{"wildcard", "tls: {auto: {domains: [\"*.a.test\"]}}\n", `1:24: tls.auto.domains[0]: "*.a.test" has a wildcard, for which no certificate can be fetched this way; name each host, or use cert_file and key_file`},
		{"domain with a port", "tls: {auto: {domains: [\"a.test:443\"]}}\n", `1:24: tls.auto.domains[0]: "a.test:443" is not a host name; write it alone: ws.example.com`},
		{"email alone", "tls: {auto: {email: a@b.test}}\n", `1:21: tls.auto.email: does nothing without tls.auto.domains; name the domains`},
		{"root alone", "tls: {auto: {ca_root: ca.pem}}\n", `1:23: tls.auto.ca_root: does nothing without tls.auto.domains; name the domains`},
		{"authority without TLS", "tls: {auto: {domains: [a.test], directory: \"http://ca.test/acme\"}}\n", `1:44: tls.auto.directory: is not an https address, as an authority's must be; write https://…`},

		{"variable not set", app + "    name: \"${NOPE}\"\n", `5:11: apps[0].name: the variable NOPE is not set; set it, or write ${NOPE:-default}`},
		{"open brace of a variable", "url: \"${NOPE\"\n", `1:6: url: a ${ without its }; write ${NAME}, or $${ for the characters themselves`},
		{"no variable's name", "url: \"${a b}\"\n", `1:6: url: what stands in ${…} is not a variable's name; write ${NAME}, or $${ for the characters themselves`},
		{"nested variable", "url: \"${A:-${B}}\"\n", `1:6: url: a ${…} inside another is not read; write a plain default`},
		{"variable in a flow", "apps: [{id: 1, key: ${K}, secret: s}]\n", `1:22: is not valid YAML: ',' or '}' must be specified; inside {…} and […] write "${NAME}" in quotes`},
		{"nobody may connect", "server: {max_connections: 0}\n", `1:27: server.max_connections: 0 would refuse everyone; write a number above it, or unlimited`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := faultsOf(t, config.Options{Dir: folder(t, map[string]string{"belfry.yaml": tt.yaml})})
			if want := "belfry.yaml:" + tt.want; len(got) != 1 || got[0] != want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), want)
			}
		})
	}
}

func TestFaultsAreToldAllAtOnceInReadingOrder(t *testing.T) {
	dir := folder(t, map[string]string{
		".env": "OK=1\nnot a line with s3cr3t\nPUSHER_PORT=none\n",
		"c.yaml": `listn: ":1"
apps:
  - id: 1
    secret: ${APP_SECRET}
    limits:
      batch_size: lots
      event_data: 10
    webhooks:
      - url: ${HOOK}
        events: [cache_mis]
  - key: k
log:
  level: loud
`})
	got := faultsOf(t, config.Options{
		Dir: dir, File: "c.yaml",
		Flags:   map[string]string{"listen": "nowhere", "colour": "x"},
		Environ: []string{"BELFRY_TRUSTED_PROXIES=10.0.0.0/8,x", "QUEUE_CONNECTION=sqs"},
	})
	want := []string{
		`flag: --listen: "nowhere" is not an address to listen on; write HOST:PORT or :PORT`,
		`flag: --colour: unknown flag`,
		`environment: BELFRY_TRUSTED_PROXIES: "x" is not an address range; write 10.0.0.0/8, or one address`,
		`environment: QUEUE_CONNECTION: "sqs" is not known; write one of database, redis, sync`,
		`.env:2: is not NAME=value (the line is not shown, it may hold a secret)`,
		`.env:3: PUSHER_PORT: "none" is not a whole number`,
		`c.yaml:1:1: listn: unknown key; did you mean "listen"?`,
		`c.yaml:3:5: apps[0].key: is missing; write key: and its value`,
		`c.yaml:4:13: apps[0].secret: the variable APP_SECRET is not set; set it, or write ${APP_SECRET:-default}`,
		`c.yaml:6:19: apps[0].limits.batch_size: "lots" is not a limit; write a whole number, 0 for off, or unlimited`,
		`c.yaml:7:19: apps[0].limits.event_data: "10" is not a size; write it with its unit: 10KB`,
		`c.yaml:9:14: apps[0].webhooks[0].url: the variable HOOK is not set; set it, or write ${HOOK:-default}`,
		`c.yaml:10:18: apps[0].webhooks[0].events[0]: "cache_mis" is not known; did you mean "cache_miss"? Known are channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count`,
		`c.yaml:11:5: apps[1].id: is missing; write id: and its value`,
		`c.yaml:11:5: apps[1].secret: is missing; write secret: and its value, best as "${NAME}" with the secret in the environment`,
		`c.yaml:13:10: log.level: "loud" is not known; write one of debug, info, warn, error`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\n\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNamedFileMustExist(t *testing.T) {
	want := []string{"nope.yaml: cannot be read: no such file or directory"}
	if got := faultsOf(t, config.Options{Dir: t.TempDir(), File: "nope.yaml"}); !slices.Equal(got, want) {
		t.Errorf("by flag: %q", got)
	}
	if got := faultsOf(t, config.Options{Dir: t.TempDir(), Environ: []string{"BELFRY_CONFIG=nope.yaml"}}); !slices.Equal(got, want) {
		t.Errorf("by variable: %q", got)
	}
}

// TestFaultsShowNoSecret puts a secret wherever one may stand wrongly and
// looks for it in the faults.
func TestFaultsShowNoSecret(t *testing.T) {
	const secret = "hunter2hunter2"
	files := []string{
		"apps:\n  - id: 1\n    key: k\n    secret: {hunter2hunter2}\n",
		"apps:\n  - id: 1\n    key: k\n    secret: [hunter2hunter2, x]\n",
		"apps:\n  - id: 1\n    key: k\n    secret: \"hunter2hunter2\n",
		"apps:\n  - id: 1\n    key: k\n    secret: hunter2hunter2: x\n",
		"apps:\n  - id: 1\n    key: k\n   secret: hunter2hunter2\n",
		"apps:\n  - id: 1\n    key: k\n    secret: \"hunter2hunter2\\n\"\n",
		"apps:\n  - id: 1\n    key: k\n    secret: &hunter2hunter2 x\n",
		"apps:\n  - id: 1\n    key: k\n    secret: *hunter2hunter2\n",
		"apps:\n  - id: 1\n    key: k\n    secret: !hunter2hunter2 x\n",
		"apps:\n  - id: 1\n    key: k\n    secret: '${hunter2hunter2'\n",
		"apps:\n  - id: 1\n    key: k\n    secret: '${hunter2hunter2 }'\n",
		"apps:\n  - id: 1\n    key: k\n    encryption_master_key: hunter2hunter2\n",
		"listen: ${S}\n", "log: {level: \"${S}\"}\n", "server: {ping_after: \"${S}\"}\n", "trusted_proxies: [\"${S}\"]\n", "trusted_proxies: ${S}\n",
		"server: {max_connections: \"${S}\"}\n", "tls: {auto: {domains: [\"${S}\"]}}\n", "cors_origins: [\"${S}\"]\n",
		"webhooks: {allow_private_addresses: ${S}}\n", "webhooks: {allow_private_addresses: \"${S}\"}\n",
		"redis: {url: \"http://:hunter2hunter2@h\"}\n", "database_url: \"mysql://u:hunter2hunter2@h/db\"\n",
		app + "    webhooks: [{url: \"https://h.test\", headers: {Host: hunter2hunter2}}]\n",
		app + "    webhooks: [{url: \"ftp://u:hunter2hunter2@h.test\"}]\n",
	}
	for _, text := range files {
		for _, fault := range faultsOf(t, config.Options{
			Dir:     folder(t, map[string]string{"belfry.yaml": text, ".env": ""}),
			Environ: []string{"S=" + secret},
		}) {
			if strings.Contains(fault, secret) {
				t.Errorf("%q\ngives %s", text, fault)
			}
		}
	}
	for _, dotenv := range []string{"A B=hunter2hunter2", "X=\"hunter2hunter2", "hunter2hunter2=", "PUSHER_APP_SECRET=hunter2hunter2", "DATABASE_URL=hunter2hunter2", "REDIS_URL=hunter2hunter2"} {
		c, err := config.Load(config.Options{Dir: folder(t, map[string]string{".env": dotenv})})
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf(".env %q gives %v", dotenv, err)
		}
		_ = c
	}
}
