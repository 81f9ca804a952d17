package pgprov

import (
	"context"
	"sync"
)

// maintenance keeps sessions of the first database open from one instance to the next while an apply
// works on instances: a new one costs the server as much as making the owner role. An idle one gives
// way to whoever needs its slot, and none outlives the last instance.
type maintenance struct {
	idle chan *session // made with the client

	mu    sync.Mutex
	users int
}

// use notes one more instance that is worked on, and returns what ends that.
func (m *maintenance) use() (end func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.users--; m.users > 0 {
			return
		}
		for {
			select {
			case s := <-m.idle:
				s.close()
			default:
				return
			}
		}
	}
}

// session returns an idle session, or a new one.
func (m *maintenance) session(ctx context.Context, c *client) (*session, error) {
	select {
	case s := <-m.idle:
		return s, nil
	default:
		return c.connect(ctx, c.server.database())
	}
}

// leave keeps a session for the next instance, without its locks; one with which something failed is
// closed.
func (m *maintenance) leave(ctx context.Context, s *session, failed error) error {
	if failed == nil {
		failed = s.exec(ctx, "SELECT pg_catalog.pg_advisory_unlock_all()")
	}
	if failed == nil {
		select {
		case m.idle <- s:
			return nil
		default:
		}
	}
	s.close()
	return failed
}
