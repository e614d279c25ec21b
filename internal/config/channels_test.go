package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/config"
)

func TestChannelRules(t *testing.T) {
	c := load(t, `
channels:
  - name: "user.{userId}"
    allow: "user.id == userId"
  - {name: system, allow: true}
  - name: team.{t}
    allow: >-
      t in user.roles &&
      user.name != ''
    member: |
      {
        "id": user.id
      }
authorization: {url: "https://app.test/broadcasting/auth?k=secret", per_minute: unlimited}
`)
	want := []config.ChannelRule{
		{Name: "user.{userId}", Allow: "user.id == userId"},
		{Name: "system", Allow: "true"},
		{Name: "team.{t}", Allow: "t in user.roles && user.name != ''", Member: "{\n  \"id\": user.id\n}\n"},
	}
	if !c.ChannelsSet() || !slices.Equal(c.Channels, want) {
		t.Errorf("%+v", c.Channels)
	}
	if c.Authorization.PerMinute != belfry.Unlimited || strings.Contains(setting(t, c, "authorization.url").Value, "secret") {
		t.Errorf("%+v", c.Authorization)
	}
	if c := load(t, ""); c.ChannelsSet() || c.Authorization != (config.Authorization{PerMinute: 60}) {
		t.Errorf("%+v", c.Authorization)
	}
	if c := load(t, "channels: []\n"); !c.ChannelsSet() || len(c.Channels) != 0 {
		t.Error("an empty list counts as no section")
	}
	var live bool
	for _, change := range config.Diff(load(t, ""), c) {
		live = live || change.Key == "channels[0].allow" && !change.NeedsRestart
	}
	if !live {
		t.Error("a changed rule needs a restart")
	}
}

func TestRulesThatDoNothingAreWarnedOf(t *testing.T) {
	for text, want := range map[string]string{
		"channels: []\n": "belfry.yaml:1: channels is empty, so nobody may listen to any private, presence or encrypted channel; remove it for the default rules",
		"authorization: {url: 'https://a.test/auth'}\nchannels: [{name: a, allow: true}]\n": "belfry.yaml:2: the rules of channels are not asked, since authorization.url decides",
		"authorization: {url: 'https://a.test/auth'}\nchannels: []\n":                       "",
		"channels: [{name: a, allow: true}]\n":                                              "",
		"":                                                                                  "",
	} {
		if got := strings.Join(load(t, text).Warnings(), "\n"); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestChannelRulesHaveAShape(t *testing.T) {
	dir := folder(t, map[string]string{"belfry.yaml": `channels:
  - name: a
  - allow: "true"
  - name: b
    allow: [x]
    alow: "true"
  - true
authorization: {per_minute: 0, url: nowhere}
`})
	want := []string{
		"belfry.yaml:2:5: channels[0].allow: is missing; write allow: and its value",
		"belfry.yaml:3:5: channels[1].name: is missing; write name: and its value",
		"belfry.yaml:5:12: channels[2].allow: wants one text, and is a list",
		`belfry.yaml:6:5: channels[2].alow: unknown key; did you mean "allow"?`,
		"belfry.yaml:7:5: channels[3]: wants a mapping with keys such as name, and is a single value",
		"belfry.yaml:8:29: authorization.per_minute: 0 would refuse everyone; write a number above it, or unlimited",
		`belfry.yaml:8:37: authorization.url: "nowhere" is not an address; write https:// or http://…`,
	}
	if got := faultsOf(t, config.Options{Dir: dir}); !slices.Equal(got, want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
	dir = folder(t, map[string]string{"belfry.yaml": "channels: {user: true}\n"})
	if got := faultsOf(t, config.Options{Dir: dir}); len(got) != 1 || !strings.Contains(got[0], "channels: wants a list") {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
}

// A fault inside an expression is told where it stands in the file, whatever
// way the expression is written.
func TestRuleFaultsStandWhereTheyAreInTheFile(t *testing.T) {
	for _, c := range []struct {
		yaml         string // the character at fault is X
		line, column int    // in the value
		where        string
	}{
		{`allow: user.X == 1`, 1, 6, "4:17"},
		{`allow:    "user.X == 1"`, 1, 6, "4:21"},
		{`allow: 'a == "b" && X'`, 1, 13, "4:25"},
		{`allow: 'it''s ''X'''`, 1, 7, "4:21"},
		{`allow: "\"a\" == X"`, 1, 8, "4:22"},
		{`allow: "a\n == X"`, 2, 5, "4:20"},
		{`allow: "\u0061 == X"`, 1, 6, "4:12"}, // the parser loses such escapes
		{`allow: "é X"`, 1, 3, "4:15"},
		{"allow: |\n      user.id ==\n        X\n", 2, 3, "6:9"},
		{"allow: |-\n      X\n    member: '{}'", 1, 1, "5:7"},
		{"allow: >\n      user.id ==\n      X\n", 1, 12, "6:7"},
		{"allow: user.id ==\n      X", 1, 12, "5:7"},
		{"allow: \"user.id ==\n      X\"", 1, 12, "5:7"},
		{"allow: \"user.id \\\n      X\"", 1, 9, "5:7"},
		{`allow: "user.id =="`, 1, 11, "4:23"}, // behind the end
		{`allow: "user.id"`, 9, 9, "4:20"},
		{`allow: "user.id == ${NAME}X"`, 1, 13, "4:12"}, // a variable's value has no place
		{`allow: "$${NAME} X"`, 1, 9, "4:12"},
	} {
		cfg := load(t, "log: {}\nchannels:\n  - name: x\n    "+c.yaml+"\n", "NAME=a_secret_value")
		err := cfg.RuleError([]config.RuleFault{{Rule: 0, Key: "allow", Line: c.line, Column: c.column, Message: "no such a_secret_value"}})
		if err == nil || !strings.HasPrefix(err.Error(), "belfry.yaml:"+c.where+": channels[0].allow: ") {
			t.Errorf("%s: %v, want %s", c.yaml, err, c.where)
		}
		if strings.Contains(c.yaml, " ${") && strings.Contains(err.Error(), "a_secret_value") {
			t.Errorf("a variable's value is told: %v", err)
		}
	}
	cfg := load(t, "channels:\n  - {name: 'user.{X}', allow: x}\n")
	err := cfg.RuleError([]config.RuleFault{{Key: "allow", Line: 1, Column: 1, Message: "b"}, {Key: "name", Line: 1, Column: 7, Message: "a"}, {Key: "member", Line: 1, Column: 1, Message: "c"}})
	want := "belfry.yaml:2:5: channels[0].member: c\nbelfry.yaml:2:19: channels[0].name: a\nbelfry.yaml:2:31: channels[0].allow: b"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v", err)
	}
	if err := cfg.RuleError(nil); err != nil {
		t.Error(err)
	}
}
