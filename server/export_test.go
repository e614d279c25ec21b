package server

import "github.com/belfryhq/belfry/internal/hub/memcluster"

// LinkWith has the server share its channels with the other nodes of a network.
func (c *Config) LinkWith(node *memcluster.Node) { c.cluster = node }
