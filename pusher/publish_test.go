package pusher_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

var naming = pusher.Naming{Limits: belfry.DefaultLimits()}

// HTTP-21 to HTTP-26: what a body means.
func TestHTTP21_ParseEvent(t *testing.T) {
	for body, want := range map[string]pusher.Event{
		`{"name":"e","channel":"c","data":"1"}`:                                         {Name: "e", Channels: []string{"c"}, Data: []byte(`"1"`), Size: 1},
		` { "data" : "" , "channel" : "c" , "name" : "e" } `:                            {Name: "e", Channels: []string{"c"}, Data: []byte(`""`)},
		`{"name":"e","channel":"c","channels":["a","b","a"],"data":"1"}`:                {Name: "e", Channels: []string{"a", "b"}, Data: []byte(`"1"`), Size: 1},
		`{"name":"e","channel":"c","channels":null,"data":"1"}`:                         {Name: "e", Channels: []string{"c"}, Data: []byte(`"1"`), Size: 1},
		`{"name":"A\\B\u0021","channel":"c","data":"\u00e9\/\ud83d\ude00"}`:             {Name: `A\B!`, Channels: []string{"c"}, Data: []byte(`"\u00e9\/\ud83d\ude00"`), Size: 7},
		`{"name":"e","channel":"c","data":{ "b" : 1.50, "a" : [ "x y", null ] }}`:       {Name: "e", Channels: []string{"c"}, Data: []byte(`"{\"b\":1.50,\"a\":[\"x y\",null]}"`), Size: 27},
		`{"name":"e","channel":"c","data":12345678901234567890}`:                        {Name: "e", Channels: []string{"c"}, Data: []byte(`"12345678901234567890"`), Size: 20},
		`{"name":"e","channel":"c","data":true,"socket_id":"1.2"}`:                      {Name: "e", Channels: []string{"c"}, Data: []byte(`"true"`), Size: 4, SocketID: "1.2"},
		`{"name":"e","channel":"c","data":"","socket_id":"","info":"a, b,,"}`:           {Name: "e", Channels: []string{"c"}, Data: []byte(`""`), Info: []string{"a", "b"}, HasInfo: true},
		`{"name":"e","channel":"c","data":"","socket_id":null,"info":null}`:             {Name: "e", Channels: []string{"c"}, Data: []byte(`""`)},
		`{"name":"e","channel":"c","data":"","info":""}`:                                {Name: "e", Channels: []string{"c"}, Data: []byte(`""`), HasInfo: true},
		`{"name":"e","channel":"c","data":"","receipt":true,"Name":1,"x":{"name":[]}}`:  {Name: "e", Channels: []string{"c"}, Data: []byte(`""`), Receipt: true},
		`{"name":"e","channel":"c","data":"","receipt":"true"}`:                         {Name: "e", Channels: []string{"c"}, Data: []byte(`""`)},
		`{"name":"e","channel":"#server-to-user-7","data":""}`:                          {Name: "e", Channels: []string{"#server-to-user-7"}, Data: []byte(`""`)},
		`{"name":"client-e","channel":"presence-","data":""}`:                           {Name: "client-e", Channels: []string{"presence-"}, Data: []byte(`""`)},
		`{"name":"pusher-e","channel":"c","data":"\"quoted\""}`:                         {Name: "pusher-e", Channels: []string{"c"}, Data: []byte(`"\"quoted\""`), Size: 8},
		`{"name":"first","name":"e","channel":"b","channel":"c","data":"0","data":"1"}`: {Name: "e", Channels: []string{"c"}, Data: []byte(`"1"`), Size: 1},
		`{"name":"e","channels":["a"],"channels":null,"channel":"c","data":"1"}`:        {Name: "e", Channels: []string{"c"}, Data: []byte(`"1"`), Size: 1},
		`{"name":"e","channel":"c","data":"` + strings.Repeat("\\u20ac", 3413) + `x"}`:  {Name: "e", Channels: []string{"c"}, Data: []byte(`"` + strings.Repeat("\\u20ac", 3413) + `x"`), Size: 10240},
		`{"name":"e","channel":"` + strings.Repeat("c", 200) + `","data":""}`:           {Name: "e", Channels: []string{strings.Repeat("c", 200)}, Data: []byte(`""`)},
		`{"name":"` + strings.Repeat("€", 200) + `","channel":"c","data":""}`:           {Name: strings.Repeat("€", 200), Channels: []string{"c"}, Data: []byte(`""`)},
	} {
		got, err := pusher.ParseEvent([]byte(body), naming)
		if err != nil {
			t.Errorf("%.80s: %v", body, err)
			continue
		}
		if got.Name != want.Name || !slices.Equal(got.Channels, want.Channels) || !bytes.Equal(got.Data, want.Data) || got.Size != want.Size ||
			got.SocketID != want.SocketID || !slices.Equal(got.Info, want.Info) || got.HasInfo != want.HasInfo || got.Receipt != want.Receipt {
			t.Errorf("%.80s\ngot  %+v\nwant %+v", body, got, want)
		}
	}
}

