package trace

import "unicode/utf8"

// keysWithin bounds how much of the data Keys looks at, in bytes.
const keysWithin = 4 << 10

// Keys gives the keys at the top of an event's data, at most 20, from its first
// four KB: of an object, or of an object in a JSON string, which is how
// applications send it. Other data has none.
func Keys(data []byte) (keys []string) {
	data = data[:min(len(data), keysWithin)]
	i := skipSpace(data, 0)
	if i < len(data) && data[i] == '"' {
		data, i = unquote(data[i+1:]), 0
		i = skipSpace(data, 0)
	}
	if i >= len(data) || data[i] != '{' {
		return nil
	}
	depth, first := 0, -1 // of the last text at the top
	var last []byte
	for ; i < len(data) && len(keys) < maxKeys; i++ {
		switch data[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := endOfText(data, i+1)
			if depth == 1 && end < len(data) {
				first, last = i, data[i+1:end]
			}
			i = end
		case ':':
			if depth == 1 && first >= 0 {
				keys = append(keys, clip(validText(last), maxKey))
				first = -1
			}
		}
	}
	return keys
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// endOfText gives the place of the quote that ends a text.
func endOfText(b []byte, i int) int {
	for ; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i
}

// unquote takes one level of escapes off the beginning of a JSON text, as far as
// keys need it: what is written \u stays as it is.
func unquote(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b) && b[i] != '"'; i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		if i++; i == len(b) {
			break
		}
		switch c := b[i]; c {
		case 'n', 't', 'r', 'b', 'f':
			out = append(out, ' ')
		case 'u':
			out = append(out, '\\', 'u')
		default:
			out = append(out, c)
		}
	}
	return out
}

func validText(b []byte) string {
	if !utf8.Valid(b) {
		return "\uFFFD"
	}
	return string(b)
}
