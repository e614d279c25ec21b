package bench_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

// A quantile is never below the exact one and at most 1/64 above it.
func TestHistogramQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, upTo := range []int64{10, 200, 1e6, 1e9, 1e15} {
		var h bench.Histogram
		var exact []time.Duration
		for range 2001 {
			d := time.Duration(random.Int64N(upTo))
			h.Add(d)
			exact = append(exact, d)
		}
		slices.Sort(exact)
		for _, q := range []float64{0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
			rank := int(q * 2001)
			if float64(rank) < q*2001 {
				rank++
			}
			want := exact[rank-1]
			got := h.Quantile(q)
			if got < want || got > want+want/64 {
				t.Errorf("up to %d: quantile %g is %d, exactly %d", upTo, q, got, want)
			}
		}
		if h.Max() != exact[2000] || h.Count() != 2001 {
			t.Errorf("max %d, count %d", h.Max(), h.Count())
		}
	}
}

func TestHistogramExtremes(t *testing.T) {
	var h bench.Histogram
	if h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Error("an empty histogram has a quantile")
	}
	h.Add(-5)
	h.Add(1<<63 - 1)
	if h.Quantile(0.5) != 0 || h.Quantile(1) != 1<<63-1 {
		t.Errorf("quantiles %d and %d", h.Quantile(0.5), h.Quantile(1))
	}
}

func TestHistogramMerge(t *testing.T) {
	var a, b, both bench.Histogram
	for i := range 1000 {
		d := time.Duration(i*i) * time.Microsecond
		both.Add(d)
		if i%3 == 0 {
			a.Add(d)
		} else {
			b.Add(d)
		}
	}
	a.Merge(&b)
	if a != both {
		t.Error("merged histograms differ from one that counted all")
	}
}
