package belfry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/belfryhq/belfry"

// layers are the rooms of the house, from the ground up. A package imports
// only strictly lower layers. A pattern is a path.Match pattern of the package's
// path in the module; "." is the root.
var layers = []struct {
	name  string
	rooms []string
}{
	{"vocabulary", []string{"."}},
	{"mechanics", []string{"pusher", "webhook", "ui", "internal/store", "internal/run", "internal/retry", "internal/httpx", "internal/certs",
		"internal/filelock", "internal/logs", "internal/words", "internal/uring", "internal/socket/wsframe", "internal/webpush", "examples/*/school"}},
	{"engines", []string{"internal/hub", "internal/hook", "internal/broadcast", "internal/queue", "internal/identity", "internal/authz",
		"internal/notify", "internal/ingest", "internal/dashboard", "internal/trace", "internal/report", "internal/appstore"}},
	{"drivers", []string{"internal/hub/*cluster", "internal/hub/*test", "internal/broadcast/*cast", "internal/queue/*queue", "internal/queue/*test",
		"internal/certs/*test", "internal/webpush/*test"}},
	{"readers", []string{"internal/gate", "internal/explain", "internal/lint", "internal/doctor"}},
	{"doors", []string{"internal/socket", "internal/api", "internal/web", "internal/console", "internal/ops", "internal/control"}},
	{"assembly", []string{"server"}},
	{"tools", []string{"client", "internal/config", "internal/bench", "internal/worker", "examples", "examples/*/*"}},
	{"commands", []string{"internal/cli"}},
	{"binary", []string{"cmd/belfry", "examples/*"}},
	{"tests", []string{"test/*"}},
	{"benches", []string{"bench/*"}},
}

