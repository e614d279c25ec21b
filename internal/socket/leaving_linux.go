package socket

// leaver is a connection that leaves the hub. Last says that nothing of it is left,
// so that the engine need not wait for it any more.
type leaver struct {
	conn *shardConn
	last bool
}

// leave has a goroutine of the shard tell the hub that a connection leaves, since
// the caller may be below the hub. A goroutine for each would pay for a stack that
// has to grow for what the hub does. What leaves first is told first. s.mu is held.
func (s *shard) leave(c *shardConn, last bool) {
	s.leaving = append(s.leaving, leaver{c, last})
	select {
	case s.left <- struct{}{}:
	default:
	}
}

// seeOff is the goroutine that tells the hub, until stop; then nobody is left who
// could leave.
func (s *shard) seeOff() {
	var now []leaver
	for {
		s.mu.Lock()
		now, s.leaving = s.leaving, now[:0]
		s.mu.Unlock()
		if len(now) == 0 {
			if _, more := <-s.left; !more {
				return
			}
			continue
		}
		for _, l := range now {
			l.conn.leaveHub()
			if l.last {
				s.engine.leave()
			}
		}
		if clear(now); cap(now) > maxLeaving {
			now = nil // after a crowd
		}
	}
}

// maxLeaving is for how many leavers memory is kept.
const maxLeaving = 256
