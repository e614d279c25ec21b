package pusher

// CloseCode is a code of pusher:error and of the close frame behind it. The
// ranges promise a behaviour (WS-31): 40xx do not come back unchanged, 41xx
// come back after a second, 42xx at once; 43xx are never a close.
type CloseCode int

// The codes that the server uses (WS-30).
const (
	CloseNeedsTLS        CloseCode = 4000
	CloseNoApp           CloseCode = 4001
	CloseAppDisabled     CloseCode = 4003
	CloseOverQuota       CloseCode = 4004
	CloseNoPath          CloseCode = 4005
	CloseBadVersion      CloseCode = 4006
	CloseBadProtocol     CloseCode = 4007
	CloseNoProtocol      CloseCode = 4008
	CloseUnauthorized    CloseCode = 4009
	CloseOverCapacity    CloseCode = 4100
	CloseReconnect       CloseCode = 4200
	ClosePongTimeout     CloseCode = 4201
	CloseInactive        CloseCode = 4202
	CodeClientEvent      CloseCode = 4301 // an event's code, never a close
	CodeWatchlistTooLong CloseCode = 4302 // an event's code, never a close
)

// NoCode stands for the null code of most command errors.
const NoCode CloseCode = 0
