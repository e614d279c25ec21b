package config_test

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/config"
)

func TestEmptyFileMeansDefaults(t *testing.T) {
	none, err := config.Load(config.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "%YAML 1.2\n---\n", "apps:\nlog:\nlisten:\n", "{}\n", "~\n", "\ufeff", "apps: []\nchannels: ~\n"} {
		c := load(t, text)
		for i, s := range c.Effective() {
			if want := none.Effective()[i]; s.Key != want.Key || s.Value != want.Value {
				t.Errorf("%q: %s is %q, not %q", text, s.Key, s.Value, want.Value)
			}
		}
		if len(c.Apps()) != 0 || c.DefaultApp() != nil || c.ChannelsSet() {
			t.Errorf("%q: something is set", text)
		}
	}
	got := none.Server
	want := config.Server{
		Engine:         "auto",
		MaxConnections: belfry.Unlimited, HandshakesPerSecond: belfry.Unlimited, MaxMessageSize: 128 << 10, SendBuffer: 1 << 20,
		PingAfter: 25 * time.Second, PingTimeout: 30 * time.Second, HandshakeTimeout: 10 * time.Second,
		DrainWindow: 5 * time.Second, ShutdownGrace: 30 * time.Second,
	}
	if got != want {
		t.Errorf("Server is %+v, not %+v", got, want)
	}
	if none.Listen != ":6001" || none.DataDir != "./data" || none.MetricsListen != "127.0.0.1:9601" || none.URL != "http://localhost:6001" || none.BroadcastConnection != "local" || none.Redis.Port != 6379 {
		t.Errorf("defaults: %+v", none)
	}
}

func TestOrderOfSources(t *testing.T) {
	file := "# a comment\nlisten: \":5\"\n"
	steps := []struct {
		name, source, value string
		change              func(*config.Options, map[string]string)
	}{
		{"default", "default", ":6001", func(*config.Options, map[string]string) {}},
		{"file", "belfry.yaml:2", ":5", func(_ *config.Options, files map[string]string) { files["belfry.yaml"] = file }},
		{"dotenv", ".env BELFRY_LISTEN", ":4", func(_ *config.Options, files map[string]string) { files[".env"] = "BELFRY_LISTEN=:4\n" }},
		{"environment", "env BELFRY_LISTEN", ":3", func(o *config.Options, _ map[string]string) { o.Environ = []string{"BELFRY_LISTEN=:3"} }},
		{"flag", "flag --listen", ":2", func(o *config.Options, _ map[string]string) { o.Flags = map[string]string{"listen": ":2"} }},
	}
	o, files := config.Options{}, map[string]string{}
	for _, step := range steps {
		step.change(&o, files)
		o.Dir = folder(t, files)
		c, err := config.Load(o)
		if err != nil {
			t.Fatal(err)
		}
		if s := setting(t, c, "listen"); s.Value != step.value || s.Source != step.source || c.Listen != step.value || s.Default != (step.name == "default") {
			t.Errorf("%s: %+v", step.name, s)
		}
	}
}

func TestEmptyVariableIsNotSet(t *testing.T) {
	c := load(t, "listen: \":5\"\n", "BELFRY_LISTEN=", "PUSHER_APP_ID=", "REDIS_PASSWORD=null")
	if c.Listen != ":5" || c.Redis.Password != "" || c.DefaultApp() != nil {
		t.Errorf("%q %q", c.Listen, c.Redis.Password)
	}
	if got := load(t, "url: \"${U:-http://a.test}\"\n", "U=").URL; got != "http://a.test" {
		t.Errorf("expanded to %q", got)
	}
}

func TestFileByVariableAndFlag(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": "listen: \":1\"\n", "b.yaml": "listen: \":2\"\n", "belfry.yaml": "listen: \":3\"\n", ".env": "BELFRY_CONFIG=a.yaml\n"})
	c, err := config.Load(config.Options{Dir: dir})
	if err != nil || c.Listen != ":1" || c.File() != "a.yaml" {
		t.Errorf("by variable: %v", err)
	}
	c, err = config.Load(config.Options{Dir: dir, File: "b.yaml"})
	if err != nil || c.Listen != ":2" {
		t.Errorf("by flag: %v", err)
	}
}

