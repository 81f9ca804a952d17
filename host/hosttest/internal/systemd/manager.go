package systemd

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// Manager is the service manager of one machine, with what it has loaded and runs.
type Manager struct {
	k       *kernel.Kernel
	mu      sync.Mutex
	units   map[string]*unit
	journal []logLine
	gen     int // counts daemon-reloads
}

type logLine struct {
	at   time.Time
	unit string
	tag  string
	pid  int
	text string
}

// A fileStamp tells whether a file changed since it was read.
type fileStamp struct {
	path    string
	ino     uint32
	changes uint32
	mtime   int64
}

// mountedUnit tells whether a .mount unit stands for something mounted.
func (s *Manager) mountedUnit(name string) (string, bool) {
	base, ok := strings.CutSuffix(name, ".mount")
	if !ok {
		return "", false
	}
	where := unescapeUnitPath(base)
	for _, mt := range s.k.Mounts() {
		if mt.Target == where {
			return where, true
		}
	}
	return where, false
}

func (s *Manager) setState(u *unit, active, sub string) {
	now := s.k.Now()
	if u.active != active {
		u.stateChange = now
		if u.active == "inactive" || u.active == "failed" {
			u.inactiveExit = now
		}
		if u.active == "active" {
			u.activeExit = now
		}
		switch active {
		case "active":
			u.activeEnter = now
		case "inactive", "failed":
			u.inactiveEnter = now
		}
	}
	u.active, u.sub = active, sub
}

func (s *Manager) log(u *unit, tag string, pid int, format string, a ...any) {
	s.journal = append(s.journal, logLine{s.k.Now(), u.name, tag, pid, fmt.Sprintf(format, a...)})
	if len(s.journal) > 4096 {
		s.journal = slices.Delete(s.journal, 0, 1024)
	}
}

// managers holds the service manager of this boot.
type managers struct {
	mu  sync.Mutex
	now *Manager
}

// Of is the service manager that runs.
func Of(k *kernel.Kernel) *Manager {
	b := kernel.Local[managers](k)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// unitList gives each loaded unit once, by name.
func (s *Manager) unitList() []*unit {
	var out []*unit
	for _, k := range slices.Sorted(maps.Keys(s.units)) {
		if u := s.units[k]; u.name == k {
			out = append(out, u)
		}
	}
	return out
}

func (s *Manager) reloadLocked(u *unit) error {
	lines := u.file.all("Service.ExecReload")
	if len(lines) == 0 {
		return fmt.Errorf("Job type reload is not applicable for unit %s.", u.name)
	}
	if u.active != "active" {
		return fmt.Errorf("%s is not active, cannot reload.", u.name)
	}
	if err := s.k.Mutate(nil); err != nil {
		return err
	}
	env, err := s.environment(u)
	if err != nil {
		return err
	}
	if u.proc != nil {
		env = libc.Setenv(env, "MAINPID", strconv.Itoa(u.proc.PID))
	}
	for _, l := range lines {
		args, ignore := s.command(u, l, env)
		if len(args) == 0 || path.Base(args[0]) == "kill" && u.proc != nil && u.proc.Stub {
			continue // a daemon without a program takes any HUP well
		}
		p, err := s.spawn(u, args, env, true)
		if err != nil {
			return errors.New("exit-code")
		}
		if p.Stub {
			p.Finish(kernel.WaitStatus{})
			continue
		}
		s.mu.Unlock()
		<-p.Done
		s.mu.Lock()
		if p.Status != (kernel.WaitStatus{}) && !ignore {
			return errors.New("exit-code")
		}
	}
	return nil
}

// daemonReload reads every unit again.
func (s *Manager) daemonReload() error {
	if err := s.k.Mutate(nil); err != nil {
		return err
	}
	s.gen++
	s.generate()
	for _, u := range s.unitList() {
		if u.active == "inactive" || u.active == "failed" && u.load == "not-found" {
			for n, x := range s.units {
				if x == u {
					delete(s.units, n)
				}
			}
			if u.active == "inactive" && u.inactiveEnter.IsZero() {
				continue
			}
		}
		names := u.names
		s.units[u.name] = u
		u.names = nil
		for _, n := range names {
			if _, id, _ := s.find(n); id == u.name {
				u.names = append(u.names, n)
				s.units[n] = u
			} else {
				delete(s.units, n)
			}
		}
		s.loadUnit(u.name)
	}
	return nil
}
