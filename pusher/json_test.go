package pusher_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/belfryhq/belfry/pusher"
)

// maxNesting is how deep a message's JSON may be nested, the message included.
const maxNesting = 512

func TestJSON_NestingIsBounded(t *testing.T) {
	for _, c := range []struct {
		open, end string
		levels    int
		accepted  bool
	}{
		{"[", "]", maxNesting - 1, true},
		{"[", "]", maxNesting, false},
		{`{"a":`, "}", maxNesting - 1, true},
		{`{"a":`, "}", maxNesting, false},
		{"[", "]", 100_000, false},
	} {
		data := strings.Repeat(c.open, c.levels) + "1" + strings.Repeat(c.end, c.levels)
		_, err := pusher.ParseMessage([]byte(`{"event":"e","data":` + data + `}`))
		if (err == nil) != c.accepted {
			t.Errorf("%d levels of %s: %v", c.levels, c.open, err)
		}
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                     `""`,
		"plain":                `"plain"`,
		`a"b\c/d`:              `"a\"b\\c/d"`,
		"\n\r\t\b\f\x00\x1f":   `"\n\r\t\u0008\u000c\u0000\u001f"`,
		"\x7f<>&'":             "\"\x7f<>&'\"",
		"Zoë 東京 🚀\u2028":       "\"Zoë 東京 🚀\u2028\"",
		"a\xffb\xc3(c\xe6\x9d": "\"a\ufffdb\ufffd(c\ufffd\ufffd\"",
		"\xed\xa0\x80":         "\"\ufffd\ufffd\ufffd\"",
		"\ufffd":               "\"\ufffd\"",
	} {
		if got := string(pusher.AppendString(nil, in)); got != want {
			t.Errorf("%q becomes %s, want %s", in, got, want)
		}
		if got := string(pusher.AppendString(nil, []byte(in))); got != want {
			t.Errorf("bytes %q become %s, want %s", in, got, want)
		}
	}
}

// FuzzJSON compares the package's scanner with encoding/json on any value: it
// must accept the same texts, but for invalid UTF-8 and deep nesting, and give
// the value as it stands.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`1`, `-0.5e+10`, `01`, `1.`, `.5`, `1e`, `-`, `+1`, `""`, `"\u00e9"`, `"\ud83d\ude80"`, `"\ud800"`, `"\u12"`, `"\a"`, `"`, "\"\n\"",
		`{}`, `{"a":1,"a":2}`, `{"a":1,}`, `{,}`, `{"a"}`, `{1:2}`, `[]`, `[1,]`, `[,]`, `[1 2]`, `true`, `tru`, `null`, `nul`, ` [ ] `, "\xff", "\"\xff\"",
		strings.Repeat("[", 511) + strings.Repeat("]", 511), strings.Repeat("[", 512) + strings.Repeat("]", 512), "\u00a01", "1\x00", "\v1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		doc := append(append([]byte(`{"event":"e","data":`), value...), '}')
		m, err := pusher.ParseMessage(doc)
		if err != nil {
			if json.Valid(value) && utf8.Valid(value) && nesting(value) < maxNesting {
				t.Fatalf("%q is refused: %v", value, err)
			}
			return
		}
		switch {
		case !utf8.Valid(value):
			t.Fatalf("%q is accepted though it is not UTF-8", value)
		case !json.Valid(doc):
			t.Fatalf("%q is accepted though it is not JSON", doc)
		case json.Valid(value) && nesting(value) >= maxNesting:
			t.Fatalf("nesting of %d levels is accepted", nesting(value))
		case json.Valid(value) && !bytes.Equal(m.Data, bytes.Trim(value, " \t\r\n")):
			t.Fatalf("%q is given as %q", value, m.Data)
		}
	})
}

