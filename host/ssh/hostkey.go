package ssh

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// HostKeys says how a machine proves that it is the one we mean. The zero value trusts no machine: the error then shows the key and how to
// pin it. A key that has changed is refused whatever is set.
type HostKeys struct {
	// Pinned are the keys that the machine may show, as in "ssh-ed25519 AAAA..." or "SHA256:...". When there are any, nothing else is trusted.
	Pinned []string

	// KnownHosts are files in the format of sshd(8), with hashed names, [host]:port, @cert-authority and @revoked. Each must exist.
	KnownHosts []string

	// AcceptNew is a known_hosts file to which the key of a machine is added that is seen for the first time; it is read like one of
	// KnownHosts and made when it is missing. Empty means that a machine that is not known is refused.
	AcceptNew string

	// Alias is the name by which the known_hosts files know the machine, with or without a port; empty means the target's address.
	Alias string
}

func (h HostKeys) problems() (ps lab.Problems) {
	for i, p := range h.Pinned {
		if _, err := parsePin(p); err != nil {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("pinned[%d]", i), Text: p, Message: err.Error(), Hint: `"ssh-ed25519 AAAA...", as ssh-keyscan prints it after the name, or "SHA256:..."`})
		}
	}
	if h.Alias != "" {
		if _, err := HostPort(h.Alias); err != nil {
			ps = append(ps, lab.Problem{Path: "alias", Text: h.Alias, Message: err.Error()})
		}
	}
	return ps
}

// pin is one of HostKeys.Pinned.
type pin struct {
	key         ssh.PublicKey // nil when only the fingerprint is known
	fingerprint string
}

func parsePin(text string) (pin, error) {
	if strings.HasPrefix(text, "SHA256:") {
		if len(text) != len("SHA256:")+43 || strings.ContainsAny(text[7:], " =") {
			return pin{}, errors.New("not a fingerprint")
		}
		return pin{nil, text}, nil
	}
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(rest) > 0 {
		return pin{}, errors.New("not a public key")
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return pin{}, errors.New("a certificate cannot be pinned")
	}
	return pin{key, ssh.FingerprintSHA256(key)}, nil
}

// keyring decides on the host key of one machine.
type keyring struct {
	target string
	addr   string // host:port, as known_hosts files know it
	pins   []pin
	accept string
	files  []string
	known  ssh.HostKeyCallback // nil without files

	err   error  // why the key was refused
	shown string // fingerprint of the key that was accepted
}

func (h HostKeys) keyring(target, addr string) (*keyring, error) {
	k := &keyring{target: target, addr: addr, accept: h.AcceptNew, files: slices.Clone(h.KnownHosts)}
	fail := func(path, hint string, err error) (*keyring, error) {
		return nil, lab.NotSent(&lab.Error{Op: "read known hosts", Target: target, Path: path, Hint: hint, Err: err})
	}
	if h.Alias != "" {
		var err error
		if k.addr, err = HostPort(h.Alias); err != nil {
			return fail(h.Alias, "", fmt.Errorf("%w: %w", lab.ErrInvalid, err))
		}
	}
	for _, text := range h.Pinned {
		p, err := parsePin(text)
		if err != nil {
			return fail("", "", fmt.Errorf("%w: pin %q: %w", lab.ErrInvalid, text, err))
		}
		k.pins = append(k.pins, p)
	}
	if h.AcceptNew != "" {
		if _, err := os.Stat(h.AcceptNew); err == nil {
			k.files = append(k.files, h.AcceptNew)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fail(h.AcceptNew, "", err)
		}
	}
	for _, f := range k.files {
		if _, err := os.Stat(f); errors.Is(err, fs.ErrNotExist) {
			return fail(f, "touch "+Quote(f)+", or leave it out", fmt.Errorf("%w: no such file", lab.ErrNotFound))
		}
	}
	if len(k.files) > 0 {
		known, err := knownhosts.New(k.files...)
		if err != nil {
			return fail("", "repair the line that is named, or leave the file out", fmt.Errorf("%w: %w", lab.ErrInvalid, err))
		}
		k.known = known
	}
	return k, nil
}

