package pgprov_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

// openCounter counts the connections that are open.
type openCounter struct{ open, most, made atomic.Int64 }

func (c *openCounter) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (*lab.Boundary)(nil).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.made.Add(1)
	n := c.open.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	return &countedConn{Conn: conn, counter: c}, nil
}

type countedConn struct {
	net.Conn
	counter *openCounter
	closed  atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.counter.open.Add(-1)
	}
	return c.Conn.Close()
}

// TestSessionsAreKept: sessions of the first database go from one app to the next, are never more than MaxConns with the
// others, whatever that is, and none is left when an apply ends, whether it succeeds or is stopped.
func TestSessionsAreKept(t *testing.T) {
	const apps = 20
	for limit, most := range map[int]int64{1: 1, 2: 2, 3: 3, 0: 12} {
		for _, stopped := range []bool{false, true} {
			f := pgtest.New(t, pgtest.Config{})
			dialer := &openCounter{}
			s := f.Access()
			s.Boundary, s.MaxConns = dialer, limit
			spec := pgprov.Spec{Editor: pgprov.Login{Password: lab.NewSecret("e")}, Pooler: pgprov.Login{Password: lab.NewSecret("p")}}
			for n := range apps {
				spec.Instances = append(spec.Instances, pgprov.Instance{Instance: lab.App(fmt.Sprintf("app-%d", n)).In("")})
			}
			p, err := s.Plan(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := 0
			_, err = p.Apply(ctx, &lab.ApplyOptions{Events: func(e lab.Event) {
				if done++; stopped && done == 40 {
					stop()
				}
			}})
			stop()
			if (err != nil) != stopped {
				t.Errorf("at most %d, stopped %t: %v", limit, stopped, err)
			}
			if open := dialer.open.Load(); open != 0 {
				t.Errorf("at most %d, stopped %t: %d connections are left open", limit, stopped, open)
			}
			// A request to cancel is a connection of its own, which is no session.
			if n := dialer.most.Load(); !stopped && n > most {
				t.Errorf("at most %d: %d were open", limit, n)
			}
			if n := dialer.made.Load(); limit == 0 && !stopped && n >= 2*apps {
				t.Errorf("%d connections for %d apps: none was kept", n, apps)
			}
		}
	}
}
