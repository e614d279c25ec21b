package hub

import (
	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// AppOf gives the app that a connection of this node belongs to, by its socket
// id; nil for a connection that is not here.
func (h *Hub) AppOf(socketID string) *belfry.App {
	id, ok := pusher.ParseSocketID(socketID)
	if !ok {
		return nil
	}
	for _, a := range h.registry.Load().byID {
		if a.client(id) != nil {
			return a.get()
		}
	}
	return nil
}
