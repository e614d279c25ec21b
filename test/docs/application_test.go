package docs_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/server"
)

// shell runs text as a person's shell would in the folder of the documents'
// .env: belfry and bin/belfry are the program, and its data folder is this
// server's.
func (s *site) shell(t *testing.T, text string, more ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "bin/belfry")); err != nil {
		t.Fatal(err)
	}
	cmd := shell(t, "set -e\n"+text)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0",
		"BELFRY_DATA_DIR="+s.dir, "BELFRY_LISTEN=127.0.0.1:"+s.port, "BELFRY_METRICS_LISTEN=off",
		"PUSHER_APP_ID="+appID, "PUSHER_APP_KEY="+appKey, "PUSHER_APP_SECRET="+appSecret)
	cmd.Env = append(cmd.Env, more...)
	return cmd
}

// person adds someone and gives their id.
func (s *site) person(t *testing.T, email string, args ...string) string {
	t.Helper()
	var made struct{ ID string }
	s.answer(t, &made, "user:add "+email+" "+strings.Join(args, " "))
	return made.ID
}

// token makes an API token for someone.
func (s *site) token(t *testing.T, email, scopes string) string {
	t.Helper()
	var made struct{ Token string }
	s.answer(t, &made, "user:token "+email+" --scope "+scopes)
	return made.Token
}

// answer reads what a command prints for programs.
func (s *site) answer(t *testing.T, into any, command string) {
	t.Helper()
	out := finish(t, s.shell(t, "belfry "+command+" --json"))
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("belfry %s: %v in %s", command, err, out)
	}
}

func TestQuickStart_PeoplePrivateChannelsAndEvents(t *testing.T) {
	s := serve(t, nil)
	out := finish(t, s.shell(t, s.snippet(readme, "people")))
	for _, line := range []string{"user id   1\n", "password  ", "token    belfry_"} {
		if !strings.Contains(out, line) {
			t.Errorf("the commands do not print %q:\n%s", line, out)
		}
	}
	bearer := "BELFRY_TOKEN=" + s.token(t, "ada@example.com", "events")
	with := func(cmd *exec.Cmd) *exec.Cmd {
		if cmd.Env == nil {
			cmd.Env = os.Environ()
		}
		cmd.Env = append(cmd.Env, bearer)
		return cmd
	}
	echo := start(t, with(node(t, s.snippet(readme, "private-echo"))))
	s.occupied(t, "private-user.1", 1)
	for _, c := range []struct {
		order string
		cmd   *exec.Cmd
	}{
		{"1", shell(t, s.snippet(readme, "events-curl"))},
		{"2", node(t, s.snippet(readme, "events-node"))},
		{"3", goRun(t, s.snippet(readme, "events-go"))},
		{"4", python(t, s.snippet(readme, "events-python"))},
		{"5", s.shell(t, s.snippet(readme, "events-shell"))},
	} {
		if out := finish(t, with(c.cmd)); c.order == "5" && (!strings.Contains(out, "no job has failed") || !strings.Contains(out, "default  0     50     ok")) {
			t.Errorf("the commands print:\n%s", out)
		}
		echo.says(t, "(?m)^order "+c.order+"$")
	}
}

