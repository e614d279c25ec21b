package authz_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
)

func compile(t testing.TB, rules ...authz.Rule) *authz.Rules {
	t.Helper()
	r, err := authz.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func user(id string, roles ...string) *belfry.User {
	return &belfry.User{ID: id, Name: "User " + id, Roles: roles}
}

// The table of product.md section 4: ids are compared as texts, whole, and only
// where the pattern says.
func TestDefaultRulesDecide(t *testing.T) {
	const uuid = "3f2b8c1e-0000-4000-8000-000000000001"
	rules := compile(t, authz.DefaultRules()...)
	for _, c := range []struct {
		who     *belfry.User
		channel string
		allowed bool
	}{
		{user("7"), "private-user.7", true},
		{user("7"), "presence-user.7", true},
		{user("7"), "private-cache-user.7", false}, // the name is cache-user.7, which no rule is for
		{user("7"), "private-encrypted-user.7", true},
		{user("7"), "private-user.07", false},
		{user("7"), "private-user.7abc", false},
		{user("7"), "private-user.7.0", false},
		{user("7"), "private-user. 7", false},
		{user("7"), "private-user.7 ", false},
		{user("7"), "private-user.", false},
		{user("7"), "private-user", false},
		{user("7"), "private-users.7", false},
		{user("7"), "private-xuser.7", false},
		{user("7"), "private-USER.7", false},
		{user("7"), "private-user-7", false},
		{user("7"), "private-userX7", false}, // the dot of a pattern is a dot
		{user("7"), "private-private-user.7", false},
		{user("7"), "Private-user.7", true}, // no private channel: anybody may
		{user("7"), "private-user.{userId}", false},
		{user("7"), "private-user.user.id", false},
		{user("7"), "private-user.7\n", false},
		{user("7"), "private-user.7;8", false},
		{user("07"), "private-user.7", false},
		{user("07"), "private-user.07", true},
		{user("7.0"), "private-user.7.0", false}, // a parameter holds no dot
		{user(" 7"), "private-user.7", false},
		{user(""), "private-user.", false},
		{user("7abc"), "private-user.7", false},
		{user("1e1"), "private-user.10", false},
		{user("0x7"), "private-user.7", false},
		{user("١"), "private-user.1", false},
		{user(uuid), "private-user." + uuid, true},
		{user(uuid), "private-user.3f2b8c1e-0000-4000-8000-000000000002", false},
		{user(uuid), "private-user.3f2b8c1e", false},
		{user("3f2b8c1e"), "private-user." + uuid, false},
		{user("3"), "private-user." + uuid, false},
		{user("a=@,;-_Z"), "private-user.a=@,;-_Z", true},
		{nil, "private-user.7", false},
		{nil, "private-user.", false},
		{nil, "private-system", false},
		{nil, "news", true},
		{nil, "cache-news", true},
		{user("7"), "#server-to-user-7", false},
		{user("7"), "private-system", true},
		{user("7"), "private-systems", false},
		{user("7"), "private-admin", false},
		{user("7", "Admin"), "private-admin", false},
		{user("7", "administrator"), "private-admin", false},
		{user("7", "admin"), "private-admin", true},
		{user("7", "admin"), "private-user.8", false},
		{user("7", "editor"), "private-role.editor", true},
		{user("7", "editor"), "presence-role.editor", true},
		{user("7", "editor"), "private-role.edito", false},
		{user("7", "editor"), "private-role.editors", false},
		{user("7", "editor"), "private-role.Editor", false},
		{user("7", "team.lead"), "private-role.team.lead", false}, // a parameter holds no dot
		{user("7", "team.lead"), "private-role.team", false},
		{user("7", "a-b"), "private-role.a-b", true},
		{user("7"), "private-role.", false},
		{user("7", ""), "private-role.", false},
		{user("7"), "private-dashboard", false},
		{user("7", "manager"), "private-dashboard", true},
		{user("7", "manager"), "private-dashboard.schools", true},
		{user("7", "manager"), "private-dashboard.schools.x", false},
		{user("7", "admin"), "private-dashboard.schools", true},
		{user("7", "editor"), "private-dashboard.schools", false},
		{user("7", "admin"), "private-orders.1", false},
	} {
		d := rules.Decide(c.who, c.channel)
		if d.Allowed != c.allowed || d.Reason == "" || d.Allowed != (d.Result == authz.Allowed) {
			t.Errorf("%+v on %q: %+v", c.who, c.channel, d)
		}
	}
}

func TestNoRuleMeansNo(t *testing.T) {
	d := compile(t).Decide(user("7", "admin"), "private-x")
	if d.Allowed || d.Result != authz.NoRule || d.Rule != "" {
		t.Errorf("%+v", d)
	}
}

func TestTheFirstRuleThatAllowsWins(t *testing.T) {
	rules := compile(t,
		authz.Rule{Name: "a.{x}", Allow: "false"},
		authz.Rule{Name: "a.{x}", Allow: "user.claims.level > 2"},
		authz.Rule{Name: "a.one", Allow: "true", Member: `{"from": "third"}`},
		authz.Rule{Name: "a.{y}", Allow: "y == user.name", Member: `{"from": "fourth", "y": y}`},
	)
	ada := &belfry.User{ID: "1", Name: "one"}
	if d := rules.Decide(ada, "presence-a.one"); !d.Allowed || d.Rule != "a.one" || string(d.Member) != `{"from":"third"}` {
		t.Errorf("%+v", d)
	}
	// A rule that cannot be evaluated does not allow, and its fault is the reason
	// that is kept when no other allows.
	d := rules.Decide(ada, "presence-a.two")
	if d.Allowed || d.Result != authz.Failed || d.Rule != "a.{x}" || !strings.Contains(d.Reason, "no such key: level") {
		t.Errorf("%+v", d)
	}
	ada.Claims = map[string]any{"level": json.Number("3")}
	if d := rules.Decide(ada, "presence-a.two"); !d.Allowed || d.Rule != "a.{x}" || string(d.Member) != `{"id":"1","name":"one"}` {
		t.Errorf("%+v", d)
	}
	if d := rules.Decide(ada, "private-a.one"); d.Member != nil {
		t.Errorf("a private channel got a member: %+v", d)
	}
}

func TestExpressionsSeeTheUser(t *testing.T) {
	ada := &belfry.User{ID: "7", Name: "Ada <&>", Roles: []string{"editor", "team.lead"}, Claims: map[string]any{
		"team": "blue", "level": 2.0, "teams": []any{"a", "b"}, "nested": map[string]any{"ok": true}, "n": json.Number("12345678901234567"), "none": nil,
	}}
	for expression, want := range map[string]bool{
		`user.id == "7"`:                               true,
		`user.name.startsWith("Ada")`:                  true,
		`"team.lead" in user.roles`:                    true,
		`user.roles.exists(r, r.startsWith("team."))`:  true,
		`user.roles.all(r, r == "editor")`:             false,
		`size(user.roles) == 2`:                        true,
		`has(user.claims.team)`:                        true,
		`has(user.claims.other)`:                       false,
		`has(user.claims.other) && user.claims.other`:  false,
		`user.claims.team == "blue"`:                   true,
		`user.claims.level == 2`:                       true,
		`user.claims.level >= 2.5`:                     false,
		`x in user.claims.teams`:                       true,
		`user.claims.nested.ok`:                        true,
		`user.claims.n == 12345678901234567`:           true,
		`user.claims["team"] == "blue"`:                true,
		`x.matches("^[a-z]$")`:                         true,
		`user.claims.none == null`:                     true,
		`x == "a" ? user.id == "7" : user.id == "8"`:   true,
		`user.id == x || user.claims.missing == "y"`:   false,
		`user.claims.missing == "y" || user.id == "7"`: true,
	} {
		allow := expression
		if expression == `user.claims.nested.ok` {
			allow += " == true"
		}
		if strings.HasSuffix(expression, "user.claims.other") {
			allow += " == true"
		}
		rules, err := authz.Compile([]authz.Rule{{Name: "c.{x}", Allow: allow}})
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if d := rules.Decide(ada, "private-c.a"); d.Allowed != want {
			t.Errorf("%s: %+v", expression, d)
		}
	}
	rules := compile(t, authz.Rule{Name: "c", Allow: `has(user.claims.team) && user.claims.team == "blue"`})
	if d := rules.Decide(user("7"), "private-c"); d.Allowed || d.Result != authz.Refused {
		t.Errorf("a user without claims: %+v", d)
	}
}

func TestMemberGivesPresenceData(t *testing.T) {
	ada := &belfry.User{ID: "7", Name: `A "b" <c>`, Roles: []string{"x"}, Claims: map[string]any{"age": 36.0, "tags": []any{"p", nil, true}}}
	for member, want := range map[string]string{
		"": `{"id":"7","name":"A \"b\" <c>"}`,
		`{"n": user.name, "roles": user.roles, "room": room, "age": user.claims.age, "tags": user.claims.tags}`: `{"age":36,"n":"A \"b\" <c>","roles":["x"],"room":"a","tags":["p",null,true]}`,
		`user.claims`:                    `{"age":36,"tags":["p",null,true]}`,
		`{}`:                             `{}`,
		`{"d": duration("1s"), "u": 7u}`: `{"d":"1s","u":7}`,
	} {
		d := compile(t, authz.Rule{Name: "chat.{room}", Allow: "true", Member: member}).Decide(ada, "presence-chat.a")
		if !d.Allowed || string(d.Member) != want {
			t.Errorf("%s: %+v, member %s", member, d, d.Member)
		}
	}
	for member, says := range map[string]string{
		`{"x": user.claims.none}`: "no such key: none",
		`user.claims.age`:         "must give a map",
		`{"x": 1.0 / 0.0}`:        "JSON has no form for",
		`{"u": user}`:             "user as a whole is no value",
	} {
		d := compile(t, authz.Rule{Name: "chat.{room}", Allow: "true", Member: member}).Decide(ada, "presence-chat.a")
		if d.Allowed || d.Result != authz.Failed || !strings.Contains(d.Reason, says) || d.Member != nil {
			t.Errorf("%s: %+v", member, d)
		}
	}
}

func TestWorkIsBounded(t *testing.T) {
	rules := compile(t, authz.Rule{Name: "c", Allow: "user.roles.all(a, user.roles.all(b, user.roles.all(c, a + b + c != '')))"})
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprint("role", i)
	}
	if d := rules.Decide(user("7", many...), "private-c"); d.Allowed || d.Result != authz.Failed || !strings.Contains(d.Reason, "cost limit") {
		t.Errorf("%+v", d)
	}
	if d := rules.Decide(user("7", many[:5]...), "private-c"); !d.Allowed {
		t.Errorf("%+v", d)
	}
}

