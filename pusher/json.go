package pusher

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// The package reads JSON with its own scanner: it validates strictly, compares
// member names exactly, and leaves values as they stand in the input, so that
// data passes through still escaped, numbers keep their digits and objects
// their order (WS-14, CH-30).

// maxDepth bounds the nesting of JSON that is accepted.
const maxDepth = 512

var (
	errNotJSON   = errors.New("not valid JSON")
	errNotObject = errors.New("not a JSON object")
	errNotUTF8   = errors.New("not valid UTF-8")
)

type scanner struct {
	b     []byte
	i     int
	depth int
}

// scanObject calls member for each member of the JSON object that b holds; a
// name that stands twice is given twice. The value is a part of b. It stops at
// the first error that member gives.
func scanObject(b []byte, member func(name string, value []byte) error) error {
	s, err := newScanner(b)
	if err != nil {
		return err
	}
	if !s.at('{') {
		if _, err := s.value(); err != nil || !s.end() {
			return errNotJSON
		}
		return errNotObject
	}
	if err := s.object(member); err != nil {
		return err
	}
	if !s.end() {
		return errNotJSON
	}
	return nil
}

// scanArray calls element for each element of the JSON array that b holds.
func scanArray(b []byte, element func(value []byte) error) error {
	s, err := newScanner(b)
	if err != nil {
		return err
	}
	if !s.at('[') {
		return errors.New("not a JSON array")
	}
	if err := s.array(element); err != nil {
		return err
	}
	if !s.end() {
		return errNotJSON
	}
	return nil
}

func newScanner(b []byte) (scanner, error) {
	if !utf8.Valid(b) {
		return scanner{}, errNotUTF8
	}
	s := scanner{b: b}
	s.space()
	return s, nil
}

func (s *scanner) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

func (s *scanner) end() bool { s.space(); return s.i == len(s.b) }

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// value passes over one value and gives it as it stands.
func (s *scanner) value() ([]byte, error) {
	if s.i >= len(s.b) {
		return nil, errNotJSON
	}
	start := s.i
	var err error
	switch c := s.b[s.i]; {
	case c == '{':
		err = s.object(nil)
	case c == '[':
		err = s.array(nil)
	case c == '"':
		err = s.str()
	case c == 't':
		err = s.literal("true")
	case c == 'f':
		err = s.literal("false")
	case c == 'n':
		err = s.literal("null")
	default:
		err = s.number()
	}
	if err != nil {
		return nil, err
	}
	return s.b[start:s.i], nil
}

func (s *scanner) object(member func(string, []byte) error) error {
	if s.depth++; s.depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	defer func() { s.depth-- }()
	s.i++
	if s.space(); s.at('}') {
		s.i++
		return nil
	}
	for {
		s.space()
		nameStart := s.i
		if !s.at('"') {
			return errNotJSON
		}
		if err := s.str(); err != nil {
			return err
		}
		name := s.b[nameStart:s.i]
		if s.space(); !s.at(':') {
			return errNotJSON
		}
		s.i++
		s.space()
		value, err := s.value()
		if err != nil {
			return err
		}
		if member != nil {
			if err := member(unquote(name), value); err != nil {
				return err
			}
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

func (s *scanner) array(element func([]byte) error) error {
	if s.depth++; s.depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	defer func() { s.depth-- }()
	s.i++
	if s.space(); s.at(']') {
		s.i++
		return nil
	}
	for {
		s.space()
		value, err := s.value()
		if err != nil {
			return err
		}
		if element != nil {
			if err := element(value); err != nil {
				return err
			}
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

// next passes over the comma between elements or over the closing bracket.
func (s *scanner) next(closing byte) (done bool, err error) {
	s.space()
	switch {
	case s.at(','):
		s.i++
		return false, nil
	case s.at(closing):
		s.i++
		return true, nil
	}
	return false, errNotJSON
}

func (s *scanner) str() error {
	for s.i++; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return nil
		case c < 0x20:
			return errNotJSON
		case c == '\\':
			if s.i++; s.i >= len(s.b) {
				return errNotJSON
			}
			switch s.b[s.i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(s.b[s.i+1:]); !ok {
					return errNotJSON
				}
				s.i += 4
			default:
				return errNotJSON
			}
		}
	}
	return errNotJSON
}

func (s *scanner) literal(word string) error {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return errNotJSON
	}
	s.i += len(word)
	return nil
}

func (s *scanner) number() error {
	if s.at('-') {
		s.i++
	}
	if s.at('0') {
		s.i++
	} else if !s.digits() {
		return errNotJSON
	}
	if s.at('.') {
		if s.i++; !s.digits() {
			return errNotJSON
		}
	}
	if s.at('e') || s.at('E') {
		if s.i++; s.at('+') || s.at('-') {
			s.i++
		}
		if !s.digits() {
			return errNotJSON
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func isString(value []byte) bool { return len(value) > 0 && value[0] == '"' }
func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }
func isNull(value []byte) bool   { return string(value) == "null" }

// unquote decodes a string token that the scanner has passed.
func unquote(token []byte) string {
	inner := token[1 : len(token)-1]
	for _, c := range inner {
		if c == '\\' {
			return string(appendUnquoted(make([]byte, 0, len(inner)), inner))
		}
	}
	return string(inner)
}

func appendUnquoted(dst, inner []byte) []byte {
	for i := 0; i < len(inner); {
		c := inner[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		r, n := unescapeAt(inner[i:])
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

// unescapeAt decodes the escape at the start of b and gives its length. A lone
// surrogate becomes U+FFFD.
func unescapeAt(b []byte) (r rune, n int) {
	switch b[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, _ = hex4(b[2:])
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			if low, ok := hex4(b[8:]); ok {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					return pair, 12
				}
			}
		}
		return utf8.RuneError, 6
	}
	return rune(b[1]), 2
}

// unquotedLen is the length in bytes of what a string token decodes to.
func unquotedLen(token []byte) int {
	inner := token[1 : len(token)-1]
	n := 0
	for i := 0; i < len(inner); {
		if inner[i] != '\\' {
			n++
			i++
			continue
		}
		r, size := unescapeAt(inner[i:])
		n += utf8.RuneLen(r)
		i += size
	}
	return n
}

// AppendString appends s as a JSON string. What is not valid UTF-8 becomes
// U+FFFD; everything that needs no escape stays as it is.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		n := min(len(s)-i, utf8.UTFMax)
		r, size := utf8.DecodeRuneInString(string(s[i : i+n]))
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			i++
			start = i
			continue
		}
		i += size
	}
	return append(dst, s[start:]...)
}

// compact appends value without the white space between its tokens.
func compact(dst, value []byte) []byte {
	inString := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case inString && c == '\\':
			dst = append(dst, c)
			i++
			c = value[i]
		case c == '"':
			inString = !inString
		case !inString && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
