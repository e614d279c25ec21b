package bench

import (
	"math/bits"
	"time"
)

// fineBits says how fine a Histogram is: values of the same power of two fall
// into 2^fineBits equal buckets, so that a quantile is at most 1.6% too high.
const fineBits = 6

// Histogram counts durations in buckets whose width grows with the value. The
// zero value is empty. It is not for concurrent use.
type Histogram struct {
	buckets [(64 - fineBits) << fineBits]uint64
	count   uint64
	max     time.Duration
}

// Add counts d; one below zero counts as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(uint64(d))]++
	h.count++
	h.max = max(h.max, d)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

// Count is how many durations were counted.
func (h *Histogram) Count() uint64 { return h.count }

// Max is the longest one, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile gives the duration that a share q of all do not pass: the upper end
// of its bucket, at most Max. It is 0 when nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := uint64(q * float64(h.count))
	if float64(rank) < q*float64(h.count) {
		rank++
	}
	rank = max(rank, 1)
	var seen uint64
	for i, n := range h.buckets {
		if seen += n; seen >= rank {
			return min(time.Duration(endOf(i)), h.max)
		}
	}
	return h.max
}

// bucketOf gives the index of v's bucket. Values below 2^fineBits have one each.
func bucketOf(v uint64) int {
	shift := max(0, bits.Len64(v)-fineBits-1)
	return shift<<fineBits + int(v>>shift)
}

// endOf gives the highest value of a bucket.
func endOf(i int) uint64 {
	shift := max(0, i>>fineBits-1)
	return uint64(i-shift<<fineBits+1)<<shift - 1
}

// Latency is a summary of a Histogram.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

func (h *Histogram) summary() Latency {
	return Latency{h.count, milliseconds(h.Quantile(0.50)), milliseconds(h.Quantile(0.99)), milliseconds(h.max)}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
