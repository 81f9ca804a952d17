package ssh

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// knownHosts is the content of known_hosts files, in the format of sshd(8). As for ssh(1), a line
// that cannot be read says nothing, and the other lines count: such files are edited by hand, merged
// and copied between systems. Only a key that was revoked must not be forgotten for a typing error.
type knownHosts struct {
	lines []knownLine
	odd   []oddLine
}

// knownLine is a line that could be read.
type knownLine struct {
	file      string
	number    int
	hosts     hostList
	authority bool // @cert-authority
	revoked   bool // @revoked
	key       ssh.PublicKey
}

// place returns "file:line".
func (l knownLine) place() string { return fmt.Sprintf("%s:%d", l.file, l.number) }

// oddLine is a line that could not be read.
type oddLine struct {
	file   string
	number int
	why    string

	// revoked means that it may be a @revoked line. Its key could be that of any machine.
	revoked bool

	// damaged means that the line has a key of a type that is in use, for these machines.
	damaged bool
	hosts   hostList
}

func (o oddLine) String() string { return fmt.Sprintf("%s:%d: %s", o.file, o.number, o.why) }

// add reads a file.
func (k *knownHosts) add(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	number := 0
	for text := range strings.Lines(string(b)) {
		number++
		l, odd := readKnownLine(text)
		switch {
		case odd != nil:
			odd.file, odd.number = file, number
			k.odd = append(k.odd, *odd)
		case l != nil:
			l.file, l.number = file, number
			k.lines = append(k.lines, *l)
		}
	}
	return nil
}

// readKnownLine reads a line. It returns neither value for an empty line or a comment.
func readKnownLine(text string) (*knownLine, *oddLine) {
	l := &knownLine{}
	utf16 := strings.Contains(text, "\x00") // Windows PowerShell redirects in UTF-16
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\x00", ""), "\xff\xfe")
	rest := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if rest == "" || rest[0] == '#' {
		return nil, nil
	}
	marker, markers := "", 0
	for ; strings.HasPrefix(rest, "@"); markers++ {
		marker, rest = cutWord(rest)
		switch {
		case marker == "@cert-authority":
			l.authority = true
		case len(marker) >= len("@revok") && strings.EqualFold(marker[:len("@revok")], "@revok"):
			l.revoked = true
		}
	}
	hosts, rest := cutWord(rest)
	odd := &oddLine{revoked: l.revoked}
	var err error
	if l.hosts, err = readHostList(hosts); err != nil && !l.revoked {
		odd.why = err.Error()
		return nil, odd
	}
	odd.hosts = l.hosts
	key, damaged, err := readKnownKey(rest, l.revoked)
	odd.damaged = damaged && markers == 0
	switch {
	case errors.Is(err, errUnusedType):
		odd.revoked = false // no machine can prove to have this key here
		odd.why = err.Error()
	case err != nil:
		odd.why = err.Error()
	case l.revoked: // whatever else is odd about the line, its key must not be trusted
		l.authority, l.key = false, key
		return l, nil
	case utf16:
		odd.why = "it is in UTF-16"
	case markers > 1:
		odd.why = "it has more than one marker"
	case markers == 1 && !l.authority:
		odd.why = "it has an unknown marker"
	default:
		l.key = key
		return l, nil
	}
	return nil, odd
}

// errUnusedType means that a key is of a type that no machine can have here.
var errUnusedType = errors.New("its key is of a type that is not in use")

// readKnownKey reads the type and the key of a line. With anyType, the type that is written before the
// key need not be that of the key. damaged tells that the type is in use.
func readKnownKey(text string, anyType bool) (key ssh.PublicKey, damaged bool, err error) {
	name, rest := cutWord(text)
	blob, _ := cutWord(rest)
	if name == "" || name[0] == '#' {
		return nil, false, errors.New("it ends before the key")
	}
	if digits(name) && digits(blob) { // "1024 35 123456...", of the protocol's version 1
		return nil, false, errUnusedType
	}
	inUse := slices.Contains(keyTypes(), name)
	b, err := base64.StdEncoding.DecodeString(blob)
	if err != nil || len(b) < 4 {
		if inUse || blob == "" {
			return nil, inUse, errors.New("its key is cut off or damaged")
		}
		return nil, false, errors.New("it is not a line of known_hosts")
	}
	inside := ""
	if n := binary.BigEndian.Uint32(b); uint64(n) <= uint64(len(b)-4) {
		inside = string(b[4 : 4+n])
	}
	switch {
	case inside == name && !inUse:
		return nil, false, errUnusedType
	case inside != name && !anyType:
		return nil, inUse, errors.New("its key is not of the type that it names")
	}
	if key, err = ssh.ParsePublicKey(b); err != nil {
		return nil, inUse, errors.New("its key is cut off or damaged")
	}
	return key, false, nil
}

