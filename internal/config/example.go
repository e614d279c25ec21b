package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// exampleSecrets are secrets that stand in public documents: soketi's and
// Sockudo's defaults, the guides of Reverb, Pusher and Laravel, and this
// project's own. Anyone can sign with them.
func exampleSecrets() []string {
	return []string{
		"app-secret",
		"demo-secret",
		"my-app-secret",
		"your-app-secret",
		"your-pusher-app-secret",
		"your-pusher-secret",
		"your_app_secret",
		"your_secret",
		"app_secret",
		"pusher-secret",
		"secret",
		"changeme",
		"change-me",
		"7ad3773142a6692b25b8",
	}
}

// RefusesPublicExample gives an error when the server would listen on an
// address that others can reach while an app's secret is a known example or
// the same as its key, so that anyone could publish. It gives nil on a
// loopback address. The error says what to do and shows no secret.
func (c *Config) RefusesPublicExample() error {
	if Loopback(c.Listen) {
		return nil
	}
	var faults faults
	for _, app := range c.Apps() {
		for _, cred := range app.Keys {
			secret := strings.ToLower(strings.Trim(cred.Secret, "<>[]{} "))
			known := slices.Contains(exampleSecrets(), secret)
			if !known && cred.Secret != cred.Key && cred.Secret != app.ID {
				continue
			}
			path, why := c.secretPath(app.ID), "is an example from public documents"
			if !known {
				why = "is the same as the app's key or id, which is public"
			}
			faults.at(c.source(path), path, "the secret of app %q %s, and the server listens on %s, where others reach it; %s",
				app.ID, why, c.Listen, fmt.Sprintf("make a secret of your own (openssl rand -hex 32), or listen on %s", loopbackOf(c.Listen)))
		}
	}
	return faults.err()
}

// secretPath gives where the secret of the app with this id is set.
func (c *Config) secretPath(id string) string {
	for i := range c.AppList {
		if c.AppList[i].ID == id {
			return fmt.Sprintf("apps[%d].secret", i)
		}
	}
	return "pusher.app_secret"
}

// Loopback reports whether a listen address can be reached from this machine
// alone.
func Loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func loopbackOf(listen string) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		port = "6001"
	}
	return net.JoinHostPort("127.0.0.1", port)
}
