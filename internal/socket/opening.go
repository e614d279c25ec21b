package socket

import (
	"bytes"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry/internal/hub"
)

// opening is a request for a WebSocket that is written as clients write it. Its
// slices point into what was read, and are used again by the next parse.
type opening struct {
	target    []byte // from the app's key on
	token     []byte // Sec-WebSocket-Key
	origin    []byte
	agent     []byte
	forwarded [][2][]byte // the fields that proxies add
}

// opens says how the requests begin that opening reads: under {prefix}/app/. It is
// empty where the prefix is one that may be written in several ways.
func (c *Config) opens() string {
	if !all([]byte(strings.ReplaceAll(c.PathPrefix, "/", "")), plainByte) {
		return ""
	}
	return "GET " + c.PathPrefix + "/app/"
}

// parse reads a head up to and with its empty line; opens is how its request line
// begins. It is stricter than HTTP: it takes only what every server reads in the
// same way, and reports false for all else, be it wrong or unusual.
func (o *opening) parse(head []byte, opens string) bool {
	line, rest, ok := cutLine(head)
	if !ok || opens == "" || !bytes.HasPrefix(line, []byte(opens)) {
		return false
	}
	if o.target, ok = bytes.CutSuffix(line[len(opens):], []byte(" HTTP/1.1")); !ok {
		return false
	}
	key, query, _ := bytes.Cut(o.target, []byte("?"))
	if key = bytes.TrimSuffix(key, []byte("/")); len(key) == 0 || !all(key, plainByte) || !all(query, queryByte) {
		return false
	}
	o.token, o.origin, o.agent, o.forwarded = nil, nil, nil, o.forwarded[:0]
	var seen [fieldAgent + 1]bool
	for n := 0; ; n++ {
		var name, value []byte
		if name, value, rest, ok = cutField(rest); !ok || n > maxFields {
			return false
		}
		if name == nil {
			return len(rest) == 0 && seen[fieldHost] && seen[fieldUpgrade] && seen[fieldConnection] && seen[fieldVersion] && seen[fieldKey]
		}
		field := fieldOf(name)
		switch field {
		case fieldOther:
			continue
		case fieldForwarded:
			o.forwarded = append(o.forwarded, [2][]byte{name, value})
			continue
		case fieldHost:
			ok = len(value) > 0 && all(value, hostByte)
		case fieldUpgrade:
			ok = is(value, "websocket")
		case fieldConnection:
			ok = lists(value, "upgrade")
		case fieldVersion:
			ok = string(value) == "13"
		case fieldKey:
			o.token, ok = value, validKey(value)
		case fieldOrigin:
			o.origin = value
		case fieldAgent:
			o.agent = value
		default:
			return false
		}
		if !ok || seen[field] {
			return false
		}
		seen[field] = true
	}
}

// The fields that an opening depends on. The first ones may stand there once.
const (
	fieldHost = iota
	fieldUpgrade
	fieldConnection
	fieldVersion
	fieldKey
	fieldOrigin
	fieldAgent
	fieldForwarded
	fieldOfBody
	fieldOther
)

// fieldOf says which field bears a name.
func fieldOf(name []byte) int {
	field, word := fieldOther, ""
	switch len(name) {
	case 4:
		field, word = fieldHost, "host"
	case 6:
		field, word = fieldOrigin, "origin"
	case 7:
		if field, word = fieldUpgrade, "upgrade"; name[0]|0x20 == 't' {
			field, word = fieldOfBody, "trailer"
		}
	case 9:
		field, word = fieldForwarded, "forwarded"
	case 10:
		if field, word = fieldConnection, "connection"; name[0]|0x20 == 'u' {
			field, word = fieldAgent, "user-agent"
		}
	case 14:
		field, word = fieldOfBody, "content-length"
	case 17:
		if field, word = fieldKey, "sec-websocket-key"; name[0]|0x20 == 't' {
			field, word = fieldOfBody, "transfer-encoding"
		}
	case 21:
		field, word = fieldVersion, "sec-websocket-version"
	}
	switch {
	case word != "" && is(name, word):
		return field
	case len(name) > len("x-forwarded-") && is(name[:len("x-forwarded-")], "x-forwarded-"):
		return fieldForwarded
	}
	return fieldOther
}

// lists reports whether a list of tokens has word, which is in lower case.
func lists(value []byte, word string) bool {
	for len(value) > 0 {
		var one []byte
		one, value, _ = bytes.Cut(value, []byte(","))
		if is(bytes.Trim(one, " \t"), word) {
			return true
		}
	}
	return false
}

// handshake gives what the opening asks for, of a client at that address.
func (o *opening) handshake(p peer) hub.Handshake {
	key, query, _ := strings.Cut(string(o.target), "?")
	hs := hub.Handshake{
		Key: strings.TrimSuffix(key, "/"), Origin: string(o.origin), Agent: string(o.agent), Address: p.String(), Plain: p.plain,
	}
	if strings.ContainsAny(query, "%+;") {
		values, _ := url.ParseQuery(query) // what can be read of it counts (WS-02)
		asks(&hs, values)
		return hs
	}
	var client, version bool // were there
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		switch name, value, _ := strings.Cut(pair, "="); {
		case name == "protocol" && !hs.HasProtocol:
			hs.Protocol, hs.HasProtocol = value, true
		case name == "client" && !client:
			hs.Client, client = value, true
		case name == "version" && !version:
			hs.Version, version = value, true
		}
	}
	return hs
}

// asks takes the parameters of a handshake from a query (WS-02).
func asks(hs *hub.Handshake, query url.Values) {
	hs.Protocol, hs.HasProtocol = query.Get("protocol"), query.Has("protocol")
	hs.Client, hs.Version = query.Get("client"), query.Get("version")
}

// peerOf finds the client behind the trusted proxies, as peer does.
func (c *Config) peerOf(o *opening, from netip.AddrPort) peer {
	if len(c.TrustedProxies) == 0 {
		return peer{address: from.Addr(), plain: true}
	}
	r := http.Request{RemoteAddr: peerText(from), Header: http.Header{}}
	for _, field := range o.forwarded {
		r.Header.Add(string(field[0]), string(field[1]))
	}
	return c.peer(&r)
}

// peerText is a peer's address as net/http has it; empty when it is not known.
func peerText(from netip.AddrPort) string {
	if !from.IsValid() {
		return ""
	}
	return from.String()
}
