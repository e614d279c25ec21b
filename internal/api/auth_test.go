package api_test

import (
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
	"github.com/belfryhq/belfry/pusher"
)

type vector struct {
	ID, Kind, Title, Verdict string
	Input                    struct {
		Method, Path, Body string
		ServerTime         string `json:"server_time"`
	}
	Expect struct {
		StringToSign   string            `json:"string_to_sign"`
		RequestTargets map[string]string `json:"request_targets"`
		Status         int
	}
}

// HTTP-01 to HTTP-09: every HTTP vector, in each spelling of its target.
func TestHTTP01_Vectors(t *testing.T) { bothWays(t, testHTTP01_Vectors) }

func testHTTP01_Vectors(t *testing.T, by way) {
	raw, err := os.ReadFile("../../pusher/testdata/auth-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, v := range file.Vectors {
		if v.Kind != "http_request" {
			continue
		}
		seen++
		for spelling, target := range v.Expect.RequestTargets {
			t.Run(v.ID+"/"+spelling, func(t *testing.T) {
				f := by.start(t)
				seconds, err := strconv.ParseInt(v.Input.ServerTime, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				f.now = time.Unix(seconds, 0)
				w := f.send(v.Input.Method, target, v.Input.Body)
				if v.Verdict == "accept" {
					if w.Code != 200 {
						t.Errorf("%s: got %d %s, want 200", v.Title, w.Code, w.Body)
					}
					return
				}
				refused(t, w, v.Expect.Status)
				f.nothing()
			})
		}
	}
	if seen < 18 {
		t.Errorf("only %d HTTP vectors found", seen)
	}
}

// HTTP-02, HTTP-09, GEN-06: a wrong signature shows the string to sign, never
// the secret.
func TestHTTP02_MismatchShowsTheStringToSign(t *testing.T) {
	bothWays(t, testHTTP02_MismatchShowsTheStringToSign)
}

func testHTTP02_MismatchShowsTheStringToSign(t *testing.T, by way) {
	f := by.start(t)
	target := strings.Replace(f.target("GET", base+"/channels", ""), "auth_signature=", "auth_signature=0", 1)
	w := f.send("GET", target, "")
	refused(t, w, 401, `GET\\n/apps/730041/channels\\nauth_key=demo-key-a1b2c3d4e5&auth_timestamp=1767225600&auth_version=1.0`)
}

// HTTP-02: names are lower-cased for lookup and for signing.
func TestHTTP02_ParameterNamesInAnyCase(t *testing.T) {
	bothWays(t, testHTTP02_ParameterNamesInAnyCase)
}

func testHTTP02_ParameterNamesInAnyCase(t *testing.T, by way) {
	f := by.start(t)
	target := f.target("GET", base+"/channels", "")
	target = strings.NewReplacer("auth_key", "Auth_Key", "auth_signature", "AUTH_SIGNATURE").Replace(target)
	want(t, f.send("GET", target, ""), 200, `{"channels":{}}`)
}

// HTTP-03, HTTP-12: unknown parameters are signed and otherwise ignored.
func TestHTTP03_UnknownParametersAreSigned(t *testing.T) {
	bothWays(t, testHTTP03_UnknownParametersAreSigned)
}

func testHTTP03_UnknownParametersAreSigned(t *testing.T, by way) {
	f := by.start(t)
	want(t, f.get("/channels", "zebra=1", "info[]=a"), 200, `{"channels":{}}`)
	refused(t, f.send("GET", f.target("GET", base+"/channels", "")+"&late=1", ""), 401, "late=1")

	text := "GET\n" + base + "/channels\nauth_key=" + key + "&auth_timestamp=1767225600&auth_version=1.0&tags=a,b"
	target := base + "/channels?auth_key=" + key + "&auth_timestamp=1767225600&auth_version=1.0&tags[]=a&tags[]=b&auth_signature=" + pusher.Sign(secret, text)
	want(t, f.send("GET", target, ""), 200, `{"channels":{}}`)
}

// HTTP-04: the query is split on & alone; a literal + is tried as a plus, then
// as a space.
func TestHTTP04_RawQuery(t *testing.T) { bothWays(t, testHTTP04_RawQuery) }

func testHTTP04_RawQuery(t *testing.T, by way) {
	f := by.start(t)
	f.hub.states["a;b=c,d@e"] = occupied(1, 0)
	sign := func(wire, plain string) string {
		text := "GET\n" + base + "/channels\nauth_key=" + key + "&auth_timestamp=1767225600&auth_version=1.0&filter_by_prefix=" + plain
		return base + "/channels?auth_key=" + key + "&auth_timestamp=1767225600&auth_version=1.0&filter_by_prefix=" + wire + "&auth_signature=" + pusher.Sign(secret, text)
	}
	for wire, plain := range map[string]string{
		"a;b=c,d@": "a;b=c,d@", "a%3Bb%3Dc%2Cd%40": "a;b=c,d@", "a;b%3dc": "a;b=c",
	} {
		want(t, f.send("GET", sign(wire, plain), ""), 200, `{"channels":{"a;b=c,d@e":{}}}`)
	}
	for wire, plain := range map[string]string{"x+y": "x+y", "x%2By": "x+y", "p+q": "p q", "100%zz": "100%zz"} {
		want(t, f.send("GET", sign(wire, plain), ""), 200, `{"channels":{}}`)
	}
}

// HTTP-05: the caller may have signed the decoded path or the raw one, with the
// prefix of the URL or without it.
func TestHTTP05_SignedPaths(t *testing.T) { bothWays(t, testHTTP05_SignedPaths) }

func testHTTP05_SignedPaths(t *testing.T, by way) {
	const decoded, raw = base + "/channels/a@b", base + "/channels/a%40b"
	cases := []struct{ name, prefix, wire, signed string }{
		{"decoded", "", raw, decoded},
		{"raw", "", raw, raw},
		{"prefix stripped", "/rt", "/rt" + raw, decoded},
		{"prefix stripped, raw", "/rt", "/rt" + raw, raw},
		{"prefix signed", "/rt", "/rt" + raw, "/rt" + decoded},
		{"prefix taken off by a proxy", "/rt", raw, "/rt" + decoded},
		{"no prefix used", "/rt", raw, decoded},
		{"prefix written without slash", "rt/", "/rt" + raw, decoded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := by.start(t, func(_ *belfry.App, cfg *api.Config) { cfg.PathPrefix = c.prefix })
			text := "GET\n" + c.signed + "\nauth_key=" + key + "&auth_timestamp=1767225600&auth_version=1.0"
			target := c.wire + "?auth_key=" + key + "&auth_timestamp=1767225600&auth_version=1.0&auth_signature=" + pusher.Sign(secret, text)
			want(t, f.send("GET", target, ""), 200, `{"occupied":false}`)
		})
	}
	t.Run("another path", func(t *testing.T) {
		f := by.start(t)
		target := f.target("GET", base+"/channels", "")
		refused(t, f.send("GET", strings.Replace(target, "/channels", "/channels/x", 1), ""), 401, "signature mismatch")
	})
}

