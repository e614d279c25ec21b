//go:build unix

package proxy_test

import (
	"crypto/tls"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

// startCaddy runs Caddy with the shipped file in front of the server at
// upstream. Only addresses are replaced, and the certificates are Caddy's own.
func startCaddy(t *testing.T, upstream string) (own, path *site) {
	t.Helper()
	binary := program(t, "caddy")
	dir, attr := unprivileged(t)
	port := freePort(t)
	shipped := replace(t, "Caddyfile",
		"\nws.example.com {", "\nws.example.com:"+port+" {",
		"\nwww.example.com {", "\nwww.example.com:"+port+" {",
		"127.0.0.1:6001", upstream,
	)
	around := "{\n\tadmin off\n\tauto_https disable_redirects\n\tlocal_certs\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n\tlog {\n\t\tlevel WARN\n\t}\n}\n"
	write(t, filepath.Join(dir, "Caddyfile"), around+shipped)
	cmd := exec.Command(binary, "run", "--adapter", "caddyfile", "--config", filepath.Join(dir, "Caddyfile"))
	cmd.Dir, cmd.SysProcAttr = dir, attr
	cmd.Env = []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	start(t, cmd, port)
	for _, name := range []string{"ws.example.com", "www.example.com"} {
		within(t, func() bool {
			c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{ServerName: name, InsecureSkipVerify: true}) // Caddy's own certificate
			if err == nil {
				c.Close()
			}
			return err == nil
		}, "Caddy has no certificate for "+name)
	}
	return newSite(t, "https://ws.example.com", port), newSite(t, "https://www.example.com/realtime", port)
}

func TestCaddyCarriesEverything(t *testing.T) {
	own, _ := startCaddy(t, serve(t, func(_ *server.Config, app *belfry.App) { app.RequireTLS = true }))
	own.wholeRound()
	for _, path := range []string{"/up", "/ready", "/health"} {
		if status := own.status(path); status != 200 {
			t.Errorf("%s = %d", path, status)
		}
	}
}

func TestCaddyUnderAPath(t *testing.T) {
	_, path := startCaddy(t, serve(t, func(cfg *server.Config, _ *belfry.App) { cfg.PathPrefix = "/realtime" }))
	path.wholeRound()
}

func TestCaddyPassesTheClientsAddressOn(t *testing.T) {
	own, _ := startCaddy(t, serve(t, func(cfg *server.Config, _ *belfry.App) { cfg.HandshakesPerSecond = 1 }))
	own.believesAddresses()
}
