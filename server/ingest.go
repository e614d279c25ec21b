package server

import (
	"net/netip"

	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/webhook"
)

// refusedWebhooks is how many refused webhooks a minute one address is told
// the reason of.
const refusedWebhooks = 60

// newIngest builds what takes signed webhooks.
func (s *Server) newIngest() *ingest.Ingest {
	limiter := s.gate.Limiter(refusedWebhooks)
	in := ingest.New(ingest.Config{
		DB:         s.backend.DB,
		Dashboards: s.dashboards,
		Limit:      func(from netip.Addr) error { return limiter.Take(gate.Caller{Address: from}.Key()) },
		Others:     s.appSecrets,
		Logger:     s.log,
	})
	in.SetSecrets(s.cfg.WebhookSecrets)
	return in
}

// appSecrets are the secrets of apps, which senders take for the webhooks' one.
func (s *Server) appSecrets() (list []webhook.Other) {
	const most = 20 // each costs a diagnosis two signatures
	for _, app := range (publicHub{s.hub}).Apps() {
		for _, c := range app.Keys {
			if len(list) < most {
				list = append(list, webhook.Other{Name: "the secret of app " + app.ID, Secret: c.Secret})
			}
		}
	}
	return list
}