// keyTypes returns the types of keys and certificates that a machine can prove to have.
func keyTypes() []string {
	types := append(ssh.SupportedAlgorithms().HostKeys, ssh.InsecureAlgorithms().HostKeys...)
	//lint:ignore SA1019 old machines still have such keys in known_hosts
	return append(types, ssh.KeyAlgoRSA, ssh.InsecureKeyAlgoDSA, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// cutWord splits text after its first word. Words are separated by spaces and tabs.
func cutWord(text string) (word, rest string) {
	i := strings.IndexAny(text, " \t")
	if i < 0 {
		return text, ""
	}
	return text[:i], strings.TrimLeft(text[i:], " \t")
}

// hostList is the first field of a line: the patterns of the machines that it is about, or the hash of
// one name.
type hostList []string

func readHostList(text string) (hostList, error) {
	if !strings.HasPrefix(text, "|") {
		return strings.Split(strings.ToLower(text), ","), nil
	}
	l := hostList{text}
	if _, _, err := l.hash(); err != nil {
		return nil, err
	}
	return l, nil
}

// hash returns the parts of a hashed name, "|1|SALT|HASH".
func (l hostList) hash() (salt, sum []byte, err error) {
	parts := strings.Split(l[0], "|")
	if len(parts) == 4 && parts[1] == "1" {
		salt, err = base64.StdEncoding.DecodeString(parts[2])
		if err == nil {
			sum, err = base64.StdEncoding.DecodeString(parts[3])
		}
		if err == nil && len(salt) == sha1.Size && len(sum) == sha1.Size {
			return salt, sum, nil
		}
	}
	return nil, nil, errors.New("its hashed name is damaged")
}

// matches reports whether the line is about the machine with this name, which is in lower case and, unless
// its port is 22, of the form "[name]:port".
func (l hostList) matches(name string) bool {
	if len(l) == 1 && strings.HasPrefix(l[0], "|") {
		salt, sum, err := l.hash()
		mac := hmac.New(sha1.New, salt)
		mac.Write([]byte(name))
		return err == nil && hmac.Equal(mac.Sum(nil), sum)
	}
	matched := false
	for _, pattern := range l {
		positive, negated := strings.CutPrefix(pattern, "!")
		negated = negated && positive != pattern
		if positive == "" || !matchWildcards(positive, name) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

// matchWildcards reports whether the whole name matches: * is any text and ? any byte. It needs linear
// time, except that it goes back to the last star if the rest does not match.
func matchWildcards(pattern, name string) bool {
	p, n, star, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// about returns the keys that the lines list for a machine, and the authorities that certify its key.
func (k *knownHosts) about(name string) (keys, authorities []knownLine) {
	for _, l := range k.lines {
		switch {
		case l.revoked || !l.hosts.matches(name):
		case l.authority:
			authorities = append(authorities, l)
		default:
			keys = append(keys, l)
		}
	}
	return keys, authorities
}

// revokes returns the line that revokes the key, the key that it certifies, or its authority; nil if none
// does. A revoked key is revoked for every machine.
func (k *knownHosts) revokes(key ssh.PublicKey) *knownLine {
	blobs := [][]byte{key.Marshal()}
	if cert, ok := key.(*ssh.Certificate); ok {
		blobs = append(blobs, cert.Key.Marshal(), cert.SignatureKey.Marshal())
	}
	for i, l := range k.lines {
		if l.revoked && slices.ContainsFunc(blobs, func(b []byte) bool { return bytes.Equal(b, plainKey(l.key).Marshal()) }) {
			return &k.lines[i]
		}
	}
	return nil
}

// plainKey returns the key that a certificate certifies, and any other key itself.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }
