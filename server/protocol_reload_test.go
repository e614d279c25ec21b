package server_test

import (
	"testing"

	"github.com/belfryhq/belfry"
)

// setApps replaces the apps of a running server.
func (h *host) setApps(apps ...*belfry.App) {
	h.t.Helper()
	if err := h.server.SetApps(apps, func(string) string { return "the test" }); err != nil {
		h.t.Fatal(err)
	}
}

func TestReload_NewSettingsHoldForOpenConnections(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	for _, w := range []*wire{a, b} {
		w.subscribe("private-x")
	}
	h.setApps(testApp(func(a *belfry.App) {
		a.ClientEvents, a.SubscriptionCount, a.Limits.ChannelsPerConnection = false, true, 1
		a.Keys = []belfry.Credential{{Key: "rotated", Secret: "rotated-secret"}, a.Keys[0]}
	}))
	a.emit("client-x", "private-x", 1)
	a.expectError(0, "disabled")
	b.ask("private-y")
	b.expectRefusal("private-y", "LimitReached", 403, 0)
	b.unsubscribe("private-x")
	a.expectCount("private-x", 1)
	b.quiet()
	h.dial(testApp(), "/app/rotated?protocol=7").established()
}

func TestReload_AppsThatGoCloseTheirConnections(t *testing.T) {
	t.Parallel()
	two := func(changes ...func(*belfry.App)) *belfry.App {
		return testApp(append([]func(*belfry.App){func(a *belfry.App) {
			a.ID, a.Keys = "2", []belfry.Credential{{Key: "two", Secret: "secret-of-two"}}
		}}, changes...)...)
	}
	three := testApp(func(a *belfry.App) {
		a.ID, a.Keys = "3", []belfry.Credential{{Key: "three", Secret: "secret-of-three"}}
	})
	h := serve(t, testApp(), two(), three)
	stays, disabled, gone := h.connect(testApp()), h.connect(two()), h.connect(three)
	h.setApps(testApp(), two(func(a *belfry.App) { a.Disabled = true }))
	disabled.expectClose(4003)
	gone.expectClose(4001)
	stays.quiet()
	h.refusesHandshake(two(), "/app/two?protocol=7", 4003)
	h.refusesHandshake(three, "/app/three?protocol=7", 4001)
	h.setApps(testApp(), two(), three) // and back
	h.connect(two())
	h.connect(three)
	stays.quiet()
}
