package bench

import (
	"fmt"
	"slices"
)

// Spread is one figure over several rounds.
type Spread []float64

// Median gives the middle one, the mean of the two in the middle of an even
// number, 0 of none.
func (s Spread) Median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// Text gives the median and, behind it, the least and the greatest.
func (s Spread) Text(digits int) string {
	if len(s) == 0 {
		return "–"
	}
	if len(s) == 1 {
		return fmt.Sprintf("%.*f", digits, s[0])
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.Median(), digits, slices.Min(s), digits, slices.Max(s))
}