// Refusals by a limit name it in a way that code can read.
func TestOverLimit(t *testing.T) {
	long := strings.Repeat("n", 201)
	cases := []struct {
		body string
		code belfry.Code
		want pusher.OverLimit
	}{
		{`{"name":"e","channel":"c","data":"` + strings.Repeat("x", 10241) + `"}`, belfry.CodeTooLarge, pusher.OverLimit{Limit: "event_data", Event: "e", Channel: "c", Size: 10241, Max: 10240}},
		{`{"name":"` + long + `","channel":"c","data":""}`, belfry.CodeInvalid, pusher.OverLimit{Limit: "event_name_length", Event: long[:100] + "…", Size: 201, Max: 200}},
		{`{"name":"e","channel":"` + long + `","data":""}`, belfry.CodeInvalid, pusher.OverLimit{Limit: "channel_name_length", Channel: long[:100] + "…", Size: 201, Max: 200}},
		{`{"name":"e","channels":["` + strings.Repeat(`a","`, 100) + `b"],"data":""}`, belfry.CodeInvalid, pusher.OverLimit{Limit: "channels_per_event", Event: "e", Size: 101, Max: 100}},
	}
	for _, c := range cases {
		_, err := pusher.ParseEvent([]byte(c.body), naming)
		got, ok := errors.AsType[*pusher.OverLimit](err)
		if !ok || *got != c.want || belfry.CodeOf(err) != c.code {
			t.Errorf("%.60s: %+v of %v, want %+v", c.body, got, err, c.want)
		}
		_, err = pusher.ParseBatch([]byte(`{"batch":[`+c.body+`]}`), naming)
		if got, ok = errors.AsType[*pusher.OverLimit](err); !ok || *got != c.want || belfry.CodeOf(err) != c.code || !strings.HasPrefix(belfry.Public(err), "batch event 0: ") {
			t.Errorf("in a batch: %+v of %v, want %+v", got, err, c.want)
		}
	}
	zero := naming
	zero.Limits.EventData = 0
	_, err := pusher.ParseEvent([]byte(`{"name":"e","channel":"c","data":"x"}`), zero)
	if belfry.CodeOf(err) != belfry.CodeForbidden || !strings.Contains(belfry.Public(err), "limits.event_data is 0") {
		t.Errorf("a limit of zero: %v", err)
	}
}

// CH-03, HTTP-24: names and their longest.
func TestCH03_CheckChannel(t *testing.T) {
	strict, unlimited := naming, naming
	strict.Strict = true
	unlimited.Limits.ChannelNameLength = belfry.Unlimited
	for _, c := range []struct {
		naming pusher.Naming
		name   string
		ok     bool
	}{
		{naming, strings.Repeat("c", 200), true},
		{naming, strings.Repeat("c", 201), false},
		{strict, strings.Repeat("c", 164), true},
		{strict, strings.Repeat("c", 165), false},
		{unlimited, strings.Repeat("c", 5000), true},
		{naming, "", false},
		{naming, "a:b", false},
		{naming, "#x", false},
		{naming, "#server-to-user-", false},
		{naming, "#server-to-user-" + strings.Repeat("u", 199), true},
		{naming, "#server-to-user-" + strings.Repeat("u", 200), false},
	} {
		if err := c.naming.CheckChannel(c.name); (err == nil) != c.ok {
			t.Errorf("%.30q of %d: %v", c.name, len(c.name), err)
		}
	}
}

// HTTP-31, HTTP-32: a batch is taken whole or not at all.
func TestHTTP31_ParseBatch(t *testing.T) {
	const item = `{"name":"e","channel":"c","data":""}`
	batch := func(items ...string) string { return `{"batch":[` + strings.Join(items, ",") + `],"later":1}` }
	for body, n := range map[string]int{
		batch():           0,
		batch(item, item): 2,
		batch(slices.Repeat([]string{item}, 10)...): 10,
		`{"batch":[` + item + `],"batch":[]}`:       0,
	} {
		if events, err := pusher.ParseBatch([]byte(body), naming); err != nil || len(events) != n {
			t.Errorf("%.60s: %d events, %v; want %d", body, len(events), err, n)
		}
	}
	for body, says := range map[string]string{
		batch(slices.Repeat([]string{item}, 12)...):           "Batch too large: it has 12 events, at most 10",
		batch(item, `{"name":"e","channel":"c"}`):             "event 1: \"data\" is missing",
		batch(item, `{"name":"e","channel":"a b","data":""}`): "batch event 1: channel",
		batch(item) + "x": "not valid JSON",
		batch(slices.Repeat([]string{item}, 10)...)[:200]: "not valid JSON",
		`{}`:           `"batch" is missing`,
		`{"batch":{}}`: "not a JSON array",
		`[]`:           "not a JSON object",
		``:             "not valid JSON",
	} {
		events, err := pusher.ParseBatch([]byte(body), naming)
		if err == nil || events != nil || !strings.Contains(belfry.Public(err), says) {
			t.Errorf("%.60s: %v, %v; want %q", body, events, err, says)
		}
	}
}