// nesting counts the levels of a valid JSON text.
func nesting(value []byte) int {
	d := json.NewDecoder(bytes.NewReader(value))
	depth, most := 0, 0
	for {
		token, err := d.Token()
		if err != nil {
			return most
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
			most = max(most, depth)
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}

// FuzzParseMessage holds the reading of the envelope against encoding/json.
func FuzzParseMessage(f *testing.F) {
	for _, c := range []string{
		`{"event":"pusher:ping","data":{}}`, `{"event":"e","channel":"c","data":"{\"a\":1}"}`, `{"event":5}`, `{}`, `[]`, `null`, ``, `{"event":"a","event":"b"}`,
		`{"\u0065vent":"\ud83d\ude80","channel":null}`, `{"event":"e","data":{"channel":"x","auth":"","channel_data":"{\"user_id\":1}"}}`,
		`{"event":"e","data":"{\"channel\":\"x\"}"}`, `{"Event":"e"}`, "{\"event\":\"\xff\"}", `{"event":"e","data":[[[[]]]]} `, `{"event":"e","channel":7}`,
	} {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := pusher.ParseMessage(in)
		var members map[string]json.RawMessage
		bad := json.Unmarshal(in, &members)
		if err != nil {
			if strings.Contains(err.Error(), "not valid JSON") && json.Valid(in) && utf8.Valid(in) && nesting(in) <= maxNesting {
				t.Fatalf("%q is refused: %v", in, err)
			}
			return
		}
		if bad != nil || members == nil {
			t.Fatalf("%q is accepted, encoding/json says %v", in, bad)
		}
		if event := decoded(t, members["event"]); m.Event != event {
			t.Fatalf("event %q, want %q", m.Event, event)
		}
		if channel := decoded(t, members["channel"]); m.Channel != channel {
			// A null after a name leaves the name, in both readings of twice.
			if channel != "" || string(members["channel"]) != "null" {
				t.Fatalf("channel %q, want %q", m.Channel, channel)
			}
		}
		if !bytes.Equal(m.Data, members["data"]) {
			t.Fatalf("data %q, want %q", m.Data, members["data"])
		}
		// What follows must not panic, whatever the data.
		pusher.ParseSubscribe(m)
		pusher.ParseUnsubscribe(m)
		if s, err := pusher.ParseSignin(m); err == nil {
			pusher.ParseUser(s.UserData, 199)
		}
		pusher.ParseMember(string(m.Data))
		if m.Data != nil {
			checkClientEventData(t, m)
		}
	})
}

func decoded(t *testing.T, raw json.RawMessage) (s string) {
	t.Helper()
	if raw == nil {
		return ""
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatalf("%s is not a string: %v", raw, err)
	}
	return s
}

// checkClientEventData: the token is a JSON string of that size, and what it
// holds has the value of data (CE-06).
func checkClientEventData(t *testing.T, m pusher.Message) {
	t.Helper()
	token, size := pusher.ClientEventData(m)
	s := decoded(t, token)
	if len(s) != size {
		t.Fatalf("%s has %d bytes, not %d", token, len(s), size)
	}
	if m.Data[0] == '"' {
		if !bytes.Equal(token, m.Data) {
			t.Fatalf("the string %s became %s", m.Data, token)
		}
		return
	}
	var want bytes.Buffer
	if err := json.Compact(&want, m.Data); err != nil {
		t.Fatal(err)
	}
	if s != want.String() {
		t.Fatalf("%s became %s, want %s", m.Data, s, &want)
	}
}

// FuzzAppendString: what goes in comes out, through encoding/json and through
// the package's own reading.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", "\x00\"\\/\u2028é🚀", "\xff", "\ud7ff\ufffd", "a\tb\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token := pusher.AppendString(nil, s)
		if got := decoded(t, token); got != string([]rune(s)) {
			t.Fatalf("%q came back as %q", s, got)
		}
		if !json.Valid(token) || !utf8.Valid(token) {
			t.Fatalf("%q became %q", s, token)
		}
		m, err := pusher.ParseMessage(append(append([]byte(`{"event":`), token...), '}'))
		if err != nil {
			t.Fatal(err)
		}
		if m.Event != decoded(t, token) {
			t.Fatalf("%s reads as %q", token, m.Event)
		}
	})
}
