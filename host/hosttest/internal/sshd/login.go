package sshd

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var errAuth = errors.New("permission denied")

func (s *Server) serverConfig() *ssh.ServerConfig {
	cfg := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6",
		MaxAuthTries:  6,
	}
	checker := &ssh.CertChecker{
		IsUserAuthority: func(k ssh.PublicKey) bool {
			return s.cfg.UserCA != nil && bytes.Equal(k.Marshal(), s.cfg.UserCA.Marshal())
		},
		UserKeyFallback: func(md ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.authorized(md.User(), key) {
				return &ssh.Permissions{}, nil
			}
			return nil, errAuth
		},
		Clock: s.k.Now,
	}
	cfg.PublicKeyCallback = func(md ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if cert, ok := key.(*ssh.Certificate); ok && libc.UserByName(s.k, md.User()) == nil {
			_ = cert
			return nil, errAuth
		}
		return checker.Authenticate(md, key)
	}
	if s.cfg.Passwords {
		cfg.PasswordCallback = func(md ssh.ConnMetadata, pw []byte) (*ssh.Permissions, error) {
			if libc.CheckPassword(s.k, md.User(), string(pw)) {
				return &ssh.Permissions{}, nil
			}
			return nil, errAuth
		}
		cfg.KeyboardInteractiveCallback = func(md ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			a, err := ask("", "", []string{"Password: "}, []bool{false})
			if err == nil && len(a) == 1 && libc.CheckPassword(s.k, md.User(), a[0]) {
				return &ssh.Permissions{}, nil
			}
			return nil, errAuth
		}
	}
	s.mu.Lock()
	for _, k := range s.hostKeys {
		cfg.AddHostKey(k)
	}
	s.mu.Unlock()
	return cfg
}

// configFile is what sshd is configured with.
const configFile = "/etc/ssh/sshd_config"

// authorized reads the user's authorized keys where sshd_config says that they are.
func (s *Server) authorized(user string, key ssh.PublicKey) bool {
	u := libc.UserByName(s.k, user)
	conf := settingsOf(s.k, configFile, user)
	if u == nil || conf.get("pubkeyauthentication") == "no" || u.UID == 0 && conf.get("permitrootlogin") == "no" {
		return false
	}
	tokens := strings.NewReplacer("%%", "%", "%h", u.Home, "%u", u.Name, "%U", fmt.Sprint(u.UID))
	for name := range strings.FieldsSeq(conf.get("authorizedkeysfile")) {
		if name = tokens.Replace(name); !strings.HasPrefix(name, "/") {
			name = u.Home + "/" + name
		}
		if s.holds(u, name, key, conf.get("strictmodes") != "no") {
			return true
		}
	}
	return false
}

// holds reports whether the user's file has the key. With StrictModes it counts only when nobody else could write to it.
func (s *Server) holds(u *libc.User, name string, key ssh.PublicKey, strict bool) bool {
	st, err := s.k.FS().Stat(name)
	if err != nil || !st.IsRegular() || !s.readable(u, st) || strict && !s.secure(u, st.Path) {
		return false
	}
	b, err := s.k.FS().ReadFile(name)
	if err != nil {
		return false
	}
	want := key.Marshal()
	for len(b) > 0 {
		k, _, _, rest, err := ssh.ParseAuthorizedKey(b)
		if err != nil {
			return false
		}
		if bytes.Equal(k.Marshal(), want) {
			return true
		}
		b = rest
	}
	return false
}

// readable reports whether the user, as whom sshd opens it, can read the file.
func (s *Server) readable(u *libc.User, st kernel.Stat) bool {
	if !s.may(u, st, 4) {
		return false
	}
	for dir := path.Dir(st.Path); dir != "/"; dir = path.Dir(dir) {
		if st, err := s.k.FS().Stat(dir); err != nil || !s.may(u, st, 1) {
			return false
		}
	}
	return true
}

// may reports whether the user has a permission: 4 to read, 1 to search.
func (s *Server) may(u *libc.User, st kernel.Stat, bit uint32) bool {
	switch {
	case u.UID == 0:
		return true
	case st.UID == u.UID:
		bit <<= 6
	case st.GID == u.GID || slices.Contains(libc.GroupsOf(s.k, u.Name), st.GID):
		bit <<= 3
	}
	return st.Mode&bit != 0
}

// secure examines the file and what is above it, up to the user's home or the root (safe_path in OpenSSH's misc.c). What
// the user's own group can write is safe if nobody else is in it (Debian's user-group-modes.patch).
func (s *Server) secure(u *libc.User, file string) bool {
	home := u.Home
	if st, err := s.k.FS().Stat(home); err == nil {
		home = st.Path
	}
	for p := file; ; p = path.Dir(p) {
		st, err := s.k.FS().Stat(p)
		if err != nil || st.UID != 0 && st.UID != u.UID || st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && !s.alone(u, st.GID) {
			return false
		}
		if p == home || p == "/" {
			return true
		}
	}
}

// alone reports whether the user is the only member of the group.
func (s *Server) alone(u *libc.User, gid uint32) bool {
	users, _ := libc.Database(s.k)
	members := 0
	for _, other := range users {
		if other.GID == gid {
			members++
			if other.UID != u.UID {
				return false
			}
		}
	}
	if g := libc.GroupByID(s.k, gid); g == nil || len(g.Members) > 1 || len(g.Members) == 1 && g.Members[0] != u.Name {
		return false
	} else if len(g.Members) == 1 {
		members++
	}
	return members > 0
}
