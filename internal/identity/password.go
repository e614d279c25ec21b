package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/belfryhq/belfry"
)

// The bounds of a password: the shortest in characters, the longest in bytes.
const (
	MinPassword = 8
	MaxPassword = 1000
)

// hasher hashes passwords, a bounded number at a time.
type hasher struct {
	cost  Hashing
	slots chan struct{}
	busy  atomic.Int64
	done  atomic.Uint64
	dummy string // a hash of no password, for users that do not exist
}

const (
	saltSize = 16
	hashSize = 32
)

func newHasher(cost Hashing) *hasher {
	h := &hasher{cost: cost, slots: make(chan struct{}, max(1, cost.AtOnce))}
	salt, none := make([]byte, saltSize), make([]byte, hashSize)
	rand.Read(salt)
	rand.Read(none)
	h.dummy = h.encode(salt, none)
	return h
}

// hash makes the text that is kept for a password. It waits for its turn as
// long as ctx lasts.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return h.encode(salt, argon2.IDKey([]byte(password), salt, h.cost.Time, h.cost.Memory, 1, hashSize)), nil
}

// matches reports whether the kept text is of that password, and whether it was
// made at another cost than today's. An empty text stands for a user that does
// not exist, and takes as long.
func (h *hasher) matches(ctx context.Context, kept, password string) (ok, outdated bool, err error) {
	unknown := kept == ""
	if unknown {
		kept = h.dummy
	}
	cost, salt, want, err := decode(kept)
	if err != nil {
		return false, false, err
	}
	done, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer done()
	got := argon2.IDKey([]byte(password), salt, cost.Time, cost.Memory, 1, uint32(len(want)))
	ok = subtle.ConstantTimeCompare(got, want) == 1 && !unknown
	return ok, cost.Time != h.cost.Time || cost.Memory != h.cost.Memory, nil
}

func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	h.busy.Add(1)
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; h.busy.Add(-1); h.done.Add(1) }, nil
	case <-ctx.Done():
		h.busy.Add(-1)
		return nil, ctx.Err()
	}
}

const hashForm = "$argon2id$v=19$m=%d,t=%d,p=1$"

func (h *hasher) encode(salt, hash []byte) string {
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf(hashForm, h.cost.Memory, h.cost.Time) + text(salt) + "$" + text(hash)
}

func decode(kept string) (cost Hashing, salt, hash []byte, err error) {
	parts := strings.Split(kept, "$")
	if len(parts) != 6 {
		return cost, nil, nil, fmt.Errorf("the kept password has %d parts", len(parts))
	}
	if _, err = fmt.Sscanf(strings.Join(parts[:4], "$")+"$", hashForm, &cost.Memory, &cost.Time); err != nil {
		return cost, nil, nil, fmt.Errorf("the kept password has another form: %w", err)
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return cost, nil, nil, fmt.Errorf("the kept password's salt: %w", err)
	}
	if hash, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return cost, nil, nil, fmt.Errorf("the kept password's hash: %w", err)
	}
	if cost.Time < 1 || cost.Time > 64 || cost.Memory > 1<<20 || len(hash) < 16 {
		return cost, nil, nil, fmt.Errorf("the kept password's cost is out of bounds")
	}
	return cost, salt, hash, nil
}

// checkPassword says what is wrong with a new password.
func checkPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return belfry.Errorf(belfry.CodeInvalid, "the password is too short: use at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return belfry.Errorf(belfry.CodeInvalid, "the password is too long: use at most %d bytes", MaxPassword)
	}
	return nil
}

// readable are characters that are not taken for one another; 32 of them, so
// that a byte gives each the same chance.
const readable = "23456789abcdefghijkmnpqrstuvwxyz"

// GeneratePassword makes a password that can be read aloud, of 80 random bits:
// "k7dm-2x9f-qh4t-w3nv".
func GeneratePassword() string {
	s := readableText(16)
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
}

// readableText gives random characters of five bits each.
func readableText(size int) string {
	text := randomBytes(size)
	for n, c := range text {
		text[n] = readable[c%32]
	}
	return string(text)
}
