package hub

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// Conn is one connection as the hub sees it. Its methods never block, may be
// called concurrently and after the connection's end, and never call the hub
// back.
type Conn interface {
	// Send queues one sealed message behind all that waits.
	Send(message []byte)
	// Close ends the connection: what waits is written, then, if message is not
	// nil, message, then a close frame with code and reason. The connection's
	// owner calls Client.Disconnect when it is done.
	Close(code pusher.CloseCode, reason string, message []byte)
}

// Outlet holds the subscribers of a group of connections and does their
// fan-out. The portable engine has one, the sharded engine one a shard.
//
// Join, Leave and Publish are called under the channel's lock, never block and
// never call the hub back; what they are told about one topic takes effect in
// the order of the calls.
type Outlet interface {
	// Join sends first, in order, to the subscription's connection and then
	// makes it a subscriber (CH-11).
	Join(s *Subscription, first [][]byte)
	// Leave ends the subscription; nothing published later reaches it.
	Leave(s *Subscription)
	// Publish sends d to the topic's subscribers in this outlet.
	Publish(t *Topic, d Delivery) Receipt
	// Reserve waits until the outlet has room for size more bytes for each
	// subscriber of t, so that a publisher slows down instead of cutting
	// subscribers off (backpressure). It gives ctx's error when that ends first.
	// It is called without any lock.
	Reserve(ctx context.Context, t *Topic, size int) error
	// Release ends a reservation, after its Publish or instead of it.
	Release(t *Topic, size int)
}

// Topic is a channel as the outlets know it.
type Topic struct {
	App, Name string
	// Slots has a place for each outlet, in the order of AddOutlet, for the
	// outlet to keep the topic's subscribers in. Only that outlet touches it.
	Slots []any

	local []atomic.Int32 // subscribers by outlet; changed under the channel's lock
}

// Local says how many subscribers the outlet in that place has. It may be called
// under any lock.
func (t *Topic) Local(slot int) int {
	if slot >= len(t.local) {
		return 0 // a test's own topic
	}
	return int(t.local[slot].Load())
}

// Subscription is one connection on one channel.
type Subscription struct {
	Topic  *Topic
	Client *Client
	// Pos and Mark are the outlet's own: the place in its list, and when it came
	// there.
	Pos  int32
	Mark uint32
	// member is who the connection is there, nil but on presence channels.
	member *member
}

// Delivery is one message on its way to the subscribers of a topic.
type Delivery struct {
	Message []byte  // sealed, shared by all receivers, never changed
	Except  *Client // gets nothing; may be nil
	// NotJava leaves out the official Java client, which breaks on clear
	// messages in encrypted channels (CH-53).
	NotJava bool
}

// Skips reports whether c is not to get the delivery.
func (d *Delivery) Skips(c *Client) bool {
	return c == d.Except || d.NotJava && c.java
}

// Receipt counts what became of a message, over one or many channels.
type Receipt = belfry.Receipt

