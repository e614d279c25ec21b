package hub

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// offlineDelay absorbs reconnects before a user counts as offline (USER-22).
const offlineDelay = 3 * time.Second

// signin is who a connection is signed in as.
type signin struct {
	pusher.User
}

// users are the signed-in users of an app and those who watch them.
type users struct {
	app *app

	mu   sync.Mutex // guards byID and all users in it
	byID map[string]*user
}

// user is a user who is signed in, or watched, or both.
type user struct {
	id       string
	clients  map[*Client]struct{}
	watchers map[*Client]struct{}
	online   bool  // as the watchers were told
	offline  Timer // tells the watchers, if the user does not come back
}

// signin handles pusher:signin (section 4.1).
func (c *Client) signin(m pusher.Message) {
	s := c.app.settings.Load()
	deny := func(r *refusedSub) {
		c.app.counters.denied.Add(1)
		c.app.notice(Notice{Kind: NoticeRefused, Socket: c.id.String(), Text: "sign-in: " + cmp.Or(r.log, r.text)})
		c.fail(pusher.CloseUnauthorized, "sign-in refused: %s", r.text) // the connection stays (USER-04)
	}
	refuse := func(text string) { deny(&refusedSub{text: text}) }
	req, err := pusher.ParseSignin(m)
	if err != nil {
		refuse(err.Error())
		return
	}
	secrets, signature, refusal := credentials(s, req.Auth)
	if refusal != nil {
		deny(refusal)
		return
	}
	if text := pusher.UserText(c.id.String(), req.UserData); !pusher.Verify(secrets, text, signature) {
		deny(mismatch(text))
		return
	}
	maxID := s.Limits.UserID
	if maxID == belfry.Unlimited {
		maxID = 1 << 20
	}
	u, err := pusher.ParseUser(req.UserData, maxID)
	if err != nil {
		refuse(err.Error())
		return
	}
	tooLong := belfry.Over(len(u.Watchlist), s.Limits.Watchlist)
	if tooLong {
		c.app.limit("watchlist", Notice{UserID: u.ID}, int64(len(u.Watchlist)), int64(s.Limits.Watchlist))
		u.Watchlist = u.Watchlist[:s.Limits.Watchlist]
	}
	who := c.principal("", req.UserData)
	if !c.app.users.signIn(c, u, req.UserData, who) {
		refuse("this connection is already signed in as another user")
		return
	}
	n := Notice{Kind: NoticeSignedIn, Socket: c.id.String(), UserID: u.ID}
	if who != nil {
		n.Holder = who.User
	}
	c.app.notice(n)
	c.authorized()
	c.doubt(who)
	if tooLong {
		c.fail(pusher.CodeWatchlistTooLong, "the watchlist is longer than %d: the rest is ignored", s.Limits.Watchlist)
	}
}

// signIn signs a connection in, or renews its sign-in under the same id
// (USER-05); false when it is another's already.
func (us *users) signIn(c *Client, u pusher.User, userData string, who *Principal) bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	c.mu.Lock()
	before, gone := c.user, c.gone
	if gone || before != nil && before.ID != u.ID {
		c.mu.Unlock()
		return gone
	}
	c.user = &signin{User: u}
	us.app.holders.remove(hold{client: c})
	us.app.holders.add(hold{client: c}, who)
	c.mu.Unlock()
	if before != nil {
		us.unwatch(c, before.Watchlist)
	}
	c.send(pusher.AppendSigninSuccess(begin(64+2*len(userData)), userData))
	me := us.get(u.ID)
	me.clients[c] = struct{}{}
	us.cameOnline(me)
	if us.app.settings.Load().Watchlist {
		us.watch(c, u.Watchlist)
	}
	return true
}

// signOut ends a connection's sign-in.
func (us *users) signOut(c *Client, s *signin) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.app.holders.remove(hold{client: c})
	us.unwatch(c, s.Watchlist)
	u := us.byID[s.ID]
	if u == nil {
		return
	}
	delete(u.clients, c)
	if len(u.clients) == 0 && u.online {
		u.offline = us.app.hub.clock.AfterFunc(offlineDelay, func() { us.wentOffline(u) })
	}
}

// get gives the entry of a user, a new one if need be.
func (us *users) get(id string) *user {
	u := us.byID[id]
	if u == nil {
		u = &user{id: id, clients: make(map[*Client]struct{}), watchers: make(map[*Client]struct{})}
		us.byID[id] = u
	}
	return u
}

// drop forgets a user whom nobody is and nobody watches.
func (us *users) drop(u *user) {
	if len(u.clients) == 0 && len(u.watchers) == 0 && !u.online {
		delete(us.byID, u.id)
	}
}

func (us *users) cameOnline(u *user) {
	if u.offline != nil {
		u.offline.Stop()
		u.offline = nil
	}
	if !u.online {
		u.online = true
		us.tell(u)
	}
}

func (us *users) wentOffline(u *user) {
	us.mu.Lock()
	defer us.mu.Unlock()
	if len(u.clients) > 0 || !u.online {
		return
	}
	u.online, u.offline = false, nil
	us.tell(u)
	us.drop(u)
}

// tell tells a user's watchers of the change (USER-20).
func (us *users) tell(u *user) {
	if len(u.watchers) == 0 {
		return
	}
	ids := []string{u.id}
	var buf []byte
	if u.online {
		buf = pusher.AppendWatchlist(begin(160), ids, nil)
	} else {
		buf = pusher.AppendWatchlist(begin(160), nil, ids)
	}
	m := us.app.hub.seal(buf)
	for c := range u.watchers {
		c.conn.Send(m.sealed)
	}
}

// watch adds c to the watchers of ids and tells it their state in one message
// (USER-21).
func (us *users) watch(c *Client, ids []string) {
	var online, offline []string
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		u := us.get(id)
		u.watchers[c] = struct{}{}
		if u.online {
			online = append(online, id)
		} else {
			offline = append(offline, id)
		}
	}
	if len(online)+len(offline) > 0 {
		c.send(pusher.AppendWatchlist(begin(256), online, offline))
	}
}

func (us *users) unwatch(c *Client, ids []string) {
	for _, id := range ids {
		if u := us.byID[id]; u != nil {
			delete(u.watchers, c)
			us.drop(u)
		}
	}
}

// of gives the connections signed in as a user.
func (us *users) of(id string) []*Client {
	us.mu.Lock()
	defer us.mu.Unlock()
	u := us.byID[id]
	if u == nil {
		return nil
	}
	all := make([]*Client, 0, len(u.clients))
	for c := range u.clients {
		all = append(all, c)
	}
	return all
}

// count counts the signed-in users.
func (us *users) count() (n int64) {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, u := range us.byID {
		if len(u.clients) > 0 {
			n++
		}
	}
	return n
}
