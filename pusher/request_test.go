package pusher_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/pusher"
)

const (
	testKey    = "key-1"
	testSecret = "secret-1"
)

var noon = time.Unix(1767225600, 0)

func testSecrets(key string) []string {
	switch key {
	case testKey:
		return []string{"secret-old", testSecret}
	case "key-2":
		return []string{"secret-2"}
	}
	return nil
}

// signed gives the query that a client sends: rest as it stands on the wire,
// then the signature over text.
func signed(method, path, text, rest string) string {
	return rest + "&auth_signature=" + pusher.Sign(testSecret, method+"\n"+path+"\n"+text)
}

const auth = "auth_key=key-1&auth_timestamp=1767225600&auth_version=1.0"

func TestHTTP02_StringToSign(t *testing.T) {
	q := pusher.ParseQuery("Zeta=1&auth_signature=zzz&B=2&b=1&a=x%26y%3D&auth_key=k&A_=3&empty&&novalue=", false)
	want := "GET\n/apps/1/channels\na=x&y=&a_=3&auth_key=k&b=2&b=1&empty=&novalue=&zeta=1"
	if got := pusher.RequestText("get", "/apps/1/channels", q, false); got != want {
		t.Errorf("string to sign\n%q, want\n%q", got, want)
	}
	if q.Get("zeta") != "1" || q.Get("b") != "2" || q.Get("none") != "" {
		t.Error("parameters are not looked up by their lower-case names")
	}
	if _, ok := q.Lookup("empty"); !ok {
		t.Error("a parameter without a value is lost")
	}
}

func TestHTTP04_QueryIsSplitOnAmpersandsOnly(t *testing.T) {
	for raw, want := range map[string]string{
		"filter_by_prefix=a;b=c@d,":  "a;b=c@d,",
		"filter_by_prefix=a%3Bb%3dc": "a;b=c",
		"filter_by_prefix=100%":      "100%",
		"filter_by_prefix=%zz%41":    "%zzA", // only the bad escape is literal
		"filter_by_prefix=%4":        "%4",
		"filter_by_prefix=a+b":       "a+b",
		"filter_by_prefix=a%2Bb":     "a+b",
		"filter_by_prefix=%C3%A9":    "é",
		"filter_by_prefix":           "",
	} {
		if got := pusher.ParseQuery(raw, false).Get("filter_by_prefix"); got != want {
			t.Errorf("%s reads as %q, want %q", raw, got, want)
		}
	}
	if got := pusher.ParseQuery("p=a+b%2B%zz", true).Get("p"); got != "a b+%zz" {
		t.Errorf("a plus as a space reads as %q", got)
	}
}

func TestHTTP04_PlusIsLiteralOrSpace(t *testing.T) {
	const path = "/apps/1/channels"
	for value, meant := range map[string]string{"a+b": "a+b", "a b": "a b"} {
		raw := signed("GET", path, auth+"&filter_by_prefix="+meant, auth+"&filter_by_prefix=a+b")
		q, err := pusher.Request{Method: "GET", Paths: []string{path}, RawQuery: raw}.Verify(noon, testSecrets)
		if err != nil {
			t.Fatalf("signed over %q: %v", value, err)
		}
		if got := q.Get("filter_by_prefix"); got != meant {
			t.Errorf("signed over %q, the query reads as %q", value, got)
		}
	}
}

