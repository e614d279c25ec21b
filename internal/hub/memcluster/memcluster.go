// Package memcluster links several hubs of one process as if each were a
// server of its own. It keeps every promise of hub.Cluster and nothing on any
// disk or network, so it is the cluster to test with; a hub that is alone needs
// none.
package memcluster

import (
	"hash/maphash"
	"sync"

	"github.com/belfryhq/belfry/internal/hub"
)

// Network is the set of linked hubs. The zero value has none. Nodes are added
// before the first connection, since the owner of a channel follows from how
// many there are.
type Network struct {
	seed  maphash.Seed
	once  sync.Once
	nodes []*Node
}

// Node is one hub's end of the network; it implements hub.Cluster.
type Node struct {
	net *Network
	hub hub.Node

	mu    sync.Mutex // guards all below
	todo  []func()
	wake  chan struct{}
	ended bool
	done  chan struct{}
}

// Add makes the next node. Start gives it its hub.
func (net *Network) Add() *Node {
	net.once.Do(func() { net.seed = maphash.MakeSeed() })
	n := &Node{net: net, wake: make(chan struct{}, 1), done: make(chan struct{})}
	net.nodes = append(net.nodes, n)
	return n
}

// Start gives the node its hub and begins to carry messages to it, one at a
// time in the order in which they were sent. Stop ends that.
func (n *Node) Start(h hub.Node) {
	n.hub = h
	go n.carry()
}

// Stop carries what was sent so far and ends.
func (n *Node) Stop() {
	n.mu.Lock()
	n.ended = true
	n.mu.Unlock()
	n.kick()
	<-n.done
}

// Nodes counts the linked hubs.
func (n *Node) Nodes() int { return len(n.net.nodes) }

func (n *Node) carry() {
	defer close(n.done)
	for {
		n.mu.Lock()
		todo, ended := n.todo, n.ended
		n.todo = nil
		n.mu.Unlock()
		for _, do := range todo {
			do()
		}
		if len(todo) > 0 {
			continue
		}
		if ended {
			return
		}
		<-n.wake
	}
}

// send gives the node something to do, behind all that was sent before.
func (n *Node) send(do func()) {
	n.mu.Lock()
	n.todo = append(n.todo, do)
	n.mu.Unlock()
	n.kick()
}

func (n *Node) kick() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *Node) owner(app, channel string) *Node {
	var h maphash.Hash
	h.SetSeed(n.net.seed)
	h.WriteString(app)
	h.WriteByte(0)
	h.WriteString(channel)
	return n.net.nodes[h.Sum64()%uint64(len(n.net.nodes))]
}

// Owns implements hub.Cluster.
func (n *Node) Owns(app, channel string) bool { return n.owner(app, channel) == n }

// Ask implements hub.Cluster.
func (n *Node) Ask(op hub.Op, reply func(hub.Answer, error)) {
	owner := n.owner(op.App, op.Channel)
	owner.send(func() {
		owner.hub.Decide(op, func(a hub.Answer) {
			n.send(func() { reply(a, nil) })
		})
	})
}

// Publish implements hub.Cluster.
func (n *Node) Publish(m hub.Cast, done func(error)) {
	for _, other := range n.net.nodes {
		if other != n {
			other.send(func() { other.hub.Deliver(m) })
		}
	}
	if done != nil {
		done(nil)
	}
}

// Gather implements hub.Cluster.
func (n *Node) Gather(op hub.Op, reply func([]hub.Answer, error)) {
	var mu sync.Mutex
	var answers []hub.Answer
	left := len(n.net.nodes) - 1
	if left == 0 {
		reply(nil, nil)
		return
	}
	for _, other := range n.net.nodes {
		if other == n {
			continue
		}
		other.send(func() {
			other.hub.Decide(op, func(a hub.Answer) {
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, a)
				if left--; left == 0 {
					all := answers
					n.send(func() { reply(all, nil) })
				}
			})
		})
	}
}
