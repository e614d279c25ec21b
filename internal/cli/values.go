package cli

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// seconds is an option that takes a bare number of seconds, as Laravel's
// commands do, or a duration such as 1m30s.
type seconds time.Duration

func (s *seconds) String() string {
	if d := time.Duration(*s); d%time.Second != 0 {
		return d.String()
	}
	return strconv.FormatInt(int64(time.Duration(*s)/time.Second), 10)
}

func (s *seconds) Type() string { return "seconds" }

func (s *seconds) Set(text string) error {
	d, err := parseSeconds(text)
	*s = seconds(d)
	return err
}

func parseSeconds(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, numErr := strconv.ParseFloat(text, 64); numErr == nil {
		d, err = time.Duration(n*float64(time.Second)), nil
		if math.IsNaN(n) || n > math.MaxInt64/float64(time.Second) {
			err = errors.New("too long")
		}
	}
	switch {
	case err != nil:
		return 0, errors.New("write seconds, as in 60, or a time, as in 60s, 5m or 48h")
	case d < 0:
		return 0, errors.New("a time cannot be negative")
	}
	return d, nil
}

// hours is an option that takes a bare number of hours, or a duration.
type hours time.Duration

func (h *hours) String() string {
	return strconv.FormatFloat(time.Duration(*h).Hours(), 'f', -1, 64)
}

func (h *hours) Type() string { return "hours" }

func (h *hours) Set(text string) error {
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n < 1e6 {
		*h = hours(n * float64(time.Hour))
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("write hours, as in 48, or a time, as in 30m or 48h")
	}
	*h = hours(d)
	return nil
}

// pauses is an option that takes times parted by commas.
type pauses []time.Duration

func (p *pauses) String() string {
	texts := make([]string, len(*p))
	for i, d := range *p {
		s := seconds(d)
		texts[i] = s.String()
	}
	return strings.Join(texts, ",")
}

func (p *pauses) Type() string { return "seconds" }

func (p *pauses) Set(text string) error {
	*p = nil
	for part := range strings.SplitSeq(text, ",") {
		d, err := parseSeconds(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		*p = append(*p, d)
	}
	return nil
}

// megabytes is an option that takes a bare number of megabytes, or a size such
// as 128MB or 1GB.
type megabytes int

func (m *megabytes) String() string { return strconv.Itoa(int(*m)) }
func (m *megabytes) Type() string   { return "MB" }

func (m *megabytes) Set(text string) error {
	number, factor := strings.ToUpper(strings.TrimSpace(text)), 1
	for suffix, f := range map[string]int{"MB": 1, "M": 1, "GB": 1024, "G": 1024} {
		if cut, ok := strings.CutSuffix(number, suffix); ok {
			number, factor = cut, f
			break
		}
	}
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 0 || n > 1<<24 {
		return errors.New("write megabytes, as in 128, or a size, as in 128MB or 1GB")
	}
	*m = megabytes(n * factor)
	return nil
}
