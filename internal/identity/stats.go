package identity

import "sync/atomic"

// Stats are counts since the start.
type Stats struct {
	Logins   LoginStats
	Sessions SessionStats
	Tokens   CheckStats
	JWT      CheckStats
	// KeySets counts the fetches of issuers' key sets.
	KeySets CheckStats
	// Hashing is how many passwords are being hashed or wait for it now.
	Hashing int
	// Hashed counts those that were.
	Hashed uint64
}

// LoginStats counts attempts to sign in by their result.
type LoginStats struct {
	OK       uint64
	Wrong    uint64 // unknown user or wrong password
	Limited  uint64 // refused unseen, after too many wrong ones
	Disabled uint64 // right password of a disabled user
	Failed   uint64 // the server's own fault
}

// SessionStats counts sessions.
type SessionStats struct {
	Ended   uint64 // signed out
	Refused uint64 // cookies of no session, or of an expired one
}

// CheckStats counts what was accepted and refused.
type CheckStats struct {
	OK      uint64
	Refused uint64
}

type counters struct {
	loginOK, loginWrong, loginLimited, loginDisabled, loginFailed atomic.Uint64
	sessionEnded, sessionRefused                                  atomic.Uint64
	tokenOK, tokenRefused                                         atomic.Uint64
	jwtOK, jwtRefused                                             atomic.Uint64
}

// Stats gives the counts.
func (i *Identity) Stats() Stats {
	c := &i.count
	return Stats{
		Logins: LoginStats{OK: c.loginOK.Load(), Wrong: c.loginWrong.Load(), Limited: c.loginLimited.Load(),
			Disabled: c.loginDisabled.Load(), Failed: c.loginFailed.Load()},
		Sessions: SessionStats{Ended: c.sessionEnded.Load(), Refused: c.sessionRefused.Load()},
		Tokens:   CheckStats{OK: c.tokenOK.Load(), Refused: c.tokenRefused.Load()},
		JWT:      CheckStats{OK: c.jwtOK.Load(), Refused: c.jwtRefused.Load()},
		KeySets:  CheckStats{OK: i.issuers.fetched.Load(), Refused: i.issuers.failed.Load()},
		Hashing:  int(i.hasher.busy.Load()),
		Hashed:   i.hasher.done.Load(),
	}
}