// thirdParty says which packages from elsewhere a room may import, by the
// beginning of their path. A room that is not named imports none.
var thirdParty = map[string][]string{
	"internal/filelock":             {"golang.org/x/sys"},
	"internal/logs":                 {"github.com/lmittmann/tint"},
	"internal/certs":                {"github.com/caddyserver/certmagic", "github.com/mholt/acmez/", "go.uber.org/zap"},
	"internal/store":                {"modernc.org/", "github.com/jackc/pgx/", "github.com/pressly/goose/"},
	"internal/identity":             {"github.com/hashicorp/golang-lru/", "github.com/golang-jwt/jwt/", "github.com/MicahParks/keyfunc/", "golang.org/x/crypto"},
	"internal/authz":                {"cel.dev/"},
	"internal/webpush":              {"github.com/SherClockHolmes/webpush-go"},
	"internal/hub/rediscluster":     {"github.com/redis/go-redis/"},
	"internal/hub/natscluster":      {"github.com/nats-io/nats.go"},
	"internal/queue/riverqueue":     {"github.com/riverqueue/river", "github.com/jackc/pgx/"},
	"internal/queue/asynqqueue":     {"github.com/hibiken/asynq", "github.com/redis/go-redis/"},
	"internal/broadcast":            {"golang.org/x/crypto/nacl/"},
	"internal/broadcast/pushercast": {"github.com/pusher/pusher-http-go/"},
	"internal/doctor":               {"github.com/coder/websocket", "golang.org/x/sys"},
	"internal/gate":                 {"golang.org/x/time", "github.com/hashicorp/golang-lru/"},
	"internal/api":                  {"golang.org/x/time", "github.com/hashicorp/golang-lru/"},
	"internal/socket":               {"golang.org/x/time", "github.com/hashicorp/golang-lru/"},
	"internal/ops":                  {"github.com/prometheus/"},
	"internal/bench":                {"golang.org/x/sys"},
	"internal/uring":                {"golang.org/x/sys"},
	"internal/config":               {"github.com/goccy/go-yaml"},
	"examples/checkins/service":     {"modernc.org/sqlite", "github.com/jackc/pgx/"},
	"internal/cli":                  {"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// room is the package's path in the module, "." for the root.
func room(importPath string) string {
	if importPath == modulePath {
		return "."
	}
	return strings.TrimPrefix(importPath, modulePath+"/")
}

func isOurs(importPath string) bool {
	return importPath == modulePath || strings.HasPrefix(importPath, modulePath+"/")
}

func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// layerOf gives the room's layer, or -1.
func layerOf(room string) int {
	for i, layer := range layers {
		for _, pattern := range layer.rooms {
			if ok, _ := path.Match(pattern, room); ok {
				return i
			}
		}
	}
	return -1
}

// faults gives a sentence for each import of p that breaks the plan of the house.
func faults(p goPackage) (sentences []string) {
	here := room(p.ImportPath)
	layer := layerOf(here)
	if layer < 0 {
		return []string{here + " stands in no layer: give it a place in the table of deps_test.go"}
	}
	for _, imported := range p.Imports {
		switch {
		case isStandard(imported):
		case !isOurs(imported):
			allowed := slices.ContainsFunc(thirdParty[here], func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
			if !allowed && layers[layer].name != "tests" {
				sentences = append(sentences, here+" imports "+imported+", which the plan does not give it: move the code to the room that owns that technology, or add it to the table with a reason in docs/design.md")
			}
		default:
			sentences = append(sentences, importFault(here, room(imported))...)
		}
	}
	return sentences
}

func importFault(here, there string) []string {
	from, to := layerOf(here), layerOf(there)
	switch {
	case to < 0:
		return nil // said where that package is judged itself
	case to >= from:
		return []string{here + " (" + layers[from].name + ") imports " + there + " (" + layers[to].name +
			"): a package imports only strictly lower layers; declare the interface that it needs and let server hand it in"}
	case layers[from].name == "drivers" && layers[to].name == "engines" && path.Dir(here) != there:
		return []string{here + " imports the engine " + there + ": a driver knows only its own engine, " + path.Dir(here)}
	case layers[to].name == "drivers" && here != "server" && layers[from].name != "tests":
		return []string{here + " imports the driver " + there + ": only server knows which driver is used"}
	}
	return nil
}

func TestPackagesImportOnlyLowerLayers(t *testing.T) {
	packages := readPackages(t)
	if len(packages) < 5 {
		t.Fatalf("found only %d packages", len(packages))
	}
	for _, p := range packages {
		for _, sentence := range faults(p) {
			t.Error(sentence)
		}
	}
}

// readPackages reads the imports of every Go file of the module but tests, for
// all operating systems. It opens the files itself, so that the test's cached
// result ends when one of them changes.
func readPackages(t *testing.T) []goPackage {
	t.Helper()
	imports := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (name == "node_modules" || name == "testdata" || name[0] == '.' || name[0] == '_'):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		importPath := path.Join(modulePath, filepath.ToSlash(filepath.Dir(file)))
		imports[importPath] = append(imports[importPath], pathsOf(parsed)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var packages []goPackage
	for _, importPath := range slices.Sorted(maps.Keys(imports)) {
		unique := slices.Compact(slices.Sorted(slices.Values(imports[importPath])))
		packages = append(packages, goPackage{importPath, unique})
	}
	return packages
}

func pathsOf(file *ast.File) (paths []string) {
	for _, spec := range file.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, imported)
		}
	}
	return paths
}

// The test itself must be able to fail.
func TestLayerTestSeesEachFault(t *testing.T) {
	for _, c := range []struct{ from, imports, says string }{
		{"internal/hub", "internal/hook", "strictly lower layers"},
		{"internal/hub", "internal/socket", "strictly lower layers"},
		{".", "pusher", "strictly lower layers"},
		{"server", "internal/config", "strictly lower layers"},
		{"internal/hub/memcluster", "internal/hook", "only its own engine"},
		{"internal/api", "internal/hub/memcluster", "only server knows"},
		{"internal/newroom", "pusher", "stands in no layer"},
	} {
		got := strings.Join(faults(goPackage{ImportPath: strings.TrimSuffix(modulePath+"/"+c.from, "/."), Imports: []string{modulePath + "/" + c.imports}}), "\n")
		if !strings.Contains(got, c.says) {
			t.Errorf("%s imports %s: %q, want %q", c.from, c.imports, got, c.says)
		}
	}
	for _, c := range []struct {
		from, imports string
		fine          bool
	}{
		{"internal/ops", "github.com/prometheus/client_golang/prometheus", true},
		{"internal/hub", "github.com/prometheus/client_golang/prometheus", false},
		{"internal/cli", "github.com/spf13/cobra", true},
		{"server", "github.com/spf13/cobra", false},
		{"pusher", "golang.org/x/crypto/nacl", false},
		{"pusher", "crypto/hmac", true},
	} {
		got := faults(goPackage{ImportPath: modulePath + "/" + c.from, Imports: []string{c.imports}})
		if (len(got) == 0) != c.fine {
			t.Errorf("%s imports %s: %q", c.from, c.imports, got)
		}
	}
}
