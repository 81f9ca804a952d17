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
	return component{place: "system", validate: l.System.Validate,
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
		out = append(out, component{place: place, on: p.On, validate: p.validate,
			pieces: func(context.Context, *inventory.Host, sources) (out []piece, err error) {
				for j, r := range p.State {
					out = append(out, piece{Resource: r, place: fmt.Sprintf("%s.state[%d]", place, j), itself: true})
				}
				return out, nil
			}})
	}
	return out
}

// validate returns what is wrong with the resources wherever they are placed. What they come after may be
// anywhere in the state of a machine.
func (p Placement) validate() (ps lab.Problems) {
	for _, problem := range problemsOf(p.State.Validate()) {
		if filepath.Ext(problem.Path) != ".after" {
			ps = append(ps, problem)
		}
	}
	return append(ps, p.State.CheckSources()...).Under("state")
}

func userOf(h *inventory.Host, l *Lab) string {
	if h.User != "" {
		return h.User
	}
	return l.user()
}
