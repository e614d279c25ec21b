package pusher

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ClockWindow is how far a request's timestamp may be from now, either way (HTTP-06).
const ClockWindow = 600 * time.Second

// Param is one query parameter; Name is in lower case.
type Param struct{ Name, Value string }

// Query is a request's query string in wire order, split as the SDKs write it:
// on & only and at the first =, then percent-decoded; an escape that cannot be
// decoded is taken literally (HTTP-04).
type Query []Param

// ParseQuery splits a raw query. plusIsSpace picks how a literal + is read;
// clients disagree, so Request.Verify tries both.
func ParseQuery(raw string, plusIsSpace bool) Query {
	if raw == "" {
		return nil
	}
	q := make(Query, 0, 8)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		q = append(q, Param{strings.ToLower(unescape(name, plusIsSpace)), unescape(value, plusIsSpace)})
	}
	return q
}

func unescape(s string, plusIsSpace bool) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+' && plusIsSpace:
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, fromHex(s[i+1])<<4|fromHex(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func fromHex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

// Get gives the first parameter of that lower-case name, or "".
func (q Query) Get(name string) string {
	v, _ := q.Lookup(name)
	return v
}

// Lookup gives the first parameter of that lower-case name.
func (q Query) Lookup(name string) (value string, ok bool) {
	for _, p := range q {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// appendText joins everything but the signature, sorted by name (HTTP-02,
// HTTP-03). With arrays as PHP signs them, a name[] repeated is one parameter
// "name" whose values are joined by commas.
func (q Query) appendText(b []byte, joinArrays bool) []byte {
	var space [12]Param
	signed := Query(space[:0])
	for _, p := range q {
		if p.Name == "auth_signature" {
			continue
		}
		if name, array := arrayName(p.Name); array && joinArrays {
			if i := slices.IndexFunc(signed, func(s Param) bool { return s.Name == name }); i >= 0 {
				signed[i].Value += "," + p.Value
				continue
			}
			p.Name = name
		}
		signed = append(signed, p)
	}
	slices.SortStableFunc(signed, func(a, b Param) int { return cmp.Compare(a.Name, b.Name) })
	for i, p := range signed {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.Name...)
		b = append(b, '=')
		b = append(b, p.Value...)
	}
	return b
}

func arrayName(name string) (string, bool) {
	open := strings.IndexByte(name, '[')
	if open <= 0 || !strings.HasSuffix(name, "]") {
		return name, false
	}
	return name[:open], true
}

// Request is a call of the HTTP API as far as its signature covers it.
type Request struct {
	Method string
	// Paths are the forms of the path that the caller may have signed, the
	// likeliest first: decoded, raw, with and without a configured prefix
	// (HTTP-05). At least one is required.
	Paths []string
	// RawQuery is the query string as it came.
	RawQuery string
	// Body is the raw body.
	Body []byte
}

// SignatureError says why a request's signature does not hold. Its text is for
// the caller: it shows the string that was to be signed, never a secret (GEN-06).
type SignatureError struct {
	Reason string
	// Text is the string to sign, empty when the request did not get that far.
	Text string
}

func (e *SignatureError) Error() string {
	if e.Text == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s: expected the HMAC-SHA256, in lower-case hex, of %q", e.Reason, e.Text)
}

// Verify checks the signature group of HTTP-09: key, timestamp, version,
// body_md5, signature. secrets gives the active secrets of a key, none for one
// that is not the app's. The error is a *SignatureError. The Query is the
// reading of the query string under which the signature holds.
func (r Request) Verify(now time.Time, secrets func(key string) []string) (Query, error) {
	q := ParseQuery(r.RawQuery, false)
	key := q.Get("auth_key")
	if key == "" {
		return nil, &SignatureError{Reason: "auth_key is missing: sign the request with your app's key and secret"}
	}
	keys := secrets(key)
	if len(keys) == 0 {
		return nil, &SignatureError{Reason: fmt.Sprintf("auth_key %q is not a key of this app", clip(key))}
	}
	if err := checkTimestamp(q, now); err != nil {
		return nil, err
	}
	if v := q.Get("auth_version"); v != "1.0" {
		return nil, &SignatureError{Reason: fmt.Sprintf("auth_version must be 1.0, not %q", clip(v))}
	}
	if err := checkMD5(q, r.Body); err != nil {
		return nil, err
	}
	return r.verifySignature(q, keys)
}

func checkTimestamp(q Query, now time.Time) error {
	raw, ok := q.Lookup("auth_timestamp")
	if !ok {
		return &SignatureError{Reason: "auth_timestamp is missing"}
	}
	seconds, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return &SignatureError{Reason: fmt.Sprintf("auth_timestamp %q is malformed: it must be whole unix seconds", clip(raw))}
	}
	window := int64(ClockWindow / time.Second)
	if off := now.Unix() - seconds; off > window || off < -window {
		return &SignatureError{Reason: fmt.Sprintf(
			"auth_timestamp %d is outside the window: it is %d s from the server's clock (%d), at most %d s are allowed; set the sender's clock",
			seconds, max(off, -off), now.Unix(), window)}
	}
	return nil
}

func checkMD5(q Query, body []byte) error {
	given, present := q.Lookup("body_md5")
	if !present {
		if len(body) > 0 {
			return &SignatureError{Reason: "body_md5 is required with a non-empty body"}
		}
		return nil
	}
	if sum := md5.Sum(body); given != hex.EncodeToString(sum[:]) {
		return &SignatureError{Reason: fmt.Sprintf(
			"body_md5 mismatch: the body of %d bytes has another MD5 than %q; it was changed after signing", len(body), clip(given))}
	}
	return nil
}

// verifySignature tries each way in which a caller may have written what it
// signed. The string to sign that an error shows is the first.
func (r Request) verifySignature(q Query, secrets []string) (Query, error) {
	signature := q.Get("auth_signature")
	if signature == "" {
		return nil, &SignatureError{Reason: "auth_signature is missing"}
	}
	readings := append(make([]Query, 0, 2), q)
	if strings.Contains(r.RawQuery, "+") {
		readings = append(readings, ParseQuery(r.RawQuery, true))
	}
	arrays := []bool{false}
	if strings.Contains(r.RawQuery, "[") || strings.Contains(r.RawQuery, "%5B") || strings.Contains(r.RawQuery, "%5b") {
		arrays = append(arrays, true)
	}
	for _, path := range r.Paths {
		for _, reading := range readings {
			for _, join := range arrays {
				if Verify(secrets, RequestText(r.Method, path, reading, join), signature) {
					return reading, nil
				}
			}
		}
	}
	var likeliest string
	if len(r.Paths) > 0 {
		likeliest = r.Paths[0]
	}
	return nil, &SignatureError{Reason: "signature mismatch", Text: RequestText(r.Method, likeliest, q, false)}
}

// RequestText is the string that a request's signature covers (HTTP-02).
// joinArrays reads repeated name[] parameters as PHP signs them (HTTP-03).
func RequestText(method, path string, q Query, joinArrays bool) string {
	var space [512]byte
	b := append(space[:0], strings.ToUpper(method)...)
	b = append(b, '\n')
	b = append(b, path...)
	b = append(b, '\n')
	return string(q.appendText(b, joinArrays))
}

// clip bounds what an error repeats of its input.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