// HTTP-06, LIMIT-16: 600 s pass, 601 fail, both ways.
func TestHTTP06_ClockWindow(t *testing.T) { bothWays(t, testHTTP06_ClockWindow) }

func testHTTP06_ClockWindow(t *testing.T, by way) {
	for offset, status := range map[int]int{0: 200, 600: 200, -600: 200, 601: 401, -601: 401} {
		f := by.start(t)
		target := signed("GET", base+"/channels", "", now.Add(time.Duration(offset)*time.Second))
		if w := f.send("GET", target, ""); w.Code != status {
			t.Errorf("offset %d s: got %d %s, want %d", offset, w.Code, w.Body, status)
		}
	}
}

// HTTP-07: body_md5 of nothing on a request without a body.
func TestHTTP07_MD5OfAnEmptyBody(t *testing.T) { bothWays(t, testHTTP07_MD5OfAnEmptyBody) }

func testHTTP07_MD5OfAnEmptyBody(t *testing.T, by way) {
	f := by.start(t)
	want(t, f.get("/channels", "body_md5=d41d8cd98f00b204e9800998ecf8427e"), 200, `{"channels":{}}`)
	refused(t, f.get("/channels", "body_md5=d41d8cd98f00b204e9800998ecf8427f"), 401, "body_md5")
}

// HTTP-08: the MD5 is computed and compared.
func TestHTTP08_BodyChangedAfterSigning(t *testing.T) {
	bothWays(t, testHTTP08_BodyChangedAfterSigning)
}

func testHTTP08_BodyChangedAfterSigning(t *testing.T, by way) {
	f := by.start(t)
	body := `{"name":"e","channel":"c","data":"1"}`
	target := f.target("POST", base+"/events", body)
	refused(t, f.send("POST", target, strings.Replace(body, "1", "2", 1)), 401, "body_md5")
	refused(t, f.send("POST", f.target("POST", base+"/events", ""), body), 401, "body_md5 is required")
	f.nothing()
}

