package accounts

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdChpasswd(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "c:emR:s:", "crypt-method=>c encrypted>e md5>m sha-rounds=>s")
	if !ok {
		p.Warnf("Usage: chpasswd [options]\n")
		return 2
	}
	f, ok := openUserFiles(p, 1)
	if !ok {
		return 1
	}
	var b []byte
	buf := make([]byte, 4096)
	for {
		n, err := p.Read(0, buf)
		b = append(b, buf[:n]...)
		if err != nil {
			break
		}
	}
	bad, failed := false, false
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		name, pw, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			p.Errorf("line %d: missing new password", n)
			bad = true
			continue
		}
		sh := f.shadowOf(name)
		if sh == nil && !o.Has("e", "c", "m") {
			// PAM changes each password by itself.
			p.Errorf("(user %s) pam_chauthtok() failed, error:\nAuthentication token manipulation error", name)
			p.Errorf("(line %d, user %s) password not changed", n, name)
			failed = true
			continue
		}
		if u := f.user(name); sh == nil && u != nil && u.Passwd == "x" {
			sh = []string{name, "", "", "0", "99999", "7", "", "", ""}
			f.shadow = append(f.shadow, sh)
		}
		if sh == nil {
			p.Errorf("line %d: user '%s' does not exist", n, name)
			bad = true
			continue
		}
		if o.Has("e") {
			sh[1] = pw
		} else {
			sh[1] = libc.ShadowHash(pw)
		}
		sh[2] = today(p)
	}
	if bad && o.Has("e", "c", "m") {
		return refuse(p, 1, "error detected, changes ignored")
	}
	return max(f.save(), libc.BoolToInt(bad || failed))
}
