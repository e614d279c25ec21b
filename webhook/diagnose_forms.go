package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode/utf16"
)

// otherFormOfSecret tries what a secret becomes on its way into a sender.
func (d *diagnosis) otherFormOfSecret() string {
	type form struct{ key, mistake string }
	try := func(forms []form) string {
		for _, f := range forms {
			if f.key != "" && d.fits([]byte(f.key), d.body) {
				return f.mistake
			}
		}
		return ""
	}
	const space = "the sender's secret has a space or newline around it that the receiver's has not"
	for _, raw := range d.secrets {
		s := strings.TrimSpace(raw)
		forms := []form{
			{s + "\n", space}, {s + "\r\n", space}, {s + "\r", space}, {s + " ", space}, {" " + s, space}, {" " + s + " ", space},
			{raw, "the receiver's secret has a space or newline around it"},
			{`"` + s + `"`, "the sender's secret has quotes around it"}, {"'" + s + "'", "the sender's secret has quotes around it"},
			{strings.Trim(s, `"'`), "the receiver's secret has quotes around it"},
			{strings.TrimPrefix(s, secretPrefix), "the sender uses the text behind whsec_ as the key"},
			{strings.ToLower(s), "the sender's secret is in lower case"}, {strings.ToUpper(s), "the sender's secret is in upper case"},
		}
		if d.standard {
			forms = append(forms, form{s, "the sender uses the secret as text, whsec_ and all, instead of decoding its base64"})
		}
		if key, err := hex.DecodeString(s); err == nil {
			forms = append(forms, form{string(key), "the sender decodes the secret from hexadecimal, the receiver takes it as text"})
		}
		if key, err := decodeBase64(strings.TrimPrefix(s, secretPrefix)); err == nil {
			forms = append(forms, form{string(key), "the sender decodes the secret from base64, the receiver takes it as text"})
		}
		if mistake := try(forms); mistake != "" {
			return mistake
		}
	}
	if all := usable(d.secrets); len(all) > 1 {
		const mistake = "the sender signs with the whole list of secrets, commas and all, instead of one of them"
		return try([]form{{strings.Join(all, ","), mistake}, {strings.Join(all, ", "), mistake}})
	}
	return ""
}

// otherContent tries other ways to compute a signature.
func (d *diagnosis) otherContent() string {
	bare := sha256.Sum256(d.body)
	if hmac.Equal(d.signature, bare[:]) {
		return "the signature is the SHA-256 of the body, without the secret"
	}
	for _, s := range usable(d.secrets) {
		before := sha256.Sum256(append([]byte(s), d.body...))
		behind := sha256.Sum256(append(bytes.Clone(d.body), s...))
		swapped := mac(d.body, []byte(s))
		switch {
		case hmac.Equal(d.signature, before[:]), hmac.Equal(d.signature, behind[:]):
			return "the signature is the SHA-256 of secret and body together; it must be their HMAC"
		case hmac.Equal(d.signature, swapped):
			return "the sender gives HMAC the body as key and the secret as message"
		}
		for _, key := range d.keys(s) {
			switch {
			case d.standard && hmac.Equal(d.signature, mac(key, d.body)):
				return "the sender signs the body alone; the standard scheme signs id, timestamp and body"
			case !d.standard && hmac.Equal(d.signature, mac(key, nil)):
				return "the sender signs an empty body"
			}
		}
	}
	return ""
}

// otherBody tries what a body may have been before it was sent.
func (d *diagnosis) otherBody() string {
	type form struct {
		body    []byte
		mistake string
	}
	const line = "the body lost or gained a newline after it was signed"
	const again = "the body was written again as JSON after it was signed (the sender must send the very bytes that it signs)"
	forms := []form{
		{bytes.TrimRight(d.body, "\r\n"), line}, {append(bytes.TrimRight(d.body, "\r\n"), '\n'), line},
		{append(bytes.TrimRight(d.body, "\r\n"), "\r\n"...), line},
		{bytes.ReplaceAll(d.body, []byte("\r\n"), []byte("\n")), "line ends changed after the body was signed"},
		{bytes.TrimPrefix(d.body, []byte("\xef\xbb\xbf")), "the body has a byte order mark that was not signed"},
	}
	for _, written := range rewritten(d.body) {
		forms = append(forms, form{written, again})
	}
	for _, s := range usable(d.secrets) {
		for _, key := range d.keys(s) {
			for _, f := range forms {
				if d.fits(key, f.body) {
					return f.mistake
				}
			}
		}
	}
	return ""
}

