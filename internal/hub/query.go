package hub

// ChannelInfo is the state of an occupied channel (HTTP-46).
type ChannelInfo struct {
	Subscriptions int // connections (HTTP-47)
	Users         int // distinct members; presence channels only
}