func TestGuide_People(t *testing.T) {
	s := serve(t, nil)
	cmd := s.shell(t, s.snippet(guide, "users"))
	finish(t, cmd)
	exported, err := os.ReadFile(filepath.Join(cmd.Dir, "ben.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ben struct{ Email string }
	if err := json.Unmarshal(exported, &ben); err != nil || ben.Email != "ben@example.com" {
		t.Errorf("the export is %s", exported)
	}
	if out := finish(t, s.shell(t, "belfry user:list")); !strings.Contains(out, "ada@example.com") || strings.Contains(out, "ben@example.com") {
		t.Errorf("there are:\n%s", out)
	}
	finish(t, s.shell(t, s.snippet(guide, "tokens")))
	var tokens []struct{ ID string }
	if s.answer(t, &tokens, "user:token --list"); len(tokens) != 1 || tokens[0].ID != "2" {
		t.Errorf("tokens: %v", tokens)
	}
}

func TestGuide_SignInWithACookie(t *testing.T) {
	s := serve(t, nil)
	id := s.person(t, "ada@example.com", "--password", "correct-horse-battery")
	text := regexp.MustCompile(`(?m)^(import .*|export )`).ReplaceAllString(s.snippet(guide, "sign-in"), "")
	script, err := json.Marshal(strings.ReplaceAll(text, "new Echo(", "new Echo.default(") + `
		return signIn('ada@example.com', 'correct-horse-battery').then(echo => new Promise((resolve, reject) => {
			const channel = echo.private('user.` + id + `').error(reject)
			channel.subscribed(() => resolve('subscribed')).listen('.greeting', e => resolve(e.text))
		}))`)
	if err != nil {
		t.Fatal(err)
	}
	out := finish(t, node(t, `
		import { launchBrowser } from './helpers/browser.js'
		const browser = await launchBrowser()
		try {
			const page = await (await browser.newContext({ bypassCSP: true })).newPage()
			await page.goto('http://127.0.0.1:`+s.port+`/up')
			await page.addScriptTag({ path: 'node_modules/pusher-js/dist/web/pusher.js' })
			await page.addScriptTag({ path: 'node_modules/laravel-echo/dist/echo.iife.js' })
			console.log(await page.evaluate(text => new Function(text)(), `+string(script)+`))
		} finally {
			await browser.close()
		}`))
	if strings.TrimSpace(out) != "subscribed" {
		t.Errorf("the page wrote %q", out)
	}
}

// configured runs a server with the settings of a document's snippets.
func configured(t *testing.T, names ...string) *site {
	t.Helper()
	dir, text := t.TempDir(), ""
	for _, name := range names {
		text += (&site{t: t}).snippet(guide, name) + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{Dir: dir, Environ: []string{"SHOP_JWT_SECRET=" + shopSecret}})
	if err != nil {
		t.Fatal(err)
	}
	rules := make([]authz.Rule, len(cfg.Channels))
	for i, r := range cfg.Channels {
		rules[i] = authz.Rule(r)
	}
	compiled, err := authz.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return serveWith(t, nil, func(c *server.Config) {
		c.Rules, c.Backend.Issuers = compiled, cfg.Issuers()
	})
}

const shopSecret = "0123456789abcdef0123456789abcdef"

// asks asks for a channel and gives status and answer.
func (s *site) asks(t *testing.T, bearer, channel string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:"+s.port+"/broadcasting/auth",
		strings.NewReader("socket_id=1.2&channel_name="+channel))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := s.sdk.HTTPClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestGuide_RulesAndJWTs(t *testing.T) {
	s := configured(t, "rules", "jwt-config")
	cmd := node(t, s.snippet(guide, "jwt")+"\nconsole.log(tokenFor({ sub: '7', name: 'Ada', roles: ['editor'], teams: ['blue'] }))")
	cmd.Env = append(os.Environ(), "SHOP_JWT_SECRET="+shopSecret)
	bearer := strings.TrimSpace(finish(t, cmd))
	for channel, want := range map[string]int{
		"private-user.shop-7": 200, "private-user.7": 403, "private-orders.12": 403, "presence-team.blue": 200, "presence-team.red": 403,
		"private-lobby": 200, "private-system": 403,
	} {
		status, answer := s.asks(t, bearer, channel)
		if status != want {
			t.Errorf("%s: %d %s, want %d", channel, status, answer, want)
		}
		if channel == "presence-team.blue" && !strings.Contains(answer, `\"user_id\":\"shop-7\",\"user_info\":{\"name\":\"Ada\",\"team\":\"blue\"}`) {
			t.Errorf("the member is %s", answer)
		}
	}
	if status, _ := s.asks(t, "", "private-lobby"); status != 401 {
		t.Errorf("without a token: %d", status)
	}
}

func TestGuide_TheApplicationDecides(t *testing.T) {
	port := freePort(t)
	s := serveWith(t, nil, func(c *server.Config) { c.Authorization.ChannelURL = "http://127.0.0.1:" + port + "/pusher/auth" })
	start(t, node(t, on(port, s.snippet(guide, "auth-endpoint"))))
	accepts(t, port)
	if status, answer := s.asks(t, "", "private-orders"); status != 200 || !strings.Contains(answer, `"auth":"`+appKey+`:`) {
		t.Errorf("allowed: %d %s", status, answer)
	}
	if status, answer := s.asks(t, "", "presence-room"); status != 200 || !strings.Contains(answer, `\"user_id\":\"7\"`) {
		t.Errorf("a member: %d %s", status, answer)
	}
	if status, answer := s.asks(t, "", "private-admin"); status != 403 {
		t.Errorf("refused: %d %s", status, answer)
	}
}

func TestGuide_Events(t *testing.T) {
	s := serve(t, nil)
	s.person(t, "ada@example.com")
	bearer := "BELFRY_TOKEN=" + s.token(t, "ada@example.com", "events")
	for _, snippet := range []string{"first", "repeated"} {
		var answer struct{ ID, Status string }
		out := finish(t, s.shell(t, s.snippet(guide, "event"), bearer))
		if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.ID == "" || answer.Status != "queued" {
			t.Errorf("%s: %s", snippet, out)
		}
	}
	finish(t, s.shell(t, s.snippet(guide, "failed")))
}

func TestGuide_Pause(t *testing.T) {
	s := serve(t, nil) // with an empty queue
	out := finish(t, s.shell(t, s.snippet(guide, "pause")))
	if !strings.Contains(out, "default  1     50     ok, paused") {
		t.Errorf("the paused queue:\n%s", out)
	}
}

// yamlBlock begins a block of YAML in a document.
const yamlBlock = "\n```yaml\n"

func TestDocuments_ConfigurationsHold(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), port: "0"}
	checked := 0
	for _, document := range append(documents, filepath.Join(root, readme)) {
		raw, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split(string(raw), yamlBlock)[1:] {
			text, _, _ := strings.Cut(part, "\n```\n")
			if strings.HasPrefix(text, "scrape_configs:") { // Prometheus'
				continue
			}
			file := filepath.Join(t.TempDir(), "belfry.yaml")
			if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := s.shell(t, "belfry config check --config "+file, "DEMO_SECRET=0c8d4f8c0b1e4d2a9f0c8d4f8c0b1e4d",
				"SHOP_JWT_SECRET="+shopSecret, "SERVICES_WEBHOOK_SHARED_SECRET=a-secret-of-more-than-sixteen", "PUSHER_APP_ID=", "PUSHER_APP_KEY=", "PUSHER_APP_SECRET=")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s, block %d of YAML: %v\n%s\n%s", document, i+1, err, out, text)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no document has a configuration")
	}
}
