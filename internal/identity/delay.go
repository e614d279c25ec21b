package identity

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/words"
)

// LimitError refuses an attempt that came too early. It unwraps to a
// belfry.Error of CodeRateLimited.
type LimitError struct {
	After time.Duration // when to try again, from now
	Err   error
}

// Error gives the message.
func (e *LimitError) Error() string { return e.Err.Error() }

// Unwrap gives the coded error.
func (e *LimitError) Unwrap() error { return e.Err }

// RetryAfter gives After.
func (e *LimitError) RetryAfter() time.Duration { return e.After }

// delays slows down who guesses passwords. Failures are counted for each
// account, for each address, and for each pair of them. An attempt waits by the
// pair's own last attempt, for as long as the account's and the pair's failures
// say, and by the address's last one. So an account under attack slows down
// each address for itself, and its owner, who comes from another one, is never
// locked out. Memory is bounded: the entry used longest ago goes first.
type delays struct {
	longest time.Duration

	mu        sync.Mutex // guards the three
	pairs     *simplelru.LRU[[2]string, *failures]
	accounts  *simplelru.LRU[string, *failures]
	addresses *simplelru.LRU[string, *failures]
}

type failures struct {
	count int
	last  time.Time // the last attempt
}

const (
	freePerPair    = 4  // wrong passwords before there is a pause
	freePerAccount = 10 // over all addresses
	freePerAddress = 20 // over all accounts
	forgetAfter    = 15 * time.Minute
	maxRemembered  = 10_000
)

func newDelays(longest time.Duration) *delays {
	d := &delays{longest: longest}
	d.pairs, _ = simplelru.NewLRU[[2]string, *failures](maxRemembered, nil) // fails for sizes below one only
	d.accounts, _ = simplelru.NewLRU[string, *failures](maxRemembered, nil)
	d.addresses, _ = simplelru.NewLRU[string, *failures](maxRemembered, nil)
	return d
}

// attempt is one that was let in. It counts as a failure until it is told to
// have succeeded, so that many at once do not slip through.
type attempt struct {
	d                      *delays
	pair, account, address *failures
}

// begin lets an attempt in, or gives a LimitError.
func (d *delays) begin(account, address string, now time.Time) (*attempt, error) {
	address = network(address)
	d.mu.Lock()
	defer d.mu.Unlock()
	a := &attempt{d, get(d.pairs, [2]string{account, address}, now), get(d.accounts, account, now), get(d.addresses, address, now)}
	pause := max(d.pause(a.pair.count-freePerPair), d.pause(a.account.count-freePerAccount))
	wait := max(a.pair.last.Add(pause).Sub(now), a.address.last.Add(d.pause(a.address.count-freePerAddress)).Sub(now))
	if wait > 0 {
		return nil, &LimitError{After: wait, Err: &belfry.Error{Code: belfry.CodeRateLimited,
			Message: "too many attempts to sign in", Hint: "wait " + max(wait, time.Second).Round(time.Second).String() + " and try again"}}
	}
	for _, f := range []*failures{a.pair, a.account, a.address} {
		f.count++
		f.last = now
	}
	return a, nil
}

// pause is the wait after so many failures beyond the free ones: 1 s, 2 s, 4 s …
func (d *delays) pause(beyond int) time.Duration {
	if beyond < 0 {
		return 0
	}
	return min(d.longest, time.Second<<min(beyond, 20))
}

// undo takes the attempt's own failure back: it was no wrong password.
func (a *attempt) undo() {
	a.d.mu.Lock()
	defer a.d.mu.Unlock()
	for _, f := range []*failures{a.pair, a.account, a.address} {
		f.count = max(0, f.count-1)
	}
}

// succeed also clears the pair's failures. The others' stay: who has an account
// of their own must not buy guesses at others by signing in between them.
func (a *attempt) succeed() {
	a.undo()
	a.d.mu.Lock()
	a.pair.count = 0
	a.d.mu.Unlock()
}

func get[K comparable](from *simplelru.LRU[K, *failures], key K, now time.Time) *failures {
	f, ok := from.Get(key)
	if !ok || now.Sub(f.last) > forgetAfter {
		f = &failures{}
		from.Add(key, f)
	}
	return f
}

// network groups IPv6 addresses by their /64, which is one customer's.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return words.Cut(address, 64)
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		prefix, _ := a.Prefix(64)
		return prefix.String()
	}
	return a.String()
}
