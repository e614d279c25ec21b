package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const readme = "README.md"

func TestQuickStart_EverySnippetPublishes(t *testing.T) {
	s := serve(t, nil)
	subscriber := s.connect(t, "my-channel")
	listener := start(t, node(t, s.snippet(readme, "listen")))
	s.occupied(t, "my-channel", 2)

	for _, c := range []struct {
		name    string
		command func(t *testing.T, text string) *exec.Cmd
	}{
		{"curl", shell},
		{"node", node},
		{"go", goRun},
		{"python", python},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := finish(t, c.command(t, s.snippet(readme, c.name)))
			if c.name == "curl" && out != "{}" {
				t.Errorf("curl wrote %q", out)
			}
			m, err := subscriber.Await(limited(t), "my-event", "my-channel")
			if err != nil {
				t.Fatal(err)
			}
			if greeting := "Hello from " + c.name; !strings.Contains(strings.ToLower(m.Text()), strings.ToLower(greeting)) {
				t.Errorf("data = %s, want %q in it", m.Text(), greeting)
			}
			listener.says(t, "(?im)^Hello from "+c.name+"$")
		})
	}
}

// shell runs text as a person's shell would.
func shell(t *testing.T, text string) *exec.Cmd {
	t.Helper()
	program(t, "curl")
	program(t, "openssl")
	return command(t, program(t, "sh"), "-c", text)
}

// goRun runs a Go program within this module, which has the SDK.
func goRun(t *testing.T, text string) *exec.Cmd {
	t.Helper()
	return goCommand(t, text, "run")
}

func goCommand(t *testing.T, text string, args ...string) *exec.Cmd {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := finish(t, command(t, program(t, "gofmt"), "-l", file)); out != "" {
		t.Error("gofmt would change the snippet")
	}
	cmd := command(t, program(t, "go"), append(args, file)...)
	cmd.Dir = root
	return cmd
}

// python runs text where the SDK for Python is installed.
func python(t *testing.T, text string) *exec.Cmd {
	t.Helper()
	python, err := filepath.Abs(".venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		lacks(t, "test/docs/.venv is not there")
	}
	return command(t, python, "-c", text)
}

func TestQuickStart_EchoListensWithTheLaravelSettings(t *testing.T) {
	s := serve(t, nil)
	env := dotenv(s.snippet(readme, "laravel-env"))
	// What Vite does when it builds the page.
	script := regexp.MustCompile(`import\.meta\.env\.(\w+)`).ReplaceAllStringFunc(s.snippet(readme, "laravel-echo"), func(use string) string {
		name := strings.TrimPrefix(use, "import.meta.env.")
		if env[name] == "" {
			t.Errorf("the .env of the README does not set %s", name)
		}
		return "'" + env[name] + "'"
	})
	listener := start(t, node(t, "globalThis.window = globalThis\n"+script+
		"\nwindow.Echo.channel('my-channel').listen('.my-event', e => console.log(e.message))"))
	s.occupied(t, "my-channel", 1)
	if err := s.sdk.Trigger("my-channel", "my-event", map[string]string{"message": "Hello from Laravel"}); err != nil {
		t.Fatal(err)
	}
	listener.says(t, "(?m)^Hello from Laravel$")

	for name, want := range map[string]string{
		"PUSHER_APP_ID": appID, "PUSHER_APP_KEY": appKey, "PUSHER_APP_SECRET": appSecret,
		"PUSHER_HOST": "127.0.0.1", "PUSHER_PORT": s.port, "PUSHER_SCHEME": "http",
	} {
		if env[name] != want {
			t.Errorf("%s = %q in the .env of the README, want %q", name, env[name], want)
		}
	}
}

// dotenv reads a file as simple as the README's.
func dotenv(text string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		env[name] = os.Expand(strings.Trim(value, `"`), func(name string) string { return env[name] })
	}
	return env
}

// link is a link of Markdown to a place of this repository.
var link = regexp.MustCompile(`\]\(([^)#:\s]*)(#[^)\s]*)?\)`)

func TestDocuments_LinkToWhatThereIs(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range append(documents, filepath.Join(root, readme)) {
		raw, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
			target := document
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(document), m[1])
			}
			linked, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); err != nil && (statErr != nil || !info.IsDir()) {
				t.Errorf("%s links to %s, which is not there", document, m[1])
				continue
			}
			if m[2] != "" && !hasHeading(string(linked), m[2][1:]) {
				t.Errorf("%s links to %s%s, where there is no such heading", document, m[1], m[2])
			}
		}
	}
}

// hasHeading reports whether a document has a heading with that anchor.
func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		heading, ok := strings.CutPrefix(strings.TrimSpace(strings.TrimLeft(line, "#")), "")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		made := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
				return r
			}
			return -1
		}, strings.ToLower(heading))
		if made == anchor {
			return true
		}
	}
	return false
}
