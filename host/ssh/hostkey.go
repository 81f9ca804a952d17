package ssh

import (
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

// HostKeys says how a machine proves its identity. The zero value trusts no machine: the error then
// shows the key and how to pin it. A key that has changed is always refused.
type HostKeys struct {
	// Pinned are the keys that the machine may have, as "ssh-ed25519 AAAA..." or "SHA256:...". If
	// there are any, no other key is trusted.
	Pinned []string

	// KnownHosts are files in the known_hosts format of sshd(8), with hashed names, [host]:port,
	// @cert-authority and @revoked. Each of them must exist. A line that cannot be read is skipped
	// with a warning, as by ssh(1); but if it revokes a key, no machine is trusted.
	KnownHosts []string

	// AcceptNew is a known_hosts file to which the key of a machine is added when the machine is
	// seen for the first time. It is read like one of KnownHosts, and created if it does not exist.
	// Empty means that an unknown machine is refused.
	AcceptNew string

	// Alias is the name under which the known_hosts files list the machine, with or without a port;
	// empty means the target's address.
	Alias string
}

func (h HostKeys) validate() (ps lab.Problems) {
	for i, p := range h.Pinned {
		if _, err := parsePin(p); err != nil {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("pinned[%d]", i), Text: p, Message: err.Error(),
				Hint: `"ssh-ed25519 AAAA...", as ssh-keyscan prints it after the name, or "SHA256:..."`})
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

// hostKeyVerifier decides on the host key of one machine.
type hostKeyVerifier struct {
	target string
	addr   string // host:port, as in known_hosts files
	pins   []pin
	accept string // HostKeys.AcceptNew
	known  *knownHosts

	err         error  // why the key was refused
	unknown     bool   // nothing is known of the machine that would speak for or against its key
	fingerprint string // of the key that was accepted
}

func (h HostKeys) verifier(target, addr string) (*hostKeyVerifier, error) {
	v := &hostKeyVerifier{target: target, addr: addr, accept: h.AcceptNew, known: &knownHosts{}}
	fail := func(path, hint string, err error) (*hostKeyVerifier, error) {
		return nil, lab.NotSent(&lab.Error{Op: "read known hosts", Target: target, Path: path, Hint: hint, Err: err})
	}
	if h.Alias != "" {
		var err error
		if v.addr, err = HostPort(h.Alias); err != nil {
			return fail(h.Alias, "", fmt.Errorf("%w: %w", lab.ErrInvalid, err))
		}
	}
	for _, text := range h.Pinned {
		p, err := parsePin(text)
		if err != nil {
			return fail("", "", fmt.Errorf("%w: pin %q: %w", lab.ErrInvalid, text, err))
		}
		v.pins = append(v.pins, p)
	}
	files := slices.Clone(h.KnownHosts)
	if h.AcceptNew != "" {
		files = append(files, h.AcceptNew)
	}
	for i, f := range files {
		switch err := v.known.add(f); {
		case errors.Is(err, fs.ErrNotExist) && i >= len(h.KnownHosts): // it is created when the first key is accepted
		case errors.Is(err, fs.ErrNotExist):
			return fail(f, "touch "+Quote(f)+", or remove it from the list",
				fmt.Errorf("%w: no such file", lab.ErrNotFound))
		case err != nil:
			return fail(f, "", err)
		}
	}
	for _, o := range v.known.odd {
		if o.revoked {
			return fail(fmt.Sprintf("%s:%d", o.file, o.number), "correct the line, or remove it if the key that it revokes is gone",
				fmt.Errorf("%w: a @revoked line cannot be read, and any machine's key may be the one that it revokes: %s",
					lab.ErrInvalid, o.why))
		}
	}
	return v, nil
}

// lookup returns the keys that the files list for the machine, and the authorities that certify its
// key. If the machine listens on another port than 22 and is not listed with it, lookup looks for
// the machine without a port, as ssh(1) does: "@cert-authority *.lan" is for every port. Keys that
// are found so are elsewhere: another one on this port says nothing.
func (v *hostKeyVerifier) lookup() (keys, authorities, elsewhere []knownLine) {
	name := knownhosts.Normalize(v.addr)
	keys, authorities = v.known.about(name)
	host, port, _ := net.SplitHostPort(v.addr)
	if port == "22" || len(keys)+len(authorities) > 0 {
		return keys, authorities, nil
	}
	elsewhere, authorities = v.known.about(host)
	return nil, authorities, elsewhere
}

// algorithms returns the host key algorithms to request, those of known keys first: a machine has
// several keys, and if asked in another order it shows one that is not known
// (golang.org/issue/29286). The others follow, so that a changed key can be told from a missing
// one.
func (v *hostKeyVerifier) algorithms() []string {
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
	keys, authorities, elsewhere := v.lookup()
	if len(v.pins) == 0 && len(authorities) > 0 {
		add(ssh.CertAlgoED25519v01)
		for _, a := range all {
			if isCert(a) {
				add(a)
			}
		}
	}
	for _, p := range v.pins {
		if p.key != nil {
			add(ofKey(p.key.Type())...)
		}
	}
	if len(v.pins) == 0 {
		for _, l := range slices.Concat(keys, elsewhere) {
			add(ofKey(l.key.Type())...)
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

// verify is the [ssh.HostKeyCallback].
func (v *hostKeyVerifier) verify(_ string, _ net.Addr, key ssh.PublicKey) error {
	v.err = v.decide(key)
	if v.err == nil {
		v.fingerprint = ssh.FingerprintSHA256(key)
	}
	return v.err
}

func (v *hostKeyVerifier) decide(key ssh.PublicKey) error {
	if l := v.known.revokes(key); l != nil {
		return v.refuse("give it a new host key: sudo rm /etc/ssh/ssh_host_*, sudo dpkg-reconfigure openssh-server",
			"%s has %s, which is revoked by %s", v.addr, describeHostKey(key), l.place())
	}
	if len(v.pins) > 0 {
		return v.comparePins(key)
	}
	keys, authorities, elsewhere := v.lookup()
	cert, ok := key.(*ssh.Certificate)
	if ok {
		if why := v.certifies(cert, authorities); why != "" {
			return v.refuse("on the machine, see what it certifies: ssh-keygen -L -f "+keyFile(key, "-cert.pub"),
				"%s has %s: %s", v.addr, describeHostKey(key), why)
		}
		return nil
	}
	for _, l := range slices.Concat(keys, elsewhere) {
		if sameKey(l.key, key) {
			return nil
		}
	}
	return v.refuseUnknown(key, keys, authorities)
}

// certifies returns why the certificate does not prove that the machine is the one we know; "" if it
// does.
func (v *hostKeyVerifier) certifies(cert *ssh.Certificate, authorities []knownLine) string {
	host, _, _ := net.SplitHostPort(v.addr)
	switch {
	case cert.CertType != ssh.HostCert:
		return "it is not for a machine"
	case !slices.ContainsFunc(authorities, func(l knownLine) bool { return sameKey(l.key, cert.SignatureKey) }):
		return "its authority is not known for this machine"
	}
	if err := (&ssh.CertChecker{}).CheckCert(host, cert); err != nil {
		return strings.TrimPrefix(err.Error(), "ssh: ")
	}
	return ""
}

func (v *hostKeyVerifier) refuse(hint, format string, args ...any) error {
	return lab.NotSent(&lab.Error{Op: "verify host key", Target: v.target, Hint: hint,
		Err: fmt.Errorf("%w: "+format, append([]any{lab.ErrHostKey}, args...)...)})
}

// refuseKey refuses a key that a person may find to be the right one.
func (v *hostKeyVerifier) refuseKey(key ssh.PublicKey, hint, format string, args ...any) error {
	return lab.NotSent(&lab.Error{Op: "verify host key", Target: v.target, Hint: hint,
		Set: lab.Setting{Name: SettingHostKey, Value: knownhosts.Line([]string{v.addr}, key)},
		Err: fmt.Errorf("%w: "+format, append([]any{lab.ErrHostKey}, args...)...)})
}

// comparePins accepts a key that is pinned.
func (v *hostKeyVerifier) comparePins(key ssh.PublicKey) error {
	var pinned []string
	for _, p := range v.pins {
		if p.fingerprint == ssh.FingerprintSHA256(key) {
			return nil
		}
		pinned = append(pinned, p.fingerprint)
	}
	return v.refuseKey(key, "if the machine was not reinstalled, this may be a man in the middle; if it was, compare with "+
		"its own key, ssh-keygen -lf "+keyFile(key, ".pub")+", and trust that in place of the old one",
		"%s has %s, but %s is pinned", v.addr, describeHostKey(key), strings.Join(pinned, " or "))
}

// refuseUnknown refuses a key that the files do not list for the machine, or adds it to the file of
// accepted keys if they list none at all.
func (v *hostKeyVerifier) refuseUnknown(key ssh.PublicKey, keys, authorities []knownLine) error {
	has := describeHostKey(key)
	switch {
	case len(keys) > 0:
		var listed []string
		for _, l := range keys {
			listed = append(listed, fmt.Sprintf("%s %s (%s)", l.key.Type(), ssh.FingerprintSHA256(l.key), l.place()))
		}
		remove := fmt.Sprintf("ssh-keygen -R %s -f %s", Quote(knownhosts.Normalize(v.addr)), Quote(keys[0].file))
		return v.refuse("if the machine was reinstalled, remove the old key: "+remove+
			"; if not, this may be a man in the middle",
			"%s has %s, but its known key is %s", v.addr, has, strings.Join(listed, ", "))
	case len(authorities) > 0:
		return v.refuse("sign its host key with that authority, and name the certificate in sshd_config (HostCertificate)",
			"%s has %s, but a certificate of %s (%s) is required",
			v.addr, has, ssh.FingerprintSHA256(authorities[0].key), authorities[0].place())
	}
	for _, o := range v.known.odd {
		if o.damaged && o.hosts.matches(knownhosts.Normalize(v.addr)) {
			return v.refuse("correct the line, or remove it to treat the machine as unknown",
				"%s has %s, and the line that lists its key cannot be read: %s", v.addr, has, o)
		}
	}
	v.unknown = true
	if v.accept != "" {
		return v.remember(key)
	}
	skipped := ""
	if n := len(v.known.odd); n > 0 {
		skipped = fmt.Sprintf("; %d lines could not be read, the first is %s", n, v.known.odd[0])
	}
	return v.refuseKey(key, fmt.Sprintf("compare it with the machine's own, ssh-keygen -lf %s, then trust %q",
		keyFile(key, ".pub"), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))),
		"%s has %s, and no key of it is known%s", v.addr, has, skipped)
}

// remember adds the key to the file of accepted keys, in one write, so that the lines of two
// machines that are seen at the same time do not mix.
func (v *hostKeyVerifier) remember(key ssh.PublicKey) error {
	fail := func(err error) error {
		return lab.NotSent(&lab.Error{Op: "write known hosts", Target: v.target, Path: v.accept, Err: err})
	}
	f, err := os.OpenFile(v.accept, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	line := knownhosts.Line([]string{v.addr}, key) + "\n"
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
		return fmt.Sprintf("a certificate of %s %s, signed by %s", cert.Key.Type(), ssh.FingerprintSHA256(cert.Key),
			ssh.FingerprintSHA256(cert.SignatureKey))
	}
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}

// keyFile returns the path that the key has on the machine by default.
func keyFile(key ssh.PublicKey, suffix string) string {
	name := "rsa"
	switch t := key.Type(); {
	case strings.Contains(t, "ed25519"):
		name = "ed25519"
	case strings.Contains(t, "ecdsa"):
		name = "ecdsa"
	}
	return "/etc/ssh/ssh_host_" + name + "_key" + suffix
}
