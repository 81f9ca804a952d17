package sshd

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/ssh"

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

// authorized reads the user's authorized_keys, as sshd does with StrictModes.
func (s *Server) authorized(user string, key ssh.PublicKey) bool {
	u := libc.UserByName(s.k, user)
	if u == nil {
		return false
	}
	b, err := s.k.FS().ReadFile(u.Home + "/.ssh/authorized_keys")
	if err != nil {
		return false
	}
	for _, p := range []string{u.Home, u.Home + "/.ssh", u.Home + "/.ssh/authorized_keys"} {
		st, err := s.k.FS().Stat(p)
		if err != nil || st.Mode&0o022 != 0 || st.UID != 0 && st.UID != u.UID {
			return false
		}
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