// Clock is where the hub's time comes from.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine after d.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending AfterFunc.
type Timer interface{ Stop() bool }

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now gives the current time.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func (SystemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// Observer is told what the hub decided, once and in order for each channel.
// Notice is called under locks: it must not block and must not call the hub.
type Observer interface{ Notice(Notice) }

// NoticeKind says what a Notice is about.
type NoticeKind uint8

// The kinds of notices, with the fields that each fills besides App and Time.
// App is an empty one for a connection whose key is no app's.
const (
	NoticeConnected         NoticeKind = iota // Socket, Text (address)
	NoticeDisconnected                        // Socket, UserID; Count and Text: the close code and why, as far as they are known
	NoticeSubscribed                          // Channel, Socket, UserID, Holder
	NoticeUnsubscribed                        // Channel, Socket, UserID
	NoticeOccupied                            // Channel: 0 to 1 subscribers
	NoticeVacated                             // Channel: 1 to 0 subscribers
	NoticeMemberAdded                         // Channel, UserID
	NoticeMemberRemoved                       // Channel, UserID
	NoticeCacheMiss                           // Channel (deduplicated, HOOK-20)
	NoticeSubscriptionCount                   // Channel, Count
	NoticeClientEvent                         // Channel, Event, EventID, Data, Socket, UserID, Receipt
	NoticePublished                           // Channel, Event, EventID, Size, Receipt, Payload
	NoticeRefused                             // Channel, Socket, Text: a subscription or sign-in; without Socket a connection, Count its code, Address
	NoticeLimit                               // Event, Channel, Limit, Size, Max; Near: an early warning
	NoticeSignedIn                            // Socket, UserID, Holder
)

// Notice is one thing that happened.
type Notice struct {
	Kind    NoticeKind
	App     *belfry.App
	Time    time.Time
	Channel string
	Event   string
	EventID string
	Socket  string
	UserID  string
	Text    string
	// Holder is the user that a subscription or sign-in stands for, where
	// Belfry's own authorization said so; empty when it is not known.
	Holder string
	// Address is the peer's, of a connection that is refused.
	Address string
	// Data is a client event's data as a string (HOOK-19).
	Data string
	// Payload is an event's data as a JSON string token, not to be kept or changed.
	Payload []byte
	Count   int
	Receipt Receipt
	// Limit is the configuration key of a limit, Size what met it, Max its
	// value; Near is an early warning at 80%.
	Limit     string
	Size, Max int64
	Near      bool
}

// Cluster connects this hub with the others that serve the same apps. Each
// channel has an owner among the live nodes, which decides its transitions,
// counts, members and cache. memcluster answers for a single process: it owns
// everything and has no others to tell. No method blocks; all may be called
// under a channel's lock.
type Cluster interface {
	// Owns reports whether this node decides about that channel of app.
	Owns(app, channel string) bool
	// Ask sends a decision to its owner elsewhere. reply is called once, later
	// and without locks, in the order in which the owner decided and published.
	Ask(op Op, reply func(Answer, error))
	// Publish hands a message to the other nodes with subscribers of its
	// channel, in the order of the calls. done, if not nil, is called once when
	// the broker has it; before Publish returns if there is nobody to tell.
	Publish(m Cast, done func(error))
	// Gather asks every other node and gives what they answered.
	Gather(op Op, reply func([]Answer, error))
}

// Node is what a hub offers to its cluster driver.
type Node interface {
	// Decide carries out op, as the owner of its channel or, for OpTerminate and
	// OpChannels, for this node's part. It calls reply once, before it returns
	// and before it publishes anything that a newcomer is to see after its
	// success; reply must not block and must not call the hub.
	Decide(op Op, reply func(Answer))
	// Deliver brings a message from another node to the local subscribers.
	Deliver(m Cast)
}

// OpKind is the kind of an Op.
type OpKind uint8

// What may be asked of an owner, or, the last two, of every node.
const (
	OpJoin      OpKind = iota // App, Channel, Socket, Member
	OpLeave                   // App, Channel, Socket, Member.ID
	OpCache                   // App, Channel, Event, Data, Socket (excluded)
	OpState                   // App, Channel
	OpTerminate               // App, UserID
	OpChannels                // App, Channel as a prefix
)

// Op is a decision to make, or a question, on its way between nodes.
type Op struct {
	Kind    OpKind
	App     string
	Channel string
	UserID  string
	Event   string
	Data    []byte // a JSON string token
	Socket  pusher.SocketID
	Member  pusher.Member
}

// Answer is what became of an Op.
type Answer struct {
	// Full refuses a join: the channel has its limit of members.
	Full bool
	// Members are the channel's members after a presence join (CH-12).
	Members []pusher.Member
	// Cached is a cache channel's event; nil on a miss (CH-41).
	Cached *CacheState
	// Channels answers OpChannels, and OpState with at most one entry.
	Channels map[string]ChannelInfo
	// Receipt counts the owner's own subscribers (OpCache).
	Receipt Receipt
}

// Cast is a message on its way between nodes.
type Cast struct {
	App, Channel string
	Message      []byte          // unsealed
	Except       pusher.SocketID // zero for none
	NotJava      bool
}
