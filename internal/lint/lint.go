// Package lint finds what is unsafe, or has no effect, in settings that hold:
// rules that let everyone in, secrets that are guessed, personal data on public
// channels. What is wrong outright is refused when settings are read; a finding
// here is a thing to look at.
package lint

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/dashboard"
)

// Severity says how much a finding matters.
type Severity string

// The severities. A note is for the reader to judge.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Code names a kind of finding, for scripts and the documentation.
type Code string

// The kinds of findings.
const (
	RuleOpen         Code = "rule_lets_everyone_in"
	RuleNever        Code = "rule_never_matches"
	RuleShadowed     Code = "rule_shadowed"
	RuleTwice        Code = "rules_of_one_pattern"
	RulesUnused      Code = "rules_not_asked"
	SecretExample    Code = "secret_from_example"
	SecretShort      Code = "secret_short"
	SecretPublic     Code = "secret_is_public"
	WebhookUnsigned  Code = "webhook_secret_missing"
	PublicPersonal   Code = "public_dashboard_personal"
	PublicAllColumns Code = "public_dashboard_all_columns"
	ChannelPersonal  Code = "public_channel_personal"
	RoleWrites       Code = "database_role_may_write"
	RoleUnknown      Code = "database_not_reached"
	PlainHTTP        Code = "plain_http"
	ProxyTrustsAll   Code = "trusts_every_proxy"
	OriginsAny       Code = "any_origin"
	ClientEventsAll  Code = "public_client_events"
	MetricsPublic    Code = "metrics_public"
	QueueSync        Code = "queue_sync"
	BroadcasterMute  Code = "broadcaster_mute"
	RolesTrusted     Code = "issuer_names_admins"
)

// Finding is one thing to look at.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Where is the place: file, line and column, a variable, a flag, or what
	// holds the thing. Key is the setting's path; it may be empty.
	Where string `json:"where"`
	Key   string `json:"key,omitempty"`
	What  string `json:"what"`
	Fix   string `json:"fix"`
}

// Settings are what is looked at. No finding quotes a secret.
type Settings struct {
	// Where gives the place of a setting's path.
	Where func(path string) string
	// Listen, URL and Metrics are the server's addresses; Metrics is empty for
	// none.
	Listen, URL, Metrics string
	// Rules are those of the file, nil when the default ones are in force.
	// Forwards says that the application decides in their stead.
	Rules    []authz.Rule
	Forwards bool
	Secrets  []Secret
	Boards   []dashboard.Spec
	// WebhookSecrets is how many secrets sign webhooks sent here.
	WebhookSecrets int
	// Apps are those of the file, with the paths that they stand at.
	Apps           []App
	TrustedProxies []netip.Prefix
	// Plain are the addresses that others are reached at or reach us.
	Plain []Address
	// Queue and Broadcaster are the connections' kinds.
	Queue, Broadcaster string
	// TrustedIssuers are the paths of issuers that may name admins.
	TrustedIssuers []string
}

// Secret is one to be judged.
type Secret struct {
	Path  string // of the setting
	Of    string // whose it is: `app "1001"`
	Value string
	// Example says that it stands in public documents.
	Example bool
	// Known are public texts that it must not be, such as the app's key.
	Known []string
}

// App is an app with its path in the file.
type App struct {
	*belfry.App
	Path string
}

// Address is one that should be https.
type Address struct {
	Path, URL string
	// Carries says what passes unencrypted otherwise.
	Carries string
}

// Event is one that a running server saw, with the keys at the top of its data.
type Event struct {
	App, Channel, Name string
	Keys               []string
}

// databaseTime bounds the question to one database.
const databaseTime = 5 * time.Second

// Check looks at settings and at what a running server saw lately, nothing when
// there is none. It asks the databases of dashboards what its role may do, each
// for five seconds at most. Findings are in the order of their weight, then as
// the settings have them.
func Check(ctx context.Context, s Settings, seen []Event) []Finding {
	l := &linter{Settings: s, found: []Finding{}}
	l.rules()
	l.secrets()
	l.dashboards(ctx)
	l.events(seen)
	l.apps()
	l.addresses()
	l.delivery()
	slices.SortStableFunc(l.found, func(a, b Finding) int { return cmp.Compare(weight(a.Severity), weight(b.Severity)) })
	return l.found
}

func weight(s Severity) int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// Failed reports whether there is more than notes.
func Failed(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Severity != Note })
}

type linter struct {
	Settings
	found []Finding
}

func (l *linter) add(severity Severity, code Code, path, what, fix string) {
	where := "default"
	if l.Where != nil {
		where = l.Where(path)
	}
	l.found = append(l.found, Finding{Code: code, Severity: severity, Where: where, Key: path, What: what, Fix: fix})
}
