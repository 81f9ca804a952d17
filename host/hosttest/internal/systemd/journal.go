package systemd

import (
	"strings"
	"sync"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// journalStream takes the standard output of a service.
type journalStream struct {
	s    *Manager
	u    *unit
	tag  string
	mu   sync.Mutex
	rest []byte
}

func (j *journalStream) Read(*kernel.Process, []byte) (int, error) { return 0, syscall.EBADF }

func (j *journalStream) Write(p *kernel.Process, b []byte) (int, error) {
	j.mu.Lock()
	j.rest = append(j.rest, b...)
	var lines []string
	for {
		i := strings.IndexByte(string(j.rest), '\n')
		if i < 0 {
			break
		}
		lines = append(lines, string(j.rest[:i]))
		j.rest = j.rest[i+1:]
	}
	j.mu.Unlock()
	pid := 0
	if p != nil {
		pid = p.PID
	}
	j.s.logLines(j.u, j.tag, pid, lines)
	return len(b), nil
}

func (j *journalStream) Close() {}

// logLines is called by running services, which never hold the manager's lock.
func (s *Manager) logLines(u *unit, tag string, pid int, lines []string) {
	if len(lines) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		s.log(u, tag, pid, "%s", l)
	}
}
