package config

import (
	"cmp"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// WebPush says how closed browsers are reached.
type WebPush struct {
	// Whether browsers may subscribe, and are told of new notifications when no
	// page is open.
	Enabled bool `yaml:"enabled" env:"BELFRY_PUSH" default:"true"`
	// Whom the push services of the browsers' makers may write to when something
	// is wrong: an e-mail address or an https address. The default is the host of
	// `url`; Apple refuses one that nobody can reach.
	Subject string `yaml:"subject" env:"BELFRY_PUSH_SUBJECT" example:"ops@example.com"`
	// How long push services keep a message for a browser that is away, unless
	// the notification expires before.
	TTL time.Duration `yaml:"ttl" default:"168h" min:"1m" max:"672h"`
	// Private, loopback and link-local addresses of push services of your own:
	// address ranges, or `true` for all.
	AllowPrivateAddresses []netip.Prefix `yaml:"allow_private_addresses" kind:"prefixes-all" example:"[\"10.0.0.0/8\"]"`
}

// PushSubject is who answers for push messages: mailto:ADDRESS or an https
// address.
func (c *Config) PushSubject() string {
	if s := c.Push.Subject; s != "" {
		if strings.HasPrefix(s, "https://") {
			return s
		}
		return "mailto:" + strings.TrimPrefix(s, "mailto:")
	}
	host := ""
	if u, err := url.Parse(c.URL); err == nil {
		host = u.Hostname()
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return "https://" + cmp.Or(host, "localhost")
}

// push checks who answers.
func (k *checker) push() {
	s := k.Push.Subject
	if s == "" || k.faults.has("push.subject") {
		return
	}
	if strings.HasPrefix(s, "https://") {
		if u, err := url.Parse(s); err == nil && u.Hostname() != "" {
			return
		}
	} else if a, err := mail.ParseAddress(strings.TrimPrefix(s, "mailto:")); err == nil && a.Name == "" && !strings.ContainsAny(s, "<> ") {
		return
	}
	k.fault("push.subject", "is neither an e-mail address nor an https address; write name@example.com")
}
