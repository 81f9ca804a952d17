package systemd

import (
	"errors"
	"path"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// automounted tells whether options of fstab ask for a mount at the first access.
func automounted(options []string) bool { return slices.Contains(options, "x-systemd.automount") }

// automountUnitName escapes a path as systemd-escape -p does.
func automountUnitName(where string) string { return escapeUnitPath(where) + ".automount" }

// startAutomount waits for the first access. On this machine nothing is mounted then: it is for network file systems,
// which it has not.
func (s *Manager) startAutomount(u *unit) error {
	where := u.where()
	t := s.k.Tree
	fail := func() error {
		s.setState(u, "failed", "failed")
		return errors.New("resources")
	}
	if err := t.Quietly(func() error { t.MkdirAll(path.Clean(where)); return nil }); err != nil {
		return fail()
	}
	v := kernel.NewVolume(60+uint32(len(t.Mounts)), "autofs", "systemd-1", nil)
	v.Pseudo = true
	now := s.k.Now().UnixNano()
	v.Upper[1] = &kernel.Inode{Num: 1, Mode: kernel.ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}, ATime: now,
		MTime: now, CTime: now, BTime: now, Owned: true}
	t.Lock()
	err := t.Mount(v, 1, where, []string{"relatime"})
	t.Unlock()
	if err != nil {
		return fail()
	}
	u.result = "success"
	s.setState(u, "active", "waiting")
	return nil
}
