package cli

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/examples"
)

// demoConfig is the example's dashboard, with what else the demo sets.
func demoConfig() []byte {
	return append(slices.Clone(examples.CheckinsConfig), `
server: {drain_window: 0s, shutdown_grace: 10s}
`...)
}

// fileURL gives a file as the address of a database.
func fileURL(file string) string {
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "sqlite", Path: path}).String()
}

// localZone names the time zone of this machine, where it has a name.
func localZone() string {
	names := []string{os.Getenv("TZ"), time.Local.String()}
	if target, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(filepath.ToSlash(target), "zoneinfo/"); ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if name == "" || name == "Local" || strings.ContainsAny(name, ":\\.") {
			continue
		}
		if _, err := time.LoadLocation(name); err == nil {
			return strings.TrimPrefix(name, "Etc/")
		}
	}
	return "UTC"
}
