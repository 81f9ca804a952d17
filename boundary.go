package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Boundary says which addresses an environment may reach. It decides about the address that is
// about to be connected to, after the name was resolved, so that neither a name, nor a redirect,
// nor a proxy can get around it. The zero Boundary and nil allow loopback only.
//
// A Boundary is safe for concurrent use. Do not change it once it is in use.
type Boundary struct {
	Name string // of the environment, for messages: "sandbox"; empty means "sandbox"

	// Allow are the addresses that may be reached; empty means loopback (127.0.0.0/8 and ::1). An
	// IPv4-mapped IPv6 address counts as the IPv4 address.
	Allow []netip.Prefix

	// Deny are addresses that may not be reached, even if Allow contains them.
	Deny []netip.Prefix

	// Ports are the TCP and UDP ports that may be reached; empty means all.
	Ports []uint16

	// Unix are the sockets that may be dialled: a path, or a directory with a trailing slash for
	// all sockets below it. Empty means none.
	Unix []string

	// Names are host names that may be dialled through another machine, such as an SSH jump host,
	// which resolves them out of our sight. Empty means none: such an address must then be an IP
	// address.
	Names []string

	// Resolver resolves names; nil means the system's.
	Resolver *net.Resolver

	// Refused is called for every address that is refused; nil means that it is not reported.
	Refused func(network, address string)
}

func (b *Boundary) name() string {
	if b == nil || b.Name == "" {
		return "sandbox"
	}
	return b.Name
}

func (b *Boundary) refuse(network, address, why string) error {
	if b != nil && b.Refused != nil {
		b.Refused(network, address)
	}
	return NotSent(&Error{Op: "dial", Target: address,
		Hint: "if this address belongs to the environment, allow it in its boundary",
		Set:  Setting{SettingBoundary, address},
		Err:  fmt.Errorf("%w: %s is outside the boundary of %q", ErrRefused, why, b.name())})
}

// Check returns an [ErrRefused] if the address may not be reached. The unspecified addresses 0.0.0.0
// and :: reach the machine itself, as 127.0.0.1 and ::1 do (ip(7)): they are allowed only if those are
// too.
func (b *Boundary) Check(addr netip.AddrPort) error {
	ip := addr.Addr().Unmap().WithZone("")
	for _, same := range alike(ip) {
		if !b.reaches(same) {
			return b.refuse("tcp", addr.String(), ip.String())
		}
	}
	return b.checkPort(addr.String(), int(addr.Port()))
}

