package authz_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/pusher"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const socket = "4321.98765"

func key() []byte { return bytes.Repeat([]byte{7}, 32) }

func app() *belfry.App {
	return &belfry.App{ID: "730041", Limits: belfry.DefaultLimits(),
		Keys:                []belfry.Credential{{Key: "demo-key-a1b2c3d4e5", Secret: "demo-secret-9f8e7d6c5b4a"}, {Key: "old", Secret: "old"}},
		EncryptionMasterKey: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}}
}

func newAuthorizer(t testing.TB, cfg authz.Config) *authz.Authorizer {
	t.Helper()
	if cfg.Key == nil {
		cfg.Key = key()
	}
	a, err := authz.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func anyone(t testing.TB) *authz.Rules {
	return compile(t, authz.Rule{Name: "{a}", Allow: "true"}, authz.Rule{Name: "{a}.{b}", Allow: "true"})
}

// holds reports whether auth is the app's signature of text (AUTH-06).
func holds(auth, text string) bool {
	k, signature, ok := pusher.SplitAuth(auth)
	return ok && k == app().Keys[0].Key && pusher.Verify(app().Secrets(k), text, signature)
}

func TestPrivateAnswer(t *testing.T) {
	now := time.UnixMilli(1767225600123)
	a := newAuthorizer(t, authz.Config{Now: func() time.Time { return now }})
	answer, d, err := a.Channel(t.Context(), authz.Ask{App: app(), SocketID: socket, Channel: "private-user.7", User: user("7"), SessionID: "session-hash"})
	if err != nil || !d.Allowed || d.Rule != "user.{userId}" || answer.SharedSecret != "" || answer.UserData != "" {
		t.Fatalf("%+v %+v %v", answer, d, err)
	}
	if !holds(answer.Auth, pusher.ChannelText(socket, "private-user.7", answer.ChannelData, true)) {
		t.Error("the signature does not cover channel_data")
	}
	if holds(answer.Auth, pusher.ChannelText(socket, "private-user.7", "", false)) {
		t.Error("a client could leave channel_data out")
	}
	who, session, issued, ok := a.Principal("730041", socket, "private-user.7", answer.ChannelData)
	if !ok || who != "7" || session != "session-hash" || !issued.Equal(now) {
		t.Errorf("%q %q %v %v", who, session, issued, ok)
	}
	var data map[string]string
	if err := json.Unmarshal([]byte(answer.ChannelData), &data); err != nil || len(data) != 1 || strings.Contains(answer.ChannelData, "session-hash") {
		t.Errorf("channel_data is %s", answer.ChannelData)
	}
	now = now.Add(100 * 24 * time.Hour)
	if who, _, _, ok := a.Principal("730041", socket, "private-user.7", answer.ChannelData); !ok || who != "7" {
		t.Error("an expired token does not say whom the subscription stands for")
	}
}

func TestPresenceAnswer(t *testing.T) {
	a := newAuthorizer(t, authz.Config{Rules: compile(t,
		authz.Rule{Name: "plain", Allow: "true"},
		authz.Rule{Name: "room.{r}", Allow: "true", Member: `{"room": r, "belfry": "mine", "user_id": "8"}`})})
	for channel, info := range map[string]string{
		"presence-plain":        `{"id":"7","name":"User 7"}`,
		"presence-room.a":       `{"belfry":"mine","room":"a","user_id":"8"}`,
		"presence-cache-room.a": "",
	} {
		answer, d, err := a.Channel(t.Context(), authz.Ask{App: app(), SocketID: socket, Channel: channel, User: user("7")})
		if info == "" {
			if belfry.CodeOf(err) != belfry.CodeForbidden || d.Result != authz.NoRule {
				t.Errorf("%s: %+v %v", channel, d, err)
			}
			continue
		}
		if err != nil || !holds(answer.Auth, pusher.ChannelText(socket, channel, answer.ChannelData, true)) {
			t.Fatalf("%s: %+v %v", channel, answer, err)
		}
		m, err := pusher.ParseMember(answer.ChannelData)
		if err != nil || m.ID != "7" || string(m.Info) != info {
			t.Errorf("%s: %+v %s %v", channel, m, m.Info, err)
		}
		if who, _, _, ok := a.Principal("730041", socket, channel, answer.ChannelData); !ok || who != "7" {
			t.Errorf("%s: no principal in %s", channel, answer.ChannelData)
		}
	}
}

// The vectors' encrypted channels carry nothing that varies, so their answers
// are known to the byte.
func TestAnswersMatchTheVectors(t *testing.T) {
	raw, err := os.ReadFile("../../pusher/testdata/auth-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			ID, Kind, Verdict string
			Input             struct {
				SocketID  string `json:"socket_id"`
				Channel   string `json:"channel"`
				MasterKey string `json:"encryption_master_key_base64"`
			}
			Expect struct {
				Auth         string `json:"auth"`
				SharedSecret string `json:"shared_secret"`
			}
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	a, tried := newAuthorizer(t, authz.Config{Rules: anyone(t)}), 0
	for _, v := range file.Vectors {
		if v.Kind != "channel_auth" || v.Verdict != "accept" || v.Expect.SharedSecret == "" {
			continue
		}
		tried++
		by := app()
		by.EncryptionMasterKey, _ = base64.StdEncoding.DecodeString(v.Input.MasterKey)
		answer, _, err := a.Channel(t.Context(), authz.Ask{App: by, SocketID: v.Input.SocketID, Channel: v.Input.Channel, User: user("7"), SessionID: "s"})
		if err != nil || answer.Auth != v.Expect.Auth || answer.SharedSecret != v.Expect.SharedSecret || answer.ChannelData != "" {
			t.Errorf("%s: %+v %v", v.ID, answer, err)
		}
		if who, session, _, ok := a.Principal(by.ID, v.Input.SocketID, v.Input.Channel, ""); !ok || who != "7" || session != "s" {
			t.Errorf("%s: the principal is %q %q %v", v.ID, who, session, ok)
		}
		if _, _, _, ok := a.Principal(by.ID, "1.1", v.Input.Channel, ""); ok {
			t.Errorf("%s: a principal for another socket", v.ID)
		}
	}
	if tried < 2 {
		t.Errorf("only %d vectors were tried", tried)
	}
}

func TestEncryptedPrincipalIsForgotten(t *testing.T) {
	now := time.UnixMilli(1767225600123)
	a := newAuthorizer(t, authz.Config{Rules: anyone(t), Now: func() time.Time { return now }})
	const channel = "private-encrypted-x"
	if _, _, err := a.Channel(t.Context(), authz.Ask{App: app(), SocketID: socket, Channel: channel, User: user("7")}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if who, _, issued, ok := a.Principal(app().ID, socket, channel, "whatever"); !ok || who != "7" || now.Sub(issued) != time.Hour {
		t.Error("a client that subscribes late is not known")
	}
	for i := range 40_000 {
		if _, _, err := a.Channel(t.Context(), authz.Ask{App: app(), SocketID: fmt.Sprintf("1.%d", i), Channel: channel, User: user("8")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, ok := a.Principal(app().ID, socket, channel, ""); ok {
		t.Error("memory is not bounded")
	}
	if who, _, _, ok := a.Principal(app().ID, "1.39999", channel, ""); !ok || who != "8" {
		t.Error("the newest is forgotten")
	}
}

func TestUserAnswer(t *testing.T) {
	a := newAuthorizer(t, authz.Config{})
	answer, err := a.User(t.Context(), authz.Ask{App: app(), SocketID: socket, Channel: "ignored", User: &belfry.User{ID: "7", Name: `A"da`}, SessionID: "s7"})
	who, session, _, ok := a.Principal(app().ID, socket, "", answer.UserData)
	if !ok || who != "7" || session != "s7" {
		t.Errorf("the sign-in stands for %q %q %v", who, session, ok)
	}
	if _, _, _, ok := a.Principal(app().ID, socket, "private-a", answer.UserData); ok {
		t.Error("the token of a sign-in is taken for a channel's")
	}
	if err != nil || !strings.HasPrefix(answer.UserData, `{"id":"7","user_info":{"name":"A\"da"},"belfry":"`) || !holds(answer.Auth, pusher.UserText(socket, answer.UserData)) || answer.ChannelData != "" {
		t.Errorf("%+v %v", answer, err)
	}
	for _, c := range []struct {
		ask  authz.Ask
		code belfry.Code
	}{
		{authz.Ask{App: app(), SocketID: socket}, belfry.CodeUnauthenticated},
		{authz.Ask{App: app(), SocketID: "x", User: user("7")}, belfry.CodeInvalid},
		{authz.Ask{App: app(), SocketID: socket, User: user("auth0|7")}, belfry.CodeInvalid},
		{authz.Ask{App: app(), SocketID: socket, User: user(strings.Repeat("7", 200))}, belfry.CodeInvalid},
		{authz.Ask{SocketID: socket, User: user("7")}, belfry.CodeInvalid},
	} {
		answer, err := a.User(t.Context(), c.ask)
		if belfry.CodeOf(err) != c.code || answer != (authz.Answer{}) {
			t.Errorf("%+v: %+v %v", c.ask, answer, err)
		}
	}
	if n := a.Stats().Users; n[authz.Allowed] != 1 || n[authz.NotSignedIn] != 1 || n[authz.Invalid] != 4 {
		t.Errorf("%+v", n)
	}
}

func TestChannelRefuses(t *testing.T) {
	a := newAuthorizer(t, authz.Config{Rules: compile(t, append(authz.DefaultRules(),
		authz.Rule{Name: "big", Allow: "true", Member: "{'x': '" + strings.Repeat("x", 3000) + "'}"},
		authz.Rule{Name: "broken", Allow: "user.claims.x == 1"})...)})
	keyless, disabled, small := app(), app(), app()
	keyless.EncryptionMasterKey, disabled.Disabled = nil, true
	small.Limits.ChannelNameLength, small.Limits.PresenceUserID = 10, 2
	for _, c := range []struct {
		ask  authz.Ask
		code belfry.Code
		says string
	}{
		{authz.Ask{App: app(), SocketID: socket, Channel: "private-user.7"}, belfry.CodeUnauthenticated, "sign in first"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "private-user.8", User: user("7")}, belfry.CodeForbidden, "no right to channel private-user.8"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "private-broken", User: user("7")}, belfry.CodeForbidden, "no right"},
		{authz.Ask{App: app(), SocketID: "", Channel: "private-user.7", User: user("7")}, belfry.CodeInvalid, "socket_id is missing"},
		{authz.Ask{App: app(), SocketID: "1.2:private-x", Channel: "private-user.7", User: user("7")}, belfry.CodeInvalid, "does not look like"},
		{authz.Ask{App: app(), SocketID: strings.Repeat("1", 80) + ".1", Channel: "private-user.7", User: user("7")}, belfry.CodeInvalid, "does not look like"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "", User: user("7")}, belfry.CodeInvalid, "channel_name is missing"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "private-user 7", User: user("7")}, belfry.CodeInvalid, "not a legal name"},
		{authz.Ask{App: app(), SocketID: socket, Channel: ":user:", User: user("7")}, belfry.CodeInvalid, "not a legal name"},
		{authz.Ask{App: small, SocketID: socket, Channel: "private-user.7", User: user("7")}, belfry.CodeInvalid, "at most 10 are allowed"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "news", User: user("7")}, belfry.CodeInvalid, "needs no authorization"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "#server-to-user-7", User: user("7")}, belfry.CodeInvalid, "needs no authorization"},
		{authz.Ask{SocketID: socket, Channel: "private-user.7", User: user("7")}, belfry.CodeInvalid, "no app"},
		{authz.Ask{App: disabled, SocketID: socket, Channel: "private-user.7", User: user("7")}, belfry.CodeForbidden, "disabled"},
		{authz.Ask{App: keyless, SocketID: socket, Channel: "private-encrypted-user.7", User: user("7")}, belfry.CodeInvalid, "encryption_master_key"},
		{authz.Ask{App: keyless, SocketID: socket, Channel: "private-encrypted-user.8", User: user("7")}, belfry.CodeForbidden, "no right"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "presence-big", User: user("7")}, belfry.CodeTooLarge, "limits.presence_member_size"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "presence-system", User: user(strings.Repeat("é", 129))}, belfry.CodeTooLarge, "limits.presence_user_id"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "private-system", User: user(strings.Repeat("x", 1025))}, belfry.CodeInvalid, "user's id"},
		{authz.Ask{App: app(), SocketID: socket, Channel: "private-system", User: user("")}, belfry.CodeInvalid, "user's id"},
	} {
		answer, d, err := a.Channel(t.Context(), c.ask)
		if belfry.CodeOf(err) != c.code || !strings.Contains(belfry.Public(err), c.says) || answer != (authz.Answer{}) || d.Allowed || d.Reason == "" {
			t.Errorf("%s: %+v %+v %v", c.ask.Channel, answer, d, err)
		}
		if c.code == belfry.CodeTooLarge {
			if _, ok := errors.AsType[*pusher.OverLimit](err); !ok {
				t.Errorf("%v is not counted as a limit", err)
			}
		}
	}
	if n := a.Stats().Channels; n[authz.Refused] != 2 || n[authz.NotSignedIn] != 1 || n[authz.Failed] != 1 || n[authz.Allowed] != 0 || n[authz.Invalid] != 16 || len(n) != 7 {
		t.Errorf("%+v", n)
	}
}