// lookup returns what the files know of the machine: keys, and authorities that certify its key.
func (k *keyring) lookup() (keys, authorities []knownhosts.KnownKey) {
	if k.known == nil {
		return nil, nil
	}
	// The package has no other way to ask than with a key that cannot be known.
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil
	}
	probe, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, nil
	}
	var wrong *knownhosts.KeyError
	if errors.As(k.ask(&net.TCPAddr{}, probe), &wrong) {
		return splitAuthorities(wrong.Want)
	}
	return nil, nil
}

// ask asks the files for the machine, and, when it listens on another port than 22 and is not known by it, for the machine without a port,
// as ssh(1) does: "@cert-authority *.lan" is for every port.
func (k *keyring) ask(remote net.Addr, key ssh.PublicKey) error {
	err := k.known(k.addr, remote, key)
	host, port, _ := net.SplitHostPort(k.addr)
	var wrong *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	if err == nil || port == "22" || errors.As(err, &revoked) || errors.As(err, &wrong) && len(wrong.Want) > 0 {
		return err
	}
	plain := k.known(net.JoinHostPort(host, "22"), remote, key)
	if errors.As(plain, &wrong) {
		keys, authorities := splitAuthorities(wrong.Want)
		if len(keys) > 0 && len(authorities) == 0 {
			return err // another key on another port is no sign of anything
		}
		wrong.Want = authorities
	}
	return plain
}

// splitAuthorities tells @cert-authority lines from others, which package knownhosts does not.
func splitAuthorities(known []knownhosts.KnownKey) (keys, authorities []knownhosts.KnownKey) {
	for _, w := range known {
		if strings.HasPrefix(strings.TrimSpace(lineOf(w.Filename, w.Line)), "@cert-authority") {
			authorities = append(authorities, w)
		} else {
			keys = append(keys, w)
		}
	}
	return keys, authorities
}

func lineOf(file string, n int) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if n--; n == 0 {
			return s.Text()
		}
	}
	return ""
}

// algorithms returns the host key algorithms to ask for, those of keys that we know first: a machine has several keys, and asked in any
// other order it shows one that we do not know (golang.org/issue/29286). The rest follow, so that a changed key can be told from no key.
func (k *keyring) algorithms() []string {
	var list []string
	add := func(algorithms ...string) {
		for _, a := range algorithms {
			if !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
	}
	ofKey := func(keyType string) []string {
		if keyType == ssh.KeyAlgoRSA {
			return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
		}
		return []string{keyType}
	}
	all := ssh.SupportedAlgorithms().HostKeys
	isCert := func(a string) bool { return strings.Contains(a, "-cert-v01@") }
	keys, authorities := k.lookup()
	if len(k.pins) == 0 && len(authorities) > 0 {
		add(ssh.CertAlgoED25519v01)
		for _, a := range all {
			if isCert(a) {
				add(a)
			}
		}
	}
	for _, p := range k.pins {
		if p.key != nil {
			add(ofKey(p.key.Type())...)
		}
	}
	if len(k.pins) == 0 {
		for _, known := range keys {
			add(ofKey(known.Key.Type())...)
		}
	}
	add(ssh.KeyAlgoED25519)
	for _, a := range all {
		if !isCert(a) {
			add(a)
		}
	}
	return list
}

// check is the [ssh.HostKeyCallback].
func (k *keyring) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	k.err = k.decide(remote, key)
	if k.err == nil {
		k.shown = ssh.FingerprintSHA256(key)
	}
	return k.err
}

