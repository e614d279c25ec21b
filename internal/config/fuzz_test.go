package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/config"
)

// FuzzFile feeds any bytes as configuration file and .env: Load must neither
// panic nor fail in another way than by naming faults, nor show a secret.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		app, secretive, "a: b: c", "%", "? ", "- - -", "a: &b\n<<: *b", "\t", "{[", "|", ">\n x", "!!binary x", "apps:\n - \n - ~", "listen: ${A}${", "a: \"\\x", "---\n---\n...", ": :", "? ? a", "- ? b", "&a &b", "<<:", "a: !!map\nb", "{a, b: }", "!x", "* ",
		"apps: [{secrets: [[]]}]", "server: {ping_after: 1e9h}", "apps: [{limits: {connections: 99999999999999999999}}]",
	} {
		f.Add(text, "A=1\nB='${A}'\n")
	}
	f.Add("", "A=\"x\\")
	f.Add("", "export =\n=\n\"")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, dotenv string) {
		for name, content := range map[string]string{"belfry.yaml": text, ".env": dotenv} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := config.Load(config.Options{Dir: dir, Environ: []string{"S3CR3T=xyzzy-plugh"}})
		if err != nil {
			if e, ok := err.(*config.Error); !ok || len(e.Faults) == 0 || strings.Contains(err.Error(), "xyzzy-plugh") {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		c.Apps()
		c.Effective()
		if changes := config.Diff(c, c); len(changes) > 0 {
			t.Errorf("differs from itself: %+v", changes)
		}
		_ = c.RefusesPublicExample()
	})
}
