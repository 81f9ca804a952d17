package vaultprov

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Mount is a secrets engine.
type Mount struct {
	// Path is where it is mounted: "kvv2". It is required.
	Path string `yaml:"path,required"`

	// Type is the engine: "kv", "database", "transit". It is required, and does not change.
	Type string `yaml:"type,required"`

	// Version is that of a KV engine, 1 or 2; 0 means 2. It does not change: an upgrade from 1 to 2 cannot be undone.
	Version int `yaml:"version"`

	Description string `yaml:"description"` // empty means as it is

	// DefaultLease and MaxLease are how long leases last that say nothing else, and at most; 0 means the server's own.
	DefaultLease time.Duration `yaml:"defaultLease"`
	MaxLease     time.Duration `yaml:"maxLease"`
}

const typeKV = "kv"

// version returns the version of a KV engine, 0 of another.
func (m Mount) version() int {
	switch {
	case m.Type != typeKV:
		return 0
	case m.Version == 0:
		return 2
	}
	return m.Version
}

func (m Mount) validate() (ps lab.Problems) {
	ps = append(ps, validateMount("path", m.Path)...)
	if m.Type == "" {
		ps.Add("type", "empty: name the engine")
	}
	if m.Type == "kv-v1" || m.Type == "kv-v2" {
		ps = append(ps, lab.Problem{Path: "type", Text: m.Type, Message: "is what Vault shows as kv with a version",
			Hint: "write type kv and version " + m.Type[4:]})
	}
	if m.Version < 0 || m.Version > 2 || m.Version != 0 && m.Type != typeKV {
		ps.Add("version", "%d: only a KV engine has a version, 1 or 2", m.Version)
	}
	return append(ps, validateLeases("defaultLease", m.DefaultLease, "maxLease", m.MaxLease)...)
}

// mounts are the secrets engines, all read at once.
func (p *planner) mounts() kind {
	k := kind{name: "mount", want: map[string]object{}, prunes: true, loss: lab.RiskDataLoss,
		path: func(key string) string { return "sys/mounts/" + key },
		all:  func(ctx context.Context) (map[string]map[string]any, error) { return p.readMounts(ctx, "sys/mounts") },
	}
	if !p.spec.Records.none() {
		k.spares = []string{p.spec.Records.mount()}
	}
	for _, m := range p.spec.Mounts {
		w := object{want: tuned(m.Type, m.Description, m.DefaultLease, m.MaxLease), fixed: []string{"type", "version"}}
		if m.version() != 0 {
			w.want["version"] = m.version()
		}
		k.want[strings.Trim(m.Path, "/")] = w
	}
	k.write = func(ctx context.Context, key string, send fields, there bool) error {
		err := p.writeMount(ctx, k.path(key), send, there)
		if err == nil && send["version"] == 2 {
			err = p.awaitVersion2(ctx, key)
		}
		return err
	}
	return k
}

// tuned are the fields that all mounts have, as sys/mounts and sys/auth show them.
func tuned(kind, description string, defaultLease, maxLease time.Duration) fields {
	f := fields{"type": kind, "default_lease_ttl": defaultLease, "max_lease_ttl": maxLease}
	if description != "" {
		f["description"] = description
	}
	return f
}

// readMounts reads all secrets engines, or all auth methods, and brings them into the form of tuned.
func (p *planner) readMounts(ctx context.Context, path string) (map[string]map[string]any, error) {
	var answer map[string]struct {
		Type        string         `json:"type"`
		Description string         `json:"description"`
		Config      map[string]any `json:"config"`
		Options     map[string]any `json:"options"`
	}
	if err := p.client.read(ctx, path, &answer); err != nil {
		return nil, err
	}
	all := map[string]map[string]any{}
	for key, m := range answer {
		has := map[string]any{"type": m.Type, "description": m.Description,
			"default_lease_ttl": m.Config["default_lease_ttl"], "max_lease_ttl": m.Config["max_lease_ttl"]}
		if m.Type == typeKV {
			has["version"] = float64(1)
			if v, err := strconv.Atoi(fmt.Sprint(m.Options["version"])); err == nil {
				has["version"] = float64(v)
			}
		}
		all[strings.TrimSuffix(key, "/")] = has
	}
	return all, nil
}

// writeMount mounts an engine or an auth method, or tunes one.
func (p *planner) writeMount(ctx context.Context, path string, send fields, there bool) error {
	tune := fields{"default_lease_ttl": fmt.Sprintf("%ds", send["default_lease_ttl"]), // 0: the server's own
		"max_lease_ttl": fmt.Sprintf("%ds", send["max_lease_ttl"])}
	in := fields{"type": send["type"], "config": tune}
	if there {
		path, in = path+"/tune", tune
	}
	if d, ok := send["description"]; ok {
		in["description"] = d
	}
	if v, ok := send["version"]; ok && !there {
		in["options"] = fields{"version": fmt.Sprint(v)}
	}
	return p.client.write(ctx, path, in, nil)
}

// awaitVersion2 waits until a KV version 2 engine serves: in its first moments it refuses all with "Upgrading from
// non-versioned to versioned data".
func (p *planner) awaitVersion2(ctx context.Context, mount string) error {
	return lab.Wait(ctx, lab.Poll{What: mount + " to be upgraded to version 2", First: 50 * time.Millisecond, Timeout: time.Minute},
		func(ctx context.Context) (bool, error) {
			var config map[string]any
			err := p.client.read(ctx, mount+"/config", &config)
			if errors.Is(err, lab.ErrBlocked) || errors.Is(err, lab.ErrInvalid) {
				return false, nil
			}
			if errors.Is(err, lab.ErrUnauthorized) {
				return true, nil // who may not read it finds out by what comes next
			}
			return err == nil, err
		})
}