func TestCompileTellsEveryFault(t *testing.T) {
	rules := []authz.Rule{
		{Name: "ok.{id}", Allow: "user.id == id", Member: `{"id": user.id}`},
		{Name: "user.{userId}", Allow: "user.id == userID"},
		{Name: "team.{t}", Allow: "'x' in user.roles &&\n  user.naem == t"},
		{Name: "a", Allow: "user.name"},
		{Name: "b", Allow: "user.claims.team"},
		{Name: "c.{n}", Allow: "n == 7"},
		{Name: "d", Allow: "user.id = 'x'"},
		{Name: "e", Allow: "true", Member: "user.name"},
		{Name: "f", Allow: "true", Member: "{1: 'x'}"},
		{Name: "g", Allow: " "},
		{Name: "private-h", Allow: "true"},
		{Name: "i.{", Allow: "true"},
		{Name: "i}", Allow: "true"},
		{Name: "i.{a b}", Allow: "true"},
		{Name: "i.{x}{y}", Allow: "true"},
		{Name: "i.{x}.{x}", Allow: "true"},
		{Name: "i.{user}", Allow: "true"},
		{Name: "é.{x}/y", Allow: "true"},
		{Name: "x.{x}/y", Allow: "true"},
		{Name: "", Allow: "true"},
		{Name: "k", Allow: "user.name.matches('(')"},
		{Name: "ok.{id}", Allow: "user.id == id"},
		{Name: "l", Allow: strings.Repeat("x", 5000)},
	}
	_, err := authz.Compile(rules)
	want := []string{
		"channels[1].allow: line 1, column 12: undeclared reference to 'userID' (did you mean 'userId'?); known here are user.id, user.name, user.roles, user.claims and the parameter userId",
		"channels[2].allow: line 2, column 8: undefined field 'naem'; known here are user.id, user.name, user.roles, user.claims and the parameter t",
		"channels[3].allow: line 1, column 1: gives a value of type string; allow must be true or false: compare it, as in user.id == userId or user.claims.team == 'a'",
		"channels[4].allow: line 1, column 1: gives a value whose type is not known before it is asked; allow must be true or false: compare it, as in user.id == userId or user.claims.team == 'a'",
		"channels[5].allow: line 1, column 3: found no matching overload for '==' applied to '(string, int)'; known here are user.id, user.name, user.roles, user.claims and the parameter n",
		"channels[6].allow: line 1, column 9: Syntax error: token recognition error at: '= '; known here are user.id, user.name, user.roles, user.claims (the name has no parameters)",
		`channels[7].member: line 1, column 1: gives a value of type string; member must be a map with text keys, as in {"id": user.id, "name": user.name}`,
		`channels[8].member: line 1, column 1: gives a value of type map(int, string); member must be a map with text keys, as in {"id": user.id, "name": user.name}`,
		`channels[9].allow: line 1, column 1: is empty; write an expression, as in "user.id == userId", or "true" for any signed-in user`,
		`channels[10].name: line 1, column 1: begins with private-, which rules leave out; write "h", which stands for the private, presence and encrypted channels of that name`,
		"channels[11].name: line 1, column 3: a { without its }",
		"channels[12].name: line 1, column 2: a } without its {",
		`channels[13].name: line 1, column 4: "a b" is not a parameter's name: use letters, digits and _, not a digit first`,
		"channels[14].name: line 1, column 6: two parameters side by side could be parted anywhere; put something between them",
		`channels[15].name: line 1, column 8: the parameter "x" stands twice; give each its own name`,
		`channels[16].name: line 1, column 4: a parameter cannot be called "user", a word with a meaning in expressions; choose another name`,
		`channels[17].name: line 1, column 1: no channel's name holds 'é'; use letters, digits and _-=@,.; and {parameters}`,
		`channels[18].name: line 1, column 6: no channel's name holds '/'; use letters, digits and _-=@,.; and {parameters}`,
		"channels[19].name: line 1, column 1: is empty; write a channel's name without private- or presence-",
		"channels[20].allow: line 1, column 19: invalid matches argument",
		"channels[21].name: line 1, column 1: is the same rule as channels[0]; keep one",
		"channels[22].allow: line 1, column 1: has 5000 characters, at most 4096 are read",
	}
	if err == nil {
		t.Fatal("no fault")
	}
	got := strings.Split(err.Error(), "\n")
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("more: %s", got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("got:  %s\nwant: %s", got[i], want[i])
		}
	}
}