// HTTP-09: everything that fails in the signature group is a 401.
func TestHTTP09_SignatureGroup(t *testing.T) { bothWays(t, testHTTP09_SignatureGroup) }

func testHTTP09_SignatureGroup(t *testing.T, by way) {
	good := by.start(t).target("GET", base+"/channels", "")
	without := func(name string) string {
		path, query, _ := strings.Cut(good, "?")
		pairs := strings.Split(query, "&")
		pairs = slices.DeleteFunc(pairs, func(p string) bool { return strings.HasPrefix(p, name+"=") })
		return path + "?" + strings.Join(pairs, "&")
	}
	cases := map[string]struct{ target, says string }{
		"no query":          {base + "/channels", "auth_key is missing"},
		"no key":            {without("auth_key"), "auth_key is missing"},
		"unknown key":       {strings.Replace(good, key, "nobody", 1), "nobody"},
		"no timestamp":      {without("auth_timestamp"), "auth_timestamp is missing"},
		"bad timestamp":     {strings.Replace(good, "1767225600", "soon", 1), "soon"},
		"no version":        {without("auth_version"), "auth_version"},
		"wrong version":     {strings.Replace(good, "1.0", "1.1", 1), "auth_version"},
		"no signature":      {without("auth_signature"), "auth_signature is missing"},
		"upper case digest": {good[:len(good)-64] + strings.ToUpper(good[len(good)-64:]), "signature mismatch"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { refused(t, by.start(t).send("GET", c.target, ""), 401, c.says) })
	}
	t.Run("another app's key", func(t *testing.T) {
		f := by.start(t)
		f.hub.apps["2"] = &belfry.App{ID: "2", Keys: []belfry.Credential{{Key: "other", Secret: "x"}}, Limits: belfry.DefaultLimits()}
		refused(t, f.call("GET", "/apps/2/channels", ""), 401, "is not a key of this app")
	})
}

// HTTP-09: route, app, signature, disabled, rate, content, in this order. The
// later faults are all in the request; the first decides.
func TestHTTP09_Order(t *testing.T) { bothWays(t, testHTTP09_Order) }

func testHTTP09_Order(t *testing.T, by way) {
	f := by.start(t, func(a *belfry.App, _ *api.Config) {
		a.Disabled = true
		a.Limits.HTTPRequestsPerSecond = 1
	})
	refused(t, f.send("POST", "/apps/9/nowhere", "{"), 404, "no such route")
	refused(t, f.send("DELETE", "/apps/9/events", ""), 405)
	refused(t, f.send("POST", "/apps/9/events", "{"), 404, `no app has the id`)
	refused(t, f.send("POST", base+"/events", "{"), 401)
	refused(t, f.post("/events", "{"), 403, "disabled")
	f.app.Disabled = false
	refused(t, f.post("/events", "{"), 400) // takes the allowance
	refused(t, f.post("/events", "{"), 429)
}

// HTTP-10: any string is an app id, decoded once.
func TestHTTP10_AnyAppID(t *testing.T) { bothWays(t, testHTTP10_AnyAppID) }

func testHTTP10_AnyAppID(t *testing.T, by way) {
	f := by.start(t)
	odd := *f.app
	odd.ID = "my app/ü%41"
	f.hub.apps[odd.ID] = &odd
	want(t, f.call("GET", "/apps/"+url.PathEscape(odd.ID)+"/channels", ""), 200, `{"channels":{}}`)
}

// GEN-02: each active key signs, several secrets of one key too.
func TestGEN02_Rotation(t *testing.T) { bothWays(t, testGEN02_Rotation) }

func testGEN02_Rotation(t *testing.T, by way) {
	f := by.start(t)
	f.app.Keys = append(f.app.Keys, belfry.Credential{Key: key, Secret: "next"})
	text := "GET\n" + base + "/channels\nauth_key=" + key + "&auth_timestamp=1767225600&auth_version=1.0"
	for _, s := range []string{secret, "next"} {
		target := base + "/channels?auth_key=" + key + "&auth_timestamp=1767225600&auth_version=1.0&auth_signature=" + pusher.Sign(s, text)
		want(t, f.send("GET", target, ""), 200, `{"channels":{}}`)
	}
}
