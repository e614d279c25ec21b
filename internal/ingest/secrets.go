package ingest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/webhook"
)

// secrets are those in force, and those that were.
type secrets struct {
	mu     sync.Mutex // guards all below
	list   []string
	former []webhook.Other // replaced while this process ran
}

// maxFormer is how many replaced secrets are known, for diagnoses.
const maxFormer = 4

func (s *secrets) current() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

func (s *secrets) formerly() []webhook.Other {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.former)
}

// SetSecrets replaces the secrets that calls are checked with; space around one
// and blank ones do not count. It warns of each that is new and weak.
func (in *Ingest) SetSecrets(list []string) {
	var usable []string
	for _, text := range list {
		if text = strings.TrimSpace(text); text != "" {
			usable = append(usable, text)
		}
	}
	before := in.secrets.replace(usable, in.cfg.Now())
	for i, secret := range usable {
		if why := Weak(secret); why != "" && !slices.Contains(before, secret) {
			in.log.Warn("a secret of webhooks is weak: whoever guesses it can have dashboards computed at will; make one with: openssl rand -hex 32",
				"setting", webhook.EnvSecrets, "which", fmt.Sprintf("%d of %d", i+1, len(usable)), "why", why)
		}
	}
}

// replace gives those that were in force.
func (s *secrets) replace(list []string, now time.Time) (before []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.list = s.list, list
	for _, secret := range before {
		if !slices.Contains(list, secret) {
			s.former = append(s.former, webhook.Other{Name: "one that was replaced here at " + now.UTC().Format("2006-01-02 15:04") + " UTC", Secret: secret})
		}
	}
	s.former = slices.DeleteFunc(s.former, func(o webhook.Other) bool { return slices.Contains(list, o.Secret) })
	s.former = slices.Delete(s.former, 0, max(0, len(s.former)-maxFormer))
	return before
}

// minSecret is the length, in bytes, under which a secret is short.
const minSecret = 16

// Weak says why a secret is easily guessed, "" when it is not.
func Weak(secret string) string {
	plain := strings.ToLower(strings.Trim(secret, "<>[]{} "))
	switch {
	case slices.Contains(exampleSecrets(), plain):
		return "it is an example from public documents"
	case len(secret) < minSecret:
		return fmt.Sprintf("it is shorter than %d characters", minSecret)
	case strings.Count(secret, secret[:1]) == len(secret):
		return "it is one character again and again"
	}
	return ""
}

// exampleSecrets stand in public documents, this project's own among them.
func exampleSecrets() []string {
	return []string{
		"secret", "changeme", "change-me", "s3cret", "your_secret", "your-secret", "your-secret-key", "your_secret_key", "your-secret-here",
		"shared-secret", "shared_secret", "your-shared-secret", "your_shared_secret", "my-shared-secret", "my-secret-key", "supersecret", "super-secret",
		"webhook-secret", "webhook_secret", "your-webhook-secret", "your_webhook_secret", "my-webhook-secret", "webhook-shared-secret",
		"your-webhook-shared-secret", "your_webhook_shared_secret", "services-webhook-shared-secret", "services_webhook_shared_secret",
		"whsec_your_secret", "whsec_mfkqfsvwr0lgdnjlbgz1bgxzzwnyzxq=", exampleSecret,
	}
}

// exampleSecret is the one of this project's guide.
const exampleSecret = "an-example-secret-make-your-own"