// FuzzPattern holds the hand-written match to what a regular expression says,
// values of parameters included, where Laravel's own way is a regular
// expression.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"user.{id}", "user.7"}, {"a-{x}-{y}", "a-b-c-d"}, {"{x}.{y}", "a.b"}, {"{x}aa{y}", "aaaaa"}, {"x{a}.a.{b}y", "xb.a.a.cy"}, {"{x}", "."},
		{"{a}-{b}.{c}-x", "q-w-e.r-t-x"}, {"{x}.a.{y}", "p.a.a.y"}, {"{a}b{c}bb{d}", "bbbbbbbb"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		pattern, name = only(pattern, "abx.-{}"), only(name, "abx.-")
		_, err := authz.Compile([]authz.Rule{{Name: pattern, Allow: "true", Member: "{}"}})
		if err != nil || strings.HasPrefix(name, "private-") || strings.HasPrefix(name, "presence-") {
			return // a pattern that is none, or a name that is read otherwise
		}
		var names []string
		text := regexp.MustCompile(`\{[^}]*\}|[^{]+`).ReplaceAllStringFunc(pattern, func(part string) string {
			if part[0] == '{' {
				names = append(names, fmt.Sprintf("%q: %s", part, part[1:len(part)-1]))
				return `([^.]+)`
			}
			return regexp.QuoteMeta(part)
		})
		rules := compile(t, authz.Rule{Name: pattern, Allow: "true", Member: "{" + strings.Join(names, ", ") + "}"})
		want := regexp.MustCompile(`^` + text + `$`).FindStringSubmatch(name)
		got := rules.Decide(user("7"), "presence-"+name)
		if got.Allowed != (want != nil) {
			t.Fatalf("%q on %q: %+v, want %q", pattern, name, got, want)
		}
		if want == nil {
			return
		}
		var values map[string]string
		if err := json.Unmarshal(got.Member, &values); err != nil {
			t.Fatal(err)
		}
		for i, n := range names {
			key, _, _ := strings.Cut(strings.Trim(n, `"`), `"`)
			if values[key] != want[i+1] {
				t.Errorf("%q on %q: %s is %q, want %q", pattern, name, key, values[key], want[i+1])
			}
		}
	})
}

func only(s, letters string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(letters, r) {
			return r
		}
		return -1
	}, s)
}

func BenchmarkDecide(b *testing.B) {
	rules := compile(b, authz.DefaultRules()...)
	ada := user("7", "editor", "admin")
	for _, channel := range []string{"private-user.7", "private-role.editor", "presence-role.editor", "private-dashboard.x", "private-nothing"} {
		b.Run(channel, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rules.Decide(ada, channel)
			}
		})
	}
	loop := compile(b, authz.Rule{Name: "c", Allow: "user.roles.exists(r, r == 'admin')"})
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			loop.Decide(ada, "private-c")
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compile(b, authz.DefaultRules()...)
	}
}