// rewritten gives the body as the usual writers of JSON would write it: with
// and without space, keys as they are or sorted, text beyond ASCII escaped or
// not, slashes escaped or not.
func rewritten(body []byte) (list [][]byte) {
	var compact bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return nil
	}
	sources := [][]byte{compact.Bytes()}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // numbers stay as they are written
	if decoder.Decode(&value) == nil {
		var sorted bytes.Buffer
		encoder := json.NewEncoder(&sorted)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(value) == nil {
			sources = append(sources, bytes.TrimSpace(sorted.Bytes()))
		}
	}
	for _, source := range sources {
		texts := [][]byte{source, escapeStrings(source, true, false), escapeStrings(source, false, true), escapeStrings(source, true, true)}
		if plain := unescapeStrings(source); plain != nil {
			texts = append(texts, plain)
		}
		for _, text := range texts {
			list = append(list, text, spaced(text))
		}
		for _, indent := range []string{"  ", "    ", "\t"} {
			var pretty bytes.Buffer
			if json.Indent(&pretty, source, "", indent) == nil {
				list = append(list, pretty.Bytes())
			}
		}
		var html bytes.Buffer
		json.HTMLEscape(&html, source)
		list = append(list, html.Bytes())
	}
	return list
}

// spaced puts a space behind each colon and comma outside of strings, as
// Python does.
func spaced(compact []byte) []byte {
	out := make([]byte, 0, len(compact)+len(compact)/8)
	eachByte(compact, func(c byte, inString bool) {
		out = append(out, c)
		if !inString && (c == ':' || c == ',') {
			out = append(out, ' ')
		}
	})
	return out
}

// eachByte walks over JSON and says of each byte whether it is in a string.
func eachByte(text []byte, do func(c byte, inString bool)) {
	inString, escaped := false, false
	for _, c := range text {
		do(c, inString)
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		}
	}
}

// escapeStrings writes text beyond ASCII as \uXXXX, slashes as \/, or both, as
// PHP does. Outside of strings JSON has neither.
func escapeStrings(text []byte, unicode, slashes bool) []byte {
	const digits = "0123456789abcdef"
	var out bytes.Buffer
	unit := func(u uint16) {
		out.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			out.WriteByte(digits[u>>shift&15])
		}
	}
	last := rune(0)
	for _, r := range string(text) {
		switch {
		case unicode && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			unit(uint16(high))
			unit(uint16(low))
		case unicode && r > 0x7f:
			unit(uint16(r))
		case slashes && r == '/' && last != '\\':
			out.WriteString(`\/`)
		default:
			out.WriteRune(r)
		}
		last = r
	}
	return out.Bytes()
}

// unescapeStrings writes every string of JSON with as few escapes as JSON
// allows, or gives nil.
func unescapeStrings(text []byte) []byte {
	var out, literal []byte
	inside := false
	eachByte(text, func(c byte, inString bool) {
		switch {
		case !inString && c == '"' && !inside: // opens
			inside, literal = true, append(literal[:0], c)
		case inside && inString:
			literal = append(literal, c)
		default:
			out = append(out, c)
		}
		// A string ends at a quote that is not escaped.
		if inside && inString && c == '"' && closes(literal) {
			var s string
			if json.Unmarshal(literal, &s) == nil {
				var b bytes.Buffer
				e := json.NewEncoder(&b)
				e.SetEscapeHTML(false)
				if e.Encode(s) == nil {
					literal = bytes.TrimRight(b.Bytes(), "\n")
				}
			}
			out, inside = append(out, literal...), false
		}
	})
	return out
}

// closes reports whether the last quote of a string literal ends it.
func closes(literal []byte) bool {
	backslashes := 0
	for i := len(literal) - 2; i > 0 && literal[i] == '\\'; i-- {
		backslashes++
	}
	return backslashes%2 == 0
}
