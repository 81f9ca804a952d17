package vaultprov

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Status is how a server stands, as it says itself without a token.
type Status struct {
	Initialized bool
	Sealed      bool
	Standby     bool // unsealed, and another server of the cluster is active, to which it forwards requests
	Version     string
	Cluster     string    // the ID of the cluster; empty while the server is sealed
	ClusterName string    // empty while the server is sealed
	Time        time.Time // of the server's clock, to the second
}

// Code returns the status with which sys/health answers: 200 active, 429 standby, 501 not initialised, 503
// sealed.
func (s Status) Code() int {
	switch {
	case !s.Initialized:
		return http.StatusNotImplemented
	case s.Sealed:
		return http.StatusServiceUnavailable
	case s.Standby:
		return http.StatusTooManyRequests
	}
	return http.StatusOK
}

// String returns "active", "standby", "not initialised" or "sealed".
func (s Status) String() string {
	switch s.Code() {
	case http.StatusNotImplemented:
		return "not initialised"
	case http.StatusServiceUnavailable:
		return "sealed"
	case http.StatusTooManyRequests:
		return "standby"
	}
	return "active"
}

// Status asks the server how it stands. It needs no token.
func (s *Server) Status(ctx context.Context) (Status, error) {
	c, err := s.client()
	if err != nil {
		return Status{}, err
	}
	defer c.close()
	return c.status(ctx)
}

// health asks for status 200 in all states, which the body tells apart: so a 503 of a proxy is not taken for a
// sealed Vault, nor a 429 for a standby.
const health = "sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200"

func (c *client) status(ctx context.Context) (Status, error) {
	a, err := c.send(ctx, lab.Secret{}, http.MethodGet, health, nil)
	if err != nil {
		return Status{}, err
	}
	var said struct {
		Initialized *bool  `json:"initialized"`
		Sealed      *bool  `json:"sealed"`
		Standby     bool   `json:"standby"`
		Perf        bool   `json:"performance_standby"`
		Version     string `json:"version"`
		Cluster     string `json:"cluster_id"`
		ClusterName string `json:"cluster_name"`
		Time        int64  `json:"server_time_utc"`
	}
	if err := c.decode(a, "sys/health", &said); err != nil {
		return Status{}, err
	}
	if said.Initialized == nil || said.Sealed == nil {
		return Status{}, c.garbled("sys/health")
	}
	st := Status{Initialized: *said.Initialized, Sealed: *said.Sealed, Standby: said.Standby || said.Perf,
		Version: said.Version, Cluster: said.Cluster, ClusterName: said.ClusterName,
		Time: time.Unix(said.Time, 0).UTC()}
	if !st.Initialized || st.Sealed {
		st.Standby = false // it says so of itself in both states
	}
	return st, nil
}

// prove returns the ID of the cluster of a server that serves, and refuses one that is of another cluster than want, or
// the server's Cluster, says; empty: any is taken. A standby serves too: it forwards requests to the active server.
func (c *client) prove(ctx context.Context, want string) (cluster string, err error) {
	st, err := c.status(ctx)
	if err != nil {
		return "", err
	}
	e := &lab.Error{Op: "prove identity", Target: c.server.target()}
	switch {
	case !st.Initialized:
		e.Hint = "initialise it, if it is new; otherwise look at its storage"
		e.Err = fmt.Errorf("%w: it is not initialised", lab.ErrBlocked)
	case st.Sealed:
		e.Hint, e.Err = "unseal it", fmt.Errorf("%w: it is sealed", lab.ErrBlocked)
	case c.server.Cluster != "" && st.Cluster != c.server.Cluster:
		e.Hint, e.Set = "look at the address; if this is the right server, name its cluster",
			lab.Setting{Name: SettingCluster, Value: st.Cluster}
		e.Err = fmt.Errorf("%w: it is the cluster %s, and must be %s", lab.ErrRefused, st.Cluster, c.server.Cluster)
	case want != "" && st.Cluster != want:
		e.Hint = "plan again"
		e.Err = fmt.Errorf("%w: it is the cluster %s, and was %s when the plan was made", lab.ErrRefused, st.Cluster,
			want)
	default:
		return st.Cluster, nil
	}
	return "", e
}
