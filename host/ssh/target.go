package ssh

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Target says how a machine is reached. Nothing else is read: no ssh_config, SSH_AUTH_SOCK, default
// keys or default known_hosts. To use those of the user, ask for them with [FromSSHConfig].
type Target struct {
	Name    string // for messages and IDs: "pi1"; empty means Address
	Address string // host name or IP address, with or without a port (22); IPv6 bare, or in brackets if a port follows
	User    string // who logs in; required

	// Jump are the machines to go through, the first dialled first; empty means that the machine is
	// dialled directly. Of a jump only Name, Address, User, Auth, HostKeys and ConnectTimeout are
	// used.
	Jump []Target

	Auth     Auth     // how to log in
	HostKeys HostKeys // how the machine proves its identity

	// SudoPassword is what sudo gets when it asks; empty means that it must not ask (NOPASSWD). It
	// is used only for [Command.Root], and not if User is root.
	SudoPassword lab.Secret

	// LockFile is the file that [Command.Lock] locks; empty means /run/lab.lock. It may contain
	// letters, digits and ./_- only.
	LockFile string

	// Boundary decides about every connection: to the machine or its first jump, from there to the
	// next, and what goes through the machine ([Conn.DialContext]). Nil allows loopback only.
	Boundary *lab.Boundary

	// Logger is warned of what is skipped: lines of known_hosts files and certificates that cannot be
	// used. Nil discards the warnings.
	Logger *slog.Logger

	// ConnectTimeout is for each hop, login included; 0 means 20 s.
	ConnectTimeout time.Duration

	// KeepAlive is the time between keepalive requests, of which three in a row may go unanswered;
	// 0 means 15 s, and below 0 no requests are sent.
	KeepAlive time.Duration
}

const (
	defaultLockFile       = "/run/lab.lock"
	defaultConnectTimeout = 20 * time.Second
	defaultKeepAlive      = 15 * time.Second
)

var lockFilePattern = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`)

// Validate reports everything that is wrong with the target as [lab.Problems].
func (t Target) Validate() error { return t.validate(false).Err() }

func (t Target) validate(jump bool) (ps lab.Problems) {
	if t.Address == "" {
		ps = append(ps, lab.Problem{Path: "address", Message: "empty", Hint: "a host name or an IP address"})
	} else if _, err := HostPort(t.Address); err != nil {
		ps = append(ps, lab.Problem{Path: "address", Text: t.Address, Message: err.Error(),
			Hint: `"pi1", "192.0.2.1:22", "2001:db8::1" or "[2001:db8::1]:22"`})
	}
	if t.User == "" {
		ps = append(ps, lab.Problem{Path: "user", Message: "empty", Hint: "the name to log in with"})
	}
	if jump && len(t.Jump) > 0 {
		ps = append(ps, lab.Problem{Path: "jump", Message: "a jump cannot have jumps of its own",
			Hint: "put them before it in the target's list"})
	}
	if t.LockFile != "" && !lockFilePattern.MatchString(t.LockFile) {
		ps = append(ps, lab.Problem{Path: "lockFile", Text: t.LockFile,
			Message: "not an absolute path of letters, digits and ./_- only"})
	}
	if strings.ContainsAny(t.SudoPassword.Reveal(), "\n\r\x00") {
		ps = append(ps, lab.Problem{Path: "sudoPassword",
			Message: "contains a line break or a NUL byte", Hint: "sudo reads one line"})
	}
	for i, j := range t.Jump {
		ps = append(ps, j.validate(true).Under(fmt.Sprintf("jump[%d]", i))...)
	}
	ps = append(ps, t.Auth.validate().Under("auth")...)
	ps = append(ps, t.HostKeys.validate().Under("hostKeys")...)
	return ps
}

func (t Target) name() string {
	if t.Name == "" {
		return t.Address
	}
	return t.Name
}

func (t Target) log() *slog.Logger {
	if t.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return t.Logger
}

func (t Target) lockFile() string {
	if t.LockFile == "" {
		return defaultLockFile
	}
	return t.LockFile
}

func (t Target) connectTimeout() time.Duration {
	if t.ConnectTimeout <= 0 {
		return defaultConnectTimeout
	}
	return t.ConnectTimeout
}

var (
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

	// A name whose last label is a number is meant as an IPv4 address, and some resolvers take it as one:
	// 192.168.1 is 192.168.0.1 to inet_aton(3) (url.spec.whatwg.org, "ends in a number").
	numberLast = regexp.MustCompile(`(^|\.)[0-9]+\.?$`)
)

// HostPort returns an address, in any of the forms that Target.Address may have, as the "host:port"
// that [net.Dial] takes.
func HostPort(address string) (string, error) {
	host, port := address, "22"
	_, err := netip.ParseAddr(address)
	switch {
	case err == nil:
	case strings.HasPrefix(address, "[") && strings.HasSuffix(address, "]"):
		host = address[1 : len(address)-1]
	case strings.Contains(address, ":"):
		if host, port, err = net.SplitHostPort(address); err != nil {
			return "", errors.New("not an address")
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	port = strconv.FormatUint(n, 10)
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" && !hostPattern.MatchString(ip.Zone()) {
			return "", errors.New("no valid interface name after %")
		}
		return net.JoinHostPort(ip.String(), port), nil
	}
	if strings.HasPrefix(address, "[") {
		return "", errors.New("the brackets contain no IPv6 address")
	}
	if !hostPattern.MatchString(host) {
		return "", errors.New("not a host name")
	}
	if numberLast.MatchString(host) {
		return "", errors.New("neither a host name nor an IPv4 address, which is four numbers from 0 to 255")
	}
	return net.JoinHostPort(strings.ToLower(host), port), nil
}