// HTTP-70: an event made of plain data.
func TestHTTP70_MakeEvent(t *testing.T) {
	e, err := pusher.MakeEvent("e", "c", "1.2", []byte("a\"b\n\x01é"), naming)
	if err != nil || string(e.Data) != `"a\"b\n\u0001é"` || e.Size != 7 || e.SocketID != "1.2" || !slices.Equal(e.Channels, []string{"c"}) {
		t.Errorf("%+v, %v", e, err)
	}
	for _, c := range []struct{ name, channel, socket, data string }{
		{"", "c", "", ""}, {"pusher:x", "c", "", ""}, {"e", "a b", "", ""}, {"e", "c", "1", ""}, {"e", "c", "", "\xff"}, {"e", "c", "", strings.Repeat("x", 10241)},
	} {
		if e, err := pusher.MakeEvent(c.name, c.channel, c.socket, []byte(c.data), naming); err == nil {
			t.Errorf("%+v accepted as %+v", c, e)
		}
	}
}

// FuzzParseEvent holds the reader against encoding/json: the same bodies are
// events, and they mean the same.
func FuzzParseEvent(f *testing.F) {
	for _, seed := range []string{
		`{"name":"e","channel":"c","data":"1"}`, `{"name":"e","channels":["a","b"],"data":{"x":[1,2.0,"\u00e9"]},"socket_id":"1.2","info":"x"}`,
		`{"name":null,"channel":"c","data":null}`, `{"data":"\ud83d\ude00\ud83d","name":"\n","channel":"c"}`, `[]`, `{"name":"e","channel":7,"data":[]}`,
	} {
		f.Add([]byte(seed))
	}
	anything := pusher.Naming{Limits: belfry.DefaultLimits()}
	anything.Limits.EventData, anything.Limits.ChannelsPerEvent = belfry.Unlimited, belfry.Unlimited
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := pusher.ParseEvent(body, anything)
		want, legal, comparable := reference(body)
		if !comparable {
			return
		}
		if (err == nil) != legal {
			t.Fatalf("%q: accepted %v (%v), the reference says %v", body, err == nil, err, legal)
		}
		if err != nil {
			return
		}
		var data string
		if err := json.Unmarshal(got.Data, &data); err != nil {
			t.Fatalf("%q: data %q is no JSON string", body, got.Data)
		}
		if got.Name != want.name || data != want.data || got.Size != len(data) || !slices.Equal(got.Channels, want.channels) {
			t.Errorf("%q\ngot  %+v\nwant %+v", body, got, want)
		}
	})
}

type plainEvent struct {
	name, data string
	channels   []string
}

// reference reads an event with encoding/json. It does not judge bodies that
// name a member twice or nest deeply.
func reference(body []byte) (e plainEvent, legal, comparable bool) {
	var m map[string]json.RawMessage
	if !utf8.Valid(body) || json.Unmarshal(body, &m) != nil || m == nil {
		return e, false, bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) < 500
	}
	if bytes.Count(body, []byte(":")) != bytes.Count(mustMarshal(m), []byte(":")) || len(body) > 1000 {
		return e, false, false
	}
	text := func(name string) (s string, has, ok bool) {
		raw, there := m[name]
		if !there || string(raw) == "null" {
			return "", false, true
		}
		err := json.Unmarshal(raw, &s)
		return s, true, err == nil
	}
	name, hasName, ok1 := text("name")
	channel, hasChannel, ok2 := text("channel")
	socket, _, ok3 := text("socket_id")
	_, _, ok4 := text("info")
	raw := m["data"]
	if !ok1 || !ok2 || !ok3 || !ok4 || !hasName || raw == nil || string(raw) == "null" {
		return e, false, true
	}
	e.name = name
	if raw[0] == '"' {
		_ = json.Unmarshal(raw, &e.data)
	} else {
		var b bytes.Buffer
		_ = json.Compact(&b, raw)
		e.data = b.String()
	}
	if list := m["channels"]; list != nil && string(list) != "null" {
		var elements []*string
		if json.Unmarshal(list, &elements) != nil || len(elements) == 0 || slices.Contains(elements, nil) {
			return e, false, true
		}
		for _, c := range elements {
			if !slices.Contains(e.channels, *c) {
				e.channels = append(e.channels, *c)
			}
		}
	} else if hasChannel {
		e.channels = []string{channel}
	}
	n := utf8.RuneCountInString(name)
	legal = n > 0 && n <= 200 && !pusher.IsReserved(name) && len(e.channels) > 0 && (socket == "" || pusher.ValidSocketID(socket))
	for _, c := range e.channels {
		legal = legal && pusher.ValidName(c, 200)
	}
	return e, legal, true
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
