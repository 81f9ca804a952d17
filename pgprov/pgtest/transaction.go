package pgtest

import (
	"strconv"
	"time"
)

// view is what this session sees.
func (s *session) view() *state {
	if s.tx != nil {
		return s.tx
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	return s.server.committed
}

// write returns the state for changing. One session changes it at a time: the others wait for its
// commit, as they would on a real server for the rows that it has locked.
func (s *session) write() *state {
	if s.server.config.InRecovery {
		panic(errorf("25006", "cannot execute this statement in a read-only transaction"))
	}
	if s.tx != nil {
		return s.tx
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.await(func() bool { return s.server.writer == nil })
	s.server.writer = s
	s.tx = s.server.committed.clone()
	return s.tx
}

// await waits, with the server locked, until ready, or panics as PostgreSQL would end the statement.
func (s *session) await(ready func() bool) {
	limit := s.lockTimeout()
	var late bool
	if limit > 0 && !ready() {
		t := time.AfterFunc(limit, func() {
			s.server.mu.Lock()
			late = true
			s.server.changed.Broadcast()
			s.server.mu.Unlock()
		})
		defer t.Stop()
	}
	for !ready() {
		switch {
		case s.server.closed:
			panic(&sqlError{code: "57P01", message: "terminating connection due to administrator command", fatal: true})
		case s.cancelled:
			s.cancelled = false
			panic(errorf("57014", "canceling statement due to user request"))
		case late:
			panic(errorf("55P03", "canceling statement due to lock timeout"))
		}
		s.server.changed.Wait()
	}
}

func (s *session) lockTimeout() time.Duration {
	v := s.settings["lock_timeout"]
	if d, err := time.ParseDuration(v); err == nil {
		return d
	}
	n, _ := strconv.Atoi(v)
	return time.Duration(n) * time.Millisecond
}

func (s *session) commit() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.tx != nil {
		s.server.committed = s.tx
		s.server.counters.Writes++
	}
	s.release()
}

func (s *session) rollback() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.release()
}

// release ends the transaction, with the server locked.
func (s *session) release() {
	s.tx = nil
	if s.server.writer == s {
		s.server.writer = nil
	}
	s.unlock(func(l advisoryLock) bool { return l.transaction })
}
