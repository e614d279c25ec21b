package authz

import "sync"

// recentMost bounds what is remembered of encrypted channels, some 200 bytes
// each.
const recentMost = 32_768

// recent remembers to whom encrypted channels were opened, since their answers
// carry no token. The oldest goes first when there are too many, and no earlier:
// a client may subscribe long after it got its answer. What is forgotten or was
// answered by another server has no known user.
type recent struct {
	mu    sync.Mutex // guards all below
	of    map[place]principal
	ring  []place
	first int // the oldest in ring, once it is full
}

type place struct{ app, socket, channel string }

func (r *recent) add(app, socket, channel string, p principal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[place]principal{}
	}
	at := place{app, socket, channel}
	if _, known := r.of[at]; !known {
		if len(r.ring) < recentMost {
			r.ring = append(r.ring, at)
		} else {
			delete(r.of, r.ring[r.first])
			r.ring[r.first] = at
			r.first = (r.first + 1) % recentMost
		}
	}
	r.of[at] = p
}

func (r *recent) find(app, socket, channel string) (principal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.of[place{app, socket, channel}]
	return p, ok
}