// alike returns the address, and those to which the kernel connects for it.
func alike(ip netip.Addr) []netip.Addr {
	switch ip {
	case netip.IPv4Unspecified():
		return []netip.Addr{ip, netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	case netip.IPv6Unspecified():
		return []netip.Addr{ip, netip.IPv6Loopback()}
	}
	return []netip.Addr{ip}
}

// reaches reports whether the rules for addresses let through the address itself.
func (b *Boundary) reaches(ip netip.Addr) bool {
	contains := func(ps []netip.Prefix) bool {
		return slices.ContainsFunc(ps, func(p netip.Prefix) bool {
			return p.Contains(ip) || p.Addr().Is4In6() && p.Contains(netip.AddrFrom16(ip.As16()))
		})
	}
	allowed := ip.IsLoopback()
	if b != nil && len(b.Allow) > 0 {
		allowed = contains(b.Allow)
	}
	return allowed && (b == nil || !contains(b.Deny))
}

func (b *Boundary) checkPort(address string, port int) error {
	if b == nil || len(b.Ports) == 0 ||
		slices.ContainsFunc(b.Ports, func(p uint16) bool { return int(p) == port }) {
		return nil
	}
	return b.refuse("tcp", address, fmt.Sprintf("port %d", port))
}

// CheckRemote returns an [ErrRefused] if "host:port" may not be dialled through another machine.
// For an IP address [Boundary.Check] decides; a name must be one of Names, and the port one of Ports.
func (b *Boundary) CheckRemote(address string) error {
	host, port, err := net.SplitHostPort(address)
	n := 0
	if err == nil {
		n, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return NotSent(&Error{Op: "dial", Target: address, Hint: `write "host:port"`,
			Err: fmt.Errorf("%w: %w", ErrInvalid, err)})
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return b.Check(netip.AddrPortFrom(ip, uint16(n)))
	}
	name := strings.TrimSuffix(host, ".")
	if b == nil || !slices.ContainsFunc(b.Names, func(n string) bool {
		return strings.EqualFold(strings.TrimSuffix(n, "."), name)
	}) {
		return b.refuse("tcp", address, "the name "+host+", which another machine would resolve,")
	}
	return b.checkPort(address, n)
}

// CheckUnix returns an [ErrRefused] if the socket may not be dialled. It looks at the path as it is
// written; [Boundary.DialContext] follows symbolic links too.
func (b *Boundary) CheckUnix(path string) error {
	if b != nil && allowsUnix(b.Unix, path) {
		return nil
	}
	return b.refuse("unix", path, "the socket "+path)
}

func allowsUnix(allowed []string, path string) bool {
	path = filepath.Clean(path)
	return slices.ContainsFunc(allowed, func(u string) bool {
		if strings.HasSuffix(u, "/") {
			return strings.HasPrefix(path, filepath.Clean(u)+"/")
		}
		return filepath.Clean(u) == path
	})
}

// checkUnixTarget returns an [ErrRefused] if the path leads, through symbolic links, to a socket that is
// not one of Unix.
func (b *Boundary) checkUnixTarget(path string) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil || target == filepath.Clean(path) {
		return nil // the dialer says what is wrong with the path
	}
	var allowed []string
	for _, u := range b.Unix {
		if followed, err := filepath.EvalSymlinks(u); err == nil {
			if strings.HasSuffix(u, "/") {
				followed += "/"
			}
			allowed = append(allowed, followed)
		}
	}
	if !allowsUnix(allowed, target) {
		return b.refuse("unix", path, "the socket "+target+", to which "+path+" is a link,")
	}
	return nil
}

// Dialer makes the connections of a client, and decides which are allowed. It is a [*Boundary], or
// an SSH connection to a machine, which dials from there and applies the boundary of the machine.
// Clients take it in a field named Boundary.
type Dialer interface {
	// DialContext connects as [net.Dialer.DialContext] does: network and address are "tcp" and
	// "host:port", or "unix" and the path of a socket. It resolves names itself. An address outside
	// the boundary is an [ErrRefused], and is not dialled.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// DialContext dials as [net.Dialer.DialContext] does, and refuses addresses outside the boundary
// with an [ErrRefused], which is safe to retry: nothing was sent.
func (b *Boundary) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if strings.HasPrefix(network, "unix") {
		if err := b.CheckUnix(address); err != nil {
			return nil, err
		}
		if err := b.checkUnixTarget(address); err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	d := net.Dialer{
		KeepAlive: 15 * time.Second,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(address)
			if err != nil {
				return b.refuse(network, address, address)
			}
			return b.Check(addr)
		},
	}
	if b != nil {
		d.Resolver = b.Resolver
	}
	return d.DialContext(ctx, network, address)
}

// HTTPClient returns a client that dials inside the boundary only, uses no proxy, reads no
// environment variables, and does not follow a redirect to another host, which would receive any
// token in a header. It has no timeout of its own; give requests a context.
func (b *Boundary) HTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:           b.DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       60 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
				return &Error{Op: "follow redirect", Target: via[0].URL.Host,
					Hint: "use the address it redirects to, if that is the right server",
					Err:  fmt.Errorf("%w: to another server, %s://%s", ErrRefused, req.URL.Scheme, req.URL.Host)}
			}
			if len(via) >= 10 {
				return &Error{Op: "follow redirect", Target: via[0].URL.Host,
					Err: fmt.Errorf("%w: 10 redirects", ErrConflict)}
			}
			return nil
		},
	}
}
