package lab_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

var _ = []lab.Dialer{(*lab.Boundary)(nil), (*ssh.Conn)(nil)}

func TestBoundaryCheck(t *testing.T) {
	lan := &lab.Boundary{Name: "prod", Allow: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"),
		netip.MustParsePrefix("fd00::/8")}, Deny: []netip.Prefix{netip.MustParsePrefix("192.168.1.1/32")}}
	ports := &lab.Boundary{Ports: []uint16{22}}
	for _, c := range []struct {
		b    *lab.Boundary
		addr string
		ok   bool
	}{
		{nil, "127.0.0.1:22", true}, {nil, "[::1]:22", true}, {nil, "192.168.1.201:22", false},
		{nil, "[::ffff:192.168.1.201]:22", false}, {nil, "[::ffff:127.0.0.1]:22", true},
		{nil, "0.0.0.0:22", false}, {nil, "[::]:22", false}, {nil, "169.254.169.254:80", false},
		{lan, "192.168.1.201:22", true}, {lan, "[::ffff:192.168.1.201]:22", true}, {lan, "192.168.1.1:22", false},
		{lan, "[::ffff:192.168.1.1]:22", false}, {lan, "127.0.0.1:22", false},
		{lan, "192.168.2.1:22", false}, {lan, "[fd00::1%eth0]:22", true},
		{ports, "127.0.0.1:22", true}, {ports, "127.0.0.1:23", false},
	} {
		err := c.b.Check(netip.MustParseAddrPort(c.addr))
		if c.ok != (err == nil) || err != nil && (!errors.Is(err, lab.ErrRefused) || !lab.SafeToRetry(err)) {
			t.Errorf("%v %s: %v", c.b, c.addr, err)
		}
	}
	remote := &lab.Boundary{Names: []string{"db.lab"}}
	for addr, ok := range map[string]bool{"db.lab:5432": true, "DB.lab:5432": true, "other.lab:5432": false,
		"127.0.0.1:5432": true, "10.0.0.1:5432": false, "nonsense": false} {
		if err := remote.CheckRemote(addr); ok != (err == nil) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	unix := &lab.Boundary{Unix: []string{"/run/x.sock", "/run/pg/"}}
	for path, ok := range map[string]bool{"/run/x.sock": true, "/run/pg/.s.PGSQL.5432": true,
		"/run/pg/../docker.sock": false, "/run/docker.sock": false} {
		if err := unix.CheckUnix(path); ok != (err == nil) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestBoundaryHolds: neither a name that resolves elsewhere, nor a redirect, nor a proxy from the
// environment gets around the boundary.
func TestBoundaryHolds(t *testing.T) {
	var reached int
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer elsewhere.Close()
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/same" {
			http.Redirect(w, r, "/fine", http.StatusFound)
		} else if r.URL.Path != "/fine" {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		}
	}))
	defer redirecting.Close()
	t.Setenv("HTTP_PROXY", elsewhere.URL)
	t.Setenv("http_proxy", elsewhere.URL)
	t.Setenv("ALL_PROXY", elsewhere.URL)
	var refused []string
	b := &lab.Boundary{Refused: func(_, a string) { refused = append(refused, a) }}
	c := b.HTTPClient()
	if r, err := c.Get(redirecting.URL + "/same"); err != nil {
		t.Errorf("a redirect on the same server: %v", err)
	} else {
		r.Body.Close()
	}
	if _, err := c.Get(redirecting.URL); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a redirect to another server: %v", err)
	}
	if reached != 0 {
		t.Errorf("the other server got %d requests", reached)
	}
	// the address that a name resolves to counts: localhost, with a boundary that excludes loopback
	_, port, err := net.SplitHostPort(elsewhere.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	away := &lab.Boundary{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Refused: b.Refused}
	if _, err := away.DialContext(t.Context(), "tcp", "localhost:"+port); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a name that resolves to loopback: %v", err)
	}
	if len(refused) == 0 {
		t.Error("Refused was not called")
	}
	if _, err := away.DialContext(t.Context(), "unix", "/run/docker.sock"); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a socket: %v", err)
	}
}