func TestTextsStayAsTyped(t *testing.T) {
	c := load(t, `apps:
  - {id: 0123, key: 1_000, secret: 0x1F, name: 1.10}
  - {id: 1e3, key: true, secret: yes, name: "a ${X} $${X} $X"}
  - id: '007'
    key: 2024-01-01
    secret: >-
      folded
`, "X=: y # z")
	var got []string
	for _, a := range c.AppList {
		got = append(got, a.ID, a.Key, a.Secret, a.Name)
	}
	want := []string{"0123", "1_000", "0x1F", "1.10", "1e3", "true", "yes", "a : y # z ${X} $X", "007", "2024-01-01", "folded", ""}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestVariableCannotAddKeys(t *testing.T) {
	c := load(t, app+"    name: ${N}\n    client_events: ${B}\n    limits: {batch_size: \"${C}\"}\n", "N={a: b}", "B=true", "C=7")
	if a := c.AppList[0]; a.Name != "{a: b}" || !a.ClientEvents || a.Limits.BatchSize != 7 {
		t.Errorf("%+v", a)
	}
}

func TestAppOfTheFile(t *testing.T) {
	c := load(t, `apps:
  - id: 1001
    key: k
    secret: ${S}
    secrets: [older, {key: k2, secret: other}]
    name: Analytics
    enabled: false
    client_events: true
    public_client_events: members
    subscription_count: true
    watchlist: true
    authorized_only: true
    authorization_timeout: 20s
    activity_timeout: 120s
    cache_ttl: 10m
    allowed_origins: [a.test, "*.b.test", "https://c.test"]
    require_tls: true
    strict_names: true
    encryption_master_key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
    replay: false
    webhook_batch: true
    compat: {repeat_success: true, refusal: error, strict_protocol: true, quota_code: 4100, error_before_close: true, terminate_presence: true, terminate_reconnect: true, close_on_rate: true}
    webhooks:
      - url: https://h.test/a
        events: [channel_occupied, cache_miss]
        headers: {X-A: "1"}
        channel_prefix: private-
        channel_suffix: .x
    limits: {connections: 10, messages_per_day: 20000000000, event_data: 1B, client_event_data: 0, event_name_length: 5, channel_name_length: 6, channels_per_event: -1, batch_size: unlimited, presence_members: 0, presence_member_size: 3KB, presence_user_id: 8, user_id: 9, watchlist: 11, channels_per_connection: 12, client_events_per_second: 13, http_requests_per_second: 14, http_body: unlimited}
`, "S=newest")
	want := &belfry.App{
		ID: "1001", Name: "Analytics", Disabled: true, ClientEvents: true, PublicClientEvents: belfry.PublicClientEventsMembers,
		Keys:              []belfry.Credential{{Key: "k", Secret: "newest"}, {Key: "k", Secret: "older"}, {Key: "k2", Secret: "other"}},
		SubscriptionCount: true, Watchlist: true, AuthorizedOnly: true, AuthorizationTimeout: 20 * time.Second,
		ActivityTimeout: 2 * time.Minute, CacheTTL: 10 * time.Minute, AllowedOrigins: []string{"a.test", "*.b.test", "https://c.test"},
		RequireTLS: true, StrictNames: true, EncryptionMasterKey: []byte("01234567890123456789012345678901"), WebhookBatch: true,
		Compat: belfry.Compat{RepeatSuccess: true, Refusal: "error", StrictProtocol: true, QuotaCode: 4100, ErrorBeforeClose: true, TerminatePresence: true, TerminateReconnect: true, CloseOnRate: true},
		Webhooks: []belfry.Webhook{{
			URL: "https://h.test/a", Events: []string{"channel_occupied", "cache_miss"}, Headers: map[string]string{"X-A": "1"}, ChannelPrefix: "private-", ChannelSuffix: ".x",
		}},
		Limits: belfry.Limits{
			Connections: 10, MessagesPerDay: 20000000000, EventData: 1, ClientEventData: 0, EventNameLength: 5, ChannelNameLength: 6, ChannelsPerEvent: -1,
			BatchSize: -1, PresenceMembers: 0, PresenceMemberSize: 3072, PresenceUserID: 8, UserID: 9, Watchlist: 11, ChannelsPerConnection: 12,
			ClientEventsPerSecond: 13, HTTPRequestsPerSecond: 14, HTTPBody: -1,
		},
	}
	if got := c.Apps()[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	plain := load(t, app).Apps()[0]
	if plain.Limits != belfry.DefaultLimits() || plain.Disabled || plain.Name != "1" || plain.PublicClientEvents != "" || plain.AllowedOrigins != nil {
		t.Errorf("app without settings: %+v", plain)
	}
	if any := load(t, app+"    allowed_origins: \"*\"\n").Apps()[0]; any.AllowedOrigins != nil {
		t.Errorf("any origin: %q", any.AllowedOrigins)
	}
}

func TestRotationWithSecretsAlone(t *testing.T) {
	got := load(t, "apps: [{id: 1, key: k, secrets: [a, b]}]\n").Apps()[0].Secrets("k")
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("secrets %q", got)
	}
}

func TestDefaultApp(t *testing.T) {
	const two = app + "  - {id: 2, key: l, secret: t, client_events: true}\n"
	env := func(family, id, key, secret string) []string {
		return []string{family + "ID=" + id, family + "KEY=" + key, family + "SECRET=" + secret}
	}
	tests := []struct {
		name, yaml string
		environ    []string
		id         string
		apps       int
		source     string
	}{
		{"first of the file", two, nil, "1", 2, "default"},
		{"variables", two, env("PUSHER_APP_", "9", "k9", "s9"), "9", 3, "env PUSHER_APP_ID"},
		{"variables name one of the file", two, env("PUSHER_APP_", "2", "l", "t"), "2", 2, "env PUSHER_APP_ID"},
		{"reverb", "", env("REVERB_APP_", "9", "k9", "s9"), "9", 1, "env REVERB_APP_ID"},
		{"soketi", "", env("SOKETI_DEFAULT_APP_", "9", "k9", "s9"), "9", 1, "env SOKETI_DEFAULT_APP_ID"},
		{"pusher before reverb", "", append(env("REVERB_APP_", "8", "k8", "s8"), env("PUSHER_APP_", "9", "k9", "s9")...), "9", 1, "env PUSHER_APP_ID"},
		{"reverb before pusher where it is the connection", "", append(append(env("REVERB_APP_", "8", "k8", "s8"), env("PUSHER_APP_", "9", "k9", "s9")...), "BROADCAST_DRIVER=reverb"), "8", 1, "env REVERB_APP_ID"},
		{"of the file's own key", "pusher: {app_id: 9, app_key: k9, app_secret: s9}\n", nil, "9", 1, "belfry.yaml:1"},
	}
	for _, tt := range tests {
		c := load(t, tt.yaml, tt.environ...)
		if a := c.DefaultApp(); a == nil || a.ID != tt.id || len(c.Apps()) != tt.apps {
			t.Errorf("%s: %+v of %d", tt.name, a, len(c.Apps()))
		}
		if s := setting(t, c, "pusher.app_id"); s.Source != tt.source {
			t.Errorf("%s: source %s", tt.name, s.Source)
		}
	}
}

func TestDefaultAppFaults(t *testing.T) {
	tests := []struct {
		name    string
		environ []string
		want    string
	}{
		{"incomplete", []string{"PUSHER_APP_KEY=k9"}, `environment: PUSHER_APP_KEY: the default app lacks PUSHER_APP_ID and PUSHER_APP_SECRET; set id, key and secret, or none of them`},
		{"mixed", []string{"PUSHER_APP_ID=9", "REVERB_APP_KEY=k9", "PUSHER_APP_SECRET=s"}, `environment: REVERB_APP_KEY: belongs with another app than PUSHER_APP_ID; set id, key and secret under one family of names (PUSHER_APP_ID, PUSHER_APP_KEY, PUSHER_APP_SECRET)`},
		{"other secret than the file", []string{"PUSHER_APP_ID=1", "PUSHER_APP_KEY=k", "PUSHER_APP_SECRET=other"}, `environment: PUSHER_APP_KEY: key and secret of the default app are not those of apps[0], which has the same id; make them the same, or the ids different`},
		{"key of another app", []string{"PUSHER_APP_ID=9", "PUSHER_APP_KEY=k", "PUSHER_APP_SECRET=s"}, `environment: PUSHER_APP_KEY: is a key of apps[0], which has another id; a key belongs to one app`},
	}
	for _, tt := range tests {
		got := faultsOf(t, config.Options{Dir: folder(t, map[string]string{"belfry.yaml": app}), Environ: tt.environ})
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestLists(t *testing.T) {
	c := load(t, "trusted_proxies: [10.1.2.3/8, \"::1\"]\ncors_origins: https://a.test, https://b.test\nwebhooks: {allow_private_addresses: true}\n",
		"SERVICES_WEBHOOK_SHARED_SECRET=one, two")
	if want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}; !slices.Equal(c.TrustedProxies, want) {
		t.Errorf("trusted proxies %v", c.TrustedProxies)
	}
	if !slices.Equal(c.CORSOrigins, []string{"https://a.test", "https://b.test"}) || !slices.Equal(c.WebhookSharedSecrets, []string{"one", "two"}) {
		t.Errorf("%q %q", c.CORSOrigins, c.WebhookSharedSecrets)
	}
	if len(c.Webhooks.AllowPrivateAddresses) != 2 {
		t.Errorf("allowed %v", c.Webhooks.AllowPrivateAddresses)
	}
	if c := load(t, "webhooks: {allow_private_addresses: [10.0.0.0/8]}\n"); len(c.Webhooks.AllowPrivateAddresses) != 1 {
		t.Errorf("allowed %v", c.Webhooks.AllowPrivateAddresses)
	}
	if c := load(t, "trusted_proxies: [10.0.0.0/8]\n", "BELFRY_TRUSTED_PROXIES=192.0.2.1"); len(c.TrustedProxies) != 1 || c.TrustedProxies[0].String() != "192.0.2.1/32" {
		t.Errorf("overridden %v", c.TrustedProxies)
	}
}

func TestDerivedDefaults(t *testing.T) {
	c := load(t, "listen: \":7000\"\ntls: {auto: {domains: [ws.a.test]}}\n", "APP_URL=")
	if c.URL != "https://localhost:7000" || c.CORSOrigins != nil {
		t.Errorf("%s %q", c.URL, c.CORSOrigins)
	}
	c = load(t, "", "APP_URL=https://app.test:8443/x")
	if s := setting(t, c, "cors_origins"); c.URL != "https://app.test:8443/x" || s.Value != "https://app.test:8443" || s.Source != "env APP_URL" {
		t.Errorf("%s %+v", c.URL, s)
	}
	if c = load(t, "metrics_listen: off\n"); c.MetricsListen != "" || setting(t, c, "metrics_listen").Value != "off" {
		t.Errorf("metrics at %q", c.MetricsListen)
	}
}

func TestPortSetByKubernetesIsIgnored(t *testing.T) {
	if c := load(t, "", "REDIS_PORT=tcp://10.0.0.1:6379"); c.Redis.Port != 6379 {
		t.Errorf("port %d", c.Redis.Port)
	}
}

func TestLaterSectionsAreKnownAndWarnedOf(t *testing.T) {
	c := load(t, `channels:
  - {name: "user.{userId}", allow: "user.id == userId"}
cluster: {driver: redis}
queue_connection: sync
`, "BELFRY_LISTN=:1", "BELFRY_SERVICE_HOST=10.0.0.1", "QUEUE_CONNECTION=sync", "BELFRY_CORS_ORIGINS=https://a.test")
	if !c.ChannelsSet() || !c.Cluster.Set() {
		t.Error("sections are not kept")
	}
	want := []string{
		"belfry.yaml:3: cluster is read but not used yet: it is for the cluster, which this version does not have",
		"the variable BELFRY_LISTN is not a setting; did you mean BELFRY_LISTEN?",
	}
	if got := c.Warnings(); !slices.Equal(got, want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
}

// TestDotenv reads a file as a Laravel application has it.
func TestDotenv(t *testing.T) {
	text := `APP_NAME=My App
BARE
export BELFRY_LISTEN=:7 # a comment
PUSHER_APP_ID="10${N}01"
N=5
PUSHER_APP_KEY='k${N}'
PUSHER_APP_SECRET="a$b#\"c\\\$\${N}é"
PUSHER_HOST = "${N}${NOPE}${ENV}"
VITE_KEY="${PUSHER_APP_KEY}"
REDIS_PASSWORD=p$w#x${N}
BELFRY_DATA_DIR= # none
BELFRY_LOG_LEVEL=warn
`
	dir := folder(t, map[string]string{".env": text})
	c, err := config.Load(config.Options{Dir: dir, Environ: []string{"ENV=e"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"listen": c.Listen, "id": c.Pusher.AppID, "secret": c.Pusher.Secret, "host": c.Pusher.Host,
		"password": c.Redis.Password, "data": c.DataDir, "level": c.Log.Level,
	}
	want := map[string]string{
		"listen": ":7", "id": "10${N}01", "secret": `a$b#"c\$${N}é`, "host": "5${NOPE}e",
		"password": "p$w#x5", "data": "./data", "level": "warn",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestDotenvLines(t *testing.T) {
	dir := folder(t, map[string]string{".env": "\ufeffA=\"one\r\ntwo\"\r\nBELFRY_LISTEN=7\r\n\r\n9=x\r\nREDIS_PORT='\r\n"})
	want := []string{
		`.env:3: BELFRY_LISTEN: "7" has no colon; write :7 for all addresses, or 127.0.0.1:7 for this machine alone`,
		`.env:5: is not NAME=value (the line is not shown, it may hold a secret)`,
		`.env:6: REDIS_PORT: the quote is not closed`,
	}
	if got := faultsOf(t, config.Options{Dir: dir}); !slices.Equal(got, want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
}
