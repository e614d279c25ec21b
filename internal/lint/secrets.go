package lint

import (
	"fmt"
	"slices"

	"github.com/belfryhq/belfry/internal/ingest"
)

const makeSecret = "make one with: openssl rand -hex 32, and give it to those who sign with it"

// secrets judges each secret. The worst of its faults is told.
func (l *linter) secrets() {
	for _, s := range l.Secrets {
		why := ingest.Weak(s.Value)
		switch {
		case s.Value == "":
		case s.Example || why == "it is an example from public documents":
			l.add(Error, SecretExample, s.Path, fmt.Sprintf("the secret of %s is an example from public documents: anybody can sign with it", s.Of), makeSecret)
		case slices.Contains(s.Known, s.Value):
			l.add(Error, SecretPublic, s.Path, fmt.Sprintf("the secret of %s is the same as its key or id, which every page shows", s.Of), makeSecret)
		case why != "":
			l.add(Warning, SecretShort, s.Path, fmt.Sprintf("the secret of %s is easily guessed: %s", s.Of, why), makeSecret)
		}
	}
	if len(l.Boards) > 0 && l.WebhookSecrets == 0 {
		l.add(Warning, WebhookUnsigned, "webhook_shared_secret", "there are dashboards, and no secret for webhooks: /api/dashboard/notify-update answers 500, so figures are only as fresh as they are asked for",
			"set SERVICES_WEBHOOK_SHARED_SECRET, the same as at the sender")
	}
}