// A token counts for exactly its place, and no byte of it can be changed.
func TestTokensCannotBeMovedOrChanged(t *testing.T) {
	a := newAuthorizer(t, authz.Config{Rules: anyone(t)})
	answer, _, err := a.Channel(t.Context(), authz.Ask{App: app(), SocketID: socket, Channel: "private-a", User: user("7"), SessionID: "s"})
	if err != nil {
		t.Fatal(err)
	}
	data := answer.ChannelData
	var parsed struct{ Belfry string }
	if err := json.Unmarshal([]byte(data), &parsed); err != nil {
		t.Fatal(err)
	}
	token := parsed.Belfry
	for _, c := range [][4]string{
		{"730042", socket, "private-a", data}, {"", socket, "private-a", data}, {"730041", "4321.9876", "private-a", data},
		{"730041", socket, "private-b", data}, {"730041", socket, "private-", data}, {"730041", socket, "presence-a", data},
		{"730041", socket, "private-encrypted-a", data}, {"7300414", "321.98765", "private-a", data},
		{"730041", socket, "private-a", ""}, {"730041", socket, "private-a", "{}"}, {"730041", socket, "private-a", `{"belfry":7}`},
		{"730041", socket, "private-a", `{"belfry":""}`}, {"730041", socket, "private-a", `{"user_id":"7"}`}, {"730041", socket, "private-a", `"belfry"`},
		{"730041", socket, "private-a", `{"belfry":"` + token + `"`}, {"730041", socket, "private-a", `{"belfry":"` + token + `="}`},
		{"730041", socket, "private-a", `{"belfry":"` + strings.Repeat("A", 100_000) + `"}`},
	} {
		if who, _, _, ok := a.Principal(c[0], c[1], c[2], c[3]); ok || who != "" {
			t.Errorf("%.100q gave %q", c, who)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, b []byte) {
		if _, _, _, ok := a.Principal("730041", socket, "private-a", `{"belfry":"`+base64.RawURLEncoding.EncodeToString(b)+`"}`); ok {
			t.Errorf("%s is taken", what)
		}
	}
	for i := range raw {
		for bit := range 8 {
			b := bytes.Clone(raw)
			b[i] ^= 1 << bit
			try(fmt.Sprintf("byte %d, bit %d", i, bit), b)
		}
		try(fmt.Sprintf("the first %d bytes", i), raw[:i])
		try(fmt.Sprintf("all from byte %d", i+1), raw[i+1:])
	}
	try("one byte more", append(bytes.Clone(raw), 0))
	other := newAuthorizer(t, authz.Config{Key: bytes.Repeat([]byte{8}, 32)})
	if _, _, _, ok := other.Principal("730041", socket, "private-a", data); ok {
		t.Error("a token of another key is taken")
	}
}

func FuzzPrincipal(f *testing.F) {
	a := newAuthorizer(f, authz.Config{Rules: anyone(f)})
	answer, _, err := a.Channel(f.Context(), authz.Ask{App: app(), SocketID: socket, Channel: "private-a", User: user("7")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer.ChannelData)
	f.Add(`{"belfry":"AQ"}`)
	f.Fuzz(func(t *testing.T, data string) {
		who, _, _, ok := a.Principal("730041", socket, "private-a", data)
		if ok && who != "7" || !ok && who != "" {
			t.Errorf("%q gives %q", data, who)
		}
	})
}

func TestSetRulesTakesEffectAtOnce(t *testing.T) {
	a := newAuthorizer(t, authz.Config{})
	ask := authz.Ask{App: app(), SocketID: socket, Channel: "private-user.7", User: user("7")}
	if _, _, err := a.Channel(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	a.SetRules(compile(t))
	if _, d, err := a.Channel(t.Context(), ask); belfry.CodeOf(err) != belfry.CodeForbidden || a.Decide(ask.User, ask.Channel).Allowed {
		t.Errorf("%+v %v", d, err)
	}
}

func TestEachDenialIsLogged(t *testing.T) {
	var out bytes.Buffer
	a := newAuthorizer(t, authz.Config{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	header := map[string][]string{"Cookie": {"session=very-secret"}, "Authorization": {"Bearer very-secret"}}
	for _, channel := range []string{"private-user.7", "private-user.8"} {
		a.Channel(t.Context(), authz.Ask{App: app(), SocketID: socket, Channel: channel, User: user("7"), Address: "192.0.2.1", Header: header, SessionID: "very-secret"})
	}
	text := out.String()
	if strings.Count(text, "\n") != 1 || strings.Contains(text, "very-secret") {
		t.Errorf("logged:\n%s", text)
	}
	for _, want := range []string{"msg=denied", "action=channel.auth", "channel=private-user.8", "user=7", "address=192.0.2.1", "result=refused", "rule=user.{userId}", "app=730041", `reason="the rule says no"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func TestKeyMustBeWhole(t *testing.T) {
	if _, err := authz.New(authz.Config{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
}

func BenchmarkChannel(b *testing.B) {
	a := newAuthorizer(b, authz.Config{})
	ask := authz.Ask{App: app(), SocketID: socket, Channel: "private-user.7", User: user("7"), SessionID: strings.Repeat("s", 43)}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := a.Channel(context.Background(), ask); err != nil {
			b.Fatal(err)
		}
	}
}