// TestBoundaryIsTheSameEverywhere: addresses that the kernel treats alike are decided alike, every check
// asks every rule, and what is refused through another machine is refused directly.
func TestBoundaryIsTheSameEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	prefixes := []string{"0.0.0.0/0", "::/0", "127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128", "10.0.0.0/8", "fd00::/8",
		"::ffff:127.0.0.0/104", "::ffff:10.0.0.0/104", "::ffff:0.0.0.0/96", "192.168.1.0/24"}
	hosts := []string{"127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "::", "10.1.2.3", "fd00::1", "192.168.1.7", "8.8.8.8", "fe80::1"}
	some := func() (out []netip.Prefix) {
		for range r.IntN(4) {
			out = append(out, netip.MustParsePrefix(prefixes[r.IntN(len(prefixes))]))
		}
		return out
	}
	loopback := map[netip.Addr]netip.Addr{
		netip.IPv4Unspecified(): netip.MustParseAddr("127.0.0.1"), netip.IPv6Unspecified(): netip.IPv6Loopback(),
	}
	var allowed, refused int
	for range 20000 {
		b := &lab.Boundary{Allow: some(), Deny: some(), Names: []string{"db.lab"}}
		if r.IntN(2) == 0 {
			b.Ports = []uint16{22, 443}
		}
		ip := netip.MustParseAddr(hosts[r.IntN(len(hosts))])
		port := []uint16{22, 443, 80}[r.IntN(3)]
		addr := netip.AddrPortFrom(ip, port)
		ok := b.Check(addr) == nil
		if ok {
			allowed++
		} else {
			refused++
		}
		spellings := []string{addr.String()}
		if ip.Is4() {
			spellings = append(spellings, netip.AddrPortFrom(netip.AddrFrom16(ip.As16()), port).String())
		} else {
			spellings = append(spellings, netip.AddrPortFrom(ip.WithZone("eth0"), port).String())
		}
		for _, s := range spellings {
			if got := b.Check(netip.MustParseAddrPort(s)) == nil; got != ok {
				t.Fatalf("%+v: Check(%s) is %t, Check(%s) is %t", b, addr, ok, s, got)
			}
			if got := b.CheckRemote(s) == nil; got != ok {
				t.Fatalf("%+v: Check(%s) is %t, CheckRemote(%s) is %t", b, addr, ok, s, got)
			}
		}
		if to, is := loopback[ip]; is && ok && b.Check(netip.AddrPortFrom(to, port)) != nil {
			t.Fatalf("%+v: %s is allowed, %s is not", b, ip, to)
		}
		portOK := len(b.Ports) == 0 || slices.Contains(b.Ports, port)
		for _, name := range []string{"db.lab", "DB.LAB."} {
			if got := b.CheckRemote(fmt.Sprintf("%s:%d", name, port)) == nil; got != portOK {
				t.Fatalf("%+v: %s:%d is allowed: %t", b, name, port, got)
			}
		}
		for _, name := range []string{"127.1", "0x7f000001", "2130706433", "localhost", "db.lab.evil", "", "."} {
			if b.CheckRemote(net.JoinHostPort(name, "22")) == nil {
				t.Fatalf("%+v allows %q", b, name)
			}
		}
	}
	if allowed < 500 || refused < 500 {
		t.Errorf("only %d were allowed, %d refused", allowed, refused)
	}
}

// TestBoundaryUnspecified: to dial 0.0.0.0 or :: is to dial loopback.
func TestBoundaryUnspecified(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := &lab.Boundary{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
		Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	for _, host := range []string{"0.0.0.0", "::", "::ffff:0.0.0.0", "::ffff:127.0.0.1", "localhost", ""} {
		c, err := b.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if !errors.Is(err, lab.ErrRefused) {
			t.Errorf("%q: %v", host, err)
		}
		if c != nil {
			c.Close()
		}
	}
}

// TestBoundaryUnixLinks: a symbolic link in an allowed directory does not lead out of it, and an allowed
// directory may be a link itself.
func TestBoundaryUnixLinks(t *testing.T) {
	dir, err := os.MkdirTemp("", "b") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"in", "out"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(dir, d, "s"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	for from, to := range map[string]string{"in/link": dir + "/out/s", "in/good": dir + "/in/s", "alias": dir + "/in"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	b := &lab.Boundary{Unix: []string{dir + "/in/", dir + "/alias/"}}
	for path, ok := range map[string]bool{"in/s": true, "in/good": true, "alias/s": true, "in/link": false, "alias/link": false,
		"in/../out/s": false, "out/s": false} {
		c, err := b.DialContext(t.Context(), "unix", dir+"/"+path)
		if ok != (err == nil) || !ok && !errors.Is(err, lab.ErrRefused) {
			t.Errorf("%s: %v", path, err)
		}
		if c != nil {
			c.Close()
		}
	}
}
