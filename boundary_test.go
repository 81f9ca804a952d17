package lab_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
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