func (k *keyring) decide(remote net.Addr, key ssh.PublicKey) error {
	fail := func(hint, format string, args ...any) error {
		return lab.NotSent(&lab.Error{Op: "check host key", Target: k.target, Hint: hint, Err: fmt.Errorf("%w: "+format, append([]any{lab.ErrHostKey}, args...)...)})
	}
	shows := describeHostKey(key)
	var known error = &knownhosts.KeyError{}
	if k.known != nil {
		known = k.ask(remote, key)
	}
	var revoked *knownhosts.RevokedError
	if errors.As(known, &revoked) {
		return fail("the machine must get a new host key: sudo rm /etc/ssh/ssh_host_*, sudo dpkg-reconfigure openssh-server",
			"%s shows %s, which is revoked by %s:%d", k.addr, shows, revoked.Revoked.Filename, revoked.Revoked.Line)
	}
	fingerprint := ssh.FingerprintSHA256(key)
	if len(k.pins) > 0 {
		var pinned []string
		for _, p := range k.pins {
			if p.fingerprint == fingerprint {
				return nil
			}
			pinned = append(pinned, p.fingerprint)
		}
		return fail("if the machine was set up anew, compare with what it says itself (ssh-keygen -lf /etc/ssh/ssh_host_"+shortType(key)+"_key.pub) and replace the pin; if not, somebody stands between",
			"%s shows %s, but %s is pinned", k.addr, shows, strings.Join(pinned, " or "))
	}
	if known == nil {
		return nil
	}
	var wrong *knownhosts.KeyError
	if !errors.As(known, &wrong) { // of a certificate
		return fail("ssh-keygen -L -f /etc/ssh/ssh_host_"+shortType(key)+"_key-cert.pub, on the machine, shows what it certifies", "%s shows %s: %w", k.addr, shows, known)
	}
	keys, authorities := splitAuthorities(wrong.Want)
	switch {
	case len(keys) > 0:
		var was []string
		for _, w := range keys {
			was = append(was, fmt.Sprintf("%s %s (%s:%d)", w.Key.Type(), ssh.FingerprintSHA256(w.Key), w.Filename, w.Line))
		}
		return fail(fmt.Sprintf("if the machine was set up anew, forget the old key: ssh-keygen -R %s -f %s; if not, somebody stands between", Quote(knownhosts.Normalize(k.addr)), Quote(keys[0].Filename)),
			"%s shows %s, but is known by %s", k.addr, shows, strings.Join(was, ", "))
	case len(authorities) > 0:
		return fail("sign its host key with that authority, and name the certificate in sshd_config (HostCertificate)",
			"%s shows %s, but a certificate of %s (%s:%d) is wanted", k.addr, shows, ssh.FingerprintSHA256(authorities[0].Key), authorities[0].Filename, authorities[0].Line)
	case k.accept != "":
		return k.remember(key)
	}
	return fail(fmt.Sprintf("compare with what the machine says itself, ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub, then pin %q", shortType(key), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))),
		"%s shows %s, and no key of it is known", k.addr, shows)
}

// remember adds the key to the file of accepted keys, in one write, so that two machines that are met at once do not mix their lines.
func (k *keyring) remember(key ssh.PublicKey) error {
	fail := func(err error) error {
		return lab.NotSent(&lab.Error{Op: "write known hosts", Target: k.target, Path: k.accept, Err: err})
	}
	f, err := os.OpenFile(k.accept, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	line := knownhosts.Line([]string{k.addr}, key) + "\n"
	if st, err := f.Stat(); err == nil && st.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, st.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	if _, err := f.WriteString(line); err != nil {
		return fail(err)
	}
	if err := f.Sync(); err != nil {
		return fail(err)
	}
	return nil
}

func describeHostKey(key ssh.PublicKey) string {
	if cert, ok := key.(*ssh.Certificate); ok {
		return fmt.Sprintf("a certificate of %s %s, signed by %s", cert.Key.Type(), ssh.FingerprintSHA256(cert.Key), ssh.FingerprintSHA256(cert.SignatureKey))
	}
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}

// shortType is the key's type as sshd names its files.
func shortType(key ssh.PublicKey) string {
	switch t := key.Type(); {
	case strings.Contains(t, "ed25519"):
		return "ed25519"
	case strings.Contains(t, "ecdsa"):
		return "ecdsa"
	default:
		return "rsa"
	}
}
