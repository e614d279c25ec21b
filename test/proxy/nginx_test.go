//go:build unix

package proxy_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// nginx is a running nginx with deploy/nginx.conf.
type nginx struct {
	own, secure, path *site // the host of its own, over http and https; the path
	cmd               *exec.Cmd
	dir               string
}

// startNginx runs nginx with the shipped file in front of the server at
// upstream. Only addresses, certificate and the upstream's keepalive are
// replaced: with so few connections kept that they are used again soon.
func startNginx(t *testing.T, upstream string) *nginx {
	t.Helper()
	binary := program(t, "nginx")
	dir, attr := unprivileged(t)
	cert, key := ownCertificate(t, dir, "ws.example.com", "www.example.com")
	port, tlsPort := freePort(t), freePort(t)
	shipped := replace(t, "nginx.conf",
		"listen [::]:80;", "",
		"listen [::]:443 ssl;", "",
		"listen 80;", "listen 127.0.0.1:"+port+";",
		"listen 443 ssl;", "listen 127.0.0.1:"+tlsPort+" ssl;",
		"/etc/ssl/ws.example.com/fullchain.pem", cert,
		"/etc/ssl/ws.example.com/privkey.pem", key,
		"server 127.0.0.1:6001;", "server "+upstream+";",
		"keepalive 32;", "keepalive 2;",
	)
	// What Debian's /etc/nginx/nginx.conf has around it, without privileges.
	around := fmt.Sprintf(`
daemon off;
pid %[1]s/nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    include %[1]s/belfry.conf;
}
`, dir)
	write(t, filepath.Join(dir, "belfry.conf"), shipped)
	write(t, filepath.Join(dir, "nginx.conf"), around)
	n := &nginx{dir: dir, cmd: exec.Command(binary, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"))}
	n.cmd.SysProcAttr = attr
	start(t, n.cmd, port)
	n.own = newSite(t, "http://ws.example.com", port)
	n.secure = newSite(t, "https://ws.example.com", tlsPort)
	n.path = newSite(t, "http://www.example.com/realtime", port)
	return n
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNginxCarriesEverything(t *testing.T) {
	n := startNginx(t, serve(t, nil))
	t.Run("http", func(t *testing.T) { n.own.on(t).wholeRound() })
	t.Run("https", func(t *testing.T) { n.secure.on(t).wholeRound() })
}

// on is the site for a test below the one that made it.
func (s *site) on(t *testing.T) *site {
	other := *s
	other.t = t
	return &other
}

// With keep-alive a WebSocket begins on a connection that has served health
// checks and publishes before (architecture, section 4: the engine must be able
// to take over such a connection).
func TestNginxReusesUpstreamConnections(t *testing.T) {
	w := listenIn(t, serve(t, nil))
	n := startNginx(t, w.addr)
	const rounds = 20
	for i := range rounds {
		for _, path := range []string{"/up", "/ready", "/health"} {
			if status := n.own.status(path); status != http.StatusOK {
				t.Fatalf("%s = %d", path, status)
			}
		}
		c := n.own.connect()
		channel := fmt.Sprintf("private-round-%d", i)
		n.own.join(c, channel)
		for j := range 3 {
			text := fmt.Sprint(j)
			n.own.publish("made", text, channel)
			n.own.gets(c, "made", text, channel)
		}
		c.Close()
	}

	requests, upgradedLate := 0, 0
	all := w.requests()
	for _, paths := range all {
		requests += len(paths)
		if i := slices.Index(paths, "/app/"+appKey); i > 0 && slices.Contains(paths[:i], "/up") {
			upgradedLate++
		} else if i >= 0 && i != len(paths)-1 {
			t.Errorf("after its upgrade a connection carried %v", paths[i+1:])
		}
	}
	if want := rounds * 7; requests != want {
		t.Errorf("the server was asked %d times, want %d", requests, want)
	}
	// A connection ends with its WebSocket, so there is one a round at least.
	if most := rounds + 4; len(all) > most {
		t.Errorf("%d requests took %d connections, want %d at most: %v", requests, len(all), most, all)
	}
	if upgradedLate < rounds/2 {
		t.Errorf("%d of %d WebSockets began on a used connection, want most: %v", upgradedLate, rounds, all)
	}
}

func TestNginxUnderAPath(t *testing.T) {
	n := startNginx(t, serve(t, func(cfg *server.Config, _ *belfry.App) { cfg.PathPrefix = "/realtime" }))
	// SDKs differ in whether the signature covers the prefix (HTTP-05).
	t.Run("signed with the prefix", func(t *testing.T) { n.path.on(t).wholeRound() })
	t.Run("signed without it", func(t *testing.T) {
		s := n.path.on(t)
		api := *s.api
		api.Signed = new(string)
		s.api = &api
		s.wholeRound()
	})
	t.Run("signed with another", func(t *testing.T) {
		api := *n.path.api
		other := "/other"
		api.Signed = &other
		err := api.Publish(t.Context(), "made", "x", "news")
		if e, ok := err.(*pusherclient.StatusError); !ok || e.Status != http.StatusUnauthorized {
			t.Errorf("publish: %v, want 401", err)
		}
	})
}

func TestNginxPassesTheClientsAddressOn(t *testing.T) {
	startNginx(t, serve(t, func(cfg *server.Config, _ *belfry.App) { cfg.HandshakesPerSecond = 1 })).own.believesAddresses()
}

func TestNginxSaysWhetherTheClientUsedTLS(t *testing.T) {
	n := startNginx(t, serve(t, func(_ *server.Config, app *belfry.App) { app.RequireTLS = true }))
	if _, err := n.secure.dial("127.0.0.1", nil); err != nil {
		t.Errorf("over https: %v", err)
	}
	if _, err := n.own.dial("127.0.0.1", nil); pusherclient.CloseCode(err) != 4000 {
		t.Errorf("over http: %v, want close code 4000", err)
	}
}

// A reload of nginx leaves the WebSockets with the old worker and serves new
// ones with the new.
func TestNginxReloadsWithoutClosing(t *testing.T) {
	n := startNginx(t, serve(t, nil))
	old := n.own.connect()
	n.own.join(old, "news")
	// The reloaded file tells itself apart by a header.
	conf := filepath.Join(n.dir, "belfry.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, strings.Replace(string(text), "location / {", "location / {\n add_header X-Reloaded yes;", 1))
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	within(t, func() bool {
		fresh := &http.Client{Transport: from("127.0.0.1", n.own.port)}
		defer fresh.CloseIdleConnections()
		resp, err := fresh.Get(n.own.url + "/up")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.Header.Get("X-Reloaded") == "yes"
	}, "nginx does not reload")
	young := n.own.connect()
	n.own.join(young, "news")
	n.own.publish("made", "after the reload", "news")
	n.own.gets(old, "made", "after the reload", "news")
	n.own.gets(young, "made", "after the reload", "news")
}
