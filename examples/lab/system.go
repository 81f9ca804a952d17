package main

import (
	"context"
	"fmt"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/base"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// machine returns what differs between the machines.
func (l *Lab) machine(h *inventory.Host) base.Machine {
	m := base.Machine{Name: h.Name, Domain: l.Domain, User: userOf(h, l)}
	for _, other := range l.Hosts {
		if other.Name != h.Name {
			m.Peers = append(m.Peers, base.Peer{Name: other.Name, Address: other.Address})
		}
	}
	return m
}

// base returns the base of every machine.
func (l *Lab) base() component {
	return component{place: "system", everywhere: true, validate: l.System.Validate,
		pieces: func(_ context.Context, h *inventory.Host, _ sources) ([]piece, error) {
			return piecesAt("system", l.System.State(l.machine(h))), nil
		}}
}

// piecesAt returns the resources of a state that one place in the document asks for.
func piecesAt(place string, s host.State) (out []piece) {
	for _, r := range s {
		out = append(out, piece{Resource: r, place: place})
	}
	return out
}

// placements returns the resources that the config places on machines.
func (l *Lab) placements() (out []component) {
	for i, p := range l.Resources {
		place := fmt.Sprintf("resources[%d]", i)
		var all pieces
		for j, r := range p.State {
			all = append(all, piece{Resource: r, place: fmt.Sprintf("%s.state[%d]", place, j), itself: true})
		}
		out = append(out, component{place: place, on: p.On, validate: all.alone,
			pieces: func(context.Context, *inventory.Host, sources) ([]piece, error) { return all, nil }})
	}
	return out
}

// alone returns what is wrong with resources wherever they are placed, at places in the document. What they
// come after may be anywhere in the state of a machine.
func (ps pieces) alone() (out lab.Problems) {
	for _, p := range problemsOf(ps.state().Validate()) {
		if filepath.Ext(p.Path) != ".after" {
			out = append(out, p)
		}
	}
	return ps.placed(append(out, ps.state().CheckSources()...))
}

func userOf(h *inventory.Host, l *Lab) string {
	if h.User != "" {
		return h.User
	}
	return l.user()
}
