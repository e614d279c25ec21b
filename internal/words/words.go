// Package words shortens texts that others wrote.
package words

import "strings"

// Clip gives a text of at most most bytes as it is, and of a longer one what Cut
// leaves and an ellipsis: for what people read, such as errors.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return Cut(s, most) + "…"
}

// Cut gives a text of at most most bytes as it is. Of a longer one it gives the
// first that are most bytes or a few less, at a character's edge, without what is
// no UTF-8: for what is kept.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
