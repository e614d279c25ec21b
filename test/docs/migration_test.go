package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/webhook"
)

const migration = "docs/migration.md"

// envBlock is a block of variables of the page about moving.
func envBlock(t *testing.T, name string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, migration))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), "<!-- env: "+name+" -->\n```ini\n")
	text, _, _ := strings.Cut(rest, "```")
	if !found || text == "" {
		t.Fatalf("%s has no block %s", migration, name)
	}
	variables := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		variables[key] = value
	}
	return variables
}

// The variables are read by whom the page says, and fit each other.
func TestMigration_VariablesFitEachOther(t *testing.T) {
	belfry, laravel, vite, fastapi := envBlock(t, "belfry"), envBlock(t, "laravel"), envBlock(t, "vite"), envBlock(t, "fastapi")
	var environ []string
	for key, value := range belfry {
		environ = append(environ, key+"="+value)
	}
	cfg, err := config.Load(config.Options{Environ: environ, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	app := cfg.DefaultApp()
	for key, want := range map[string]string{"PUSHER_APP_ID": app.ID, "PUSHER_APP_KEY": app.Keys[0].Key, "PUSHER_APP_SECRET": app.Keys[0].Secret} {
		if laravel[key] != want {
			t.Errorf("Laravel's %s is %q, Belfry's %q", key, laravel[key], want)
		}
	}
	if got := laravel["PUSHER_SCHEME"] + "://" + laravel["PUSHER_HOST"]; got != cfg.URL {
		t.Errorf("Laravel publishes to %s, Belfry is %s", got, cfg.URL)
	}
	inner := regexp.MustCompile(`^"\$\{(\w+)\}"$`)
	for key, value := range vite {
		m := inner.FindStringSubmatch(value)
		if m == nil || laravel[m[1]] == "" || key != "VITE_"+m[1] {
			t.Errorf("%s=%s names nothing of Laravel's", key, value)
		}
	}
	for key, value := range fastapi {
		t.Setenv(key, value)
	}
	sender := webhook.FromEnv()
	if sender.URL != cfg.URL+"/api/dashboard/notify-update" {
		t.Errorf("the sender posts to %s", sender.URL)
	}
	if len(sender.Secrets) != 1 || len(cfg.WebhookSharedSecrets) != 1 || sender.Secrets[0] != cfg.WebhookSharedSecrets[0] {
		t.Error("the sender and Belfry have different secrets")
	}
}

// The import that the page gives in place of the old one holds.
func TestMigration_Import(t *testing.T) {
	s := &site{t: t}
	cmd := python(t, s.snippet(migration, "import-python")+"\nimport inspect\n"+
		"assert inspect.iscoroutinefunction(notify_laravel_dashboard) and not inspect.iscoroutinefunction(notify_laravel_dashboard_sync)\n")
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	source, err := filepath.Abs(filepath.Join(root, "clients/python/src"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "PYTHONPATH="+source)
	finish(t, cmd)
}
