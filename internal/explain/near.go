package explain

import (
	"cmp"
	"slices"
	"strings"
)

// plainName takes off a channel's name what people leave out or add: the prefix, the
// case, zeros in front of numbers.
func plainName(channel string) string {
	name := strings.ToLower(channel)
	for again := true; again; {
		again = false
		for _, prefix := range []string{"private-encrypted-", "private-", "presence-", "cache-"} {
			if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
				name, again = rest, true
			}
		}
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '-' || r == '_' || r == ':' })
	for i, part := range parts {
		if trimmed := strings.TrimLeft(part, "0"); trimmed != "" && strings.Trim(trimmed, "0123456789") == "" {
			parts[i] = trimmed
		}
	}
	return strings.Join(parts, ".")
}

// bareEvent takes off an event's name what clients add: the leading dot, the
// namespace, the case.
func bareEvent(name string) string {
	name = strings.TrimLeft(strings.ToLower(name), ".")
	if i := strings.LastIndexAny(name, `\`); i >= 0 {
		name = name[i+1:]
	}
	return name
}

// nearChannels gives the names that may have been meant by a channel's name, the
// likeliest first.
func nearChannels(name string, among []string) []string {
	// Other numbers are other people's, not a slip.
	digits := numbers(name)
	var like []string
	for _, other := range among {
		if numbers(other) == digits {
			like = append(like, other)
		}
	}
	return near(name, like, func(a, b string) bool { return plainName(a) == plainName(b) })
}

// numbers gives the numbers in a channel's name.
func numbers(channel string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return -1
	}, plainName(channel))
}

// nearEvents does the same for events' names.
func nearEvents(name string, among []string) []string {
	return near(name, among, func(a, b string) bool {
		x, y := bareEvent(a), bareEvent(b)
		return x == y || strings.HasSuffix(x, "."+y) || strings.HasSuffix(y, "."+x)
	})
}

// nearNames does it for anything else.
func nearNames(name string, among []string) []string {
	return near(name, among, func(a, b string) bool { return strings.EqualFold(a, b) })
}

// mostNear is how many names are offered.
const mostNear = 3

func near(name string, among []string, same func(a, b string) bool) []string {
	type candidate struct {
		name  string
		steps int
	}
	var all []candidate
	bound := min(1+len(name)/5, 3)
	for _, other := range among {
		switch {
		case other == name || slices.ContainsFunc(all, func(c candidate) bool { return c.name == other }):
		case same(name, other):
			all = append(all, candidate{other, 0})
		case abs(len(name)-len(other)) <= bound:
			if steps := distance(strings.ToLower(name), strings.ToLower(other)); steps <= bound && steps < len(name) {
				all = append(all, candidate{other, 1 + steps})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.steps, b.steps), strings.Compare(a.name, b.name))
	})
	var names []string
	for _, c := range all[:min(len(all), mostNear)] {
		names = append(names, c.name)
	}
	return names
}

func abs(n int) int { return max(n, -n) }

// distance counts the letters to put in, take out, change or swap between two
// names.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Near gives the names that may have been meant by one, the likeliest first,
// three at most.
func Near(name string, among []string) []string { return nearNames(name, among) }