func TestHTTP03_UnknownAndRepeatedParameters(t *testing.T) {
	const path = "/apps/1/channels"
	for _, c := range []struct{ name, rest, text string }{
		{"unknown", "&x=1&zz=2", "x=1&zz=2"},
		{"repeated, wire order", "&x=2&x=1", "x=2&x=1"},
		{"array as it stands", "&x[]=2&x[]=1", "x[]=2&x[]=1"},
		{"array as PHP signs it", "&x[]=2&x[]=1", "x=2,1"},
		{"array as PHP signs and encodes it", "&x%5B0%5D=2&x%5B1%5D=1", "x=2,1"},
	} {
		raw := signed("GET", path, auth+"&"+c.text, auth+c.rest)
		if _, err := (pusher.Request{Method: "GET", Paths: []string{path}, RawQuery: raw}).Verify(noon, testSecrets); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestHTTP05_EachFormOfThePathIsTried(t *testing.T) {
	paths := []string{"/apps/1/channels/a@b", "/apps/1/channels/a%40b", "/prefix/apps/1/channels/a@b"}
	for _, path := range paths {
		r := pusher.Request{Method: "GET", Paths: paths, RawQuery: signed("GET", path, auth, auth)}
		if _, err := r.Verify(noon, testSecrets); err != nil {
			t.Errorf("signed over %s: %v", path, err)
		}
	}
	r := pusher.Request{Method: "GET", Paths: paths, RawQuery: signed("GET", "/apps/2/channels", auth, auth)}
	_, err := r.Verify(noon, testSecrets)
	refused, ok := errors.AsType[*pusher.SignatureError](err)
	if !ok || !strings.Contains(refused.Text, "GET\n"+paths[0]+"\n") {
		t.Errorf("refused with %v, want the string to sign with the likeliest path", err)
	}
	if _, err := (pusher.Request{Method: "GET", RawQuery: auth + "&auth_signature=x"}).Verify(noon, testSecrets); err == nil {
		t.Error("a request without a path is accepted")
	}
}

func TestHTTP06_ClockWindow(t *testing.T) {
	const path = "/apps/1/channels"
	for stamp, ok := range map[string]bool{
		"1767225000": true, "1767226200": true, "1767224999": false, "1767226201": false,
		"0": false, "-9223372036854775808": false, "9223372036854775807": false, "1767225600.5": false, "": false, "99999999999999999999": false,
	} {
		rest := "auth_key=key-1&auth_timestamp=" + stamp + "&auth_version=1.0"
		r := pusher.Request{Method: "GET", Paths: []string{path}, RawQuery: signed("GET", path, rest, rest)}
		if _, err := r.Verify(noon, testSecrets); (err == nil) != ok {
			t.Errorf("timestamp %q at %d: %v", stamp, noon.Unix(), err)
		}
	}
}

func TestHTTP07_MD5OfAnEmptyBody(t *testing.T) {
	const path = "/apps/1/channels"
	rest := auth + "&body_md5=d41d8cd98f00b204e9800998ecf8427e"
	r := pusher.Request{Method: "GET", Paths: []string{path}, RawQuery: signed("GET", path, rest, rest)}
	if _, err := r.Verify(noon, testSecrets); err != nil {
		t.Error(err)
	}
	// It takes part in the signature: left out of the text, it does not hold.
	r.RawQuery = signed("GET", path, auth, rest)
	if _, err := r.Verify(noon, testSecrets); err == nil {
		t.Error("accepted without body_md5 in the string to sign")
	}
}

// HTTP-09: each way to be wrong has a sentence of its own, in the order of the
// checks, and none shows a secret (GEN-06).
func TestHTTP09_Refusals(t *testing.T) {
	const path = "/apps/1/events"
	body := []byte(`{"name":"e","channel":"c","data":""}`)
	sum := md5.Sum(body)
	full := func(change map[string]string) string {
		v := map[string]string{"auth_key": testKey, "auth_timestamp": strconv.FormatInt(noon.Unix(), 10), "auth_version": "1.0", "body_md5": hex.EncodeToString(sum[:])}
		for name, value := range change {
			v[name] = value
			if value == "-" {
				delete(v, name)
			}
		}
		var text, wire []string
		for _, name := range []string{"auth_key", "auth_timestamp", "auth_version", "body_md5"} {
			if value, ok := v[name]; ok {
				text = append(text, name+"="+value)
				wire = append(wire, name+"="+url.QueryEscape(value))
			}
		}
		return signed("POST", path, strings.Join(text, "&"), strings.Join(wire, "&"))
	}
	verify := func(raw string) error {
		_, err := pusher.Request{Method: "POST", Paths: []string{path}, RawQuery: raw, Body: body}.Verify(noon, testSecrets)
		return err
	}
	if err := verify(full(nil)); err != nil {
		t.Fatal(err)
	}
	for says, raw := range map[string]string{
		"auth_key is missing":           full(map[string]string{"auth_key": "-"}),
		`auth_key "other" is not a key`: full(map[string]string{"auth_key": "other"}),
		"auth_timestamp is missing":     full(map[string]string{"auth_timestamp": "-"}),
		`auth_timestamp "now" is malf`:  full(map[string]string{"auth_timestamp": "now"}),
		"outside the window":            full(map[string]string{"auth_timestamp": "1767220000"}),
		`must be 1.0, not ""`:           full(map[string]string{"auth_version": "-"}),
		`must be 1.0, not "2.0"`:        full(map[string]string{"auth_version": "2.0"}),
		"body_md5 is required":          full(map[string]string{"body_md5": "-"}),
		"body_md5 mismatch":             full(map[string]string{"body_md5": "D" + hex.EncodeToString(sum[:])[1:]}),
		"auth_signature is missing":     strings.Split(full(nil), "&auth_signature")[0],
		"signature mismatch":            full(nil) + "0",
		"is not a key of this app":      "",
	} {
		if raw == "" {
			raw = full(map[string]string{"auth_key": strings.Repeat("k", 500)})
		}
		err := verify(raw)
		if _, ok := errors.AsType[*pusher.SignatureError](err); !ok || !strings.Contains(err.Error(), says) {
			t.Errorf("refused with %v, want %q", err, says)
			continue
		}
		if strings.Contains(err.Error(), testSecret) || len(err.Error()) > 600 {
			t.Errorf("the error shows too much: %v", err)
		}
	}
	err := verify(full(nil) + "0")
	if !strings.Contains(err.Error(), `POST\n/apps/1/events\nauth_key=key-1&auth_timestamp=1767225600`) {
		t.Errorf("the error does not show the string to sign: %v", err)
	}
	upper := strings.ToUpper(pusher.Sign(testSecret, "x"))
	if pusher.Verify([]string{testSecret}, "x", upper) {
		t.Error("upper-case hex is accepted (AUTH-06)")
	}
}

func TestGEN02_AnyActiveSecretVerifies(t *testing.T) {
	secrets := []string{"new", "old"}
	for _, s := range secrets {
		if !pusher.Verify(secrets, "text", pusher.Sign(s, "text")) {
			t.Errorf("the signature by %q is refused", s)
		}
	}
	for _, signature := range []string{"", "0", pusher.Sign("other", "text"), pusher.Sign("new", "other")} {
		if pusher.Verify(secrets, "text", signature) {
			t.Errorf("%q is accepted", signature)
		}
	}
	if pusher.Verify(nil, "text", pusher.Sign("", "text")) {
		t.Error("accepted without any secret")
	}
}

func TestAUTH06_SplitAuth(t *testing.T) {
	for in, want := range map[string][3]string{
		"key:sig": {"key", "sig", "ok"}, "key:a:b": {"key", "a:b", "ok"}, "key::user::sig": {"key", ":user::sig", "ok"},
		"": {}, ":": {}, "key": {"key"}, "key:": {"key"}, ":sig": {"", "sig"},
	} {
		key, signature, ok := pusher.SplitAuth(in)
		if key != want[0] || signature != want[1] || ok != (want[2] == "ok") {
			t.Errorf("%q parts into %q, %q, %t", in, key, signature, ok)
		}
	}
}

// CH-03 stands before signatures because a channel name with colons could make
// a channel's signature serve as a user's: the strings are equal, the name is
// illegal.
func TestAUTH05_UserTextCollidesOnlyWithIllegalNames(t *testing.T) {
	name := `:user::{"id":"7"}`
	if pusher.ChannelText("1.2", name, "", false) != pusher.UserText("1.2", `{"id":"7"}`) {
		t.Fatal("the example shows no collision")
	}
	if pusher.ValidName(name, 200) {
		t.Error("the name is accepted")
	}
}
